// Commits become rows. One batch is one RocksDB write, except that an event which takes something out of the index
// first writes what was gathered before it: so it sees its predecessors in the database and needs no second kind of
// reading. The applied sequence goes with each write, hence every prefix is a consistent index.
#include <algorithm>

#include "engine/core/log.h"
#include "engine/dicom/tags.h"
#include "engine/store/index/application.h"

namespace cairn::store {
namespace {

namespace tags = dicom::tags;

constexpr unsigned kSeriesLevels = static_cast<unsigned>(AttributeLevel::series);
constexpr unsigned kStudyLevels =
    static_cast<unsigned>(AttributeLevel::patient) | static_cast<unsigned>(AttributeLevel::study);

std::string modality_of(const AttributeValues& values) {
  return values.text(tags::Modality);
}

}  // namespace

Result<> Application::run(std::span<Committed> batch, std::string_view positions) {
  for (Committed& committed : batch) {
    if (committed.record.sequence <= s_.totals.applied) continue;  // replay reaches back further than needed
    if (committed.event) {
      CAIRN_TRYV(write(nullptr));
      CAIRN_TRY(committed.outcome, change(*committed.event));
    } else {
      CAIRN_TRYV(instance(committed));
    }
    note_change(committed);
    s_.totals.applied = committed.record.sequence;
    ++events_;
    if (committed.event) {
      CAIRN_TRYV(write(nullptr));
    }
  }
  return write(&positions);
}

void Application::note_change(const Committed& committed) {
  if (committed.outcome != Outcome::stored && committed.outcome != Outcome::replaced) return;
  if (committed.event) {
    if (committed.event->kind == Event::Kind::forget) return;  // of what is no longer in any answer
    s_.changes.add(*committed.event);
  } else {
    s_.changes.add(committed.record, committed.outcome);
  }
}

Result<> Application::instance(Committed& committed) {
  const InstanceRecord& record = committed.record;
  committed.outcome = Outcome::stored;
  const std::string& uid = record.sop_instance_uid;
  if (record.until == record.sequence) {  // compaction saw that it never was in the index
    committed.outcome = Outcome::identical;
    return outcome::success();
  }
  if (seen_.contains(uid)) {
    CAIRN_TRYV(write(nullptr));
  }

  rocksdb::PinnableSlice stored;
  CAIRN_TRY(bool exists, db_.get(Family::instance, uid, stored, nullptr));
  InstanceRow old;
  if (exists) {
    CAIRN_TRY(old, InstanceRow::decode(uid, text_of(stored)));
    CAIRN_TRY(const bool dead, is_dead(old));
    if (dead) {
      CAIRN_TRYV(displace(old));
      exists = false;
    }
  }
  if (exists) {
    CAIRN_TRY(const bool changes, decide(old, committed));
    if (!changes) return outcome::success();
    CAIRN_TRYV(write(nullptr));
  }

  InstanceRow row = InstanceRow::of(record, committed.location, keys::kNoNumber);
  const AttributeValues values = attributes_of(uid, committed.header);
  std::int64_t number = 0;
  if (values.integer(tags::InstanceNumber, number)) row.number = keys::biased(number);
  const std::string key = keys::header(row.study_instance_uid, row.series_instance_uid, row.number, uid);
  CAIRN_TRYV(add({std::move(row), committed.header, key, record.sequence, false}, values));
  if (exists) {
    const bool keep = record.duplicate_policy != DuplicatePolicy::replace;
    CAIRN_TRYV(remove(old, record.sequence, keep, key));
    if (!keep) put_taken_out(uid, old.sequence, record.sequence);
  }
  seen_.insert(uid);
  return outcome::success();
}

// What the scan accepted is stored; where its attributes cannot be read it is found by its UIDs, with no further ones.
AttributeValues Application::attributes_of(std::string_view sop_uid, const dicom::Header& header) {
  if (auto read = AttributeValues::of(header))
    return std::move(read).value();
  else
    log::warning("index", {{"instance", sop_uid}, {"attributes", read.error()}});
  return {};
}

// Whether the newer content takes the older one's place; sets the outcome.
Result<bool> Application::decide(const InstanceRow& old, Committed& committed) {
  const InstanceRecord& newer = committed.record;
  if (newer.until != 0 || old.until != 0) {
    // Of one of them some parts are gone, so what was decided once is told by until when the index had it.
    const bool changes = newer.until != 0 || newer.sequence >= old.until;
    committed.outcome = changes ? Outcome::replaced : Outcome::identical;
    return changes;
  }
  auto comparison = Comparison::different;
  if (old.transfer_syntax_uid == newer.transfer_syntax_uid &&
      old.stream_length - old.data_set_offset == newer.stream_length - newer.data_set_offset) {
    comparison = s_.options.compare(old, newer);
  }
  const bool same = comparison == Comparison::same;
  const bool refused = comparison == Comparison::newer_unreadable ||
                       (comparison == Comparison::different && newer.duplicate_policy == DuplicatePolicy::refuse);
  committed.outcome = same ? Outcome::identical : refused ? Outcome::refused : Outcome::replaced;
  return committed.outcome == Outcome::replaced;
}

Result<> Application::add(Addition&& added, const AttributeValues& values) {
  const InstanceRow& row = added.row;
  CAIRN_TRY(StudySlot * study_slot, study(row.study_instance_uid));
  StudyRow& st = study_slot->second.row;
  const bool new_study = !study_slot->second.exists;
  if (new_study) {
    auto listed = std::move(st.listed);  // gone and back in one batch
    st = StudyRow();
    st.listed = listed ? std::move(listed) : std::vector<std::string>();
    study_slot->second.exists = true;
    ++s_.totals.studies;
  }
  CAIRN_TRY(const SeriesPlace place, series(*study_slot, row.series_instance_uid));
  SeriesRow& se = *place.row;
  const bool new_series = !place.exists;
  if (new_series) {
    se = SeriesRow();
    CAIRN_TRY(se.since, last_tombstone(row.study_instance_uid, row.series_instance_uid));
    if (place.slot != nullptr) place.slot->second.exists = true;
    ++s_.totals.series;
    ++st.series;
    put(Family::list, keys::series_study(row.series_instance_uid, row.study_instance_uid), {});
  }

  se.version = st.version = added.version;
  ++se.instances;
  ++st.instances;
  ++s_.totals.instances;
  se.bytes += row.stream_length;
  st.bytes += row.stream_length;
  s_.totals.bytes += row.stream_length;

  // The newest instance gives the attributes; what is restored may be older than what came since.
  if (row.sequence > se.attributes_sequence) {
    se.attributes_sequence = row.sequence;
    se.has_number = values.integer(tags::SeriesNumber, se.number);
    if (!se.has_number) se.number = 0;
    std::string modality = modality_of(values);
    if (new_series || modality != se.modality) {
      note_lists(*study_slot);
      if (!new_series) st.count_modality(se.modality, false);
      st.count_modality(modality, true);
      se.modality = std::move(modality);
    }
    se.attributes.clear();
    values.encode(kSeriesLevels, se.attributes);
  }
  if (row.sequence > st.attributes_sequence) {
    st.attributes_sequence = row.sequence;
    scratch_.clear();
    values.encode(kStudyLevels, scratch_);
    if (scratch_ != st.attributes) {
      note_lists(*study_slot);
      st.attributes = scratch_;
    }
    CAIRN_TRYV(set_patient(*study_slot, new_study, values.text(tags::PatientID)));
  }

  if (!added.in_place) {
    scratch_.clear();
    row.encode(scratch_);
    put(Family::instance, row.sop_instance_uid, scratch_);
    scratch_.clear();
    keys::append_be64(scratch_, row.sequence);
    s_.gather.put(Family::header, added.key, {scratch_, added.header.serialize()});
  }
  s_.studies.touch(*study_slot);
  if (place.slot != nullptr) s_.series.touch(*place.slot);
  return outcome::success();
}

Result<Application::SeriesPlace> Application::series(StudySlot& study, const std::string& series_uid) {
  StudyRow& st = study.second.row;
  if (st.instances == 0) st.sole_series_uid = series_uid;  // a new study
  if (st.sole_series_uid == series_uid) return SeriesPlace{&st.sole_series, nullptr, st.instances != 0};
  const auto absent = [](const std::string&, SeriesRow&) -> Result<bool> { return false; };
  const bool second = !st.sole_series_uid.empty();
  if (second) {
    CAIRN_TRY(SeriesSlot * first, s_.series.find(keys::series(study.first, st.sole_series_uid), absent));
    first->second.row = std::move(st.sole_series);
    first->second.exists = true;
    s_.series.touch(*first);
    st.sole_series = SeriesRow();
    st.sole_series_uid.clear();
  }
  const std::string key = keys::series(study.first, series_uid);
  CAIRN_TRY(SeriesSlot * slot,
            second ? s_.series.find(key, absent) : s_.series.find(key, loader<SeriesRow>(db_, Family::series)));
  return SeriesPlace{&slot->second.row, slot, slot->second.exists};
}

// Takes older content out, after the newer one was added: rows of a study that both share never become empty.
Result<> Application::remove(const InstanceRow& old, Sequence sequence, bool keep, const std::string& new_header_key) {
  const std::string key =
      keys::header(old.study_instance_uid, old.series_instance_uid, old.number, old.sop_instance_uid);
  if (keep) {
    CAIRN_TRY(const std::string header, stored_header(old));
    put(Family::history, keys::history(old.sop_instance_uid, old.sequence), KeptInstance::encode(old, header));
    ++s_.totals.history;
  }
  if (key != new_header_key) erase(Family::header, key);

  CAIRN_TRY(StudySlot * study_slot, study(old.study_instance_uid));
  if (!study_slot->second.exists) return fail(Errc::corrupt, "rows of an index instance");
  CAIRN_TRY(const SeriesPlace place, series(*study_slot, old.series_instance_uid));
  if (!place.exists) return fail(Errc::corrupt, "rows of an index instance");
  StudyRow& st = study_slot->second.row;
  SeriesRow& se = *place.row;
  note_lists(*study_slot);
  se.version = st.version = sequence;
  --se.instances;
  --st.instances;
  --s_.totals.instances;
  se.bytes -= old.stream_length;
  st.bytes -= old.stream_length;
  s_.totals.bytes -= old.stream_length;
  s_.studies.touch(*study_slot);
  if (place.slot != nullptr) s_.series.touch(*place.slot);

  if (se.instances == 0) {
    st.count_modality(se.modality, false);
    --st.series;
    --s_.totals.series;
    if (place.slot != nullptr) place.slot->second.exists = false;
    erase(Family::list, keys::series_study(old.series_instance_uid, old.study_instance_uid));
  } else if (se.attributes_sequence == old.sequence) {
    CAIRN_TRYV(renew_attributes(keys::header_prefix(old.study_instance_uid, old.series_instance_uid),
                                old.sop_instance_uid, &se, *study_slot));
  }
  if (st.instances == 0) {
    CAIRN_TRYV(leave_patient(st, old.study_instance_uid));
    --s_.totals.studies;
    study_slot->second.exists = false;
  } else if (st.attributes_sequence == old.sequence) {
    CAIRN_TRYV(
        renew_attributes(keys::header_prefix(old.study_instance_uid, {}), old.sop_instance_uid, nullptr, *study_slot));
  }
  return outcome::success();
}

// The newest instance of a series (or study) is gone: the next newest gives the attributes. Seldom, and a scan.
Result<> Application::renew_attributes(const std::string& header_prefix, std::string_view except, SeriesRow* series,
                                       StudySlot& study) {
  const std::string end = keys::after_prefix(header_prefix);
  const rocksdb::Slice upper = slice(end);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> it(db_.rocks().NewIterator(options, db_.handle(Family::header)));
  Sequence newest = 0;
  std::string serialized, of_series;
  std::optional<Sequence> since;
  for (it->Seek(slice(header_prefix)); it->Valid(); it->Next()) {
    CAIRN_TRY(const keys::HeaderKey key, keys::parse_header(text_of(it->key())));
    const std::string_view value = text_of(it->value());
    if (key.sop_uid == except) continue;
    if (key.series_uid != of_series) {
      of_series = key.series_uid;
      CAIRN_TRY(since, live_since(study, of_series));
    }
    if (value.size() < 8) return fail(Errc::corrupt, "header of an index row");
    const auto sequence = load_be<std::uint64_t>(as_bytes(value).data());
    if (sequence <= newest || !since || sequence <= *since) continue;
    newest = sequence;
    serialized = value.substr(8);
  }
  if (!it->status().ok()) return translate(it->status(), "reading the index");
  if (newest == 0) return fail(Errc::corrupt, "headers of an index row");
  CAIRN_TRY(const dicom::Header header, dicom::Header::deserialize(as_bytes(serialized)));
  const AttributeValues values = attributes_of({}, header);
  if (series == nullptr) {
    StudyRow& st = study.second.row;
    st.attributes_sequence = newest;
    st.attributes.clear();
    values.encode(kStudyLevels, st.attributes);
    return set_patient(study, false, values.text(tags::PatientID));
  }
  SeriesRow& se = *series;
  se.attributes_sequence = newest;
  se.attributes.clear();
  values.encode(kSeriesLevels, se.attributes);
  se.has_number = values.integer(tags::SeriesNumber, se.number);
  if (!se.has_number) se.number = 0;
  study.second.row.count_modality(se.modality, false);
  se.modality = modality_of(values);
  study.second.row.count_modality(se.modality, true);
  return outcome::success();
}

Result<> Application::set_patient(StudySlot& study, bool is_new, std::string id) {
  StudyRow& st = study.second.row;
  if (!is_new) {
    if (st.patient_id == id) return outcome::success();
    CAIRN_TRYV(leave_patient(st, study.first));
  }
  st.patient_id = std::move(id);
  CAIRN_TRY(auto* patient, s_.patients.find(keys::patient(st.patient_id), loader<PatientRow>(db_, Family::list)));
  PatientRow& row = patient->second.row;
  if (!patient->second.exists) {
    row = PatientRow{0, study.first};
    patient->second.exists = true;
    ++s_.totals.patients;
  } else {
    if (!row.sole_study_uid.empty()) put(Family::list, keys::patient_study(st.patient_id, row.sole_study_uid), {});
    row.sole_study_uid.clear();
    put(Family::list, keys::patient_study(st.patient_id, study.first), {});
  }
  ++row.studies;
  s_.patients.touch(*patient);
  return outcome::success();
}

Result<> Application::leave_patient(const StudyRow& study, std::string_view study_uid) {
  CAIRN_TRY(auto* patient, s_.patients.find(keys::patient(study.patient_id), loader<PatientRow>(db_, Family::list)));
  if (!patient->second.exists) return fail(Errc::corrupt, "patient of an index study");
  if (patient->second.row.sole_study_uid.empty()) erase(Family::list, keys::patient_study(study.patient_id, study_uid));
  if (--patient->second.row.studies == 0) {
    patient->second.exists = false;
    --s_.totals.patients;
  }
  s_.patients.touch(*patient);
  return outcome::success();
}

void Application::write_lists(const std::string& uid, StudyRow& row, bool exists) {
  std::vector<std::string> now;
  if (exists) now = keys::study_lists(uid, row.attributes, row.modalities);
  const auto has = [](const std::vector<std::string>& list, const std::string& key) {
    return std::binary_search(list.begin(), list.end(), key);
  };
  for (const std::string& key : *row.listed) {
    if (!has(now, key)) erase(Family::list, key);
  }
  for (const std::string& key : now) {
    if (has(*row.listed, key)) continue;
    put(Family::list, key, {});
    if (const std::string_view name = keys::name_of_key(key); !name.empty()) s_.names.add(name);
  }
  row.listed.reset();
}

// Writes what was gathered. Without `positions` the log's place stays where it was: replay may then bring events again
// that the applied sequence lets pass by.
Result<> Application::write(const std::string_view* positions) {
  if (positions == nullptr && events_ == 0) return outcome::success();
  const auto drain = [this](Family family) {
    return [this, family](const std::string& key, const auto& entry) {
      if (!entry.exists) return erase(family, key);
      scratch_.clear();
      entry.row.encode(scratch_);
      put(family, key, scratch_);
    };
  };
  s_.studies.drain([&](const std::string& uid, auto& entry) {
    if (entry.row.listed) write_lists(uid, entry.row, entry.exists);
    drain(Family::study)(uid, entry);
  });
  s_.series.drain(drain(Family::series));
  s_.patients.drain(drain(Family::list));
  if (!s_.changes.empty()) {
    scratch_.clear();
    keys::append_be64(scratch_, s_.changes.last());
    put(Family::changes, scratch_, s_.changes.encoded());
    s_.changes.clear();
  }
  if (positions != nullptr) put(Family::meta, kPositionsKey, *positions);
  scratch_.clear();
  s_.totals.encode(scratch_);
  put(Family::meta, kStateKey, scratch_);
  rocksdb::WriteBatch& batch = s_.batch;
  batch.Clear();
  s_.gather.drain(db_, batch);
  CAIRN_TRYV(db_.write(batch, s_.totals.applied));
  const Flusher::Tail more{events_, batch.GetDataSize()};
  seen_.clear();
  events_ = 0;
  return s_.flusher->wrote(more);
}

Result<> Index::apply(std::span<Committed> batch, std::string_view positions) {
  State& s = *state_;
  const std::lock_guard lock(s.applying);
  if (s.failed) return *s.failed;
  Application application(s);
  Result<> applied = application.run(batch, positions);
  if (!applied) {
    // Rows in memory may be ahead of the database: nothing more is applied until the index is opened again.
    s.failed = applied.error();
    s.note_damage(applied.error());
    log::error("index", {{"apply", applied.error()}});
    return applied;
  }
  s.publish(positions);
  s.series.trim();
  s.studies.trim();
  s.patients.trim();
  if (s.options.applied) s.options.applied(s.totals.applied);
  return outcome::success();
}

}  // namespace cairn::store
