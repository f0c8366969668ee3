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
};

struct StreamItem {
  std::string before;  ///< sent in front
  archive::Instance instance;
  ByteRange range;  ///< of its stream; within it
};

/// Sends every item, then `after`. `archive` and `pool` outlive the source.
std::unique_ptr<BodySource> make_stored_stream(archive::Archive& archive, io::WorkerPool& pool,
                                               std::shared_ptr<StreamBudget> budget, std::vector<StreamItem> items,
                                               std::string after);

/// An answer of the item's bytes, or of what the request's Range asks of them: 200, 206 or 416.
Response send_range(archive::Archive& archive, io::WorkerPool& pool, std::shared_ptr<StreamBudget> budget,
                    const Request& request, StreamItem item, std::string_view content_type, std::string_view etag);

/// How many bytes that sends.
std::uint64_t length_of(const std::vector<StreamItem>& items, const std::string& after) noexcept;

}  // namespace cairn::web
