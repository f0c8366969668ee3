#include "engine/web/stored_stream.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/web/error_response.h"

namespace cairn::web {
namespace {

constexpr std::size_t kBatchBytes = 2u << 20;
constexpr std::size_t kBatchPieces = 48;

/// Walks through the items; on the worker pool, one call at a time.
class Walk {
 public:
  Walk(archive::Archive& archive, std::vector<StreamItem> items, std::string after,
       std::unique_ptr<StreamFraming> framing)
      : archive_(archive), items_(std::move(items)), after_(std::move(after)), framing_(std::move(framing)) {}

  /// The next pieces: at least one, about `wanted` bytes; none at the end.
  Result<Chunk> next(std::size_t wanted, archive::Reach reach = archive::Reach::disk) {
    Chunk chunk;
    std::size_t bytes = 0;
    const auto add = [&](Piece piece) {
      bytes += piece.bytes.size();
      if (!piece.bytes.empty()) chunk.push_back(std::move(piece));
    };
    while (bytes < wanted && chunk.size() < kBatchPieces) {
      if (index_ == items_.size()) {
        if (framing_) add(piece_of(framing_->after_all()));
        framing_.reset();
        add(piece_of(std::exchange(after_, {})));
        break;
      }
      StreamItem& item = items_[index_];
      if (!begun_) {
        // Items of one instance, as the fragments of its frames are, share its reader.
        if (!reader_ || index_ == 0 || items_[index_ - 1].instance != item.instance) {
          reader_ = archive_.open(*item.instance);
        }
        begun_ = true;
        done_ = 0;
        add(piece_of(std::exchange(item.before, {})));
        if (framing_) add(piece_of(framing_->before_item()));
      }
      if (done_ == item.range.length) {
        if (framing_) add(piece_of(framing_->after_item()));
        begun_ = false;
        ++index_;
        continue;
      }
      const std::uint64_t at = item.range.first + done_;
      CAIRN_TRY(auto view, reach == archive::Reach::memory ? reader_->view_at_hand(at) : reader_->view(at));
      if (view.bytes.empty()) return fail(Errc::truncated, "stored stream", item.range.first + done_);
      const auto length = std::min<std::uint64_t>(view.bytes.size(), item.range.length - done_);
      if (framing_) framing_->passed(view.bytes.first(static_cast<std::size_t>(length)));
      add({view.bytes.first(static_cast<std::size_t>(length)), std::move(view.keep)});
      done_ += length;
    }
    return chunk;
  }

 private:
  archive::Archive& archive_;
  std::vector<StreamItem> items_;
  std::string after_;
  std::unique_ptr<StreamFraming> framing_;
  std::size_t index_ = 0;
  bool begun_ = false;      // items_[index_]
  std::uint64_t done_ = 0;  // of the range of items_[index_]
  std::unique_ptr<archive::StreamReader> reader_;
};

class StoredStream final : public BodySource {
 public:
  StoredStream(io::WorkerPool& pool, std::shared_ptr<StreamBudget> budget, std::shared_ptr<Walk> walk)
      : pool_(pool), budget_(std::move(budget)), walk_(std::move(walk)) {}
  ~StoredStream() override {
    hold(0);
    if (fetch_) fetch_->unwanted.store(true, std::memory_order_relaxed);
  }

  Task<Chunk> next() override {
    const auto executor = co_await asio::this_coro::executor;
    hold(0);
    if (!fetch_) start(executor);
    const auto fetch = fetch_;
    while (!fetch->ready) {
      fetch->wake.expires_at(asio::steady_timer::time_point::max());
      auto waited = co_await fetch->wake.async_wait(asio::as_tuple(asio::use_awaitable));
      (void)waited;
    }
    fetch_.reset();
    CAIRN_CO_TRY(auto chunk, std::move(*fetch->ready));
    std::size_t bytes = 0;
    for (const Piece& piece : chunk) bytes += piece.bytes.size();
    hold(bytes);
    if (!chunk.empty() && !budget_->is_used_up()) start(executor);
    co_return chunk;
  }

 private:
  /// One batch on its way from the pool; its members belong to the reactor, but for `unwanted`: nobody waits any more.
  struct Fetch {
    explicit Fetch(const asio::any_io_executor& executor) : wake(executor) {}
    std::atomic<bool> unwanted{false};  // relaxed: saves work, no more
    asio::steady_timer wake;
    std::optional<Result<Chunk>> ready;
  };

  void hold(std::size_t bytes) noexcept {
    budget_->held_bytes.fetch_add(bytes - held_, std::memory_order_relaxed);  // wraps: a difference
    held_ = bytes;
  }
  void start(const asio::any_io_executor& executor) {
    fetch_ = std::make_shared<Fetch>(executor);
    const std::size_t wanted = budget_->is_used_up() ? 1 : kBatchBytes;
    pool_.submit(io::WorkClass::interactive, [walk = walk_, fetch = fetch_, executor, wanted]() mutable {
      if (fetch->unwanted.load(std::memory_order_relaxed)) return;
      auto batch = std::make_shared<Result<Chunk>>(walk->next(wanted));
      asio::post(executor, [fetch = std::move(fetch), batch = std::move(batch)] {
        fetch->ready = std::move(*batch);
        fetch->wake.cancel();
      });
    });
  }

