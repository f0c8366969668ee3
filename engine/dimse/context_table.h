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

  /// The context for an instance stored as `stored_syntax_uid`: one with that syntax; else, for a native instance, one
  /// with another native syntax, in the order of the contexts. Errors: unsupported, named: no context for the class, or
  /// none whose syntax it can be given in.
  Result<const Entry*> choose(std::string_view sop_class_uid, std::string_view stored_syntax_uid) const noexcept;

 private:
  std::vector<Entry> entries_;
};

/// Native syntaxes that a Recoder reads, and those that it writes.
bool can_be_recoded(std::string_view transfer_syntax_uid) noexcept;
bool is_recoding_target(std::string_view transfer_syntax_uid) noexcept;

}  // namespace cairn::dimse
