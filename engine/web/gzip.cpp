#include "engine/web/gzip.h"

#include <algorithm>
#include <cstring>

#include <isa-l/igzip_lib.h>

#include "engine/web/media_type.h"

namespace cairn::web {
namespace {

constexpr std::size_t kShortestWorthIt = 1024;
constexpr std::size_t kOutputBytes = 64u << 10;

bool is_text(std::string_view content_type) {
  const auto type = parse_media_type(content_type);
  if (!type) return false;
  return type->type == "text" || type->subtype.ends_with("json") || type->subtype.ends_with("xml");
}

/// One gzip member; on the worker pool, one call at a time.
class Deflater {
 public:
  Deflater() : level_buffer_(ISAL_DEF_LVL1_DEFAULT) {
    isal_deflate_init(&stream_);
    stream_.gzip_flag = IGZIP_GZIP;
    stream_.level = 1;
    stream_.level_buf = level_buffer_.data();
    stream_.level_buf_size = static_cast<std::uint32_t>(level_buffer_.size());
    stream_.flush = NO_FLUSH;
  }

  /// `last`: nothing follows.
  Result<std::string> code(Bytes bytes, bool last) {
    std::string out;
    do {
      const Bytes some = bytes.first(std::min<std::size_t>(bytes.size(), 1u << 30));
      bytes = bytes.subspan(some.size());
      stream_.next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(some.data()));
      stream_.avail_in = static_cast<std::uint32_t>(some.size());
      stream_.end_of_stream = last && bytes.empty() ? 1 : 0;
      do {
        const std::size_t before = out.size();
        out.resize(before + kOutputBytes);
        stream_.next_out = reinterpret_cast<std::uint8_t*>(out.data() + before);
        stream_.avail_out = static_cast<std::uint32_t>(kOutputBytes);
        if (isal_deflate(&stream_) != COMP_OK) return fail(Errc::internal, "gzip");
        out.resize(out.size() - stream_.avail_out);
      } while (stream_.avail_in > 0 || stream_.avail_out == 0);
    } while (!bytes.empty());
    return out;
  }

 private:
  std::vector<std::uint8_t> level_buffer_;
  isal_zstream stream_;
};

class GzipSource final : public BodySource {
 public:
  GzipSource(std::unique_ptr<BodySource> inner, io::WorkerPool& pool)
      : inner_(std::move(inner)), pool_(pool), deflater_(std::make_shared<Deflater>()) {}

  Task<Chunk> next() override {
    while (!ended_) {
      CAIRN_CO_TRY(auto chunk, co_await inner_->next());
      ended_ = chunk.empty();
      auto job = [deflater = deflater_, chunk = std::move(chunk)]() -> Result<std::string> {
        if (chunk.empty()) return deflater->code({}, true);
        std::string out;
        for (const Piece& piece : chunk) {
          CAIRN_TRY(const auto coded, deflater->code(piece.bytes, false));
          out += coded;
        }
        return out;
      };
      auto coded = co_await pool_.run(io::WorkClass::interactive, std::move(job));
      CAIRN_CO_TRY(auto bytes, std::move(coded));
      if (bytes.empty()) continue;  // held back for a longer match
      Chunk out;
      out.push_back(piece_of(std::move(bytes)));
      co_return out;
    }
    co_return Chunk{};
  }

 private:
  std::unique_ptr<BodySource> inner_;
  io::WorkerPool& pool_;
  std::shared_ptr<Deflater> deflater_;
  bool ended_ = false;
};

/// A text at hand, as a source.
class TextSource final : public BodySource {
 public:
  explicit TextSource(std::string text) : text_(std::move(text)) {}
  Task<Chunk> next() override {
    Chunk chunk;
    if (!text_.empty()) chunk.push_back(piece_of(std::exchange(text_, {})));
    co_return chunk;
  }

 private:
  std::string text_;
};

}  // namespace

bool takes_gzip(std::string_view accept_encoding) {
  int gzip = -1, any = -1;
  while (!accept_encoding.empty()) {
    const std::size_t comma = accept_encoding.find(',');
    const std::string_view one = accept_encoding.substr(0, comma);
    accept_encoding.remove_prefix(comma == std::string_view::npos ? accept_encoding.size() : comma + 1);
    // Codings have the shape of a media type's second half: let its parser read token and quality.
    std::size_t begin = 0;
    while (begin < one.size() && (one[begin] == ' ' || one[begin] == '\t')) ++begin;
    const auto range = parse_accept("coding/" + std::string(one.substr(begin)));
    if (range.empty()) continue;
    if (range[0].subtype == "gzip" || range[0].subtype == "x-gzip") gzip = range[0].quality;
    if (range[0].subtype == "*") any = range[0].quality;
  }
  return gzip >= 0 ? gzip > 0 : any > 0;
}

Result<std::string> gzip_of(const Chunk& pieces) {
  Deflater deflater;
  std::string out;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    CAIRN_TRY(const auto coded, deflater.code(pieces[i].bytes, i + 1 == pieces.size()));
    out += coded;
  }
  return out;
}

std::unique_ptr<BodySource> gzip_source(std::unique_ptr<BodySource> inner, io::WorkerPool& pool) {
  return std::make_unique<GzipSource>(std::move(inner), pool);
}

void apply_gzip(const Request& request, Response& response, io::WorkerPool& pool) {
  const bool has_body = response.status != 204 && response.status != 304 && response.status != 206;
  if (!has_body || !is_text(response.headers.get("Content-Type"))) return;
  response.headers.add("Vary", "Accept-Encoding");
  if (response.headers.contains("Content-Encoding") || !takes_gzip(request.headers.joined("Accept-Encoding"))) return;
  if (!response.source && response.body.size() < kShortestWorthIt) return;
  if (!response.source) response.source = std::make_unique<TextSource>(std::exchange(response.body, {}));
  response.source = gzip_source(std::move(response.source), pool);
  response.length.reset();
  response.headers.add("Content-Encoding", "gzip");
  if (const std::string etag(response.headers.get("ETag")); etag.starts_with('"')) {
    response.headers.set("ETag", "W/" + etag);
  }
}

}  // namespace cairn::web
