// HTTP/2 as a client sees it: the same answers as over HTTP/1.1, many at once, and what happens to those who play
// games.
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/web/http2_client.h"
#include "tests/unit/web/test_server.h"

namespace cairn::web {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::Http2Client;
using testing::Http2Frame;
using testing::Reply;
using testing::TestClient;
using testing::TestServer;
using C = Http2Client;

constexpr std::uint32_t kNoError = 0, kProtocolError = 1, kFrameSizeError = 6, kRefusedStream = 7, kCancel = 8,
                        kCompressionError = 9, kEnhanceYourCalm = 11;

ServerOptions impatient() {
  ServerOptions options;
  options.limits.header_timeout = 300ms;
  options.limits.idle_timeout = 300ms;
  options.limits.stall_timeout = 300ms;
  options.limits.grace = 500ms;
  return options;
}

bool serves(TestServer& server) {
  return testing::get(server.port(), "/healthz").status == 200;
}

/// Waits for what a server does in its own time.
template <class Condition>
bool soon(Condition condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(20ms);
  }
  return false;
}

TEST(Http2, AnswersAsHttp1Does) {
  TestServer server;
  server.archive.put(testing::part10_of({.pixel_bytes = 300'000}));
  Http2Client client(server.port());
  for (const char* path :
       {"/healthz", "/dicom-web/studies", "/dicom-web/studies/1.2", "/dicom-web/studies/1.2/metadata", "/no/such",
        "/%zz", "/a/../b", "/api/v1/openapi.json", "/"}) {
    const Reply one = testing::get(server.port(), path);
    const Reply two = client.get(path);
    EXPECT_EQ(two.status, one.status) << path;
    EXPECT_TRUE(two.whole) << path;
    EXPECT_EQ(two.headers.get("content-type").substr(0, 20), one.headers.get("content-type").substr(0, 20)) << path;
    EXPECT_EQ(two.headers.get("etag"), one.headers.get("etag")) << path;
    EXPECT_EQ(two.body.size(), one.body.size()) << path;  // boundaries of multipart bodies differ
  }
  EXPECT_EQ(client.settings[3], 256u);
}

TEST(Http2, AnswersHeadRangesEntityTagsGzipAndPreflights) {
  ServerOptions options;
  options.cross_origin.origins = {"https://viewer.example"};
  TestServer server(options);
  server.archive.put(testing::part10_of({.pixel_bytes = 30'000}));
  Http2Client client(server.port());
  const Reply head = client.receive(client.begin("HEAD", "/healthz"));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(head.headers.get("content-length"), std::to_string(client.get("/healthz").body.size()));

  const std::string metadata = "/dicom-web/studies/1.2/metadata";
  const Reply plain = client.get(metadata);
  const std::string etag(plain.headers.get("etag"));
  ASSERT_FALSE(etag.empty());
  EXPECT_EQ(client.get(metadata, {{"if-none-match", etag}}).status, 304);
  const Reply openapi = client.get("/api/v1/openapi.json", {{"accept-encoding", "gzip"}});
  EXPECT_EQ(openapi.headers.get("content-encoding"), "gzip");
  EXPECT_EQ(openapi.body.substr(0, 2), "\x1f\x8b");

  const Reply preflight = client.receive(client.begin(
      "OPTIONS", metadata, {{"origin", "https://viewer.example"}, {"access-control-request-method", "GET"}}));
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.headers.get("access-control-allow-origin"), "https://viewer.example");
  EXPECT_THAT(std::string(preflight.headers.get("access-control-allow-methods")), HasSubstr("GET"));
}

TEST(Http2, ServesHundredsOfRequestsAtOnce) {
  TestServer server;
  server.archive.put(testing::part10_of({.pixel_bytes = 200'000}));
  Http2Client client(server.port());
  std::vector<std::uint32_t> streams;
  for (int i = 0; i < 200; ++i) streams.push_back(client.begin("GET", "/dicom-web/studies/1.2"));
  std::size_t size = 0;
  for (const auto stream : streams) {
    const Reply reply = client.receive(stream);
    ASSERT_EQ(reply.status, 200);
    ASSERT_TRUE(reply.whole);
    if (size == 0) size = reply.body.size();
    ASSERT_EQ(reply.body.size(), size);
  }
}

TEST(Http2, ASmallAnswerOvertakesALargeOne) {
  TestServer server;
  server.archive.put(testing::part10_of({.pixel_bytes = 30'000'000}));
  Http2Client client(server.port(), C::setting(4, 1u << 30));
  client.open_window(0, 1u << 30);
  client.begin("GET", "/dicom-web/studies/1.2");
  const auto small = client.begin("GET", "/healthz");
  while (!client.replies[small].whole && client.read().type >= 0) {
  }
  EXPECT_EQ(client.replies[small].status, 200);
  EXPECT_LT(client.body_bytes, 25'000'000u);
}

TEST(Http2, TakesBodiesOfAnySizeAndSaysContinue) {
  TestServer server;
  Http2Client client(server.port());
  const std::string file = testing::part10_of({.pixel_bytes = 3'000'000});
  const auto stream = client.begin("POST", "/api/v1/instances",
                                   {{"content-type", "application/dicom"}, {"expect", "100-continue"}}, false);
  while (client.replies[stream].status == 0 && client.read().type >= 0) {
  }
  EXPECT_EQ(client.replies[stream].status, 100);
  // The window is the server's to open: send only what it allows.
  std::int64_t window = 65535, connection = 65535;
  std::string_view rest = file;
  while (!rest.empty()) {
    const auto most = std::min<std::int64_t>({window, connection, 16384, static_cast<std::int64_t>(rest.size())});
    if (most > 0) {
      ASSERT_TRUE(client.send(C::kData, 0, stream, rest.substr(0, static_cast<std::size_t>(most))));
      rest.remove_prefix(static_cast<std::size_t>(most));
      window -= most;
      connection -= most;
      continue;
    }
    const Http2Frame frame = client.read();
    ASSERT_GE(frame.type, 0);
    ASSERT_NE(frame.type, C::kReset);
    if (frame.type != C::kWindow) continue;
    std::uint32_t more = 0;
    for (const char c : frame.payload) more = more << 8 | static_cast<unsigned char>(c);
    (frame.stream == 0 ? connection : window) += more;
  }
  // Trailers end it.
  client.send(C::kHeaders, C::kEndHeaders | C::kEndStream, stream, client.coded({{"x-checksum", "1"}}));
  client.replies[stream].whole = false;
  EXPECT_EQ(client.receive(stream).status, 200);
  EXPECT_EQ(server.archive.open_receivers, 0);
}

TEST(Http2, DoesNotWidenWindowsForBodiesThatNobodyReads) {
  TestServer server;
  Http2Client client(server.port());
  const auto stream = client.begin("POST", "/api/v1/instances", {{"content-type", "text/html"}}, false);
  EXPECT_EQ(client.receive(stream).status, 415);
  const std::string some(16384, 'x');
  // What follows is passed over for a while, then refused without a fault.
  for (int i = 0; i < 40; ++i) client.send(C::kData, 0, stream, some);
  EXPECT_EQ(client.reset_of(stream).value_or(99), kNoError);
  EXPECT_EQ(client.get("/healthz").status, 200);
}

TEST(Http2, RefusesWhatIsNoRequestAndGoesOn) {
  TestServer server;
  Http2Client client(server.port());
  // No :path; upper case; a field of connections; a second host; a length that lies.
  const TestClient::Fields bad[] = {
      {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}},
      {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}, {"Upper", "x"}},
      {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}, {"connection", "close"}},
      {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}},
  };
  std::uint32_t stream = 1001;
  for (const auto& fields : bad) {
    client.send(C::kHeaders, C::kEndHeaders | C::kEndStream, stream, client.coded(fields));
    EXPECT_EQ(client.reset_of(stream).value_or(99), kProtocolError);
    stream += 2;
  }
  client.send(
      C::kHeaders, C::kEndHeaders | C::kEndStream, stream,
      client.coded(
          {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/healthz"}, {"host", "b"}}));
  EXPECT_EQ(client.receive(stream).status, 400);
  stream += 2;
  client.send(C::kHeaders, C::kEndHeaders, stream,
              client.coded({{":method", "POST"},
                            {":scheme", "http"},
                            {":authority", "localhost"},
                            {":path", "/api/v1/instances"},
                            {"content-type", "application/dicom"},
                            {"content-length", "9"}}));
  client.send(C::kData, C::kEndStream, stream, "four");
  EXPECT_EQ(client.reset_of(stream).value_or(99), kProtocolError);
  stream += 2;
  client.send(C::kHeaders, C::kEndHeaders | C::kEndStream, stream,
              client.coded({{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/healthz"}}));
  EXPECT_EQ(client.receive(stream).status, 200);
  EXPECT_TRUE(soon([&] { return server.archive.open_receivers == 0; }));
}

TEST(Http2, KeepsTheAccessRules) {
  TestServer server;
  Http2Client client(server.port());
  const Reply foreign = client.receive(client.begin("POST", "/api/v1/verify", {{"origin", "https://evil.example"}}));
  EXPECT_EQ(foreign.status, 403);
}

TEST(Http2, BoundsHeaders) {
  TestServer server;
  Http2Client client(server.port());
  EXPECT_EQ(client.get("/healthz", {{"x", std::string(20'000, 'a')}}).status, 200);
  EXPECT_EQ(client.get("/healthz", {{"x", std::string(20'000, 'a')}, {"y", std::string(20'000, 'b')}}).status, 431);
  EXPECT_EQ(client.get("/healthz").status, 200);
}

TEST(Http2, EndsHeaderBombs) {
  TestServer server;
  Http2Client client(server.port());
  // One entry of the dynamic table, 2,900 bytes, named ten thousand times in as many bytes: 29 MB.
  std::string block = client.coded({{":method", "GET"},
                                    {":scheme", "http"},
                                    {":authority", "a"},
                                    {":path", "/healthz"},
                                    {"x", std::string(2'900, 'a')}});
  block += std::string(10'000, '\xbe');
  client.send(C::kHeaders, C::kEndHeaders | C::kEndStream, 1, block);
  EXPECT_EQ(client.receive(1).status, 431);
  for (std::uint32_t stream = 3; stream < 400; stream += 2) {
    if (!client.send(C::kHeaders, C::kEndHeaders | C::kEndStream, stream,
                     std::string("\x82\x86\x84", 3) + "\x41\x01\x61" + std::string(10'000, '\xbf')))
      break;
  }
  EXPECT_EQ(client.goaway().value_or(99), kEnhanceYourCalm);
  EXPECT_TRUE(serves(server));
}

TEST(Http2, EndsAFloodOfContinuations) {
  TestServer server;
  Http2Client client(server.port());
  client.send(C::kHeaders, C::kEndStream, 1, client.coded({{":method", "GET"}}));
  for (int i = 0; i < 2000 && client.send(C::kContinuation, 0, 1, {}); ++i) {
  }
  EXPECT_TRUE(client.ends());
  EXPECT_TRUE(serves(server));
}

TEST(Http2, EndsAHeaderThatTricklesIn) {
  TestServer server(impatient());
  Http2Client client(server.port());
  const std::string block =
      client.coded({{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}});
  while (client.settings.empty() && client.read().type >= 0) {
  }
  client.send_raw(C::frame(C::kHeaders, C::kEndStream | C::kEndHeaders, 1, block).substr(0, 11));
  EXPECT_EQ(client.goaway().value_or(99), kEnhanceYourCalm);
  EXPECT_TRUE(client.ends());
}

TEST(Http2, EndsRapidResets) {
  TestServer server;
  server.archive.put(testing::part10_of({.pixel_bytes = 2'000'000}));
  Http2Client client(server.port());
  std::thread attack([&] {
    for (int i = 0; i < 20'000; ++i) {
      const auto stream = client.begin("GET", "/dicom-web/studies/1.2");
      if (!client.send(C::kReset, 0, stream, C::number(kCancel))) break;
    }
  });
  attack.join();
  EXPECT_TRUE(client.ends());
  EXPECT_TRUE(serves(server));
  EXPECT_THAT(testing::get(server.port(), "/metrics").body,
              HasSubstr("cairn_http2_ended_for_cause_total{reason=\"flood\"} 1"));
  EXPECT_TRUE(soon([&] { return server.server().connections() <= 1; }));
}

TEST(Http2, EndsFloodsOfFramesThatAskForNothing) {
  TestServer server;
  const std::pair<int, std::string> floods[] = {
      {C::kPing, std::string(8, 'p')},
      {C::kSettings, C::setting(4, 65535)},
      {C::kPriority, std::string(5, '\0')},
      {C::kWindow, C::number(1)},
      {C::kData, {}},
  };
  for (const auto& [type, payload] : floods) {
    Http2Client client(server.port());
    const auto stream = client.begin("POST", "/api/v1/instances", {{"content-type", "application/dicom"}}, false);
    const bool of_stream = type == C::kPriority || type == C::kData;
    std::string many;
    for (int i = 0; i < 1000; ++i) many += C::frame(type, 0, of_stream ? stream : 0, payload);
    std::thread attack([&] {
      for (int i = 0; i < 200 && client.send_raw(many); ++i) {
      }
    });
    const auto began = std::chrono::steady_clock::now();
    EXPECT_TRUE(client.ends()) << type;
    EXPECT_LT(std::chrono::steady_clock::now() - began, 10s) << type;
    attack.join();
  }
  EXPECT_TRUE(serves(server));
  EXPECT_TRUE(soon([&] { return server.archive.open_receivers == 0; }));
}

TEST(Http2, EndsStreamsWhoseWindowNeverOpens) {
  ServerOptions options = impatient();
  options.limits.idle_timeout = 20s;
  TestServer server(options);
  server.archive.put(testing::part10_of({.pixel_bytes = 400'000}));
  Http2Client client(server.port(), C::setting(4, 0));
  const auto first = client.begin("GET", "/dicom-web/studies/1.2"),
             second = client.begin("GET", "/dicom-web/studies/1.2");
  EXPECT_EQ(client.reset_of(first).value_or(99), kCancel);
  EXPECT_EQ(client.reset_of(second).value_or(99), kCancel);
  EXPECT_EQ(client.receive(client.begin("HEAD", "/healthz")).status, 200);
  EXPECT_EQ(client.body_bytes, 0u);
}

TEST(Http2, EndsConnectionsWhoseStuckStreamsKeepOthersWaiting) {
  ServerOptions options = impatient();
  options.limits.idle_timeout = 20s;
  TestServer server(options);
  server.archive.put(testing::part10_of({.pixel_bytes = 8'000'000}));
  Http2Client client(server.port(), C::setting(4, 0));
  for (int i = 0; i < 100; ++i) client.begin("GET", "/dicom-web/studies/1.2");
  EXPECT_EQ(client.goaway().value_or(99), kEnhanceYourCalm);
  EXPECT_TRUE(client.ends());
  EXPECT_EQ(client.body_bytes, 0u);
  EXPECT_TRUE(soon([&] {
    return testing::get(server.port(), "/metrics").body.find("cairn_http_stream_held_bytes 0\n") != std::string::npos;
  }));
}

TEST(Http2, EndsWindowsThatOpenByTheByte) {
  ServerOptions options = impatient();
  options.limits.idle_timeout = 20s;
  options.limits.stall_timeout = 10s;
  TestServer server(options);
  server.archive.put(testing::part10_of({.pixel_bytes = 8'000'000}));
  Http2Client client(server.port(), C::setting(4, 0));
  const auto stream = client.begin("GET", "/dicom-web/studies/1.2");
  std::atomic<bool> over{false};
  std::thread trickle([&] {
    while (!over && client.open_window(stream, 1)) std::this_thread::sleep_for(50ms);
  });
  EXPECT_EQ(client.reset_of(stream).value_or(99), kCancel);
  over = true;
  trickle.join();
}

TEST(Http2, EndsAConnectionWhoseWindowNeverOpens) {
  ServerOptions options = impatient();
  options.limits.idle_timeout = 20s;
  TestServer server(options);
  server.archive.put(testing::part10_of({.pixel_bytes = 8'000'000}));
  Http2Client client(server.port(), C::setting(4, 1u << 30));
  client.begin("GET", "/dicom-web/studies/1.2");
  EXPECT_EQ(client.goaway().value_or(99), kEnhanceYourCalm);
  EXPECT_TRUE(client.ends());
  EXPECT_EQ(client.body_bytes, 65535u);
}

TEST(Http2, HoldsLittleForManyStuckStreams) {
  TestServer server;
  server.archive.put(testing::part10_of({.pixel_bytes = 8'000'000}));
  Http2Client client(server.port(), C::setting(4, 1));
  for (int i = 0; i < 250; ++i) client.begin("GET", "/dicom-web/studies/1.2");
  std::this_thread::sleep_for(1s);
  const std::string metrics = testing::get(server.port(), "/metrics").body;
  const std::string name = "\ncairn_http2_held_bytes ";
  const std::size_t at = metrics.find(name);
  ASSERT_NE(at, std::string::npos);
  const double held = std::strtod(metrics.c_str() + at + name.size(), nullptr);
  EXPECT_GT(held, 0);
  EXPECT_LT(held, 45e6);
}

TEST(Http2, EndsFramesOfAbsurdSizeAndBrokenCompression) {
  TestServer server;
  Http2Client large(server.port());
  large.send_raw(std::string("\xff\xff\xff\x00\x00\x00\x00\x00\x01", 9));
  EXPECT_EQ(large.goaway().value_or(99), kFrameSizeError);
  Http2Client broken(server.port());
  broken.send(C::kHeaders, C::kEndHeaders | C::kEndStream, 1, std::string(40, '\xff'));
  EXPECT_EQ(broken.goaway().value_or(99), kCompressionError);
  Http2Client even(server.port());
  even.send(C::kHeaders, C::kEndHeaders | C::kEndStream, 2,
            even.coded({{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}}));
  EXPECT_EQ(even.goaway().value_or(99), kProtocolError);
  TestClient liar(server.port());
  liar.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/1.1\r\n\r\n");
  while (!liar.read_some(1000).empty()) {
  }
  EXPECT_TRUE(serves(server));
}

TEST(Http2, RefusesStreamsPastTheLimit) {
  ServerOptions options;
  options.limits.streams = 4;
  TestServer server(options);
  Http2Client client(server.port());
  for (int i = 0; i < 4; ++i) client.begin("POST", "/api/v1/instances", {{"content-type", "application/dicom"}}, false);
  const auto fifth = client.begin("GET", "/healthz");
  EXPECT_EQ(client.reset_of(fifth).value_or(99), kRefusedStream);
}

TEST(Http2, EndsBodiesThatStopArrivingAndSilentConnections) {
  TestServer server(impatient());
  Http2Client silent(server.port());
  Http2Client client(server.port());
  const auto stream = client.begin("POST", "/api/v1/instances", {{"content-type", "application/dicom"}}, false);
  client.send(C::kData, 0, stream, testing::part10_of({}).substr(0, 300));
  EXPECT_EQ(client.receive(stream).status, 408);
  EXPECT_EQ(silent.goaway().value_or(99), kNoError);
  EXPECT_TRUE(silent.ends());
  EXPECT_TRUE(soon([&] { return server.archive.open_receivers == 0; }));
}

TEST(Http2, ForgetsClientsThatVanish) {
  TestServer server;
  server.archive.put(testing::part10_of({.pixel_bytes = 6'000'000}));
  for (int i = 0; i < 20; ++i) {
    Http2Client client(server.port(), C::setting(4, 1u << 30));
    for (int k = 0; k < 20; ++k) client.begin("GET", "/dicom-web/studies/1.2", {{"accept", "application/zip"}});
    client.begin("POST", "/api/v1/instances", {{"content-type", "application/dicom"}}, false);
    client.read();
    client.read();
  }
  EXPECT_TRUE(soon([&] { return server.archive.open_receivers == 0; }));
  EXPECT_TRUE(soon([&] { return server.server().connections() == 0; })) << server.server().connections();
  EXPECT_THAT(testing::get(server.port(), "/metrics").body, HasSubstr("cairn_http2_streams 0\n"));
}

TEST(Http2, DrainsWithGoawayAndAnswersWhatHasBegun) {
  TestServer server;
  server.archive.put(testing::part10_of({.pixel_bytes = 30'000'000}));
  Http2Client idle(server.port()), busy(server.port());
  EXPECT_EQ(idle.get("/healthz").status, 200);
  const auto stream = busy.begin("GET", "/dicom-web/studies/1.2");
  while (busy.replies[stream].status == 0 && busy.read().type >= 0) {
  }
  std::thread drainer([&] { EXPECT_TRUE(server.server().drain(20s)); });
  EXPECT_EQ(idle.goaway().value_or(99), kNoError);
  EXPECT_TRUE(idle.ends());
  const Reply reply = busy.receive(stream);
  EXPECT_TRUE(reply.whole);
  EXPECT_GT(reply.body.size(), 30'000'000u);
  EXPECT_TRUE(busy.ends());
  drainer.join();
}

TEST(Http2, CutsAStuckReaderWhenPatienceEnds) {
  TestServer server;
  server.archive.put(testing::part10_of({.pixel_bytes = 60'000'000}));
  Http2Client stuck(server.port());
  stuck.begin("GET", "/dicom-web/studies/1.2");
  stuck.read();
  EXPECT_TRUE(server.server().drain(300ms));
}

TEST(Http2, CountsRequestsByProtocol) {
  TestServer server;
  Http2Client client(server.port());
  client.get("/healthz");
  const std::string text = client.get("/metrics").body;
  EXPECT_THAT(text, HasSubstr("cairn_http_requests_total{protocol=\"HTTP/2\",route=\"/healthz\",status=\"200\"} 1"));
  EXPECT_THAT(text, HasSubstr("cairn_http2_connections 1\n"));
}

}  // namespace
}  // namespace cairn::web
