#include "engine/dimse/negotiation.h"

#include <algorithm>

#include "codec/transfer_syntax.h"
#include "engine/core/uid.h"
#include "engine/dicom/meta.h"

namespace cairn::dimse {
namespace {

namespace pdu = dicom::pdu;
using dicom::SOPClassKind;

std::optional<SOPClassKind> kind_of(const std::string& abstract_syntax, const Options& options) {
  if (const dicom::SOPClass* known = dicom::find_sop_class(abstract_syntax)) return known->kind;
  if (options.accept_unknown_sop_classes && is_usable_uid(abstract_syntax) &&
      dicom::may_be_storage_class(abstract_syntax)) {
    return SOPClassKind::storage;
  }
  return std::nullopt;
}

bool can_take(SOPClassKind kind, const std::string& transfer_syntax) {
  if (kind == SOPClassKind::storage) {
    const codec::TransferSyntax* known = codec::find_transfer_syntax(transfer_syntax);
    return known != nullptr && known->storable;
  }
  return transfer_syntax == codec::uids::kImplicitVRLittleEndian ||
         transfer_syntax == codec::uids::kExplicitVRLittleEndian ||
         transfer_syntax == codec::uids::kExplicitVRBigEndian;
}

// For a class of which the requestor is the SCP; `taken` has its contexts so far.
const std::string* choose_for_scp(const pdu::ProposedContext& proposed, const ContextTable& taken) {
  const auto& offered = proposed.transfer_syntaxes;
  const auto known = [&](const std::string& t) { return taken.find(proposed.abstract_syntax, t) != nullptr; };
  const bool native =
      std::any_of(offered.begin(), offered.end(), [&](const auto& t) { return is_native_target(t) && known(t); });
  for (const bool only_native : {true, false}) {
    if (only_native && native) continue;
    for (const std::string& t : offered) {
      if (only_native ? is_native_target(t) : can_take(SOPClassKind::storage, t) && !known(t)) return &t;
    }
  }
  const auto any =
      std::find_if(offered.begin(), offered.end(), [](const auto& t) { return can_take(SOPClassKind::storage, t); });
  return any == offered.end() ? nullptr : &*any;
}

const std::string* choose(SOPClassKind kind, const pdu::ProposedContext& proposed) {
  const auto& offered = proposed.transfer_syntaxes;
  const auto chosen = std::find_if(offered.begin(), offered.end(), [&](const auto& t) { return can_take(kind, t); });
  return chosen == offered.end() ? nullptr : &*chosen;
}

bool wants_scp_role(const pdu::AssociateRQ& request, const std::string& sop_class) {
  const auto& roles = request.user.roles;
  return std::any_of(roles.begin(), roles.end(), [&](const auto& r) { return r.sop_class_uid == sop_class && r.scp; });
}

pdu::NegotiatedContext answer(const pdu::AssociateRQ& request, const pdu::ProposedContext& proposed,
                              const Options& options, Agreement& agreement) {
  pdu::NegotiatedContext context{proposed.id, pdu::ContextResult::acceptance, proposed.transfer_syntaxes.front()};
  const auto kind = kind_of(proposed.abstract_syntax, options);
  if (!kind) {
    context.result = pdu::ContextResult::abstract_syntax_not_supported;
    return context;
  }
  const bool scp = *kind == SOPClassKind::storage && wants_scp_role(request, proposed.abstract_syntax);
  const std::string* chosen = scp ? choose_for_scp(proposed, agreement.storage_scp) : choose(*kind, proposed);
  if (chosen == nullptr) {
    context.result = pdu::ContextResult::transfer_syntaxes_not_supported;
    return context;
  }
  context.transfer_syntax = *chosen;
  agreement.contexts[proposed.id / 2] = Context{*kind, proposed.abstract_syntax, *chosen};
  if (scp) agreement.storage_scp.add({proposed.id, proposed.abstract_syntax, *chosen});
  return context;
}

bool proposes(const pdu::AssociateRQ& request, const std::string& sop_class) {
  return std::any_of(request.contexts.begin(), request.contexts.end(),
                     [&](const auto& c) { return c.abstract_syntax == sop_class; });
}

// PS3.4 §B.3.1: level 2 (full) storage, digital signatures kept bit for bit, no coercion of elements.
// PS3.4 §C.5.1.1: relational queries, combined date-time matching, fuzzy matching of names and matching of empty values
// as asked for; timezone adjustment and views of enhanced multi-frame objects no. §C.5.2.1, §C.5.3.1: relational
// retrieval yes, enhanced multi-frame conversion no.
std::string application_information(SOPClassKind kind, const std::string& asked) {
  if (kind == SOPClassKind::storage) return {"\2\0\3\0\0\0", 6};
  std::string information(std::min<std::size_t>(asked.size(), 7), '\0');
  const bool retrieve = kind == SOPClassKind::query_get || kind == SOPClassKind::query_move;
  const std::string_view granted = retrieve ? "1" : kind == SOPClassKind::query_find ? "111001" : "";
  for (std::size_t i = 0; i < std::min(granted.size(), information.size()); ++i) {
    if (granted[i] == '1' && asked[i] == 1) information[i] = '\1';
  }
  return information;
}

std::uint16_t granted(std::uint16_t asked, std::uint16_t most) {
  return asked == 0 || asked > most ? most : asked;
}

}  // namespace

Agreement negotiate(const pdu::AssociateRQ& request, const Options& options) {
  Agreement agreement;
  pdu::AssociateAC& ac = agreement.acceptance;
  ac.called_ae = request.called_ae;
  ac.calling_ae = request.calling_ae;
  ac.application_context = request.application_context;
  for (const pdu::ProposedContext& proposed : request.contexts) {
    ac.contexts.push_back(answer(request, proposed, options, agreement));
  }

  const pdu::UserInformation& asked = request.user;
  pdu::UserInformation& user = ac.user;
  user.max_length = options.max_pdu_bytes;
  user.implementation_class_uid = dicom::kImplementationClassUID;
  user.implementation_version_name = dicom::kImplementationVersionName;
  agreement.peer_max_length = asked.max_length;
  if (asked.asynchronous_window) {
    const std::uint16_t most = std::max<std::uint16_t>(options.async_window, 1);
    user.asynchronous_window = pdu::AsynchronousWindow{granted(asked.asynchronous_window->invoked, most), 1};
    agreement.window = user.asynchronous_window->invoked;
  }
  for (const pdu::RoleSelection& role : asked.roles) {
    // The requestor may be the SCU of everything, and the SCP of storage, for C-GET.
    if (!proposes(request, role.sop_class_uid)) continue;
    const bool scp = role.scp && agreement.storage_scp.find(role.sop_class_uid, {}) != nullptr;
    user.roles.push_back({role.sop_class_uid, role.scu, scp});
  }
  for (const pdu::ExtendedNegotiation& extended : asked.extended) {
    const auto kind = kind_of(extended.sop_class_uid, options);
    if (!kind || *kind == SOPClassKind::verification || !proposes(request, extended.sop_class_uid)) continue;
    std::string information = application_information(*kind, extended.application_information);
    for (auto& context : agreement.contexts) {
      if (*kind != SOPClassKind::query_find || !context || context->abstract_syntax != extended.sop_class_uid) continue;
      context->combined_date_time = information.size() > 1 && information[1] == 1;
      context->fuzzy_names = information.size() > 2 && information[2] == 1;
      context->empty_values = information.size() > 5 && information[5] == 1;
    }
    user.extended.push_back({extended.sop_class_uid, std::move(information)});
  }
  // The identity is taken as stated: who may call is decided by AE title and address. There is no token to give back.
  if (asked.user_identity && asked.user_identity->response_requested) user.user_identity_response = std::string();
  return agreement;
}

}  // namespace cairn::dimse
