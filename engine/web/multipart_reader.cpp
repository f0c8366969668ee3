#include "engine/web/multipart_reader.h"

#include <algorithm>
#include <cstring>

#include "engine/core/check.h"
#include "engine/web/media_type.h"

namespace cairn::web {
namespace {

constexpr std::size_t kBufferBytes = 256u << 10;
constexpr std::size_t kMaxPaddingChars = 64;  ///< blanks behind a delimiter
constexpr std::size_t kMaxPartFields = 64;

using Kind = MultipartReader::Event::Kind;

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// glibc's memmem is linear and fast; string_view::find stops at every line break of binary data.
std::size_t find(std::string_view text, std::string_view wanted) noexcept {
  const void* found = ::memmem(text.data(), text.size(), wanted.data(), wanted.size());
  return found == nullptr ? std::string_view::npos
                          : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

}  // namespace

MultipartReader::MultipartReader(std::string_view boundary) : delimiter_("\r\n--" + std::string(boundary)) {
  CAIRN_CHECK(!boundary.empty() && boundary.size() <= kMaxBoundaryChars);
  buffer_.resize(kBufferBytes);
  // The first delimiter may begin the body: then it has no line break in front.
  std::memcpy(buffer_.data(), "\r\n", 2);
  end_ = 2;
}

MutableBytes MultipartReader::room() {
  if (begin_ > 0 && buffer_.size() - end_ < kBufferBytes / 2) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  CAIRN_CHECK(end_ < buffer_.size());  // next() consumes until little more than a delimiter or a part header is held
  return MutableBytes(buffer_).subspan(end_);
}

void MultipartReader::filled(std::size_t count) noexcept {
  CAIRN_CHECK(count <= buffer_.size() - end_);
  end_ += count;
}

MultipartReader::Event MultipartReader::need() {
  return {};
}

Result<MultipartReader::Event> MultipartReader::failed(Errc code, const char* where) noexcept {
  state_ = State::failed;
  error_ = fail(code, where);
  return error_;
}

std::optional<MultipartReader::Delimiter> MultipartReader::delimiter_at(std::string_view text) const noexcept {
  const std::string_view rest = text.substr(delimiter_.size());
  if (rest.substr(0, 2) == "--") return Delimiter{delimiter_.size() + 2, true};
  std::size_t padding = 0;
  while (padding < rest.size() && (rest[padding] == ' ' || rest[padding] == '\t')) {
    if (++padding > kMaxPaddingChars) return std::nullopt;
  }
  const std::string_view line_end = rest.substr(padding, 2);
  if (line_end == "\r\n") return Delimiter{delimiter_.size() + padding + 2, false};
  const bool may_come = line_end.empty() || line_end == "\r" || (padding == 0 && rest == "-");
  return may_come && !ended_ ? std::optional(Delimiter{}) : std::nullopt;
}

Result<MultipartReader::Event> MultipartReader::next() {
  switch (state_) {
    case State::failed:
      return error_;
    case State::end:
      return Event{Kind::end, {}, {}};
    case State::header:
      return read_header();
    case State::body:
      return read_body();
    case State::preamble:
      break;
  }
  while (true) {
    const std::string_view text = held();
    const std::size_t at = find(text, delimiter_);
    const std::size_t keep = std::min(text.size(), delimiter_.size() - 1);
    const std::size_t skip = at == std::string_view::npos ? text.size() - keep : at;
    begin_ += skip;
    discarded_ += skip;
    if (discarded_ > kMaxPreambleBytes) return failed(Errc::limit_exceeded, "text before the first part");
    if (at == std::string_view::npos) {
      if (ended_) return failed(Errc::truncated, "multipart boundary");
      return need();
    }
    const auto delimiter = delimiter_at(held());
    if (!delimiter) {
      begin_ += 1;
      discarded_ += 1;
      continue;
    }
    if (delimiter->length == 0) return need();
    begin_ += delimiter->length;
    state_ = delimiter->closes ? State::end : State::header;
    return next();
  }
}

Result<MultipartReader::Event> MultipartReader::read_header() {
  Event event;
  std::string_view text = held();
  const std::size_t header_end =
      text.substr(0, 2) == "\r\n" ? 0 : find(text.substr(0, kMaxPartHeaderBytes), "\r\n\r\n");
  if (header_end == std::string_view::npos) {
    if (text.size() >= kMaxPartHeaderBytes) return failed(Errc::limit_exceeded, "part header");
    if (ended_) return failed(Errc::truncated, "part header");
    return need();
  }
  begin_ += header_end == 0 ? 2 : header_end + 4;
  text = text.substr(0, header_end);
  while (!text.empty()) {
    const std::size_t line_end = text.find("\r\n");
    const std::string_view line = text.substr(0, line_end);
    text.remove_prefix(line_end == std::string_view::npos ? text.size() : line_end + 2);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return failed(Errc::malformed, "part header");
    if (event.headers.fields().size() == kMaxPartFields) return failed(Errc::limit_exceeded, "part header");
    event.headers.add(trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
  }
  state_ = State::body;
  event.kind = Kind::part;
  return event;
}

Result<MultipartReader::Event> MultipartReader::read_body() {
  const std::string_view text = held();
  const std::size_t at = find(text, delimiter_);
  if (at == 0) {
    const auto delimiter = delimiter_at(text);
    if (delimiter && delimiter->length == 0) return need();
    if (delimiter) {
      begin_ += delimiter->length;
      state_ = delimiter->closes ? State::end : State::header;
      return Event{Kind::part_end, {}, {}};
    }
  }
  std::size_t length = at;
  if (at == 0) {
    length = 2;  // looks like a delimiter, is data: the next one cannot begin before its next line break
  } else if (at == std::string_view::npos) {
    // What may be the beginning of a delimiter is held back.
    length = text.size() - std::min(text.size(), delimiter_.size() - 1);
    if (length == 0) {
      if (ended_) return failed(Errc::truncated, "multipart boundary");
      return need();
    }
  }
  Event event;
  event.kind = Kind::data;
  event.data = Bytes(buffer_).subspan(begin_, length);
  begin_ += length;
  return event;
}

std::string boundary_of(std::string_view content_type) {
  const auto type = parse_media_type(content_type);
  if (!type) return {};
  const std::string_view boundary = type->parameter("boundary");
  const bool printable = std::all_of(boundary.begin(), boundary.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (boundary.size() > kMaxBoundaryChars || !printable) return {};
  return std::string(boundary);
}

}  // namespace cairn::web
