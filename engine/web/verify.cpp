#include "engine/web/verify.h"

#include <chrono>
#include <mutex>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/web/error_response.h"

namespace cairn::web {
namespace {

constexpr std::chrono::milliseconds kPollEvery{100};
constexpr std::size_t kMostWaitingBytes = 8u << 20;

/// Lines on their way from the check to the client. Progress replaces progress; faults past the limit are counted only.
struct Lines {
  std::mutex mutex;  // guards all below
  std::string waiting;
  std::uint64_t checked_bytes = 0, of_bytes = 0;
  std::uint64_t faults = 0, untold = 0;
  bool progressed = false, done = false;

  void add(const std::string& line) {
    const std::scoped_lock lock(mutex);
    ++faults;
    if (waiting.size() < kMostWaitingBytes) {
      waiting += line;
    } else {
      ++untold;
    }
  }
  void progress(std::uint64_t checked, std::uint64_t of) {
    const std::scoped_lock lock(mutex);
    checked_bytes = checked;
    of_bytes = of;
    progressed = true;
  }
  void finish(const Result<std::uint64_t>& result) {
    const std::scoped_lock lock(mutex);
    if (result) {
      waiting += "{\"done\":true,\"instances\":" + std::to_string(result.value());
    } else {
      waiting += "{\"done\":false,\"error\":";
      append_json_string(waiting, to_string(result.error()));
    }
    waiting += ",\"faults\":" + std::to_string(faults) + ",\"faults_not_listed\":" + std::to_string(untold) + "}\n";
    done = true;
  }
};

std::string line_of(const store::Fault& fault) {
  std::string line = "{\"fault\":";
  append_json_string(line, fault.error.code.message());
  line += ",\"where\":";
  append_json_string(line, fault.error.where);
  line += ",\"volume\":" + std::to_string(fault.location.volume) +
          ",\"segment\":" + std::to_string(fault.location.segment) +
          ",\"offset\":" + std::to_string(fault.location.offset) + ",\"sop_instance_uid\":";
  append_json_string(line, fault.sop_instance_uid);
  return line + "}\n";
}

class LinesSource final : public BodySource {
 public:
  explicit LinesSource(std::shared_ptr<Lines> lines) : lines_(std::move(lines)) {}

  Task<Chunk> next() override {
    asio::steady_timer pause(co_await asio::this_coro::executor);
    while (true) {
      std::string text;
      bool done = false;
      {
        const std::scoped_lock lock(lines_->mutex);
        text.swap(lines_->waiting);
        if (std::exchange(lines_->progressed, false) && !lines_->done) {
          text += "{\"checked_bytes\":" + std::to_string(lines_->checked_bytes) +
                  ",\"of_bytes\":" + std::to_string(lines_->of_bytes) + "}\n";
        }
        done = lines_->done;
      }
      Chunk chunk;
      if (!text.empty()) {
        chunk.push_back(piece_of(std::move(text)));
        co_return chunk;
      }
      if (done) co_return chunk;
      pause.expires_after(kPollEvery);
      auto waited = co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
      (void)waited;
    }
  }

 private:
  std::shared_ptr<Lines> lines_;
};

}  // namespace

Task<Response> Verification::start(std::shared_ptr<Verification> self) {
  if (running_.exchange(true)) co_return fail(Errc::conflict, "a verification runs already");
  auto lines = std::make_shared<Lines>();
  pool_.submit(io::WorkClass::background, [self = std::move(self), lines] {
    auto result = self->archive_.scrub([&](const store::Fault& fault) { lines->add(line_of(fault)); },
                                       [&](std::uint64_t checked, std::uint64_t of) { lines->progress(checked, of); });
    self->running_ = false;
    lines->finish(result);
  });
  Response response;
  response.headers.add("Content-Type", "application/x-ndjson");
  response.headers.add("Cache-Control", "no-store");
  response.source = std::make_unique<LinesSource>(std::move(lines));
  co_return response;
}

}  // namespace cairn::web
