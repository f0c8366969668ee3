#include "engine/store/index/keys.h"

#include <algorithm>

#include "engine/core/bytes.h"
#include "engine/dicom/tags.h"
#include "engine/store/index/attributes.h"
#include "engine/store/index/fold.h"

namespace cairn::store::keys {
namespace {

std::string joined(std::string_view a, std::string_view b) {
  std::string out;
  out.reserve(a.size() + b.size() + 1);
  out.append(a).push_back('\0');
  return out.append(b);
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    out.push_back(c);
    if (c == '\0') out.push_back('\xff');
  }
}

// `count` digits, each as its complement; the rest is missing.
void append_descending(std::string& out, std::string_view digits, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const char c = i < digits.size() ? digits[i] : ' ';
    out.push_back(c >= '0' && c <= '9' ? static_cast<char>('9' - (c - '0')) : ':');
  }
}

// The digits of a DA value (dots of ACR-NEMA dates left out); empty when it is none.
std::string date_digits(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c >= '0' && c <= '9')
      out.push_back(c);
    else if (c != '.')
      break;
  }
  return out.size() == 8 ? out : std::string();
}

constexpr std::size_t kDateTime = 14;
// Longer values of these, which no VR allows, are not listed.
constexpr std::size_t kMaxListed = 1024;

}  // namespace

void append_be64(std::string& out, std::uint64_t value) {
  std::byte bytes[8];
  store_be(bytes, value);
  out.append(reinterpret_cast<const char*>(bytes), sizeof bytes);
}

std::string series(std::string_view study_uid, std::string_view series_uid) {
  return joined(study_uid, series_uid);
}

std::string header_prefix(std::string_view study_uid, std::string_view series_uid) {
  std::string out = joined(study_uid, series_uid);
  if (!series_uid.empty()) out.push_back('\0');
  return out;
}

std::string header(std::string_view study_uid, std::string_view series_uid, std::uint64_t number,
                   std::string_view sop_uid) {
  std::string out;
  out.reserve(study_uid.size() + series_uid.size() + sop_uid.size() + 10);
  out.append(study_uid).push_back('\0');
  out.append(series_uid).push_back('\0');
  append_be64(out, number);
  return out.append(sop_uid);
}

std::string patient(std::string_view patient_id) {
  std::string out = "P";
  append_escaped(out, patient_id);
  return out;
}

std::string patient_id_of(std::string_view key) {
  std::string out;
  for (std::size_t i = 1; i < key.size(); ++i) {
    out.push_back(key[i]);
    if (key[i] == '\0') ++i;
  }
  return out;
}

std::string patient_studies_prefix(std::string_view patient_id) {
  std::string out = "p";
  append_escaped(out, patient_id);
  out.append("\0\1", 2);
  return out;
}

std::string patient_study(std::string_view patient_id, std::string_view study_uid) {
  return patient_studies_prefix(patient_id).append(study_uid);
}

std::string patients_prefix(std::string_view beginning) {
  return patient(beginning);
}

std::string accession_prefix(std::string_view accession) {
  std::string out = "A";
  append_escaped(out, accession);
  out.append("\0\1", 2);
  return out;
}

std::string date_prefix(std::string_view date, std::string_view time) {
  std::string out = "D";
  append_descending(out, date, 8);
  append_descending(out, time, 6);
  return out;
}

std::string modality_prefix(std::string_view modality) {
  std::string out = "M";
  out.append(modality).push_back('\0');
  return out;
}

std::string name_prefix(std::string_view folded_beginning) {
  return "N" + std::string(folded_beginning);
}

std::vector<std::string> study_lists(std::string_view study_uid, std::string_view attributes,
                                     const std::vector<std::pair<std::string, std::uint64_t>>& modalities) {
  std::vector<std::string> out;
  out.reserve(4);
  const std::string accession = attribute_text(attributes, dicom::tags::AccessionNumber);
  if (!accession.empty() && accession.size() <= kMaxListed) {
    out.push_back(accession_prefix(accession).append(study_uid));
  }
  const std::string date = date_digits(attribute_text(attributes, dicom::tags::StudyDate));
  const std::string time = date.empty() ? std::string() : attribute_text(attributes, dicom::tags::StudyTime);
  std::string by_date = date_prefix(date, time);
  const std::string when = by_date.substr(1);
  out.push_back(by_date.append(study_uid));
  for (const auto& [modality, series] : modalities) {
    if (modality.size() > kMaxListed || modality.find('\0') != modality.npos) continue;
    out.push_back(modality_prefix(modality).append(when).append(study_uid));
  }
  for (const std::string& group : folded_groups(attribute_text(attributes, dicom::tags::PatientName))) {
    std::string key = name_prefix(group);
    key.push_back('\0');
    out.push_back(key.append(study_uid));
  }
  return out;
}

