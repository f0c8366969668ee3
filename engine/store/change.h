// A change of the archive, as its change feed tells it: which instance came in or which event took effect, by its place
// in the log's one order, and never what a patient is called. Commits and events that changed nothing are none.
#pragma once

#include <cstdint>
#include <string>

#include "engine/store/event.h"

namespace cairn::store {

struct Change {
  enum class Kind : std::uint8_t {
    stored = 1,         ///< an instance that was not there
    replaced = 2,       ///< took the place of other content, which is forgotten
    replaced_kept = 3,  ///< took the place of other content, which is kept in history
    event = 64,         ///< and above: 64 + Event::Kind
  };
  Sequence sequence = 0;
  std::int64_t time_unix_ms = 0;  ///< received, or asked for; by the clock of the day
  Kind kind = Kind::stored;
  std::string study_instance_uid, series_instance_uid, sop_instance_uid;  ///< of an event: empty below its level
  // Of an event:
  std::uint8_t level = 0;  ///< Event::Level
  std::uint8_t via = 0;    ///< Event::Via
  Sequence subject = 0;
  std::string reason;

  bool is_event() const noexcept { return kind >= Kind::event; }
  /// Event::Kind, as a number: a later release may have more.
  std::uint8_t event_kind() const noexcept {
    return static_cast<std::uint8_t>(static_cast<std::uint8_t>(kind) - static_cast<std::uint8_t>(Kind::event));
  }
};

}  // namespace cairn::store
