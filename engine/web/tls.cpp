#include "engine/web/tls.h"

#include <boost/asio/ssl/context.hpp>

#include "engine/core/log.h"

namespace cairn::web {
namespace {

namespace ssl = boost::asio::ssl;

/// ALPN (RFC 7301): HTTP/2, else HTTP/1.1; a client that offers nothing we know goes on without.
int select_protocol(SSL*, const unsigned char** out, unsigned char* length, const unsigned char* offered,
                    unsigned int offered_length, void*) {
  static constexpr unsigned char kOurs[] = "\x02h2\x08http/1.1";
  unsigned char* selected = nullptr;
  if (SSL_select_next_proto(&selected, length, kOurs, sizeof kOurs - 1, offered, offered_length) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Result<std::unique_ptr<TlsCredentials>> TlsCredentials::load(std::filesystem::path certificate,
                                                             std::filesystem::path key) {
  std::unique_ptr<TlsCredentials> out(new TlsCredentials(std::move(certificate), std::move(key)));
  out->times_ = out->times();
  CAIRN_TRY(out->context_, out->read());
  out->looked_ = std::chrono::steady_clock::now();
  return out;
}

Result<std::shared_ptr<ssl::context>> TlsCredentials::read() const {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  boost::system::error_code error;
  // OpenSSL's order puts the suites that HTTP/2 wants (RFC 9113 §9.2.2) first.
  context->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
                           ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 | ssl::context::no_compression |
                           SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE,
                       error);
  context->use_certificate_chain_file(certificate_.string(), error);
  if (error) return fail(Errc::malformed, "https certificate");
  context->use_private_key_file(key_.string(), ssl::context::pem, error);
  // OpenSSL looks at the pair when the key comes second.
  if (error) {
    const bool pair = ERR_GET_REASON(static_cast<unsigned long>(error.value())) == X509_R_KEY_VALUES_MISMATCH;
    return fail(pair ? Errc::mismatch : Errc::malformed, "https key");
  }
  if (SSL_CTX_check_private_key(context->native_handle()) != 1)
    return fail(Errc::mismatch, "https key and certificate");
  SSL_CTX_set_alpn_select_cb(context->native_handle(), select_protocol, nullptr);
  return context;
}

TlsCredentials::Times TlsCredentials::times() const {
  std::error_code ignored;
  return {std::filesystem::last_write_time(certificate_, ignored), std::filesystem::last_write_time(key_, ignored)};
}

std::shared_ptr<ssl::context> TlsCredentials::current() {
  const std::scoped_lock lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (now - looked_ < std::chrono::seconds(1)) return context_;
  looked_ = now;
  const Times seen = times();
  if (seen == times_) return context_;
  auto fresh = read();
  if (fresh) {
    context_ = std::move(fresh).value();
    times_ = seen;
    log::info("https certificate taken anew");
  } else if (seen != refused_) {
    // Perhaps only half of the pair is written yet: asked again at the next connection, told once.
    refused_ = seen;
    log::warning("https certificate not taken", {{"reason", fresh.error()}});
  }
  return context_;
}

}  // namespace cairn::web
