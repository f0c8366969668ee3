// Faults as HTTP: the one table from errors to status codes, and their JSON bodies
// `{"status": 400, "error": "malformed", "where": "viewport"}`. Bodies name the fault, never a patient.
#pragma once

#include <string>
#include <string_view>

#include "engine/core/result.h"
#include "engine/web/message.h"

namespace cairn::web {

unsigned http_status(const Error& error) noexcept;

/// The reason phrase of a status (RFC 9110 §15); "Status" for those we never send.
std::string_view reason_phrase(unsigned status) noexcept;

Response error_response(const Error& error);
/// With a status other than the table's. `detail` is put into the body escaped; it must hold no patient data.
Response error_response(unsigned status, const Error& error, std::string_view detail = {});

/// What a fault of stored pixels is to a client whose request was right: 406 when this server cannot make of them what
/// was asked for, else 500 or a status of the table that is not about requests. `place` names instance and frame.
Response stored_pixels_error(const Error& error, std::string_view place);

/// Appends `text` as a JSON string with its quotes; bytes that are no UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace cairn::web
