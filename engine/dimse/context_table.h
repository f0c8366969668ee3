// The presentation contexts in which a peer takes instances, and which of them one instance goes through. A value; what
// threads share is constant.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.h"

namespace cairn::dimse {

class ContextTable {
 public:
  struct Entry {
    std::uint8_t id = 0;
    std::string abstract_syntax, transfer_syntax;
  };

  void add(Entry entry) { entries_.push_back(std::move(entry)); }
  bool empty() const noexcept { return entries_.empty(); }

  /// The first context of the class with that transfer syntax (empty: any), or nullptr.
  const Entry* find(std::string_view sop_class_uid, std::string_view transfer_syntax_uid) const noexcept;

  /// The contexts in which an instance stored as `stored_syntax_uid` can be given, best first: as it is; decompressed
  /// or in another native syntax; in a coding that loses nothing. Whether its pixels allow that shows when it is made.
  /// Errors: unsupported, named: no context for the class, or none whose syntax it can be given in.
  Result<std::vector<const Entry*>> choose(std::string_view sop_class_uid, std::string_view stored_syntax_uid) const;

 private:
  std::vector<Entry> entries_;
};

/// Native syntaxes, in which instances can be given that are stored in them or decompressed.
bool is_native_target(std::string_view transfer_syntax_uid) noexcept;

/// True when an instance so stored can be given in a native syntax.
bool can_be_native(std::string_view transfer_syntax_uid) noexcept;

}  // namespace cairn::dimse
