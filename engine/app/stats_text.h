// The JSON of /api/v1/stats as a table for people: one line per number, nested names joined by dots.
#pragma once

#include <string>
#include <string_view>

namespace cairn::app {

std::string stats_table(std::string_view json_text);

}  // namespace cairn::app
