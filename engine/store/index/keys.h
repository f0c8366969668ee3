// The keys of the index. Each list that the product shows is one range of one column family. Integers are big-endian,
// UIDs end with NUL where something follows, so that keys sort as their parts do.
//
//   family    key                                   value              read by
//   --------  ------------------------------------  -----------------  ---------------------------------------------
//   instance  SOP UID                               InstanceRow        look-up, retrieve
//   header    study 0 series 0 number(8) SOP UID    sequence(8) Header metadata in display order
//   series    study 0 series                        SeriesRow          series of a study (unless it is the only one)
//   study     study                                 StudyRow           studies
//   list      'P' PatientID                         PatientRow         patients
//             'p' PatientID 0 1 study               -                  studies of a patient (unless it is the only one)
//             's' series 0 study                    -                  a series without its study
//             'D' date(8) time(6) study             -                  study list, newest first
//             'M' modality 0 date(8) time(6) study  -                  the same of one modality
//             'A' accession 0 1 study               -                  accession number
//             'N' name 0 study                      -                  name beginnings; one key for each component
//             group
//   history   SOP UID 0 sequence(8)                 InstanceRow Header older content (policy keep)
//   removed   'e' ~sequence(8)                      Removal            what was removed, newest first
//             's' study 0 series 0 ~sequence(8)     -                  tombstones of a series, newest first
//             'i' sequence(8) SOP UID               InstanceRow Header rows that a removal took out
//             'o' SOP UID 0 sequence(8)             sequence(8)        what took a row out: such a removal, or what
//                                                                      replaced it
//   changes   sequence(8) of the last of them       changes            the change feed (changes.h)
//   meta      "schema", "state", "positions", "compacted"              see index.h opening, compaction
//
// A removed series keeps its rows of `instance` and `header` where they are: they count as gone because their sequences
// are not above SeriesRow::since, or the series has no row (apply_events.cpp). ~ is the complement, so that newer ones
// come first.
//
// InstanceNumber is biased so that negative numbers sort first; an instance without one sorts last. Series of a study
// are ordered by Series Number when read (a study has few), so that a series keeps one key whatever its instances say.
// PatientID and accession number are UTF-8 without padding; a NUL inside them is written 0 FF. Digits of dates and
// times are written as their complement to nine, so that the newest come first, and missing ones as ':', so that
// studies without a date come last. Names are folded (fold.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/result.h"

namespace cairn::store::keys {

/// Bumped when a key or a row changes; an index of another version is rebuilt from the log.
inline constexpr std::uint32_t kSchemaVersion = 6;

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
/// All patients whose ID begins with `beginning`.
std::string patients_prefix(std::string_view beginning);
std::string accession_prefix(std::string_view accession);
/// `date` is YYYYMMDD or its beginning, `time` HHMMSS; each character that is no digit counts as missing.
std::string date_prefix(std::string_view date, std::string_view time);
std::string modality_prefix(std::string_view modality);
std::string name_prefix(std::string_view folded_beginning);
/// The keys under which a study is listed by date, modality, accession number and name; ascending. `attributes` is
/// StudyRow::attributes.
std::vector<std::string> study_lists(std::string_view study_uid, std::string_view attributes,
                                     const std::vector<std::pair<std::string, std::uint64_t>>& modalities);
/// What study_lists() made of a name key: the folded name. Empty for other keys.
std::string_view name_of_key(std::string_view key);
/// The study at the end of a key that study_lists() made; empty when it is none.
std::string_view study_of_key(std::string_view key);

std::string series_studies_prefix(std::string_view series_uid);
std::string series_study(std::string_view series_uid, std::string_view study_uid);
std::string history_prefix(std::string_view sop_uid);
std::string history(std::string_view sop_uid, std::uint64_t sequence);

std::string removal(std::uint64_t sequence);
std::string tombstones_prefix(std::string_view study_uid, std::string_view series_uid);
std::string tombstone(std::string_view study_uid, std::string_view series_uid, std::uint64_t sequence);
/// The sequence at the end of a key that removal() or tombstone() made. Errors: corrupt.
Result<std::uint64_t> removal_of(std::string_view key);
std::string removed_instances_prefix(std::uint64_t sequence);
std::string removed_instance(std::uint64_t sequence, std::string_view sop_uid);
std::string taken_out_prefix(std::string_view sop_uid);
std::string taken_out(std::string_view sop_uid, std::uint64_t sequence);

/// The least key that is greater than all that begin with `prefix`; empty when there is none.
std::string after_prefix(std::string_view prefix);

/// What a key of `header` says; views into it. Errors: corrupt.
struct HeaderKey {
  std::string_view study_uid, series_uid, sop_uid;
  std::uint64_t number = 0;
};
Result<HeaderKey> parse_header(std::string_view key);

}  // namespace cairn::store::keys
