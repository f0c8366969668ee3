#include "engine/web/http_fields.h"

#include <algorithm>
#include <charconv>

#include <boost/asio/ip/address.hpp>

#include "engine/web/message.h"

namespace cairn::web {
namespace {

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> number(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

}  // namespace

RangeRequest parse_range(std::string_view value, std::uint64_t size) {
  value = trimmed(value);
  if (value.size() < 6 || !equal_ignoring_case(value.substr(0, 6), "bytes=")) return {};
  value = trimmed(value.substr(6));
  const std::size_t dash = value.find('-');
  if (dash == std::string_view::npos || value.find(',') != std::string_view::npos) return {};
  const std::string_view first_text = trimmed(value.substr(0, dash)), last_text = trimmed(value.substr(dash + 1));
  if (first_text.empty()) {  // the last bytes
    const auto count = number(last_text);
    if (!count) return {};
    if (*count == 0 || size == 0) return {RangeRequest::Kind::unsatisfiable, {}};
    const std::uint64_t length = std::min(*count, size);
    return {RangeRequest::Kind::part, {size - length, length}};
  }
  const auto first = number(first_text);
  const auto last = last_text.empty() ? std::optional(UINT64_MAX) : number(last_text);
  if (!first || !last || *last < *first) return {};
  if (*first >= size) return {RangeRequest::Kind::unsatisfiable, {}};
  return {RangeRequest::Kind::part, {*first, std::min(*last, size - 1) - *first + 1}};
}

bool matches_etag(std::string_view if_none_match, std::string_view etag) {
  const auto strong = [](std::string_view tag) { return tag.substr(0, 2) == "W/" ? tag.substr(2) : tag; };
  std::string_view rest = trimmed(if_none_match);
  if (rest == "*") return true;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    if (strong(trimmed(rest.substr(0, comma))) == strong(etag)) return true;
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return false;
}

bool is_plain_host(std::string_view host) noexcept {
  return !host.empty() && host.size() <= 255 && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
           c == '_' || c == ':' || c == '[' || c == ']';
  });
}

std::string_view host_name(std::string_view host) noexcept {
  if (!host.empty() && host.front() == '[') {
    const std::size_t end = host.find(']');
    return end == std::string_view::npos ? std::string_view() : host.substr(1, end - 1);
  }
  return host.substr(0, host.find(':'));
}

bool is_local_or_literal(std::string_view name) noexcept {
  if (equal_ignoring_case(name, "localhost")) return true;
  boost::system::error_code error;
  boost::asio::ip::make_address(std::string(name), error);
  return !error;
}

bool is_same_origin(std::string_view origin, std::string_view host) noexcept {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.substr(0, scheme.size()) == scheme) return equal_ignoring_case(origin.substr(scheme.size()), host);
  }
  return false;
}

}  // namespace cairn::web
