#include "engine/dimse/query.h"

#include <algorithm>

#include "engine/core/uid.h"
#include "engine/dicom/tags.h"

namespace cairn::dimse {
namespace {

namespace tags = dicom::tags;
using dicom::Element;
using dicom::Tag;
using dicom::VR;

constexpr std::size_t kMostUIDs = 65536;  ///< in one list

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> values;
  while (values.size() < kMostUIDs) {
    const std::size_t end = text.find('\\');
    std::string_view value = text.substr(0, end);
    while (!value.empty() && value.back() == ' ') value.remove_suffix(1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    if (!value.empty()) values.emplace_back(value);
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
  return values;
}

// Matching by list of UID (PS3.4 §C.2.2.2.2); a lone * is sent by some for "all".
std::vector<std::string> uid_list(const dicom::DataSet& identifier, Tag tag) {
  std::vector<std::string> uids;
  const Element* element = identifier.find(tag);
  if (element == nullptr) return uids;
  std::string text = element->value;
  for (std::string& value : split(trim_uid(text))) {
    const std::string_view uid = trim_uid(value);
    if (uid == "*") return {};
    if (!uid.empty()) uids.emplace_back(uid);
  }
  return uids;
}

bool is_universal(const Element& key) {
  if (!key.items.empty()) {
    return std::all_of(key.items.begin(), key.items.end(), [](const dicom::DataSet& item) {
      return std::all_of(item.elements().begin(), item.elements().end(), is_universal);
    });
  }
  std::string_view value = key.value;
  while (!value.empty() && (value.back() == ' ' || value.back() == '\0')) value.remove_suffix(1);
  return value.empty() || value == "*" || value == "\"\"";
}

// What a response carries without being a key.
bool is_housekeeping(Tag tag) {
  return tag.element == 0 || tag == tags::SpecificCharacterSet || tag == tags::QueryRetrieveLevel ||
         tag == tags::RetrieveAETitle || tag == tags::InstanceAvailability || tag == tags::TimezoneOffsetFromUTC;
}

bool is_matched_by_archive(Tag tag) {
  return tag == tags::PatientID || tag == tags::StudyInstanceUID || tag == tags::SeriesInstanceUID ||
         tag == tags::SOPInstanceUID;
}

}  // namespace

bool matches_wildcard(std::string_view text, std::string_view pattern) noexcept {
  std::size_t t = 0, p = 0, star = pattern.npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || (pattern[p] != '*' && pattern[p] == text[t]))) {
      ++t, ++p;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (star != pattern.npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == pattern.npos;
}

Result<FindRequest> FindRequest::read(const dicom::DataSet& identifier, QueryRoot root) {
  FindRequest request;
  request.level = identifier.text(tags::QueryRetrieveLevel);
  using archive::Level;
  if (request.level == "PATIENT") {
    if (root != QueryRoot::patient) return fail(Errc::mismatch, "Query/Retrieve Level PATIENT in the study root");
    request.query.level = Level::patient;
  } else if (request.level == "STUDY") {
    request.query.level = Level::study;
  } else if (request.level == "SERIES") {
    request.query.level = Level::series;
  } else if (request.level == "IMAGE") {
    request.query.level = Level::instance;
  } else {
    return fail(request.level.empty() ? Errc::missing : Errc::mismatch, "Query/Retrieve Level");
  }
  for (std::string& id : split(identifier.text(tags::PatientID))) {
    if (id == "*") {
      request.query.patient_ids.clear();
      request.patient_id_patterns.clear();
      break;
    }
    const bool wild = id.find_first_of("*?") != id.npos;
    (wild ? request.patient_id_patterns : request.query.patient_ids).push_back(std::move(id));
  }
  if (!request.patient_id_patterns.empty()) {
    // A mixture is matched here altogether: the archive's list would leave the patterns' matches out.
    for (std::string& id : request.query.patient_ids) request.patient_id_patterns.push_back(std::move(id));
    request.query.patient_ids.clear();
  }
  request.query.study_uids = uid_list(identifier, tags::StudyInstanceUID);
  request.query.series_uids = uid_list(identifier, tags::SeriesInstanceUID);
  request.query.instance_uids = uid_list(identifier, tags::SOPInstanceUID);
  for (const Element& key : identifier.elements()) {
    if (is_housekeeping(key.tag)) continue;
    request.keys.push_back(key);
    if (!is_matched_by_archive(key.tag) && !is_universal(key)) request.unsupported_keys = true;
  }
  return request;
}

bool FindRequest::matches(const archive::Match& match) const {
  if (patient_id_patterns.empty()) return true;
  const std::string id = match.text(tags::PatientID);
  return std::any_of(patient_id_patterns.begin(), patient_id_patterns.end(),
                     [&](const std::string& pattern) { return matches_wildcard(id, pattern); });
}

dicom::DataSet FindRequest::answer(const archive::Match& match, std::string_view retrieve_ae_title) const {
  dicom::DataSet response;
  for (const Element& key : keys) {
    const Element* found = match.find(key.tag);
    if (found != nullptr && !found->bulk) {
      response.set(*found);
    } else {
      Element empty;
      empty.tag = key.tag;
      empty.vr = key.vr;
      response.set(std::move(empty));
    }
  }
  if (!match.character_set().empty()) {
    response.set_text(tags::SpecificCharacterSet, VR::CS, match.character_set());
    response.set_character_set(match.character_set());
  }
  response.set_text(tags::QueryRetrieveLevel, VR::CS, level);
  response.set_text(tags::RetrieveAETitle, VR::AE, retrieve_ae_title);
  response.set_text(tags::InstanceAvailability, VR::CS, "ONLINE");
  return response;
}

}  // namespace cairn::dimse
