// What an HTTP/2 client may send behind its preface, in pieces of any size: no stream, byte held or window granted is
// left over when it goes, and what the server keeps meanwhile stays within its limits.
#include <cstdint>
#include <cstdlib>
#include <string>

#include <boost/asio/io_context.hpp>

#include "engine/core/log.h"
#include "engine/web/http2_session.h"

using namespace cairn;

namespace {

class Repeat final : public web::BodySource {
 public:
  Task<web::Chunk> next() override {
    web::Chunk chunk;
    if (left_-- > 0) chunk.push_back(web::piece_of(std::string(50'000, 'x')));
    co_return chunk;
  }

 private:
  int left_ = 5;
};

Task<web::Response> echo(web::Request& request) {
  std::string text;
  std::vector<std::byte> some(1000);
  while (true) {
    CAIRN_CO_TRY(const std::size_t got, co_await request.body->read(some));
    if (got == 0) break;
    text.append(as_text(Bytes(some).first(got)));
  }
  co_return web::Response::text(200, "text/plain", std::move(text));
}

void add_routes(web::Router& router) {
  router.add("GET", "/",
             [](web::Request&) -> Task<web::Response> { co_return web::Response::text(200, "text/plain", "here"); });
  router.add("GET", "/s", [](web::Request& request) -> Task<web::Response> {
    web::Response response;
    response.source = std::make_unique<Repeat>();
    if (request.parameter("l") != nullptr) response.length = 250'000;
    co_return response;
  });
  web::RouteLimits limits;
  limits.body_bytes = 100'000;
  router.add("POST", "/p", echo, limits);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  log::set_level(log::Level::error);
  const std::size_t step = 1 + data[0] * 16u, wanted = 1 + data[1] * 256u;
  std::string input(web::kHttp2Preface);
  input.append(std::string_view("\0\0\0\4\0\0\0\0\0", 9));  // SETTINGS
  input.append(reinterpret_cast<const char*>(data + 2), size - 2);

  const auto site = std::make_shared<web::Site>();
  site->limits.streams = 8;
  site->limits.streams_at_work = 3;
  site->limits.header_bytes = 1000;
  site->limits.stream_header_bytes = 4000;
  site->limits.stream_held_bytes = 100'000;
  add_routes(site->router);
  asio::io_context io;
  {
    const auto session = web::Http2Session::make(io.get_executor(), site, {"127.0.0.1", true, false}, [] {});
    auto now = web::Http2Session::Clock::now();
    web::Http2Output out;
    const auto work = [&] {
      for (int i = 0; i < 4; ++i) {
        io.restart();
        io.poll();
        out.clear();
        if (!session->gather(out, wanted)) std::abort();
        std::size_t bytes = 0;
        for (const Bytes run : out.runs()) bytes += run.size();
        if (bytes != out.bytes()) std::abort();
      }
    };
    for (std::size_t at = 0; at < input.size(); at += step) {
      const bool more = session->receive(as_bytes(input).subspan(at, std::min(step, input.size() - at)));
      work();
      if (session->tasks() > 2 * site->limits.streams + 2) std::abort();
      if (site->stats.http2_held_bytes > 1'000'000) std::abort();
      if (!more) break;
      session->tick(now += std::chrono::milliseconds(100));
    }
    if (data[0] % 2 == 0) session->shut_down();
    session->tick(now += std::chrono::seconds(1));
    work();
    session->abandon();
    io.restart();
    io.poll();
    if (session->tasks() != 0) std::abort();
  }
  if (site->stats.http2_streams != 0 || site->stats.http2_held_bytes != 0 || site->widened_window_bytes != 0)
    std::abort();
  return 0;
}
