// Structured logging: one line per event, `time level event key=value ...`, to standard error.
//
//   log::info("association", {{"calling", ae}, {"instances", 12}, {"status", "released"}});
//
// Values from a peer are escaped here, so a line is always one line. Callers pass UIDs, AE titles, addresses and numbers;
// never names or identifiers of patients. Thread-safe.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "engine/core/result.h"

namespace cairn::log {

enum class Level { debug, info, warning, error };

class Field {
 public:
  Field(std::string_view key, std::string_view value) : key_(key), value_(value) {}
  Field(std::string_view key, const char* value) : key_(key), value_(value) {}
  Field(std::string_view key, const std::string& value) : key_(key), value_(value) {}
  Field(std::string_view key, const Error& value) : key_(key), value_(cairn::to_string(value)) {}
  Field(std::string_view key, bool value) : key_(key), value_(value ? "true" : "false") {}
  Field(std::string_view key, double value);
  template <std::integral T>
  Field(std::string_view key, T value) : key_(key), value_(std::to_string(value)) {}

  std::string_view key() const { return key_; }
  const std::string& value() const { return value_; }

 private:
  std::string_view key_;
  std::string value_;
};

void set_level(Level level);
bool enabled(Level level);
void write(Level level, std::string_view event, std::initializer_list<Field> fields);

inline void debug(std::string_view event, std::initializer_list<Field> fields = {}) {
  if (enabled(Level::debug)) write(Level::debug, event, fields);
}
inline void info(std::string_view event, std::initializer_list<Field> fields = {}) { write(Level::info, event, fields); }
inline void warning(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::warning, event, fields);
}
inline void error(std::string_view event, std::initializer_list<Field> fields = {}) { write(Level::error, event, fields); }

/// `text` with control characters, quotes and backslashes escaped and cut at 256 bytes; quoted when it has spaces.
std::string escaped(std::string_view text);

}  // namespace cairn::log
