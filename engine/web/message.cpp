#include "engine/web/message.h"

#include <algorithm>

namespace cairn::web {
namespace {
constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
const std::string kNone;
}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

void Headers::set(std::string_view name, std::string_view value) {
  std::erase_if(fields_, [&](const auto& field) { return equal_ignoring_case(field.first, name); });
  add(name, value);
}

std::string_view Headers::get(std::string_view name) const noexcept {
  for (const auto& [key, value] : fields_) {
    if (equal_ignoring_case(key, name)) return value;
  }
  return {};
}

bool Headers::contains(std::string_view name) const noexcept {
  return std::any_of(fields_.begin(), fields_.end(),
                     [&](const auto& field) { return equal_ignoring_case(field.first, name); });
}

std::string Headers::joined(std::string_view name) const {
  std::string all;
  for (const auto& [key, value] : fields_) {
    if (!equal_ignoring_case(key, name)) continue;
    if (!all.empty()) all += ", ";
    all += value;
  }
  return all;
}

const std::string& Request::captured(std::string_view name) const noexcept {
  for (const auto& [key, value] : captures) {
    if (key == name) return value;
  }
  return kNone;
}

const std::string* Request::parameter(std::string_view name) const noexcept {
  for (const auto& [key, value] : parameters) {
    if (key == name) return &value;
  }
  return nullptr;
}

Piece piece_of(std::string text) {
  auto owned = std::make_shared<const std::string>(std::move(text));
  const Bytes bytes = as_bytes(*owned);
  return {bytes, std::move(owned)};
}

Response Response::text(unsigned status, std::string_view content_type, std::string body) {
  Response response;
  response.status = status;
  response.headers.add("Content-Type", content_type);
  response.body = std::move(body);
  return response;
}

}  // namespace cairn::web
