#include "engine/app/conformance.h"

#include <map>

#include <fmt/format.h>

#include "codec/transfer_syntax.h"
#include "engine/dicom/character_set.h"
#include "engine/dicom/dictionary.h"
#include "engine/dicom/meta.h"
#include "engine/dicom/sop_classes.h"
#include "engine/dimse/commitment_journal.h"
#include "engine/store/index/attributes.h"

namespace cairn::app {
namespace {

using dicom::SOPClassKind;
using store::AttributeLevel;

const char* yes_no(bool yes) {
  return yes ? "yes" : "no";
}

const char* fidelity_of(codec::Fidelity fidelity) {
  switch (fidelity) {
    case codec::Fidelity::lossless:
      return "lossless";
    case codec::Fidelity::lossy:
      return "lossy";
    case codec::Fidelity::either:
      break;
  }
  return "either";
}

std::string classes_of(SOPClassKind kind) {
  std::string out;
  for (const auto& c : dicom::sop_classes()) {
    if (c.kind == kind) out += fmt::format("| {}{} | {} |\n", c.name, c.retired ? " (retired)" : "", c.uid);
  }
  return out;
}

std::string services() {
  std::string out =
      "## Services over DIMSE\n\nAll as SCP, on associations that others request. As SCU: C-STORE as C-MOVE asks for "
      "it, and the "
      "N-EVENT-REPORT of a storage commitment, on associations that Cairn requests of a `[[dicom.remote]]`.\n";
  const std::pair<SOPClassKind, const char*> kinds[] = {
      {SOPClassKind::verification, "Verification (C-ECHO)"},    {SOPClassKind::query_find, "Query (C-FIND)"},
      {SOPClassKind::query_move, "Retrieve (C-MOVE)"},          {SOPClassKind::query_get, "Retrieve (C-GET)"},
      {SOPClassKind::storage_commitment, "Storage Commitment"}, {SOPClassKind::storage, "Storage (C-STORE), level 2"}};
  for (const auto& [kind, title] : kinds) {
    out += fmt::format("\n### {}\n\n| SOP Class | UID |\n|---|---|\n", title) + classes_of(kind);
  }
  return out;
}

std::string associations(const Config& config) {
  const auto& d = config.dicom;
  std::string out = fmt::format(
      "## Associations\n\n| | |\n|---|---|\n| AE title | `{}` |\n| listens on | {}, port {} |\n| application context | "
      "{} |\n"
      "| implementation class UID | {} |\n| implementation version name | {} |\n| longest PDU that peers are asked for "
      "| {} bytes |\n"
      "| associations at once | {} |\n| asynchronous operations window | {} invoked by the peer, 1 by Cairn |\n"
      "| time for an association request, and for the end | {} s |\n| time between messages | {} s |\n"
      "| time without a byte inside a message | {} s |\n| private and unknown SOP Classes | {} |\n",
      d.ae_title, d.address, d.port, dicom::uids::kApplicationContext, dicom::kImplementationClassUID,
      dicom::kImplementationVersionName, d.max_pdu_bytes, d.max_associations, d.async_window, d.artim_timeout_s,
      d.idle_timeout_s, d.stall_timeout_s, d.accept_unknown_sop_classes ? "stored" : "refused");
  out += d.callers.empty() ? "\nAny calling and called AE title is accepted, on loopback only.\n"
                           : "\nAccepted callers:\n\n| AE title | addresses |\n|---|---|\n";
  for (const auto& caller : d.callers) {
    std::string from;
    for (const auto& address : caller.addresses) from += (from.empty() ? "" : ", ") + address;
    out += fmt::format("| `{}` | {} |\n", caller.ae_title, from.empty() ? "any" : from);
  }
  out +=
      "\nRole selection: a requestor may be the SCP of storage classes, for C-GET. Extended negotiation: storage at "
      "level 2, without "
      "coercion, signatures kept; C-FIND with relational queries, combined ranges of date and time, fuzzy matching "
      "of names, and matching of empty values, each as "
      "asked for, without timezone adjustment and without enhanced multi-frame views; C-MOVE and C-GET with relational "
      "retrieval. The user "
      "identity is read and not used.\n\nOf a storage context's transfer syntaxes the peer's first that can be stored "
      "is accepted, so that "
      "data stay as they are; of the others' the first uncompressed one.\n";
  return out;
}

std::string syntaxes() {
  std::string out =
      "## Transfer syntaxes\n\n| name | UID | coding is | stored as received | decoded | encoded "
      "|\n|---|---|---|---|---|---|\n";
  for (const auto& t : codec::transfer_syntaxes()) {
    out += fmt::format("| {}{} | {} | {} | {} | {} | {} |\n", t.name, t.retired ? " (retired)" : "", t.uid,
                       fidelity_of(t.fidelity), yes_no(t.storable), yes_no(t.decodable), yes_no(t.encodable));
  }
  return out +
         "\nA retrieve gives the stored syntax where the peer takes it; else it is transcoded, frame by frame, "
         "losslessly.\n";
}

std::string character_sets() {
  std::string out =
      "## Character sets\n\nRead in queries and stored data, with code extensions; answers come in the requester's "
      "when it has every "
      "character, else in ISO_IR 192:\n\n";
  for (const std::string& term : dicom::character_set_terms()) out += (out.back() == '\n' ? "`" : ", `") + term + "`";
  return out + ".\n";
}

std::string attributes() {
  std::string out =
      "## Attributes matched and returned\n\nFrom rows of the index, on every level above the one asked for too:\n\n| "
      "level | attributes "
      "|\n|---|---|\n";
  const std::pair<AttributeLevel, const char*> levels[] = {{AttributeLevel::patient, "patient"},
                                                           {AttributeLevel::study, "study"},
                                                           {AttributeLevel::series, "series"},
                                                           {AttributeLevel::instance, "instance"}};
  for (const auto& [level, name] : levels) {
    std::string keywords;
    for (const auto& [tag, at] : store::kept_attributes()) {
      if (at == level) keywords += fmt::format("{}{}", keywords.empty() ? "" : ", ", dicom::keyword_of(tag));
    }
    out += fmt::format("| {} | {} |\n", name, keywords);
  }
  return out +
         "\nComputed: ModalitiesInStudy, NumberOfPatientRelatedStudies, NumberOfStudyRelatedSeries, "
         "NumberOfStudyRelatedInstances, "
         "NumberOfSeriesRelatedInstances, RetrieveAETitle, InstanceAvailability (ONLINE). Every other attribute of the "
         "header, private ones "
         "and those in sequences included, is matched and returned from the header of an instance.\n\nKinds of "
         "matching: single value, list "
         "of UID, universal, wildcard, range, sequence, empty value, several values; names by component group, without "
         "regard to case, "
         "accents and width.\n";
}

std::string limits(const Config& config) {
  return fmt::format(
      "## Limits\n\n| | |\n|---|---|\n| matches of one C-FIND | {}; then A700 |\n| instances of one storage commitment "
      "| {} |\n| storage "
      "commitments pending | {}, of one requester {} |\n| the result of a storage commitment is offered for | {} hours "
      "|\n| nesting of "
      "sequences | {} |\n",
      config.dicom.max_find_matches == 0 ? std::string("no limit") : std::to_string(config.dicom.max_find_matches),
      dimse::kMaxReferences, dimse::kMaxCommitments, dimse::kMaxCommitmentsOfOne, config.dicom.commitment_hours,
      dicom::kMaxNesting);
}

std::string web(const std::vector<ConformanceRoute>& routes) {
  std::string out = "## DICOMweb (PS3.18)\n\n";
  if (routes.empty())
    return out +
           "The running server lists its resources at `/dicom-web` and in its own statement, `/api/v1/conformance`.\n";
  std::map<std::string, std::string> methods;
  for (const auto& route : routes) {
    if (!route.path.starts_with("/dicom-web") && route.path != "/wado") continue;
    std::string& all = methods[route.path];
    all += (all.empty() ? "" : ", ") + route.method;
  }
  out += "| resource | methods |\n|---|---|\n";
  for (const auto& [path, all] : methods) out += fmt::format("| `{}` | {} |\n", path, all);
  return out;
}

}  // namespace

std::string conformance_statement(const Config& config, const std::vector<ConformanceRoute>& routes) {
  std::string out = fmt::format(
      "# DICOM conformance statement\n\nCairn {}, an archive: stores, finds and gives back instances of every storage "
      "class, over DIMSE "
      "and DICOMweb. Objects are kept exactly as received. This statement (PS3.2) is made by the server from what it "
      "works with.\n\n",
      CAIRN_VERSION);
  for (const std::string& section :
       {services(), associations(config), syntaxes(), character_sets(), attributes(), limits(config), web(routes)}) {
    out += section + '\n';
  }
  out.pop_back();
  return out;
}

}  // namespace cairn::app
