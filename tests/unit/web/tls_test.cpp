// HTTPS: the same routes over TLS, and a certificate that is renewed under the server.
#include "engine/web/tls.h"

#include <cstdlib>
#include <filesystem>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/core/uid.h"
#include "tests/unit/web/test_server.h"

namespace cairn::web {
namespace {

namespace fs = std::filesystem;
namespace ssl = boost::asio::ssl;
using ::testing::HasSubstr;

class Tls : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("cairn-tls-test-" + new_uid());
    fs::create_directories(folder_);
    if (!make_certificate("first")) GTEST_SKIP() << "no openssl program to make a certificate with";
  }
  void TearDown() override { fs::remove_all(folder_); }

  bool make_certificate(const std::string& name) {
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=" + name + " -keyout " +
        key() + " -out " + certificate() + " 2>/dev/null";
    return std::system(command.c_str()) == 0;
  }
  std::string certificate() const { return (folder_ / "cert.pem").string(); }
  std::string key() const { return (folder_ / "key.pem").string(); }
  ServerOptions options() const {
    ServerOptions out;
    out.https.certificate = certificate();
    out.https.key = key();
    return out;
  }

  struct Answer {
    std::string subject, text;
  };
  static Answer get(std::uint16_t port, const std::string& target) {
    asio::io_context io;
    ssl::context context(ssl::context::tls_client);
    ssl::stream<asio::ip::tcp::socket> stream(io, context);
    stream.next_layer().connect({asio::ip::make_address("127.0.0.1"), port});
    Answer out;
    stream.set_verify_mode(ssl::verify_peer);
    stream.set_verify_callback([&](bool, ssl::verify_context& verify) {
      char name[256];
      X509_NAME_oneline(X509_get_subject_name(X509_STORE_CTX_get_current_cert(verify.native_handle())), name,
                        sizeof name);
      out.subject = name;
      return true;
    });
    stream.handshake(ssl::stream_base::client);
    const std::string request = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    asio::write(stream, asio::buffer(request));
    boost::system::error_code error;
    asio::read(stream, asio::dynamic_buffer(out.text), error);
    EXPECT_EQ(error, asio::error::eof) << "the end is told, not cut: " << error.message();
    return out;
  }

  fs::path folder_;
};

TEST_F(Tls, ServesTheSameRoutes) {
  testing::TestServer server(options());
  server.archive.put(testing::part10_of({.pixel_bytes = 3'000'000}));
  ASSERT_NE(server.server().https_port(), 0);
  const Answer studies = get(server.server().https_port(), "/dicom-web/studies");
  EXPECT_THAT(studies.text, HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(studies.text, HasSubstr("https://localhost/dicom-web/studies/1.2"));
  EXPECT_GT(get(server.server().https_port(), "/dicom-web/studies/1.2").text.size(), 3'000'000u);
}

TEST_F(Tls, TakesARenewedCertificateAndKeepsTheOldOneWhenTheNewIsBroken) {
  testing::TestServer server(options());
  EXPECT_THAT(get(server.server().https_port(), "/healthz").subject, HasSubstr("first"));
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  fs::rename(certificate(), certificate() + ".away");
  EXPECT_THAT(get(server.server().https_port(), "/healthz").subject, HasSubstr("first"));
  ASSERT_TRUE(make_certificate("second"));
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  EXPECT_THAT(get(server.server().https_port(), "/healthz").subject, HasSubstr("second"));
}

TEST_F(Tls, RefusesToStartWithWhatIsNoPair) {
  const auto first = TlsCredentials::load(certificate(), key());
  EXPECT_TRUE(first);
  fs::copy_file(certificate(), folder_ / "old.pem");
  ASSERT_TRUE(make_certificate("other"));
  EXPECT_FALSE(TlsCredentials::load(folder_ / "old.pem", key()));
  EXPECT_FALSE(TlsCredentials::load(key(), key()));
  EXPECT_FALSE(TlsCredentials::load(folder_ / "absent", key()));
}

TEST_F(Tls, TellsHttp2ClientsThatItIsBusy) {
  auto busy = options();
  busy.limits.connections = 1;
  testing::TestServer server(busy);
  asio::io_context io;
  asio::ip::tcp::socket at_work(io);
  at_work.connect({asio::ip::make_address("127.0.0.1"), server.port()});
  asio::write(at_work,
              asio::buffer(std::string("POST /api/v1/instances HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                                       "application/dicom\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")));
  char byte;
  asio::read(at_work, asio::buffer(&byte, 1));
  ssl::context context(ssl::context::tls_client);
  ssl::stream<asio::ip::tcp::socket> stream(io, context);
  SSL_set_alpn_protos(stream.native_handle(), reinterpret_cast<const unsigned char*>("\x02h2"), 3);
  stream.next_layer().connect({asio::ip::make_address("127.0.0.1"), server.server().https_port()});
  stream.handshake(ssl::stream_base::client);
  std::string text;
  boost::system::error_code error;
  asio::read(stream, asio::dynamic_buffer(text), error);
  ASSERT_EQ(text.size(), 26u);
  EXPECT_EQ(text[3], 4);    // SETTINGS
  EXPECT_EQ(text[12], 7);   // GOAWAY
  EXPECT_EQ(text[25], 11);  // ENHANCE_YOUR_CALM
}

TEST_F(Tls, ClosesOnThoseWhoSpeakPlainHttp) {
  testing::TestServer server(options());
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  socket.connect({asio::ip::make_address("127.0.0.1"), server.server().https_port()});
  asio::write(socket, asio::buffer(std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n")));
  std::string text;
  boost::system::error_code error;
  asio::read(socket, asio::dynamic_buffer(text), error);
  EXPECT_EQ(text.find("200"), std::string::npos);
  EXPECT_TRUE(error);
}

}  // namespace
}  // namespace cairn::web
