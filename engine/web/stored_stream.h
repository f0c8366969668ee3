// A response body from stored instances: texts and byte ranges of their streams, one after another. Bytes are sent from
// the verified parts that the archive hands out, without a copy; the next ones are fetched while a batch is being sent.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "engine/archive/archive.h"
#include "engine/io/worker_pool.h"
#include "engine/web/http_fields.h"
#include "engine/web/message.h"

namespace cairn::web {

/// Bytes that all such bodies of a server hold at the moment. Past the limit nothing is fetched ahead and batches are
/// single parts, so that many slow readers hold little more than a part each.
struct StreamBudget {
  std::atomic<std::size_t> held_bytes{0};  ///< relaxed: a measure, no ordering
  std::size_t limit_bytes = 64u << 20;

  bool is_used_up() const noexcept { return held_bytes.load(std::memory_order_relaxed) > limit_bytes; }
};

/// Up to this much is read before the answer begins, which saves a change of threads.
inline constexpr std::uint64_t kReadAtOnceBytes = 4u << 20;

struct StreamItem {
  std::string before;  ///< sent in front
  std::shared_ptr<const archive::Instance> instance;
  ByteRange range;  ///< of its stream; within it
};

/// Texts between the items that depend on the bytes sent. Called on the worker pool, one call at a time.
class StreamFraming {
 public:
  virtual ~StreamFraming() = default;
  virtual std::string before_item() = 0;  ///< sent in front of each item, behind its own text
  virtual void passed(Bytes bytes) = 0;   ///< the next bytes of the item under way
  virtual std::string after_item() = 0;   ///< sent behind each item
  virtual std::string after_all() = 0;    ///< sent at the end, before `after`
};

/// Sends every item, then `after`. `archive` and `pool` outlive the source. `framing` may be null.
std::unique_ptr<BodySource> make_stored_stream(archive::Archive& archive, io::WorkerPool& pool,
                                               std::shared_ptr<StreamBudget> budget, std::vector<StreamItem> items,
                                               std::string after, std::unique_ptr<StreamFraming> framing = nullptr);

/// The same, read at once, for short answers: saves a change of threads. Blocking with Reach::disk. Errors: io,
/// corrupt, truncated, out of reach.
Result<std::unique_ptr<BodySource>> read_stored(archive::Archive& archive, std::shared_ptr<StreamBudget> budget,
                                                std::vector<StreamItem> items, std::string after, archive::Reach reach);

/// The Range field that counts for a representation with this entity tag: none when If-Range names another one
/// (RFC 9110 §13.1.5).
std::string_view range_of(const Request& request, std::string_view etag) noexcept;

/// An answer of the concatenated pieces of the instance, or of what the Range field `range` asks of them: 200, 206 or
/// 416.
Response send_ranges(archive::Archive& archive, io::WorkerPool& pool, std::shared_ptr<StreamBudget> budget,
                     std::string_view range, std::shared_ptr<const archive::Instance> instance,
                     std::vector<ByteRange> pieces, std::string_view content_type, std::string_view etag);

/// The same of one item.
Response send_range(archive::Archive& archive, io::WorkerPool& pool, std::shared_ptr<StreamBudget> budget,
                    const Request& request, StreamItem item, std::string_view content_type, std::string_view etag);

/// How many bytes that sends.
std::uint64_t length_of(const std::vector<StreamItem>& items, const std::string& after) noexcept;

}  // namespace cairn::web
