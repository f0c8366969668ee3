#include "engine/web/error_response.h"

#include <cstdio>

namespace cairn::web {
namespace {

/// Length of the well-formed UTF-8 sequence at the front of `text`, 0 when there is none (RFC 3629 §4).
std::size_t utf8_length(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&](std::size_t i) { return (at(i) & 0xC0u) == 0x80u; };
  const unsigned lead = at(0), second = at(1);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool range = !(lead == 0xE0 && second < 0xA0) && !(lead == 0xED && second > 0x9F);
    return range && tail(1) && tail(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool range = !(lead == 0xF0 && second < 0x90) && !(lead == 0xF4 && second > 0x8F);
    return range && tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

unsigned http_status(const Error& error) noexcept {
  if (error.code.category() != make_error_code(Errc::internal).category()) return 500;  // the operating system's
  switch (static_cast<Errc>(error.code.value())) {
    case Errc::truncated:
    case Errc::malformed:
    case Errc::missing:
    case Errc::mismatch:
      return 400;
    case Errc::limit_exceeded:
      return 413;
    case Errc::unsupported:
      return 501;
    case Errc::not_found:
      return 404;
    case Errc::conflict:
      return 409;
    case Errc::refused:
      return 403;
    case Errc::out_of_space:
      return 507;
    case Errc::out_of_memory:
    case Errc::cancelled:
    case Errc::closed:
      return 503;
    case Errc::timeout:
      return 408;
    case Errc::io:
    case Errc::corrupt:
    case Errc::internal:
      return 500;
  }
  return 500;
}

std::string_view reason_phrase(unsigned status) noexcept {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 202:
      return "Accepted";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Status";
  }
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const char c = text.front();
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += escape;
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

Response error_response(const Error& error) {
  return error_response(http_status(error), error);
}

Response stored_pixels_error(const Error& error, std::string_view place) {
  unsigned status = http_status(error);
  if (status == 400 || status == 413) status = 500;
  if (error == Errc::unsupported) status = 406;
  return error_response(status, error, place);
}

Response error_response(unsigned status, const Error& error, std::string_view detail) {
  std::string body = "{\"status\":" + std::to_string(status) + ",\"error\":";
  append_json_string(body, error.code.message());
  body += ",\"where\":";
  append_json_string(body, error.where);
  if (error.offset != 0) body += ",\"offset\":" + std::to_string(error.offset);
  if (!detail.empty()) {
    body += ",\"detail\":";
    append_json_string(body, detail);
  }
  body += "}\n";
  Response response = Response::text(status, "application/json", std::move(body));
  response.headers.add("Cache-Control", "no-store");
  response.fault = error;
  if (status == 503) response.headers.add("Retry-After", "1");
  return response;
}

}  // namespace cairn::web
