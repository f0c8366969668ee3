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
  Walk(archive::Archive& archive, std::vector<StreamItem> items, std::string after)
      : archive_(archive), items_(std::move(items)), after_(std::move(after)) {}

  /// The next pieces: at least one, about `wanted` bytes; none at the end.
  Result<Chunk> next(std::size_t wanted) {
    Chunk chunk;
    std::size_t bytes = 0;
    const auto add = [&](Piece piece) {
      bytes += piece.bytes.size();
      if (!piece.bytes.empty()) chunk.push_back(std::move(piece));
    };
    while (bytes < wanted && chunk.size() < kBatchPieces) {
      if (index_ == items_.size()) {
        add(piece_of(std::exchange(after_, {})));
        break;
      }
      StreamItem& item = items_[index_];
      if (!reader_) {
        reader_ = archive_.open(item.instance);
        done_ = 0;
        add(piece_of(std::exchange(item.before, {})));
      }
      if (done_ == item.range.length) {
        reader_.reset();
        ++index_;
        continue;
      }
      CAIRN_TRY(auto view, reader_->view(item.range.first + done_));
      if (view.bytes.empty()) return fail(Errc::truncated, "stored stream", item.range.first + done_);
      const auto length = std::min<std::uint64_t>(view.bytes.size(), item.range.length - done_);
      add({view.bytes.first(static_cast<std::size_t>(length)), std::move(view.keep)});
      done_ += length;
    }
    return chunk;
  }

 private:
  archive::Archive& archive_;
  std::vector<StreamItem> items_;
  std::string after_;
  std::size_t index_ = 0;
  std::uint64_t done_ = 0;  // of the range of items_[index_]
  std::unique_ptr<archive::StreamReader> reader_;
};

class StoredStream final : public BodySource {
 public:
  StoredStream(io::WorkerPool& pool, std::shared_ptr<StreamBudget> budget, std::shared_ptr<Walk> walk)
      : pool_(pool), budget_(std::move(budget)), walk_(std::move(walk)) {}
  ~StoredStream() override { hold(0); }

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
    if (!chunk.empty() && !crowded()) start(executor);
    co_return chunk;
  }

 private:
  /// One batch on its way from the pool; its members belong to the reactor.
  struct Fetch {
    explicit Fetch(const asio::any_io_executor& executor) : wake(executor) {}
    asio::steady_timer wake;
    std::optional<Result<Chunk>> ready;
  };

  bool crowded() const noexcept { return budget_->held_bytes.load(std::memory_order_relaxed) > budget_->limit_bytes; }
  void hold(std::size_t bytes) noexcept {
    budget_->held_bytes.fetch_add(bytes - held_, std::memory_order_relaxed);  // wraps: a difference
    held_ = bytes;
  }
  void start(const asio::any_io_executor& executor) {
    fetch_ = std::make_shared<Fetch>(executor);
    const std::size_t wanted = crowded() ? 1 : kBatchBytes;
    pool_.submit(io::WorkClass::interactive, [walk = walk_, fetch = fetch_, executor, wanted]() mutable {
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

}  // namespace

std::unique_ptr<BodySource> make_stored_stream(archive::Archive& archive, io::WorkerPool& pool,
                                               std::shared_ptr<StreamBudget> budget, std::vector<StreamItem> items,
                                               std::string after) {
  auto walk = std::make_shared<Walk>(archive, std::move(items), std::move(after));
  return std::make_unique<StoredStream>(pool, std::move(budget), std::move(walk));
}

Response send_range(archive::Archive& archive, io::WorkerPool& pool, std::shared_ptr<StreamBudget> budget,
                    const Request& request, StreamItem item, std::string_view content_type, std::string_view etag) {
  const std::uint64_t size = item.range.length;
  // If-Range with another validator asks for the whole (RFC 9110 §13.1.5).
  const bool stale = request.headers.contains("If-Range") && request.headers.get("If-Range") != etag;
  const auto asked = stale ? RangeRequest{} : parse_range(request.headers.get("Range"), size);
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
    item.range = {item.range.first + asked.range.first, asked.range.length};
  }
  response.headers.add("Content-Type", content_type);
  response.headers.add("Accept-Ranges", "bytes");
  response.headers.add("ETag", etag);
  response.headers.add("Cache-Control", "private, no-cache");
  response.length = item.range.length;
  std::vector<StreamItem> items;
  items.push_back(std::move(item));
  response.source = make_stored_stream(archive, pool, std::move(budget), std::move(items), {});
  return response;
}

std::uint64_t length_of(const std::vector<StreamItem>& items, const std::string& after) noexcept {
  std::uint64_t length = after.size();
  for (const StreamItem& item : items) length += item.before.size() + item.range.length;
  return length;
}

}  // namespace cairn::web
