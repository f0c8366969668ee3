#include "engine/dimse/access.h"

#include <algorithm>

namespace cairn::dimse {

Result<AccessList> AccessList::make(const Options& options) {
  AccessList list;
  list.ae_title_ = options.ae_title;
  list.duplicates_ = options.duplicates;
  for (const Caller& caller : options.callers) {
    Rule rule{caller.ae_title, {}, caller.duplicates};
    for (const std::string& address : caller.addresses) {
      CAIRN_TRY(auto network, Network::parse(address));
      rule.networks.push_back(network);
    }
    list.rules_.push_back(std::move(rule));
  }
  if (list.rules_.empty()) {
    CAIRN_TRY(const auto ours, Network::parse(options.address));
    if (!ours.is_loopback())
      return fail(Errc::missing, "callers: off loopback the configuration must say who may call");
  }
  return list;
}

AccessList::Answer AccessList::check(std::string_view calling_ae, std::string_view called_ae,
                                     std::string_view peer_address) const {
  if (rules_.empty()) return {Verdict::allowed, duplicates_};
  if (called_ae != ae_title_) return {Verdict::unknown_called_ae, duplicates_};
  const auto peer = Network::parse(peer_address);
  for (const Rule& rule : rules_) {
    if (rule.ae_title != "*" && rule.ae_title != calling_ae) continue;
    const bool here =
        rule.networks.empty() || (peer && std::any_of(rule.networks.begin(), rule.networks.end(),
                                                      [&](const Network& n) { return n.contains(peer.value()); }));
    if (here) return {Verdict::allowed, rule.duplicates};
  }
  return {Verdict::unknown_calling_ae, duplicates_};
}

}  // namespace cairn::dimse
