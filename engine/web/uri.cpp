#include "engine/web/uri.h"

namespace cairn::web {
namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

bool is_unreserved(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

Result<> parse_path(std::string_view path, std::vector<std::string>& segments) {
  if (path.empty() || path.front() != '/') return fail(Errc::malformed, "request target");
  path.remove_prefix(1);
  if (!path.empty() && path.back() == '/') path.remove_suffix(1);
  if (path.empty()) return outcome::success();
  while (true) {
    if (segments.size() == kMaxSegments) return fail(Errc::limit_exceeded, "path segments");
    const std::size_t slash = path.find('/');
    CAIRN_TRY(auto segment, percent_decode(path.substr(0, slash), false));
    if (segment == "." || segment == "..") return fail(Errc::malformed, "dot segment in path");
    segments.push_back(std::move(segment));
    if (slash == std::string_view::npos) return outcome::success();
    path.remove_prefix(slash + 1);
  }
}

Result<> parse_query(std::string_view query, std::vector<std::pair<std::string, std::string>>& parameters) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view one = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    if (one.empty()) continue;
    if (parameters.size() == kMaxParameters) return fail(Errc::limit_exceeded, "query parameters");
    const std::size_t equals = one.find('=');
    CAIRN_TRY(auto name, percent_decode(one.substr(0, equals), true));
    std::string value;
    if (equals != std::string_view::npos) {
      CAIRN_TRY(value, percent_decode(one.substr(equals + 1), true));
    }
    parameters.emplace_back(std::move(name), std::move(value));
  }
  return outcome::success();
}

}  // namespace

Result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (text.size() - i < 3) return fail(Errc::malformed, "percent-encoding", i);
      const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return fail(Errc::malformed, "percent-encoding", i);
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (is_control(c)) return fail(Errc::malformed, "control character in request target", i);
    out += c;
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

Result<Target> parse_target(std::string_view target) {
  if (target.empty()) return fail(Errc::malformed, "request target");
  if (target.front() != '/') {  // absolute-form
    const std::size_t scheme = target.find("://");
    if (scheme == std::string_view::npos) return fail(Errc::malformed, "request target");
    target.remove_prefix(scheme + 3);
    const std::size_t path = target.find_first_of("/?");
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
    if (target.front() == '?') return fail(Errc::malformed, "request target");
  }
  target = target.substr(0, target.find('#'));
  Target parsed;
  const std::size_t question = target.find('?');
  CAIRN_TRYV(parse_path(target.substr(0, question), parsed.segments));
  if (question != std::string_view::npos) {
    CAIRN_TRYV(parse_query(target.substr(question + 1), parsed.parameters));
  }
  return parsed;
}

}  // namespace cairn::web
