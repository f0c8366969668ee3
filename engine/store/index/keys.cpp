#include "engine/store/index/keys.h"

#include "engine/core/bytes.h"

namespace cairn::store::keys {
namespace {

std::string joined(std::string_view a, std::string_view b) {
  std::string out;
  out.reserve(a.size() + b.size() + 1);
  out.append(a).push_back('\0');
  return out.append(b);
}

void append_patient_id(std::string& out, std::string_view id) {
  for (const char c : id) {
    out.push_back(c);
    if (c == '\0') out.push_back('\xff');
  }
}

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
  append_patient_id(out, patient_id);
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
  append_patient_id(out, patient_id);
  out.append("\0\1", 2);
  return out;
}

std::string patient_study(std::string_view patient_id, std::string_view study_uid) {
  return patient_studies_prefix(patient_id).append(study_uid);
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
