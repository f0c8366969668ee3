#include "engine/core/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>

namespace cairn::log {
namespace {

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = spdlog::stderr_logger_mt("cairn");
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum native(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warning: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

Field::Field(std::string_view key, double value) : key_(key) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  value_ = text;
}

void set_level(Level level) { logger().set_level(native(level)); }
bool enabled(Level level) { return logger().should_log(native(level)); }

void write(Level level, std::string_view event, std::initializer_list<Field> fields) {
  std::string line(event);
  for (const Field& field : fields) {
    line += ' ';
    line += field.key();
    line += '=';
    line += escaped(field.value());
  }
  logger().log(native(level), spdlog::string_view_t(line.data(), line.size()));
}

std::string escaped(std::string_view text) {
  constexpr std::size_t kLongest = 256;
  const bool cut = text.size() > kLongest;
  if (cut) text = text.substr(0, kLongest);
  std::string out;
  bool quote = text.empty();
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == ' ' || c == '=') quote = true;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
      quote = true;
    } else if (byte < 0x20 || byte >= 0x7f) {
      char hex[8];
      std::snprintf(hex, sizeof hex, "\\x%02x", byte);
      out += hex;
    } else {
      out += c;
    }
  }
  if (cut) out += "...";
  return quote ? '"' + out + '"' : out;
}

}  // namespace cairn::log
