// Removal and restoration. A series is removed by its tombstone: its rows of `instance` and `header` stay where they
// are, so that a study of any size goes in the time that its series take. A single instance is taken out; so is a dead
// one when its UID is stored again. Removals of one series are undone in reverse order, the newest first: then a row
// belongs to the first removal above it.
#include <algorithm>

#include "engine/core/log.h"
#include "engine/store/index/application.h"

namespace cairn::store {

Result<Sequence> Application::last_tombstone(std::string_view study_uid, std::string_view series_uid) {
  if (s_.totals.tombstones == 0) return Sequence{0};
  const std::string prefix = keys::tombstones_prefix(study_uid, series_uid);
  const std::unique_ptr<rocksdb::Iterator> it(db_.rocks().NewIterator({}, db_.handle(Family::removed)));
  for (it->Seek(slice(prefix)); it->Valid() && text_of(it->key()).starts_with(prefix); it->Next()) {
    CAIRN_TRY(const Sequence sequence, keys::removal_of(text_of(it->key())));
    if (sequence != lifted_) return sequence;
  }
  if (!it->status().ok()) return translate(it->status(), "reading the index");
  return Sequence{0};
}

Result<std::optional<Sequence>> Application::live_since(StudySlot& study, const std::string& series_uid) {
  if (!study.second.exists) return std::optional<Sequence>();
  const StudyRow& st = study.second.row;
  if (!st.sole_series_uid.empty()) {
    return st.sole_series_uid == series_uid ? std::optional<Sequence>(st.sole_series.since) : std::nullopt;
  }
  CAIRN_TRY(SeriesSlot * slot,
            s_.series.find(keys::series(study.first, series_uid), loader<SeriesRow>(db_, Family::series)));
  return slot->second.exists ? std::optional<Sequence>(slot->second.row.since) : std::nullopt;
}

Result<bool> Application::is_dead(const InstanceRow& row) {
  if (s_.totals.tombstones == 0) return false;
  CAIRN_TRY(StudySlot * slot, study(row.study_instance_uid));
  CAIRN_TRY(const auto since, live_since(*slot, row.series_instance_uid));
  return !since || row.sequence <= *since;
}

Result<std::string> Application::stored_header(const InstanceRow& row) {
  rocksdb::PinnableSlice header;
  const std::string key =
      keys::header(row.study_instance_uid, row.series_instance_uid, row.number, row.sop_instance_uid);
  CAIRN_TRY(const bool found, db_.get(Family::header, key, header, nullptr));
  if (!found || header.size() < 8) return fail(Errc::corrupt, "header of an index row");
  return std::string(text_of(header).substr(8));
}

Result<> Application::displace(const InstanceRow& row) {
  const std::string prefix = keys::tombstones_prefix(row.study_instance_uid, row.series_instance_uid);
  const std::unique_ptr<rocksdb::Iterator> it(db_.rocks().NewIterator({}, db_.handle(Family::removed)));
  Sequence removal = 0;
  for (it->Seek(slice(prefix)); it->Valid() && text_of(it->key()).starts_with(prefix); it->Next()) {
    CAIRN_TRY(const Sequence sequence, keys::removal_of(text_of(it->key())));
    if (sequence < row.sequence) break;
    removal = sequence;
  }
  if (!it->status().ok()) return translate(it->status(), "reading the index");
  if (removal == 0) return fail(Errc::corrupt, "removal of an index row");
  CAIRN_TRY(const std::string header, stored_header(row));
  put(Family::removed, keys::removed_instance(removal, row.sop_instance_uid), KeptInstance::encode(row, header));
  put_taken_out(row.sop_instance_uid, row.sequence, removal);
  erase(Family::header,
        keys::header(row.study_instance_uid, row.series_instance_uid, row.number, row.sop_instance_uid));
  erase(Family::instance, row.sop_instance_uid);
  return outcome::success();
}

Result<Outcome> Application::change(const Event& event) {
  switch (event.kind) {
    case Event::Kind::remove:
      return remove(event);
    case Event::Kind::restore:
      return restore(event);
    case Event::Kind::forget:
      return forget(event);
  }
  return fail(Errc::internal, "kind of an event");
}

Result<Outcome> Application::remove(const Event& event) {
  return event.level == Event::Level::instance ? remove_instance(event) : remove_series(event);
}

Result<Outcome> Application::remove_instance(const Event& event) {
  rocksdb::PinnableSlice stored;
  CAIRN_TRY(const bool exists, db_.get(Family::instance, event.sop_instance_uid, stored, nullptr));
  if (!exists) return Outcome::identical;
  CAIRN_TRY(const InstanceRow row, InstanceRow::decode(event.sop_instance_uid, text_of(stored)));
  CAIRN_TRY(const bool dead, is_dead(row));
  if (dead || row.study_instance_uid != event.study_instance_uid ||
      row.series_instance_uid != event.series_instance_uid) {
    return Outcome::identical;
  }
  CAIRN_TRY(const std::string header, stored_header(row));
  put(Family::removed, keys::removed_instance(event.sequence, row.sop_instance_uid), KeptInstance::encode(row, header));
  put_taken_out(row.sop_instance_uid, row.sequence, event.sequence);
  erase(Family::instance, row.sop_instance_uid);
  CAIRN_TRYV(remove(row, event.sequence, false, {}));
  scratch_.clear();
  Removal{event, 1, row.stream_length, {}}.encode(scratch_);
  put(Family::removed, keys::removal(event.sequence), scratch_);
  return Outcome::stored;
}

Result<Outcome> Application::remove_series(const Event& event) {
  CAIRN_TRY(StudySlot * slot, study(event.study_instance_uid));
  if (!slot->second.exists) return Outcome::identical;
  StudyRow& st = slot->second.row;
  Removal removal{event, 0, 0, {}};
  if (event.level == Event::Level::series) {
    CAIRN_TRY(const auto since, live_since(*slot, event.series_instance_uid));
    if (!since) return Outcome::identical;
    removal.series = {event.series_instance_uid};
  } else if (!st.sole_series_uid.empty()) {
    removal.series = {st.sole_series_uid};
  } else {
    // All rows are in the database: what was gathered before an event is written first.
    const std::string prefix = keys::series(slot->first, {});
    const std::unique_ptr<rocksdb::Iterator> it(db_.rocks().NewIterator({}, db_.handle(Family::series)));
    for (it->Seek(slice(prefix)); it->Valid() && text_of(it->key()).starts_with(prefix); it->Next()) {
      removal.series.emplace_back(text_of(it->key()).substr(prefix.size()));
    }
    if (!it->status().ok()) return translate(it->status(), "reading the index");
  }

  note_lists(*slot);
  bool lost_newest = false;
  for (const std::string& uid : removal.series) {
    CAIRN_TRY(const SeriesPlace place, series(*slot, uid));
    if (!place.exists) return fail(Errc::corrupt, "series of an index study");
    SeriesRow& se = *place.row;
    removal.instances += se.instances;
    removal.bytes += se.bytes;
    lost_newest = lost_newest || st.attributes_sequence == se.attributes_sequence;
    st.count_modality(se.modality, false);
    if (place.slot != nullptr) {
      place.slot->second.exists = false;
      s_.series.touch(*place.slot);
    }
    erase(Family::list, keys::series_study(uid, slot->first));
    put(Family::removed, keys::tombstone(slot->first, uid, event.sequence), {});
  }
  const std::uint64_t series_removed = removal.series.size();
  st.series -= series_removed;
  st.instances -= removal.instances;
  st.bytes -= removal.bytes;
  st.version = event.sequence;
  s_.totals.series -= series_removed;
  s_.totals.instances -= removal.instances;
  s_.totals.bytes -= removal.bytes;
  s_.totals.tombstones += series_removed;
  s_.tombstones.store(true);
  if (st.instances == 0) {
    CAIRN_TRYV(leave_patient(st, slot->first));
    --s_.totals.studies;
    slot->second.exists = false;
  } else if (lost_newest) {
    CAIRN_TRYV(renew_attributes(keys::header_prefix(slot->first, {}), {}, nullptr, *slot));
  }
  s_.studies.touch(*slot);
  scratch_.clear();
  removal.encode(scratch_);
  put(Family::removed, keys::removal(event.sequence), scratch_);
  return Outcome::stored;
}

Result<Outcome> Application::restore(const Event& event) {
  rocksdb::PinnableSlice stored;
  CAIRN_TRY(const bool exists, db_.get(Family::removed, keys::removal(event.subject), stored, nullptr));
  if (!exists) return Outcome::identical;
  CAIRN_TRY(const Removal removal, Removal::decode(text_of(stored)));
  if (removal.forgotten != 0) return Outcome::refused;
  const Event& removed = removal.event;
  const std::string& study_uid = removed.study_instance_uid;
  if (removed.level == Event::Level::instance) {
    CAIRN_TRY(const Sequence last, last_tombstone(study_uid, removed.series_instance_uid));
    if (last > event.subject) return Outcome::refused;
  }
  for (const std::string& uid : removal.series) {
    CAIRN_TRY(const Sequence last, last_tombstone(study_uid, uid));
    if (last != event.subject) return Outcome::refused;
  }

  lifted_ = event.subject;
  for (const std::string& uid : removal.series) {
    erase(Family::removed, keys::tombstone(study_uid, uid, event.subject));
    --s_.totals.tombstones;
    CAIRN_TRY(const Sequence since, last_tombstone(study_uid, uid));
    CAIRN_TRYV(restore_in_place(removal, uid, since, event.sequence));
  }
  CAIRN_TRYV(restore_taken_out(removal, event.sequence));
  erase(Family::removed, keys::removal(event.subject));
  lifted_ = 0;
  return Outcome::stored;
}

// The rows stay, and with them what compaction must know of what they stood for.
Result<Outcome> Application::forget(const Event& event) {
  rocksdb::PinnableSlice stored;
  CAIRN_TRY(const bool exists, db_.get(Family::removed, keys::removal(event.subject), stored, nullptr));
  if (!exists) return Outcome::identical;
  CAIRN_TRY(Removal removal, Removal::decode(text_of(stored)));
  if (removal.forgotten != 0) return Outcome::identical;
  removal.forgotten = event.sequence;
  scratch_.clear();
  removal.encode(scratch_);
  put(Family::removed, keys::removal(event.subject), scratch_);
  return Outcome::stored;
}

Result<> Application::restore_in_place(const Removal& removal, const std::string& series_uid, Sequence since,
                                       Sequence version) {
  const std::string& study_uid = removal.event.study_instance_uid;
  CAIRN_TRY(StudySlot * slot, study(study_uid));
  CAIRN_TRY(const auto stored_since, live_since(*slot, series_uid));
  if (stored_since) {
    CAIRN_TRY(const SeriesPlace place, series(*slot, series_uid));
    place.row->since = since;
    place.row->version = slot->second.row.version = version;
    s_.studies.touch(*slot);
    if (place.slot != nullptr) s_.series.touch(*place.slot);
  }
  const std::string prefix = keys::header_prefix(study_uid, series_uid);
  const std::unique_ptr<rocksdb::Iterator> it(db_.rocks().NewIterator({}, db_.handle(Family::header)));
  for (it->Seek(slice(prefix)); it->Valid() && text_of(it->key()).starts_with(prefix); it->Next()) {
    const std::string key(text_of(it->key()));
    const std::string_view value = text_of(it->value());
    if (value.size() < 8) return fail(Errc::corrupt, "header of an index row");
    const auto sequence = load_be<std::uint64_t>(as_bytes(value).data());
    if (sequence <= since || sequence >= removal.event.sequence) continue;
    CAIRN_TRY(const keys::HeaderKey parsed, keys::parse_header(key));
    rocksdb::PinnableSlice stored;
    CAIRN_TRY(const bool found, db_.get(Family::instance, parsed.sop_uid, stored, nullptr));
    if (!found) return fail(Errc::corrupt, "instance of an index header");
    CAIRN_TRY(InstanceRow row, InstanceRow::decode(parsed.sop_uid, text_of(stored)));
    if (row.sequence != sequence) return fail(Errc::corrupt, "instance of an index header");
    CAIRN_TRY(const dicom::Header header, dicom::Header::deserialize(as_bytes(value.substr(8))));
    const AttributeValues values = attributes_of(parsed.sop_uid, header);
    CAIRN_TRYV(add({std::move(row), header, key, version, true}, values));
  }
  if (!it->status().ok()) return translate(it->status(), "reading the index");
  return outcome::success();
}

// What took a UID's place since then stays current; the restored content is older, as under the policy keep.
Result<> Application::restore_taken_out(const Removal& removal, Sequence version) {
  const std::string prefix = keys::removed_instances_prefix(removal.event.sequence);
  const std::unique_ptr<rocksdb::Iterator> it(db_.rocks().NewIterator({}, db_.handle(Family::removed)));
  for (it->Seek(slice(prefix)); it->Valid() && text_of(it->key()).starts_with(prefix); it->Next()) {
    const std::string sop_uid(text_of(it->key()).substr(prefix.size()));
    erase(Family::removed, text_of(it->key()));
    CAIRN_TRY(KeptInstance kept, KeptInstance::decode(sop_uid, text_of(it->value())));
    erase(Family::removed, keys::taken_out(sop_uid, kept.row.sequence));
    rocksdb::PinnableSlice stored;
    CAIRN_TRY(const bool taken, db_.get(Family::instance, sop_uid, stored, nullptr));
    if (taken) {
      CAIRN_TRY(const InstanceRow present, InstanceRow::decode(sop_uid, text_of(stored)));
      CAIRN_TRY(const bool dead, is_dead(present));
      if (!dead) {
        put(Family::history, keys::history(sop_uid, kept.row.sequence), text_of(it->value()));
        ++s_.totals.history;
        continue;
      }
      CAIRN_TRYV(displace(present));
    }
    CAIRN_TRY(const dicom::Header header, dicom::Header::deserialize(as_bytes(kept.header)));
    const AttributeValues values = attributes_of(sop_uid, header);
    const std::string key =
        keys::header(kept.row.study_instance_uid, kept.row.series_instance_uid, kept.row.number, sop_uid);
    CAIRN_TRYV(add({std::move(kept.row), header, key, version, false}, values));
  }
  if (!it->status().ok()) return translate(it->status(), "reading the index");
  return outcome::success();
}

}  // namespace cairn::store
