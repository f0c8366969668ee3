#include "engine/dimse/context_table.h"

#include <algorithm>

#include "codec/transfer_syntax.h"

namespace cairn::dimse {

namespace uids = codec::uids;

bool is_recoding_target(std::string_view uid) noexcept {
  return uid == uids::kImplicitVRLittleEndian || uid == uids::kExplicitVRLittleEndian ||
         uid == uids::kExplicitVRBigEndian;
}

bool can_be_recoded(std::string_view uid) noexcept {
  return is_recoding_target(uid) || uid == uids::kDeflatedExplicitVRLittleEndian;
}

const ContextTable::Entry* ContextTable::find(std::string_view sop_class_uid,
                                              std::string_view transfer_syntax_uid) const noexcept {
  const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) {
    return e.abstract_syntax == sop_class_uid &&
           (transfer_syntax_uid.empty() || e.transfer_syntax == transfer_syntax_uid);
  });
  return at == entries_.end() ? nullptr : &*at;
}

Result<const ContextTable::Entry*> ContextTable::choose(std::string_view sop_class_uid,
                                                        std::string_view stored_syntax_uid) const noexcept {
  if (const Entry* same = find(sop_class_uid, stored_syntax_uid)) return same;
  if (find(sop_class_uid, {}) == nullptr) return fail(Errc::unsupported, "SOP class without an accepted context");
  if (!can_be_recoded(stored_syntax_uid)) {
    return fail(Errc::unsupported, "stored transfer syntax not accepted by the peer");
  }
  const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) {
    return e.abstract_syntax == sop_class_uid && is_recoding_target(e.transfer_syntax);
  });
  if (at == entries_.end()) return fail(Errc::unsupported, "no native transfer syntax accepted by the peer");
  return &*at;
}

}  // namespace cairn::dimse
