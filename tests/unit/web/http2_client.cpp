#include "tests/unit/web/http2_client.h"

#include <nghttp2/nghttp2.h>

#include "engine/core/check.h"
#include "engine/web/http2_session.h"

namespace cairn::web::testing {
namespace {

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t out = 0;
  for (std::size_t i = 0; i < 4; ++i) out = out << 8 | static_cast<unsigned char>(bytes[at + i]);
  return out;
}

}  // namespace

struct Http2Client::Coding {
  Coding() { CAIRN_CHECK(nghttp2_hd_deflate_new(&deflater, 4096) == 0 && nghttp2_hd_inflate_new(&inflater) == 0); }
  ~Coding() {
    nghttp2_hd_deflate_del(deflater);
    nghttp2_hd_inflate_del(inflater);
  }
  nghttp2_hd_deflater* deflater = nullptr;
  nghttp2_hd_inflater* inflater = nullptr;
};

Http2Client::Http2Client(std::uint16_t port, std::string_view first_settings)
    : socket_(port), coding_(std::make_unique<Coding>()) {
  socket_.send(std::string(kHttp2Preface) + frame(kSettings, 0, 0, first_settings));
}
Http2Client::~Http2Client() = default;

std::string Http2Client::number(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  return out;
}

std::string Http2Client::setting(std::uint16_t id, std::uint32_t value) {
  return number(id).substr(2) + number(value);
}

std::string Http2Client::frame(int type, int flags, std::uint32_t stream, std::string_view payload) {
  std::string out = number(static_cast<std::uint32_t>(payload.size())).substr(1);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  return out + number(stream) + std::string(payload);
}

bool Http2Client::send(int type, int flags, std::uint32_t stream, std::string_view payload) {
  return socket_.send(frame(type, flags, stream, payload));
}

std::string Http2Client::coded(const TestClient::Fields& fields) {
  std::vector<nghttp2_nv> nv;
  const auto bytes = [](const std::string& text) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
  };
  for (const auto& [name, value] : fields)
    nv.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  std::string out(nghttp2_hd_deflate_bound(coding_->deflater, nv.data(), nv.size()), '\0');
  const auto length = nghttp2_hd_deflate_hd(coding_->deflater, reinterpret_cast<std::uint8_t*>(out.data()), out.size(),
                                            nv.data(), nv.size());
  CAIRN_CHECK(length >= 0);
  out.resize(static_cast<std::size_t>(length));
  return out;
}

std::uint32_t Http2Client::begin(std::string_view method, std::string_view path, TestClient::Fields fields, bool ends) {
  TestClient::Fields all{
      {":method", std::string(method)}, {":scheme", "http"}, {":authority", "localhost"}, {":path", std::string(path)}};
  all.insert(all.end(), fields.begin(), fields.end());
  const std::uint32_t stream = next_stream_;
  next_stream_ += 2;
  const std::string block = coded(all);
  constexpr std::size_t kFrame = 16384;
  for (std::size_t at = 0; at < block.size(); at += kFrame) {
    const bool last = at + kFrame >= block.size();
    const int flags = (last ? kEndHeaders : 0) | (at == 0 && ends ? kEndStream : 0);
    send(at == 0 ? kHeaders : kContinuation, flags, stream, std::string_view(block).substr(at, kFrame));
  }
  return stream;
}

bool Http2Client::open_window(std::uint32_t stream, std::uint32_t bytes) {
  return send(kWindow, 0, stream, number(bytes));
}

Http2Frame Http2Client::read() {
  const auto fill = [this](std::size_t wanted) {
    while (buffer_.size() < wanted) {
      const std::string more = socket_.read_some(1u << 20);
      if (more.empty()) return false;
      buffer_ += more;
    }
    return true;
  };
  Http2Frame out;
  if (!fill(9)) return out;
  const std::size_t length = number_at(buffer_, 0) >> 8;
  if (!fill(9 + length)) return out;
  out.type = buffer_[3];
  out.flags = static_cast<unsigned char>(buffer_[4]);
  out.stream = number_at(buffer_, 5);
  out.payload = buffer_.substr(9, length);
  buffer_.erase(0, 9 + length);

  Reply& reply = replies[out.stream];
  const bool last = (out.flags & kEndStream) != 0;
  if (out.type == kSettings && (out.flags & kAck) == 0) {
    for (std::size_t at = 0; at + 6 <= length; at += 6)
      settings[static_cast<std::uint16_t>(number_at(out.payload, at) >> 16)] = number_at(out.payload, at + 2);
    send(kSettings, kAck, 0, {});
  } else if (out.type == kPing && (out.flags & kAck) == 0) {
    send(kPing, kAck, 0, out.payload);
  } else if (out.type == kReset) {
    resets[out.stream] = number_at(out.payload, 0);
  } else if (out.type == kData) {
    reply.body += out.payload;
    body_bytes += length;
    reply.whole = last;
    if (opens_windows && length > 0) {
      open_window(0, static_cast<std::uint32_t>(length));
      if (!last) open_window(out.stream, static_cast<std::uint32_t>(length));
    }
  } else if (out.type == kHeaders) {
    reply.whole = last;
    std::string_view rest = out.payload;
    reply.headers = {};
    while (true) {
      nghttp2_nv nv;
      int flags = 0;
      const auto taken = nghttp2_hd_inflate_hd2(coding_->inflater, &nv, &flags,
                                                reinterpret_cast<const std::uint8_t*>(rest.data()), rest.size(), 1);
      CAIRN_CHECK(taken >= 0);
      rest.remove_prefix(static_cast<std::size_t>(taken));
      if (flags & NGHTTP2_HD_INFLATE_EMIT) {
        const std::string_view name(reinterpret_cast<const char*>(nv.name), nv.namelen);
        const std::string value(reinterpret_cast<const char*>(nv.value), nv.valuelen);
        if (name == ":status") reply.status = std::atoi(value.c_str());
        reply.headers.add(name, value);
      }
      if (flags & NGHTTP2_HD_INFLATE_FINAL) break;
    }
    nghttp2_hd_inflate_end_headers(coding_->inflater);
  }
  return out;
}

Reply Http2Client::receive(std::uint32_t stream) {
  opens_windows = true;
  while (!replies[stream].whole && !resets.contains(stream) && read().type >= 0) {
  }
  return replies[stream];
}

Reply Http2Client::get(std::string_view path, TestClient::Fields fields) {
  return receive(begin("GET", path, std::move(fields)));
}

std::optional<std::uint32_t> Http2Client::goaway() {
  while (true) {
    const Http2Frame frame = read();
    if (frame.type < 0) return std::nullopt;
    if (frame.type == kGoaway) return number_at(frame.payload, 4);
  }
}

std::optional<std::uint32_t> Http2Client::reset_of(std::uint32_t stream) {
  while (!resets.contains(stream)) {
    if (read().type < 0) return std::nullopt;
  }
  return resets[stream];
}

bool Http2Client::read_all() {
  for (int i = 0; i < 1'000'000; ++i) {
    if (read().type < 0) return true;
  }
  return false;
}

}  // namespace cairn::web::testing
