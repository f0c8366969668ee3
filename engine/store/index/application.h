// One batch on its way into rows: what apply.cpp (instances) and apply_events.cpp (removal, restoration) share.
// Internal to engine/store/index; the applier's thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>

#include "engine/store/index/attributes.h"
#include "engine/store/index/index_state.h"
#include "engine/store/index/keys.h"

namespace cairn::store {

template <class Row>
auto loader(const Database& database, Family family) {
  return [&database, family](const std::string& key, Row& row) -> Result<bool> {
    rocksdb::PinnableSlice value;
    CAIRN_TRY(const bool found, database.get(family, key, value, nullptr));
    if (!found) return false;
    CAIRN_TRY(row, Row::decode(text_of(value)));
    return true;
  };
}

class Application {
 public:
  explicit Application(Index::State& state) : s_(state), db_(*state.database) {}

  Result<> run(std::span<Committed> batch, std::string_view positions);

 private:
  using StudySlot = RowCache<StudyRow>::Slot;
  using SeriesSlot = RowCache<SeriesRow>::Slot;

  Result<> instance(Committed& committed);
  void note_change(const Committed& committed);
  Result<Outcome> change(const Event& event);
  Result<Outcome> remove(const Event& event);
  Result<Outcome> restore(const Event& event);
  Result<Outcome> forget(const Event& event);
  Result<bool> decide(const InstanceRow& old, Committed& committed);
  struct Addition {
    InstanceRow row;
    const dicom::Header& header;
    const std::string& key;  ///< of the header
    Sequence version = 0;    ///< of the event that adds it
    bool in_place = false;   ///< its rows of `instance` and `header` are there already
  };
  Result<> add(Addition&& added, const AttributeValues& values);
  static AttributeValues attributes_of(std::string_view sop_uid, const dicom::Header& header);
  Result<> remove(const InstanceRow& old, Sequence sequence, bool keep, const std::string& new_header_key);
  Result<> set_patient(StudySlot& study, bool is_new, std::string id);
  Result<> leave_patient(const StudyRow& study, std::string_view study_uid);
  Result<> renew_attributes(const std::string& header_prefix, std::string_view except, SeriesRow* series,
                            StudySlot& study);
  Result<> write(const std::string_view* positions);

  // Removal and restoration (apply_events.cpp).
  /// The newest removal of a series, that being restored left out; 0 when there is none.
  Result<Sequence> last_tombstone(std::string_view study_uid, std::string_view series_uid);
  /// Below this, a series' rows are dead; nothing when there is no such series.
  Result<std::optional<Sequence>> live_since(StudySlot& study, const std::string& series_uid);
  Result<bool> is_dead(const InstanceRow& row);
  /// Takes a dead row out of its place, to where the removal that it belongs to finds it.
  Result<> displace(const InstanceRow& row);
  Result<std::string> stored_header(const InstanceRow& row);
  Result<Outcome> remove_series(const Event& event);
  Result<Outcome> remove_instance(const Event& event);
  Result<> restore_in_place(const Removal& removal, const std::string& series_uid, Sequence since, Sequence version);
  Result<> restore_taken_out(const Removal& removal, Sequence version);

  Result<StudySlot*> study(const std::string& uid) {
    return s_.studies.find(uid, loader<StudyRow>(db_, Family::study));
  }
  /// Where the row of a series is kept: in its study as long as that has had but one.
  struct SeriesPlace {
    SeriesRow* row = nullptr;
    SeriesSlot* slot = nullptr;  ///< null: in the study's row
    bool exists = false;
  };
  Result<SeriesPlace> series(StudySlot& study, const std::string& series_uid);
  /// Before what lists a study changes: notes where it stands in the lists.
  static void note_lists(StudySlot& study) {
    StudyRow& st = study.second.row;
    if (!st.listed) st.listed = keys::study_lists(study.first, st.attributes, st.modalities);
  }
  void write_lists(const std::string& uid, StudyRow& row, bool exists);
  void put(Family family, std::string_view key, std::string_view value) { s_.gather.put(family, key, {value}); }
  /// Notes what took a row out, for compaction: no other key leads from an instance to it.
  void put_taken_out(std::string_view sop_uid, Sequence sequence, Sequence by) {
    std::string value;
    keys::append_be64(value, by);
    put(Family::removed, keys::taken_out(sop_uid, sequence), value);
  }
  void erase(Family family, std::string_view key) { s_.gather.erase(family, key); }

  Index::State& s_;
  Database& db_;
  std::unordered_set<std::string_view> seen_;  // SOP Instance UIDs in batch_; the views are into the caller's batch
  std::uint64_t events_ = 0;                   // since the last write
  std::string scratch_;
  Sequence lifted_ = 0;  ///< the removal that is being restored
};

}  // namespace cairn::store
