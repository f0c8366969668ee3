// Which studies a query must look at, and in which order: a plan chosen by the form of the query alone, so that it is
// the same on every page, and a walk along it that can begin anywhere. Internal to engine/archive.
//
// In this order of preference: UIDs, Patient IDs, accession numbers, the beginning of a name, a pattern or fuzzy name
// (by way of the distinct names), the beginning of a Patient ID, the study list by date (newest first), of given
// modalities where asked for. Patients come by Patient ID where nothing narrows them.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/archive/archive.h"
#include "engine/store/index/view.h"

namespace cairn::archive {

/// So many studies, series and instances may be looked at in place, with Reach::memory.
inline constexpr std::size_t kLittle = 16;
inline constexpr std::size_t kLittleBytes = 64 * 1024;  ///< of one header

class Candidates {
 public:
  /// `studies`: those that UID keys leave, when `by_uid`. `view` and `query` outlive this. Errors: io, corrupt.
  static Result<Candidates> plan(const store::IndexView& view, const Query& query, bool by_uid,
                                 std::vector<std::string> studies);

  /// Visits studies, each once, from `from` on (empty: all; the study at `from` itself comes too). `place` names a
  /// candidate for a later walk; `row` is the study's where it was read on the way. False stops. Rows are read in
  /// groups ahead of the visit while `wants_rows` says so.
  using Visit = std::function<Result<bool>(std::string_view study_uid, std::string_view place,
                                           std::optional<store::StudyRow>&& row)>;
  Result<> walk(const std::string& from, const Visit& visit, const std::function<bool()>& wants_rows) const;

  /// True for a key that every candidate matches.
  bool answers(const Key& key) const { return answered_.contains(&key); }

 private:
  enum class Kind { given, patients, lists, by_date };
  struct Range {
    std::string begin, end;
  };
  Candidates(const store::IndexView& view, const Query& query) : view_(&view), query_(&query) {}

  bool plan_accession();
  Result<bool> plan_name();
  void plan_dates();
  Result<> walk_patients(const std::string& from, const Visit& visit) const;
  class Group;
  Result<> walk_lists(const std::string& from, Group& group) const;
  Result<> walk_dates(const std::string& from, Group& group) const;
  bool is_repeated(const store::StudyRow& row, std::string_view name) const;

  const store::IndexView* view_;
  const Query* query_;
  Kind kind_ = Kind::by_date;
  std::vector<std::string> given_;  // study UIDs, or Patient IDs
  bool patient_scan_ = false;       // all patients whose ID begins with patient_beginning_
  std::string patient_beginning_;
  std::vector<Range> ranges_;               // lists: one after the other; by_date: merged
  std::vector<std::string> list_prefixes_;  // by_date: what comes before the date
  std::set<const Key*> answered_;
};

}  // namespace cairn::archive
