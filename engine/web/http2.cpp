#include "engine/web/http2.h"

#include <boost/asio/co_spawn.hpp>

#include "engine/core/log.h"
#include "engine/web/http2_session.h"
#include "engine/web/peer.h"

namespace cairn::web {
namespace {

constexpr std::size_t kReadBytes = 64u << 10;
constexpr std::size_t kWriteBytes = 512u << 10;
/// TLS takes one run of bytes at a time: frames are put together for it, so that its records are full.
constexpr std::size_t kSecureWriteBytes = 128u << 10;

constexpr std::chrono::milliseconds kDrainPeriod{50};

class Http2 final : public Protocol {
 public:
  Http2(std::shared_ptr<Peer> peer, std::shared_ptr<Site> site, std::string begun)
      : peer_(std::move(peer)),
        site_(std::move(site)),
        begun_(std::move(begun)),
        write_wake_(peer_->wire().get_executor()),
        tick_(peer_->wire().get_executor()),
        ended_(peer_->wire().get_executor()),
        session_(Http2Session::make(peer_->wire().get_executor(), site_,
                                    {peer_->address(), peer_->is_loopback(), peer_->is_secure()}, [this] { wake(); })) {
    site_->stats.http2_connections.fetch_add(1, std::memory_order_relaxed);
  }
  ~Http2() override { site_->stats.http2_connections.fetch_sub(1, std::memory_order_relaxed); }

  asio::awaitable<void> run() override {
    begin(&Http2::write);
    begin(&Http2::read);
    begin(&Http2::tick);
    // Handlers use the site's services: the connection is there until the last has returned.
    while (loops_ > 0 || session_->tasks() > 0) co_await wait(ended_);
    co_await peer_->part(!site_->draining.load(std::memory_order_relaxed));
  }
  void drain() override {
    session_->shut_down();
    tick_.cancel();
  }

 private:
  void begin(asio::awaitable<void> (Http2::*loop)()) {
    ++loops_;
    asio::co_spawn(peer_->wire().get_executor(), (this->*loop)(), [this](std::exception_ptr failure) {
      if (failure) {
        log::error("http/2 connection failed");
        end();
      }
      --loops_;
      ended_.cancel();
    });
  }
  void end() {
    is_over_ = true;
    session_->abandon();
    peer_->cancel();
    tick_.cancel();
    wake();
  }
  void wake() {
    woken_ = true;
    write_wake_.cancel();
    if (is_over_) ended_.cancel();
  }
  static asio::awaitable<void> wait(asio::steady_timer& timer) {
    timer.expires_at(asio::steady_timer::time_point::max());
    auto waited = co_await timer.async_wait(Peer::kToken);
    (void)waited;
  }

  asio::awaitable<void> read() {
    if (!session_->receive(as_bytes(begun_))) co_return;
    begun_ = {};
    std::vector<std::byte> buffer(kReadBytes);
    while (!is_over_) {
      auto outcome = co_await peer_->wire().async_read_some(asio::buffer(buffer), Peer::kToken);
      if (std::get<0>(outcome)) break;
      if (!session_->receive(Bytes(buffer).first(std::get<1>(outcome))))
        co_return;  // what is said last is still written
    }
    end();
  }

  asio::awaitable<void> write() {
    const std::size_t wanted = peer_->is_secure() ? kSecureWriteBytes : kWriteBytes;
    Pace pace(site_->limits);
    Http2Output out;
    while (true) {
      woken_ = false;
      const bool well = session_->gather(out, wanted);
      if (const auto since = session_->idle_since(); since == Peer::Clock::time_point::max()) {
        peer_->works();
      } else {
        peer_->waits(since);
      }
      if (out.bytes() > 0) {
        const bool written = co_await send(out, pace);
        out.clear();
        if (!written) break;
      } else if (!session_->is_over()) {
        if (!woken_) co_await wait(write_wake_);
      } else {
        break;
      }
      if (!well) break;
    }
    end();
  }

  asio::awaitable<bool> send(const Http2Output& out, Pace& pace) {
    std::vector<asio::const_buffer> buffers;
    std::string together;
    if (peer_->is_secure()) {
      together.reserve(out.bytes());
      for (const Bytes run : out.runs()) together.append(as_text(run));
      buffers.push_back(asio::buffer(together));
    } else {
      const auto runs = out.runs();
      buffers.reserve(runs.size());
      for (const Bytes run : runs) buffers.emplace_back(run.data(), run.size());
    }
    const bool written = co_await peer_->write(std::move(buffers), pace);
    co_return written;
  }

  asio::awaitable<void> tick() {
    const auto period = Http2Session::tick_period(site_->limits);
    while (!is_over_) {
      const bool draining = site_->draining.load(std::memory_order_relaxed);
      tick_.expires_after(draining ? std::min(period, kDrainPeriod) : period);
      auto waited = co_await tick_.async_wait(Peer::kToken);
      (void)waited;
      session_->tick(Peer::Clock::now());
    }
  }

  std::shared_ptr<Peer> peer_;
  std::shared_ptr<Site> site_;
  std::string begun_;
  asio::steady_timer write_wake_, tick_, ended_;
  std::shared_ptr<Http2Session> session_;
  int loops_ = 0;
  bool woken_ = false;  // since write() last looked
  bool is_over_ = false;
};

}  // namespace

std::unique_ptr<Protocol> make_http2(std::shared_ptr<Peer> peer, std::shared_ptr<Site> site, std::string begun) {
  return std::make_unique<Http2>(std::move(peer), std::move(site), std::move(begun));
}

}  // namespace cairn::web
