// The server as a client sees it: framing, limits, slow and greedy peers, draining.
#include "engine/web/server.h"

#include <thread>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/web/test_client.h"
#include "tests/unit/web/test_server.h"

namespace cairn::web {
namespace {

using testing::get;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Reply;
using testing::TestClient;
using testing::TestServer;
using namespace std::chrono_literals;

ServerOptions impatient() {
  ServerOptions options;
  options.limits.header_timeout = 300ms;
  options.limits.idle_timeout = 300ms;
  options.limits.stall_timeout = 300ms;
  options.limits.grace = 500ms;
  return options;
}

TEST(WebServer, KeepsAConnectionForManyRequestsAlsoPipelined) {
  TestServer server;
  TestClient client(server.port());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(client.get("/healthz").status, 200);
  const std::string one = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send(one + one + one);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.receive().status, 200);
  EXPECT_EQ(server.server().connections(), 1u);
}

TEST(WebServer, AnswersHeadWithoutABody) {
  TestServer server;
  TestClient client(server.port());
  const Reply head = client.request("HEAD", "/healthz", {}, {});
  EXPECT_EQ(head.status, 200);
  const Reply whole = client.get("/healthz");
  EXPECT_EQ(head.headers.get("Content-Length"), whole.headers.get("Content-Length"));
}

TEST(WebServer, TellsUnknownPathsAndMethods) {
  TestServer server;
  Reply reply = get(server.port(), "/no/such/<path>");
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(boost::json::parse(reply.body).at("error"), "not found");
  EXPECT_THAT(reply.body, Not(HasSubstr("such")));
  TestClient client(server.port());
  reply = client.request("DELETE", "/healthz", {}, {});
  EXPECT_EQ(reply.status, 405);
  EXPECT_THAT(std::string(reply.headers.get("Allow")), HasSubstr("GET"));
  reply = client.request("OPTIONS", "/healthz", {}, {});
  EXPECT_EQ(reply.status, 204);
  EXPECT_TRUE(reply.headers.contains("Allow"));
}

TEST(WebServer, RefusesWhatIsNoRequestAndGoesOn) {
  TestServer server;
  const std::pair<const char*, int> cases[] = {
      {"NONSENSE\r\n\r\n", 400},
      {"GET /healthz HTTP/1.1\r\n\r\n", 400},  // no Host
      {"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"POST /api/v1/instances HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", 400},
      {"POST /api/v1/instances HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: "
       "chunked\r\n\r\n0\r\n\r\n",
       400},
      {"POST /api/v1/instances HTTP/1.1\r\nHost: localhost\r\nExpect: magic\r\nContent-Length: 5\r\n\r\nabcde", 417},
      {"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde", 413},
  };
  for (const auto& [text, status] : cases) {
    TestClient client(server.port());
    client.send(text);
    EXPECT_EQ(client.receive().status, status) << text;
  }
  EXPECT_EQ(get(server.port(), "/healthz").status, 200);
}

TEST(WebServer, BoundsTheHeader) {
  TestServer server;
  TestClient client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(100'000, 'a') + "\r\n\r\n");
  EXPECT_EQ(client.receive().status, 431);
  EXPECT_TRUE(client.closed_by_peer());
}

TEST(WebServer, EndsAHeaderThatTricklesIn) {
  TestServer server(impatient());
  TestClient client(server.port());
  const auto began = std::chrono::steady_clock::now();
  client.send("GET / HTTP/1.1\r\n");
  for (int i = 0; i < 12; ++i) {
    std::this_thread::sleep_for(50ms);
    if (!client.send("X: y\r\n")) break;
  }
  EXPECT_EQ(client.receive().status, 408);
  EXPECT_TRUE(client.closed_by_peer());
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
}

TEST(WebServer, EndsSilentConnections) {
  TestServer server(impatient());
  TestClient never(server.port()), once(server.port());
  EXPECT_EQ(once.get("/healthz").status, 200);
  EXPECT_TRUE(never.closed_by_peer());
  EXPECT_TRUE(once.closed_by_peer());
}

TEST(WebServer, EndsABodyThatStopsArriving) {
  TestServer server(impatient());
  TestClient client(server.port());
  client.send(
      "POST /api/v1/instances HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/dicom\r\nContent-Length: "
      "100000\r\n\r\n");
  client.send(testing::part10_of({}).substr(0, 300));
  EXPECT_EQ(client.receive().status, 408);
  EXPECT_TRUE(client.closed_by_peer());
  EXPECT_EQ(server.archive.open_receivers, 0);
}

TEST(WebServer, RefusesConnectionsPastTheLimitAndTakesThemAgain) {
  ServerOptions options;
  options.limits.connections = 3;
  TestServer server(options);
  {
    TestClient a(server.port()), b(server.port()), c(server.port());
    for (TestClient* one : {&a, &b, &c}) {
      one->send(
          "POST /api/v1/instances HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/dicom\r\nExpect: "
          "100-continue\r\nContent-Length: 100000\r\n\r\n");
      EXPECT_EQ(one->receive().status, 100);  // at work
    }
    TestClient d(server.port());
    EXPECT_EQ(d.receive().status, 503);
    EXPECT_TRUE(d.closed_by_peer());
  }
  int status = 0;
  for (int i = 0; i < 100 && status != 200; ++i) {
    std::this_thread::sleep_for(20ms);
    status = get(server.port(), "/healthz").status;
  }
  EXPECT_EQ(status, 200);
}

TEST(WebServer, ThoseWhoSaidNothingLongestMakeRoom) {
  ServerOptions options;
  options.limits.connections = 8;
  TestServer server(options);
  TestClient busy(server.port());
  busy.send(
      "POST /api/v1/instances HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/dicom\r\nExpect: "
      "100-continue\r\nContent-Length: 100000\r\n\r\n");
  EXPECT_EQ(busy.receive().status, 100);
  std::vector<std::unique_ptr<TestClient>> slow;
  for (int i = 0; i < 60; ++i) {
    slow.push_back(std::make_unique<TestClient>(server.port()));
    slow.back()->send("GET / HTTP/1.1\r\nX: ");
    if (i % 10 == 9) {
      EXPECT_EQ(get(server.port(), "/healthz").status, 200) << i;
    }
  }
  EXPECT_TRUE(slow.front()->closed_by_peer());
  EXPECT_FALSE(busy.closed_by_peer(50));
  EXPECT_FALSE(slow.back()->closed_by_peer(50));
}

TEST(WebServer, TellsPeersWhenDescriptorsRunOut) {
#if __has_feature(undefined_behavior_sanitizer)
  GTEST_SKIP() << "the sanitizer looks at memory through a pipe, for which there is no descriptor then";
#endif
  TestServer server;
  TestClient busy(server.port());
  busy.send(
      "POST /api/v1/instances HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/dicom\r\nExpect: "
      "100-continue\r\nContent-Length: 100000\r\n\r\n");
  EXPECT_EQ(busy.receive().status, 100);
  const int late = ::socket(AF_INET, SOCK_STREAM, 0);
  std::vector<int> taken;
  rlimit before{}, few{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  few = before;
  few.rlim_cur = static_cast<rlim_t>(late) + 20;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  for (int one = ::dup(late); one >= 0; one = ::dup(late)) taken.push_back(one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval patience{10, 0};
  ::setsockopt(late, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  EXPECT_EQ(::connect(late, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  char text[256] = {};
  ssize_t got;
  do {
    got = ::recv(late, text, sizeof text - 1, 0);
  } while (got < 0 && errno == EINTR);
  EXPECT_GT(got, 0);
  EXPECT_THAT(text, HasSubstr("HTTP/1.1 503"));
  for (const int one : taken) ::close(one);
  ::close(late);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(get(server.port(), "/healthz").status, 200);
}

TEST(WebServer, SendsContinueOnlyWhenItWantsTheBody) {
  TestServer server;
  TestClient client(server.port());
  const std::string file = testing::part10_of({});
  client.send(
      "POST /api/v1/instances HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/dicom\r\nExpect: "
      "100-continue\r\nContent-Length: " +
      std::to_string(file.size()) + "\r\n\r\n");
  EXPECT_EQ(client.receive().status, 100);
  client.send(file);
  EXPECT_EQ(client.receive().status, 200);
  client.send(
      "POST /api/v1/instances HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/html\r\nExpect: "
      "100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(client.receive().status, 415);
}

TEST(WebServer, AnswersAPeerThatStillSends) {
  TestServer server;
  TestClient client(server.port());
  client.send(
      "POST /api/v1/instances HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/dicom\r\nContent-Length: "
      "20000000\r\n\r\n");
  std::thread sender([&] { client.send(std::string(20'000'000, 'x')); });
  const Reply reply = client.receive();
  sender.join();
  EXPECT_EQ(reply.status, 415);
  EXPECT_EQ(reply.headers.get("Connection"), "close");
}

TEST(WebServer, TakesHttp10AndClosesWhereItMust) {
  TestServer server;
  TestClient client(server.port());
  client.send("GET /healthz HTTP/1.0\r\n\r\n");
  const Reply reply = client.receive();
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(client.closed_by_peer());
}

TEST(WebServer, IsUnwellWhenAVolumeHasFailed) {
  TestServer server;
  EXPECT_EQ(get(server.port(), "/healthz").status, 200);
  server.archive.volume_failed = true;
  const Reply reply = get(server.port(), "/healthz");
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.body, HasSubstr("storage volume 0 has failed"));
}

TEST(WebServer, IsUnwellWhileStoresAreRefusedForWantOfSpace) {
  TestServer server;
  server.archive.volume_full = true;
  const Reply reply = get(server.port(), "/healthz");
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.body, HasSubstr("no storage volume has space left"));
  server.archive.volume_full = false;
  EXPECT_EQ(get(server.port(), "/healthz").status, 200);
}

TEST(WebServer, CountsRequestsByRouteAndStatus) {
  TestServer server;
  get(server.port(), "/healthz");
  get(server.port(), "/dicom-web/studies/1.2/metadata?PatientName=Doe");
  get(server.port(), "/unknown/secret");
  const std::string text = get(server.port(), "/metrics").body;
  EXPECT_THAT(text, HasSubstr("cairn_http_requests_total{protocol=\"HTTP/1.1\",route=\"/healthz\",status=\"200\"} 1"));
  EXPECT_THAT(text, HasSubstr("route=\"/dicom-web/studies/{study}/metadata\",status=\"404\"} 1"));
  EXPECT_THAT(text, HasSubstr("cairn_worker_queued"));
  EXPECT_THAT(text, HasSubstr("cairn_volume_free_bytes"));
  EXPECT_THAT(text, Not(HasSubstr("secret")));
  EXPECT_THAT(text, Not(HasSubstr("Doe")));
}

TEST(WebServer, DrainsIdleConnectionsAtOnceAndRunningOnesInTime) {
  TestServer server;
  server.archive.put(testing::part10_of({.pixel_bytes = 30'000'000}));
  TestClient idle(server.port()), busy(server.port());
  EXPECT_EQ(idle.get("/healthz").status, 200);
  busy.send("GET /dicom-web/studies/1.2 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_FALSE(busy.read_some(10).empty());
  std::thread drainer([&] { EXPECT_TRUE(server.server().drain(20s)); });
  EXPECT_TRUE(idle.closed_by_peer());
  std::size_t rest = 0;
  for (std::string piece; !(piece = busy.read_some(1u << 20)).empty();) rest += piece.size();
  EXPECT_GT(rest, 30'000'000u);
  drainer.join();
  TestClient late(server.port());
  EXPECT_EQ(late.get("/healthz").status, 0);
}

TEST(WebServer, CutsAStuckReaderWhenPatienceEnds) {
  TestServer server;
  server.archive.put(testing::part10_of({.pixel_bytes = 60'000'000}));
  TestClient stuck(server.port());
  stuck.send("GET /dicom-web/studies/1.2 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_FALSE(stuck.read_some(10).empty());
  EXPECT_TRUE(server.server().drain(100ms));
}

}  // namespace
}  // namespace cairn::web