std::string_view name_of_key(std::string_view key) {
  if (key.empty() || key.front() != 'N') return {};
  const std::size_t end = key.find('\0');
  return end == key.npos ? std::string_view() : key.substr(1, end - 1);
}

std::string_view study_of_key(std::string_view key) {
  if (key.empty()) return {};
  std::size_t begin = key.npos;
  switch (key.front()) {
    case 'D':
      begin = 1 + kDateTime;
      break;
    case 'M':
      if (const std::size_t end = key.find('\0'); end != key.npos) begin = end + 1 + kDateTime;
      break;
    case 'A':
    case 'p':
      begin = key.rfind('\1') + 1;
      break;
    case 'N':
      begin = key.rfind('\0') + 1;
      break;
    default:
      break;
  }
  return begin == 0 || begin >= key.size() ? std::string_view() : key.substr(begin);
}

std::string series_studies_prefix(std::string_view series_uid) {
  std::string out = "s";
  out.append(series_uid).push_back('\0');
  return out;
}

std::string series_study(std::string_view series_uid, std::string_view study_uid) {
  return series_studies_prefix(series_uid).append(study_uid);
}

std::string history_prefix(std::string_view sop_uid) {
  return joined(sop_uid, {});
}

std::string history(std::string_view sop_uid, std::uint64_t sequence) {
  std::string out = history_prefix(sop_uid);
  append_be64(out, sequence);
  return out;
}

std::string removal(std::uint64_t sequence) {
  std::string out = "e";
  append_be64(out, ~sequence);
  return out;
}

std::string tombstones_prefix(std::string_view study_uid, std::string_view series_uid) {
  return "s" + header_prefix(study_uid, series_uid);
}

std::string tombstone(std::string_view study_uid, std::string_view series_uid, std::uint64_t sequence) {
  std::string out = tombstones_prefix(study_uid, series_uid);
  append_be64(out, ~sequence);
  return out;
}

Result<std::uint64_t> removal_of(std::string_view key) {
  if (key.size() < 9) return fail(Errc::corrupt, "key of an index removal");
  return ~load_be<std::uint64_t>(as_bytes(key).data() + key.size() - 8);
}

std::string removed_instances_prefix(std::uint64_t sequence) {
  std::string out = "i";
  append_be64(out, sequence);
  return out;
}

std::string removed_instance(std::uint64_t sequence, std::string_view sop_uid) {
  return removed_instances_prefix(sequence).append(sop_uid);
}

std::string taken_out_prefix(std::string_view sop_uid) {
  return std::string("o").append(joined(sop_uid, {}));
}

std::string taken_out(std::string_view sop_uid, std::uint64_t sequence) {
  std::string out = taken_out_prefix(sop_uid);
  append_be64(out, sequence);
  return out;
}

std::string after_prefix(std::string_view prefix) {
  std::string out(prefix);
  while (!out.empty() && static_cast<unsigned char>(out.back()) == 0xff) out.pop_back();
  if (!out.empty()) out.back() = static_cast<char>(static_cast<unsigned char>(out.back()) + 1);
  return out;
}

Result<HeaderKey> parse_header(std::string_view key) {
  HeaderKey out;
  const std::size_t study_end = key.find('\0');
  const std::size_t series_end = study_end == key.npos ? key.npos : key.find('\0', study_end + 1);
  if (series_end == key.npos || key.size() - series_end - 1 < 8) return fail(Errc::corrupt, "key of an index header");
  out.study_uid = key.substr(0, study_end);
  out.series_uid = key.substr(study_end + 1, series_end - study_end - 1);
  out.number = load_be<std::uint64_t>(as_bytes(key).data() + series_end + 1);
  out.sop_uid = key.substr(series_end + 9);
  return out;
}

}  // namespace cairn::store::keys
