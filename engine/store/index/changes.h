// The rows behind the change feed. One row of the family `changes` holds the changes of one write, under the sequence
// of its last, each told as what it differs in from the one before: a series that comes in costs some ten bytes an
// instance. How the changes fall into rows says how the log was read and not what it says, so Index::dump() lists
// changes, not rows.
//
// They are a function of commits and events alone. Whatever lets bytes of instances go must keep those, and what became
// of each (identical and refused ones are no changes): then a rebuild tells the same feed for ever.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "engine/store/change.h"
#include "engine/store/log.h"

namespace cairn::store {

/// One row being filled.
class ChangeRow {
 public:
  // Precondition of all: sequences ascend.
  /// An instance that was stored or took other content's place, as `outcome` says.
  void add(const InstanceRecord& record, Outcome outcome);
  void add(const Event& event);
  void add(const Change& change);
  bool empty() const noexcept { return encoded_.empty(); }
  /// The sequence of the last change: the row's key.
  Sequence last() const noexcept { return before_.sequence; }
  const std::string& encoded() const noexcept { return encoded_; }
  void clear();

  /// Calls `each` with the changes of a row in order; false stops, and is the answer then. Errors: corrupt.
  static Result<bool> read(std::string_view stored, const std::function<bool(const Change&)>& each);

 private:
  void begin(Change::Kind kind, Sequence sequence, std::int64_t time_unix_ms, std::string_view study,
             std::string_view series, std::string_view sop);
  void end(std::uint8_t level, std::uint8_t via, Sequence subject, std::string_view reason);

  Change before_;
  std::string encoded_;
};

}  // namespace cairn::store
