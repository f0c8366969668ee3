#include "engine/web/response_head.h"

#include <ctime>

#include "engine/web/error_response.h"

namespace cairn::web {

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[64];
  const std::size_t length = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, length};
}

bool is_field_text(std::string_view text) noexcept {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

bool is_bodiless(const Response& response) noexcept {
  return response.status == 204 || response.status == 304;
}

bool is_chunked(const Response& response, const Framing& framing) noexcept {
  return !is_bodiless(response) && response.source && !response.length && !framing.http_1_0;
}

bool ends_with_connection(const Response& response, const Framing& framing) noexcept {
  return !is_bodiless(response) && response.source && !response.length && framing.http_1_0;
}

std::string response_head(const Response& response, const Framing& framing) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + ' ' + std::string(reason_phrase(response.status)) +
                     "\r\nDate: " + http_date() + "\r\nX-Content-Type-Options: nosniff\r\n";
  for (const auto& [name, value] : response.headers.fields()) {
    if (is_field_text(name) && is_field_text(value)) head.append(name).append(": ").append(value).append("\r\n");
  }
  if (is_chunked(response, framing)) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (!is_bodiless(response) && !ends_with_connection(response, framing)) {
    head += "Content-Length: " + std::to_string(response.source ? *response.length : response.body.size()) + "\r\n";
  }
  if (!framing.keep_alive) head += "Connection: close\r\n";
  if (framing.keep_alive && framing.http_1_0) head += "Connection: keep-alive\r\n";
  return head + "\r\n";
}

}  // namespace cairn::web
