// The keys of the index. Each list that the product shows is one range of one column family. Integers are big-endian,
// UIDs end with NUL where something follows, so that keys sort as their parts do.
//
//   family    key                                               value                          read by
//   --------  ------------------------------------------------  -----------------------------
//   --------------------------- instance  SOP UID                                           InstanceRow look-up,
//   retrieve header    study 0 series 0 InstanceNumber(8) SOP UID        sequence(8), Header            metadata in
//   display order series    study 0 series                                    SeriesRow                      series of
//   a study study     study                                             StudyRow                       studies list 'P'
//   PatientID                                     PatientRow                     patients list      'p' PatientID 0 1
//   study                           -                              studies of a patient list      's' series 0 study -
//   a series without its study history   SOP UID 0 sequence(8)                             InstanceRow, Header older
//   content (policy keep) meta      "schema", "state", "positions"                    see index.h opening
//
// InstanceNumber is biased so that negative numbers sort first; an instance without one sorts last. Series of a study
// are ordered by Series Number when read (a study has few), so that a series keeps one key whatever its instances say.
// PatientID is UTF-8 without padding; a NUL inside it is written 0 FF. Further lists (dates, accession numbers, names,
// modalities) take further first bytes of `list`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/core/result.h"

namespace cairn::store::keys {

/// Bumped when a key or a row changes; an index of another version is rebuilt from the log.
inline constexpr std::uint32_t kSchemaVersion = 2;

/// Sort position of an Instance Number; kNoNumber when there is none.
inline constexpr std::uint64_t kNoNumber = ~std::uint64_t{0};
constexpr std::uint64_t biased(std::int64_t number) noexcept {
  const std::uint64_t b = static_cast<std::uint64_t>(number) ^ (std::uint64_t{1} << 63);
  return b == kNoNumber ? b - 1 : b;
}

void append_be64(std::string& out, std::uint64_t value);

std::string series(std::string_view study_uid, std::string_view series_uid);
/// All headers of a series begin with this; with an empty `series_uid`, all of a study.
std::string header_prefix(std::string_view study_uid, std::string_view series_uid);
std::string header(std::string_view study_uid, std::string_view series_uid, std::uint64_t number,
                   std::string_view sop_uid);
std::string patient(std::string_view patient_id);
/// The Patient ID in a key that patient() made.
std::string patient_id_of(std::string_view key);
std::string patient_studies_prefix(std::string_view patient_id);
std::string patient_study(std::string_view patient_id, std::string_view study_uid);
std::string series_studies_prefix(std::string_view series_uid);
std::string series_study(std::string_view series_uid, std::string_view study_uid);
std::string history_prefix(std::string_view sop_uid);
std::string history(std::string_view sop_uid, std::uint64_t sequence);

/// The least key that is greater than all that begin with `prefix`; empty when there is none.
std::string after_prefix(std::string_view prefix);

/// What a key of `header` says; views into it. Errors: corrupt.
struct HeaderKey {
  std::string_view study_uid, series_uid, sop_uid;
  std::uint64_t number = 0;
};
Result<HeaderKey> parse_header(std::string_view key);

}  // namespace cairn::store::keys
