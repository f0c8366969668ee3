// Reading the index: look-ups and ranges over one consistent picture of it. Any thread; each view one thread at a time.
// The index outlives its views. Visitors return false to stop. Errors everywhere: io, corrupt, and what is out of
// reach.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/index/changes.h"
#include "engine/store/index/rows.h"
#include "engine/store/reach.h"

namespace cairn::store {

class IndexView {
 public:
  struct Reader;
  explicit IndexView(std::unique_ptr<Reader> reader);
  ~IndexView();
  IndexView(IndexView&&) noexcept;

  Result<std::optional<InstanceRow>> instance(std::string_view sop_uid) const;
  Result<std::optional<SeriesRow>> series(std::string_view study_uid, std::string_view series_uid) const;
  Result<std::optional<StudyRow>> study(std::string_view study_uid) const;
  /// Of each, in order; costs less than one by one.
  Result<std::vector<std::optional<StudyRow>>> studies(const std::vector<std::string>& study_uids) const;
  Result<std::optional<PatientRow>> patient(std::string_view patient_id) const;
  /// The stored header of a current instance, serialized.
  Result<std::string> header(const InstanceRow& row) const;

  /// Up to `count` current instances from both ends of the UIDs.
  Result<std::vector<InstanceRow>> sample_instances(std::size_t count) const;

  using Uid = std::string_view;
  Result<> each_study(const std::function<bool(Uid study_uid, StudyRow&&)>& visit) const;
  Result<> each_patient(const std::function<bool(std::string_view patient_id, PatientRow&&)>& visit) const;
  Result<> each_study_of_patient(std::string_view patient_id, const std::function<bool(Uid study_uid)>& visit) const;
  Result<> each_study_of_series(Uid series_uid, const std::function<bool(Uid study_uid)>& visit) const;

  /// A walk over keys of `list` (keys.h), from `begin` up to `end` exclusive (empty: no end). The view outlives it.
  class ListRange {
   public:
    virtual ~ListRange() = default;
    virtual bool valid() const = 0;
    virtual std::string_view key() const = 0;  ///< until the next step
    virtual void next() = 0;
    virtual Result<> status() const = 0;  ///< once it is no longer valid
  };
  std::unique_ptr<ListRange> list(std::string begin, std::string end) const;

  /// Distinct folded names, with their letters_of(), in no order; some may no longer be in the index.
  Result<> each_name(const std::function<bool(std::string_view folded, std::uint32_t letters)>& visit) const;

  struct NamedSeries {
    std::string series_uid;
    SeriesRow row;
  };
  /// By Series Number, those without one last, then by UID.
  Result<std::vector<NamedSeries>> series_of_study(Uid study_uid) const;

  /// Headers of a series in display order: by Instance Number, those without one last, then by UID.
  Result<> each_header(Uid study_uid, Uid series_uid,
                       const std::function<bool(Uid sop_uid, std::string_view serialized)>& visit) const;
  /// Instances of a series in display order.
  Result<> each_instance(Uid study_uid, Uid series_uid, const std::function<bool(InstanceRow&&)>& visit) const;

  using Older = KeptInstance;
  /// Older content of an instance (policy keep), oldest first.
  Result<> each_older(Uid sop_uid, const std::function<bool(Older&&)>& visit) const;

  /// Removals that can be undone, newest first.
  Result<> each_removal(const std::function<bool(Removal&&)>& visit) const;
  Result<std::optional<Removal>> removal(Sequence sequence) const;

  /// The sequence that this picture is of.
  Result<Sequence> applied() const;
  /// Changes after `since`, in order.
  Result<> each_change(Sequence since, const std::function<bool(const Change&)>& visit) const;

 private:
  /// Rows of a series not above this are removed; nothing when there is no such series.
  Result<std::optional<Sequence>> live_since(Uid study_uid, Uid series_uid) const;

  std::unique_ptr<Reader> reader_;
};

}  // namespace cairn::store
