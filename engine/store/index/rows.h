// The rows of the index and their stored forms (integers as LEB128, strings with their length). A row is a pure
// function of the instances that are current, except for versions, which only grow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/store/event.h"

namespace cairn::store {

/// Current content of a SOP Instance UID (or, in `history`, older content).
struct InstanceRow {
  Sequence sequence = 0;
  std::string sop_instance_uid;  ///< not stored: the key has it
  std::string sop_class_uid, study_instance_uid, series_instance_uid, transfer_syntax_uid;
  std::uint64_t number = 0;  ///< sort position in its series (keys::biased)
  std::int64_t received_unix_ns = 0;
  std::uint64_t stream_length = 0;
  std::uint64_t data_set_offset = 0;
  dicom::Extent pixel_data;
  Digest128 digest{};
  Location commit;
  std::vector<Part> parts;
  Sequence until = 0;  ///< as InstanceRecord::until: not 0, and some parts are gone

  static InstanceRow of(const InstanceRecord& record, const Location& commit, std::uint64_t number);
  void encode(std::string& out) const;
  static Result<InstanceRow> decode(std::string_view sop_instance_uid, std::string_view stored);
};

struct SeriesRow {
  Sequence version = 0;              ///< of the last event that changed the series
  Sequence attributes_sequence = 0;  ///< the newest instance, whose attributes these are
  Sequence since = 0;                ///< the last removal of it: instances below that are not in it
  std::uint64_t instances = 0, bytes = 0;
  bool has_number = false;
  std::int64_t number = 0;  ///< Series Number
  std::string modality;     ///< trimmed
  std::string attributes;   ///< of the series level, as AttributeValues::encode

  void encode(std::string& out) const;
  static Result<SeriesRow> decode(std::string_view stored);
};

struct StudyRow {
  Sequence version = 0, attributes_sequence = 0;
  std::uint64_t series = 0, instances = 0, bytes = 0;
  std::string patient_id;                                         ///< UTF-8 without padding: the key in `list`
  std::vector<std::pair<std::string, std::uint64_t>> modalities;  ///< ascending; how many series have each
  std::string attributes;                                         ///< of patient and study level
  /// As long as a study has had but one series, that series' row is here and not in its own family; empty afterwards.
  std::string sole_series_uid;
  SeriesRow sole_series;
  /// The applier's, not stored: keys that list the study in the database, while the row may have moved on from them.
  std::optional<std::vector<std::string>> listed;

  void count_modality(const std::string& modality, bool add);
  void encode(std::string& out) const;
  static Result<StudyRow> decode(std::string_view stored);
};

struct PatientRow {
  std::uint64_t studies = 0;
  std::string sole_study_uid;  ///< as long as there has been but one; then it is not in the list of studies

  void encode(std::string& out) const;
  static Result<PatientRow> decode(std::string_view stored);
};

/// A removal that is not undone. It names its series, whose tombstones it is, unless it removed a single instance.
struct Removal {
  Event event;
  std::uint64_t instances = 0, bytes = 0;
  std::vector<std::string> series;
  Sequence forgotten = 0;  ///< the event after which it can no longer be undone; 0: it can

  void encode(std::string& out) const;
  static Result<Removal> decode(std::string_view stored);
};

/// The stored form of an instance that is not current, with its serialized header: in `history` and `removed`.
struct KeptInstance {
  InstanceRow row;
  std::string header;

  static std::string encode(const InstanceRow& row, std::string_view header);
  static Result<KeptInstance> decode(std::string_view sop_instance_uid, std::string_view stored);
};

/// Sums over the index, and how far the log is applied.
struct IndexState {
  Sequence applied = 0;
  std::uint64_t patients = 0, studies = 0, series = 0, instances = 0, history = 0, bytes = 0;
  std::uint64_t tombstones = 0;  ///< of series
  bool operator==(const IndexState&) const noexcept = default;

  void encode(std::string& out) const;
  static Result<IndexState> decode(std::string_view stored);
};

}  // namespace cairn::store
