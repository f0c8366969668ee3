#include "engine/dimse/query.h"

#include <algorithm>

#include "engine/core/uid.h"
#include "engine/dicom/character_set.h"
#include "engine/dicom/dictionary.h"
#include "engine/dicom/tags.h"
#include "engine/dicom/vr.h"

namespace cairn::dimse {
namespace {

namespace tags = dicom::tags;
using dicom::Element;
using dicom::Tag;
using dicom::VR;

constexpr std::size_t kMostValues = 65536;  ///< of one key
constexpr std::size_t kMostKeys = 4096;     ///< of one identifier: all of the dictionary that a patient's images have

Result<std::vector<std::string>> split(std::string_view text) {
  std::vector<std::string> values;
  for (std::size_t count = 0;; ++count) {
    if (count == kMostValues) return fail(Errc::limit_exceeded, "values of a key");
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
Result<std::vector<std::string>> uid_list(const dicom::DataSet& identifier, Tag tag) {
  std::vector<std::string> uids;
  const Element* element = identifier.find(tag);
  if (element == nullptr) return uids;
  std::string text = element->value;
  CAIRN_TRY(const auto values, split(trim_uid(text)));
  for (const std::string& value : values) {
    const std::string_view uid = trim_uid(value);
    if (uid == "*") return std::vector<std::string>();
    if (!uid.empty()) uids.emplace_back(uid);
  }
  return uids;
}

bool is_universal(const Element& key, bool empty_values) {
  if (!key.items.empty()) {
    return std::all_of(key.items.begin(), key.items.end(), [&](const dicom::DataSet& item) {
      return std::all_of(item.elements().begin(), item.elements().end(),
                         [&](const Element& inner) { return is_universal(inner, empty_values); });
    });
  }
  std::string_view value = key.value;
  while (!value.empty() && (value.back() == ' ' || value.back() == '\0')) value.remove_suffix(1);
  return value.empty() || value == "*" || (value == "\"\"" && !empty_values);
}

// What a response carries without being a key.
bool is_housekeeping(Tag tag) {
  return tag.element == 0 || tag == tags::SpecificCharacterSet || tag == tags::QueryRetrieveLevel ||
         tag == tags::RetrieveAETitle || tag == tags::InstanceAvailability || tag == tags::TimezoneOffsetFromUTC;
}

bool is_unique_key(Tag tag) {
  return tag == tags::StudyInstanceUID || tag == tags::SeriesInstanceUID || tag == tags::SOPInstanceUID;
}

bool is_text_or_number(VR vr) {
  for (const VR other : {VR::OB, VR::OD, VR::OF, VR::OL, VR::OV, VR::OW, VR::UN, VR::SQ, VR::AT}) {
    if (vr == other) return false;
  }
  return true;
}

// A key to match on (PS3.4 §C.2.2.2); `usable` turns false where a value cannot be compared.
Result<archive::Key> key_of(const dicom::DataSet& data_set, const Element& element, bool empty_values, bool& usable) {
  archive::Key key{element.tag, element.vr == VR::UN ? dicom::vr_of(element.tag) : element.vr, {}, {}};
  if (key.vr == VR::SQ) {
    if (element.items.empty()) return key;
    const dicom::DataSet& item = element.items.front();  // a sequence key has one item (PS3.4 §C.2.2.2.6)
    for (const Element& inner : item.elements()) {
      if (is_universal(inner, empty_values)) continue;
      CAIRN_TRY(auto made, key_of(item, inner, empty_values, usable));
      key.items.push_back(std::move(made));
    }
    return key;
  }
  usable = usable && is_text_or_number(key.vr);
  if (!is_text_or_number(key.vr)) return key;
  const std::string text = data_set.text(element.tag);
  if (dicom::properties(key.vr).text && !dicom::properties(key.vr).multiple) {
    key.values.push_back(text);
  } else {
    CAIRN_TRY(key.values, split(text));
  }
  if (std::find(key.values.begin(), key.values.end(), "*") != key.values.end()) key.values.clear();
  return key;
}

bool is_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Every text that a character set governs must be in `charset`.
bool all_in(const dicom::DataSet& set, const std::string& charset) {
  return std::all_of(set.elements().begin(), set.elements().end(), [&](const Element& e) {
    if (!e.items.empty()) {
      return std::all_of(e.items.begin(), e.items.end(), [&](const dicom::DataSet& i) { return all_in(i, charset); });
    }
    if (!dicom::properties(e.vr).charset || e.value.empty()) return true;
    const std::string text = set.text(e.tag);
    return charset.empty() ? is_ascii(text) : is_ascii(text) || dicom::encode_text(text, charset).has_value();
  });
}

dicom::DataSet in_character_set(const dicom::DataSet& set, const std::string& charset) {
  dicom::DataSet out;
  out.set_character_set(charset);
  for (const Element& e : set.elements()) {
    if (e.tag == tags::SpecificCharacterSet) continue;
    if (!e.items.empty()) {
      Element copy{e.tag, e.vr, {}, {}, {}};
      for (const dicom::DataSet& item : e.items) copy.items.push_back(in_character_set(item, charset));
      out.set(std::move(copy));
    } else if (dicom::properties(e.vr).charset && !e.value.empty()) {
      out.set_text(e.tag, e.vr, set.text(e.tag));
    } else {
      out.set(e);
    }
  }
  return out;
}

}  // namespace

Result<FindRequest> FindRequest::read(const dicom::DataSet& identifier, QueryRoot root, bool empty_values) {
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
  request.character_set = identifier.character_set();
  CAIRN_TRY(const std::vector<std::string> ids, split(identifier.text(tags::PatientID)));
  const bool wild =
      std::any_of(ids.begin(), ids.end(), [](const std::string& id) { return id.find_first_of("*?\"") != id.npos; });
  if (!wild) request.query.patient_ids = ids;
  CAIRN_TRY(request.query.study_uids, uid_list(identifier, tags::StudyInstanceUID));
  CAIRN_TRY(request.query.series_uids, uid_list(identifier, tags::SeriesInstanceUID));
  CAIRN_TRY(request.query.instance_uids, uid_list(identifier, tags::SOPInstanceUID));
  for (const Element& element : identifier.elements()) {
    if (is_housekeeping(element.tag)) continue;
    if (request.keys.size() == kMostKeys) return fail(Errc::limit_exceeded, "keys");
    request.keys.push_back(element);
    request.query.returns.push_back(element.tag);
    const bool listed = is_unique_key(element.tag) || (element.tag == tags::PatientID && !wild);
    if (listed || is_universal(element, empty_values)) continue;
    bool usable = true;
    CAIRN_TRY(archive::Key key, key_of(identifier, element, empty_values, usable));
    request.unsupported_keys = request.unsupported_keys || !usable;
    const bool above_series = request.query.level == Level::study || request.query.level == Level::patient;
    if (key.tag == tags::Modality && above_series) key.tag = tags::ModalitiesInStudy;
    if (!key.values.empty() || !key.items.empty()) request.query.keys.push_back(std::move(key));
  }
  return request;
}

dicom::DataSet FindRequest::answer(const archive::Match& match, std::string_view retrieve_ae_title) const {
  dicom::DataSet found;
  found.set_character_set(match.character_set());
  for (const Element& key : keys) {
    const Element* value = match.find(key.tag);
    if (value != nullptr && !value->bulk) {
      found.set(*value);
    } else {
      found.set(Element{key.tag, key.vr, {}, {}, {}});
    }
  }
  const std::string charset = all_in(found, {})                                        ? std::string()
                              : !character_set.empty() && all_in(found, character_set) ? character_set
                                                                                       : std::string("ISO_IR 192");
  dicom::DataSet response = in_character_set(found, charset);
  if (!charset.empty()) response.set_text(tags::SpecificCharacterSet, VR::CS, charset);
  response.set_text(tags::QueryRetrieveLevel, VR::CS, level);
  response.set_text(tags::RetrieveAETitle, VR::AE, retrieve_ae_title);
  response.set_text(tags::InstanceAvailability, VR::CS, "ONLINE");
  return response;
}

}  // namespace cairn::dimse
