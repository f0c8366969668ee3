#include "engine/dimse/context_table.h"

#include <algorithm>

#include "codec/transfer_syntax.h"
#include "engine/transcode/transcoder.h"

namespace cairn::dimse {

namespace uids = codec::uids;

bool is_native_target(std::string_view uid) noexcept {
  return uid == uids::kImplicitVRLittleEndian || uid == uids::kExplicitVRLittleEndian ||
         uid == uids::kExplicitVRBigEndian;
}

bool can_be_native(std::string_view uid) noexcept {
  const codec::TransferSyntax* stored = codec::find_transfer_syntax(uid);
  return stored != nullptr &&
         transcode::can_transcode(*stored, *codec::find_transfer_syntax(uids::kExplicitVRLittleEndian));
}

const ContextTable::Entry* ContextTable::find(std::string_view sop_class_uid,
                                              std::string_view transfer_syntax_uid) const noexcept {
  const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) {
    return e.abstract_syntax == sop_class_uid &&
           (transfer_syntax_uid.empty() || e.transfer_syntax == transfer_syntax_uid);
  });
  return at == entries_.end() ? nullptr : &*at;
}

Result<std::vector<const ContextTable::Entry*>> ContextTable::choose(std::string_view sop_class_uid,
                                                                     std::string_view stored_syntax_uid) const {
  std::vector<const Entry*> same, native, coded;
  const codec::TransferSyntax* stored = codec::find_transfer_syntax(stored_syntax_uid);
  bool of_class = false;
  for (const Entry& e : entries_) {
    if (e.abstract_syntax != sop_class_uid) continue;
    of_class = true;
    const codec::TransferSyntax* target = codec::find_transfer_syntax(e.transfer_syntax);
    if (e.transfer_syntax == stored_syntax_uid) {
      same.push_back(&e);
    } else if (stored != nullptr && target != nullptr && transcode::can_transcode(*stored, *target)) {
      if (is_native_target(target->uid)) {
        // Of what is decompressed explicit VR keeps more.
        const bool first = stored->encapsulated && target->uid == uids::kExplicitVRLittleEndian;
        native.insert(first ? native.begin() : native.end(), &e);
      } else if (target->fidelity == codec::Fidelity::lossless) {
        coded.push_back(&e);
      }
    }
  }
  if (!of_class) return fail(Errc::unsupported, "SOP class without an accepted context");
  for (const auto* more : {&native, &coded}) same.insert(same.end(), more->begin(), more->end());
  if (same.empty()) return fail(Errc::unsupported, "stored transfer syntax not accepted by the peer");
  return same;
}

}  // namespace cairn::dimse
