// An event: a change of the archive that is no instance. A commit without parts: it stands in the log's one order, is
// made durable with the commits beside it, and is handed to the applier between them. FORMAT.md has the bytes.
#pragma once

#include <cstdint>
#include <string>

#include "engine/store/record.h"

namespace cairn::store {

struct Event {
  enum class Kind : std::uint8_t {
    remove = 1,   ///< what `level` and the UIDs name is removed, as far as it was stored before this
    restore = 2,  ///< the removal `subject` is undone
    forget = 4,   ///< the removal `subject` can no longer be undone: what it removed may go
  };
  enum class Level : std::uint8_t { study = 1, series = 2, instance = 3 };
  enum class Via : std::uint8_t { dimse = 1, http = 2, rule = 3 };

  Sequence sequence = 0;  ///< given by the log
  std::int64_t time_unix_ns = 0;
  Kind kind = Kind::remove;
  Level level = Level::study;
  Via via = Via::http;
  bool only_copy_too = false;  ///< remove: whoever asked was told, or knew, that no other copy exists
  Sequence subject = 0;        ///< restore, forget: the removal; else 0
  std::string study_instance_uid, series_instance_uid, sop_instance_uid;  ///< empty below `level`
  std::string calling_ae, peer_address, reason;

  std::string encode() const;
  std::size_t encoded_bytes() const;  ///< length of encode()
  /// Errors: truncated, malformed, limit_exceeded, unsupported.
  static Result<Event> decode(Bytes payload);
  /// What decode() asks of the values, so that nothing is written that could not be read again.
  Result<> check() const;
};

inline constexpr std::size_t kMaxEventText = 1024;  ///< bytes of each text of an event

}  // namespace cairn::store
