// Who may call: AE titles and addresses of the configuration. Immutable after make(); any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/network.h"
#include "engine/core/result.h"
#include "engine/dimse/options.h"

namespace cairn::dimse {

class AccessList {
 public:
  /// Errors: malformed (an address), missing (nobody is named, and we listen off loopback).
  static Result<AccessList> make(const Options& options);

  enum class Verdict { allowed, unknown_calling_ae, unknown_called_ae };
  struct Answer {
    Verdict verdict = Verdict::allowed;
    store::DuplicatePolicy duplicates = store::DuplicatePolicy::keep;
  };
  Answer check(std::string_view calling_ae, std::string_view called_ae, std::string_view peer_address) const;

 private:
  struct Rule {
    std::string ae_title;
    std::vector<Network> networks;
    store::DuplicatePolicy duplicates;
  };
  std::string ae_title_;
  store::DuplicatePolicy duplicates_ = store::DuplicatePolicy::keep;
  std::vector<Rule> rules_;
};

}  // namespace cairn::dimse
