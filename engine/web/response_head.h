// The head of an HTTP/1.1 response and how its body is framed (RFC 9112 §4, §6). Pure but for the date.
#pragma once

#include <string>
#include <string_view>

#include "engine/web/message.h"

namespace cairn::web {

/// How an answer must be framed for the request it answers.
struct Framing {
  bool head = false;      ///< of a HEAD request: no body follows
  bool http_1_0 = false;  ///< no chunks
  bool keep_alive = false;
};

bool is_bodiless(const Response& response) noexcept;  ///< a status that has no body
bool is_chunked(const Response& response, const Framing& framing) noexcept;
/// The end of the body is the end of the connection.
bool ends_with_connection(const Response& response, const Framing& framing) noexcept;

std::string http_date();                             ///< now, as the Date field has it (RFC 9110 §5.6.7)
bool is_field_text(std::string_view text) noexcept;  ///< cannot break out of its field

/// Status line and fields, with the empty line. Fields that could break out of their line are left out.
std::string response_head(const Response& response, const Framing& framing);

}  // namespace cairn::web