  io::WorkerPool& pool_;
  std::shared_ptr<StreamBudget> budget_;
  std::shared_ptr<Walk> walk_;
  std::shared_ptr<Fetch> fetch_;
  std::size_t held_ = 0;
};

/// The part `wanted` of the concatenation of `pieces`.
std::vector<ByteRange> cut_out(const std::vector<ByteRange>& pieces, ByteRange wanted) {
  std::vector<ByteRange> out;
  std::uint64_t at = 0;
  for (const ByteRange& piece : pieces) {
    const std::uint64_t begin = std::max(at, wanted.first);
    const std::uint64_t end = std::min(at + piece.length, wanted.first + wanted.length);
    if (begin < end) out.push_back({piece.first + (begin - at), end - begin});
    at += piece.length;
  }
  return out;
}

class ReadySource final : public BodySource {
 public:
  ReadySource(Chunk chunk, std::shared_ptr<StreamBudget> budget)
      : chunk_(std::move(chunk)), budget_(std::move(budget)) {
    for (const Piece& piece : chunk_) held_ += piece.bytes.size();
    budget_->held_bytes.fetch_add(held_, std::memory_order_relaxed);
  }
  ~ReadySource() override { budget_->held_bytes.fetch_sub(held_, std::memory_order_relaxed); }
  Task<Chunk> next() override { co_return std::exchange(chunk_, {}); }

 private:
  Chunk chunk_;
  std::shared_ptr<StreamBudget> budget_;
  std::size_t held_ = 0;
};

}  // namespace

std::unique_ptr<BodySource> make_stored_stream(archive::Archive& archive, io::WorkerPool& pool,
                                               std::shared_ptr<StreamBudget> budget, std::vector<StreamItem> items,
                                               std::string after, std::unique_ptr<StreamFraming> framing) {
  auto walk = std::make_shared<Walk>(archive, std::move(items), std::move(after), std::move(framing));
  return std::make_unique<StoredStream>(pool, std::move(budget), std::move(walk));
}

Result<std::unique_ptr<BodySource>> read_stored(archive::Archive& archive, std::shared_ptr<StreamBudget> budget,
                                                std::vector<StreamItem> items, std::string after,
                                                archive::Reach reach) {
  Walk walk(archive, std::move(items), std::move(after), nullptr);
  Chunk chunk;
  while (true) {
    CAIRN_TRY(auto more, walk.next(SIZE_MAX, reach));
    if (more.empty()) break;
    for (Piece& piece : more) chunk.push_back(std::move(piece));
  }
  return std::unique_ptr<BodySource>(std::make_unique<ReadySource>(std::move(chunk), std::move(budget)));
}

std::string_view range_of(const Request& request, std::string_view etag) noexcept {
  const bool stale = request.headers.contains("If-Range") && request.headers.get("If-Range") != etag;
  return stale ? std::string_view() : request.headers.get("Range");
}

Response send_ranges(archive::Archive& archive, io::WorkerPool& pool, std::shared_ptr<StreamBudget> budget,
                     std::string_view range, std::shared_ptr<const archive::Instance> instance,
                     std::vector<ByteRange> pieces, std::string_view content_type, std::string_view etag) {
  std::uint64_t size = 0;
  for (const ByteRange& piece : pieces) size += piece.length;
  const auto asked = parse_range(range, size);
  if (asked.kind == RangeRequest::Kind::unsatisfiable) {
    Response response = error_response(416, fail(Errc::limit_exceeded, "Range"));
    response.headers.add("Content-Range", "bytes */" + std::to_string(size));
    return response;
  }
  Response response;
  if (asked.kind == RangeRequest::Kind::part) {
    response.status = 206;
    response.headers.add("Content-Range", "bytes " + std::to_string(asked.range.first) + '-' +
                                              std::to_string(asked.range.first + asked.range.length - 1) + '/' +
                                              std::to_string(size));
    pieces = cut_out(pieces, asked.range);
    size = asked.range.length;
  }
  response.headers.add("Content-Type", content_type);
  response.headers.add("Accept-Ranges", "bytes");
  response.headers.add("ETag", etag);
  response.headers.add("Cache-Control", "private, no-cache");
  response.length = size;
  std::vector<StreamItem> items;
  for (const ByteRange& piece : pieces) items.push_back({{}, instance, piece});
  if (size <= kReadAtOnceBytes && !budget->is_used_up()) {
    if (auto ready = read_stored(archive, budget, items, {}, archive::Reach::memory)) {
      response.source = std::move(ready).value();
      return response;
    }
  }
  response.source = make_stored_stream(archive, pool, std::move(budget), std::move(items), {});
  return response;
}

Response send_range(archive::Archive& archive, io::WorkerPool& pool, std::shared_ptr<StreamBudget> budget,
                    const Request& request, StreamItem item, std::string_view content_type, std::string_view etag) {
  return send_ranges(archive, pool, std::move(budget), range_of(request, etag), std::move(item.instance), {item.range},
                     content_type, etag);
}

std::uint64_t length_of(const std::vector<StreamItem>& items, const std::string& after) noexcept {
  std::uint64_t length = after.size();
  for (const StreamItem& item : items) length += item.before.size() + item.range.length;
  return length;
}

}  // namespace cairn::web
