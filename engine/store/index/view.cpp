#include "engine/store/index/view.h"

#include <algorithm>
#include <limits>

#include <rocksdb/snapshot.h>

#include "engine/store/index/index_state.h"
#include "engine/store/index/keys.h"

namespace cairn::store {

struct IndexView::Reader {
  Reader(const Index::State& s, Reach r) : state(s), db(*s.database), reach(r), snapshot(&db.rocks()) {}

  const Index::State& state;
  const Database& db;
  const Reach reach;
  mutable rocksdb::ManagedSnapshot snapshot;

  // What is damaged on the way out is remembered, so that the next start rebuilds.
  Error damaged(const Error& error) const {
    state.note_damage(error);
    return error;
  }

  Result<bool> get(Family family, std::string_view key, rocksdb::PinnableSlice& value) const {
    auto found = db.get(family, key, value, snapshot.snapshot(), reach);
    if (!found) return damaged(found.error());
    return found;
  }

  template <class Row>
  Result<std::optional<Row>> row(Family family, std::string_view key) const {
    rocksdb::PinnableSlice value;
    CAIRN_TRY(const bool found, get(family, key, value));
    if (!found) return std::optional<Row>();
    auto decoded = Row::decode(text_of(value));
    if (!decoded) return damaged(decoded.error());
    return std::optional<Row>(std::move(decoded).value());
  }

  // Several keys in one step: neighbours are read once, and files that have none of them are skipped together.
  // `visit(index, value)` for each that there is answers Result<bool>: false stops.
  template <class Visit>
  Result<> get_all(Family family, const std::vector<std::string>& keys, Visit&& visit) const {
    std::vector<rocksdb::Slice> names;
    names.reserve(keys.size());
    for (const std::string& key : keys) names.push_back(slice(key));
    std::vector<rocksdb::PinnableSlice> values(keys.size());
    std::vector<rocksdb::Status> statuses(keys.size());
    db.rocks().MultiGet(read_options(snapshot.snapshot(), reach), db.handle(family), names.size(), names.data(),
                        values.data(), statuses.data());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (statuses[i].IsNotFound()) continue;
      if (!statuses[i].ok()) return damaged(translate(statuses[i], "reading the index"));
      Result<bool> more = visit(i, text_of(values[i]));
      if (!more) return damaged(more.error());
      if (!more.value()) break;
    }
    return outcome::success();
  }

  // `visit(key, value)` answers Result<bool>: false stops.
  template <class Visit>
  Result<> scan(Family family, std::string_view prefix, Visit&& visit) const {
    const std::string end = keys::after_prefix(prefix);
    const rocksdb::Slice upper = slice(end);
    rocksdb::ReadOptions options = read_options(snapshot.snapshot(), reach);
    if (!end.empty()) options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> it(db.rocks().NewIterator(options, db.handle(family)));
    for (it->Seek(slice(prefix)); it->Valid(); it->Next()) {
      Result<bool> more = visit(text_of(it->key()), text_of(it->value()));
      if (!more) return damaged(more.error());
      if (!more.value()) return outcome::success();
    }
    if (!it->status().ok()) return damaged(translate(it->status(), "reading the index"));
    return outcome::success();
  }

  Result<> suffixes(std::string_view prefix, const std::function<bool(Uid)>& visit) const {
    return scan(Family::list, prefix, [&](std::string_view key, std::string_view) -> Result<bool> {
      return visit(key.substr(prefix.size()));
    });
  }
};

IndexView::IndexView(std::unique_ptr<Reader> reader) : reader_(std::move(reader)) {}
IndexView::~IndexView() = default;
IndexView::IndexView(IndexView&&) noexcept = default;

IndexView Index::view(Reach reach) const {
  return IndexView(std::make_unique<IndexView::Reader>(*state_, reach));
}

Result<std::optional<InstanceRow>> IndexView::instance(std::string_view sop_uid) const {
  rocksdb::PinnableSlice value;
  CAIRN_TRY(const bool found, reader_->get(Family::instance, sop_uid, value));
  if (!found) return std::optional<InstanceRow>();
  auto row = InstanceRow::decode(sop_uid, text_of(value));
  if (!row) return reader_->damaged(row.error());
  CAIRN_TRY(const auto since, live_since(row.value().study_instance_uid, row.value().series_instance_uid));
  if (!since || row.value().sequence <= *since) return std::optional<InstanceRow>();
  return std::optional<InstanceRow>(std::move(row).value());
}

Result<std::optional<SeriesRow>> IndexView::series(std::string_view study_uid, std::string_view series_uid) const {
  CAIRN_TRY(auto row, reader_->row<SeriesRow>(Family::series, keys::series(study_uid, series_uid)));
  if (row) return row;
  CAIRN_TRY(auto above, study(study_uid));
  if (above && !series_uid.empty() && above->sole_series_uid == series_uid) row = std::move(above->sole_series);
  return row;
}
Result<std::optional<StudyRow>> IndexView::study(std::string_view study_uid) const {
  return reader_->row<StudyRow>(Family::study, study_uid);
}
Result<std::vector<std::optional<StudyRow>>> IndexView::studies(const std::vector<std::string>& study_uids) const {
  std::vector<std::optional<StudyRow>> out(study_uids.size());
  CAIRN_TRYV(reader_->get_all(Family::study, study_uids, [&](std::size_t i, std::string_view value) -> Result<bool> {
    CAIRN_TRY(out[i], StudyRow::decode(value));
    return true;
  }));
  return out;
}
Result<std::optional<PatientRow>> IndexView::patient(std::string_view patient_id) const {
  return reader_->row<PatientRow>(Family::list, keys::patient(patient_id));
}

Result<std::string> IndexView::header(const InstanceRow& row) const {
  rocksdb::PinnableSlice value;
  const std::string key =
      keys::header(row.study_instance_uid, row.series_instance_uid, row.number, row.sop_instance_uid);
  CAIRN_TRY(const bool found, reader_->get(Family::header, key, value));
  if (!found || value.size() < 8) return reader_->damaged(fail(Errc::corrupt, "header of an index row"));
  return std::string(text_of(value).substr(8));
}

Result<> IndexView::each_study(const std::function<bool(Uid, StudyRow&&)>& visit) const {
  return reader_->scan(Family::study, {}, [&](std::string_view key, std::string_view value) -> Result<bool> {
    CAIRN_TRY(StudyRow row, StudyRow::decode(value));
    return visit(key, std::move(row));
  });
}

Result<> IndexView::each_patient(const std::function<bool(std::string_view, PatientRow&&)>& visit) const {
  return reader_->scan(Family::list, "P", [&](std::string_view key, std::string_view value) -> Result<bool> {
    CAIRN_TRY(PatientRow row, PatientRow::decode(value));
    return visit(keys::patient_id_of(key), std::move(row));
  });
}

Result<> IndexView::each_study_of_patient(std::string_view patient_id, const std::function<bool(Uid)>& visit) const {
  CAIRN_TRY(const auto row, patient(patient_id));
  if (!row) return outcome::success();
  if (!row->sole_study_uid.empty()) {
    visit(row->sole_study_uid);
    return outcome::success();
  }
  return reader_->suffixes(keys::patient_studies_prefix(patient_id), visit);
}

Result<> IndexView::each_study_of_series(Uid series_uid, const std::function<bool(Uid)>& visit) const {
  return reader_->suffixes(keys::series_studies_prefix(series_uid), visit);
}

namespace {

class RocksRange final : public IndexView::ListRange {
 public:
  RocksRange(const IndexView::Reader& reader, std::string begin, std::string end)
      : reader_(reader), end_(std::move(end)), upper_(slice(end_)) {
    rocksdb::ReadOptions options = read_options(reader.snapshot.snapshot(), reader.reach);
    if (!end_.empty()) options.iterate_upper_bound = &upper_;
    iterator_.reset(reader.db.rocks().NewIterator(options, reader.db.handle(Family::list)));
    iterator_->Seek(slice(begin));
  }
  bool valid() const override { return iterator_->Valid(); }
  std::string_view key() const override { return text_of(iterator_->key()); }
  void next() override { iterator_->Next(); }
  Result<> status() const override {
    if (!iterator_->status().ok()) return reader_.damaged(translate(iterator_->status(), "reading the index"));
    return outcome::success();
  }

 private:
  const IndexView::Reader& reader_;
  const std::string end_;
  const rocksdb::Slice upper_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

}  // namespace

std::unique_ptr<IndexView::ListRange> IndexView::list(std::string begin, std::string end) const {
  return std::make_unique<RocksRange>(*reader_, std::move(begin), std::move(end));
}

Result<> IndexView::each_name(const std::function<bool(std::string_view, std::uint32_t)>& visit) const {
  auto& names = const_cast<NameDictionary&>(reader_->state.names);  // locks itself
  return names.each(visit);
}

Result<std::vector<IndexView::NamedSeries>> IndexView::series_of_study(Uid study_uid) const {
  std::vector<NamedSeries> out;
  CAIRN_TRY(auto above, study(study_uid));
  if (!above) return out;
  if (!above->sole_series_uid.empty()) {
    out.push_back({std::move(above->sole_series_uid), std::move(above->sole_series)});
    return out;
  }
  const std::string prefix = keys::series(study_uid, {});
  CAIRN_TRYV(reader_->scan(Family::series, prefix, [&](std::string_view key, std::string_view value) -> Result<bool> {
    CAIRN_TRY(SeriesRow row, SeriesRow::decode(value));
    out.push_back({std::string(key.substr(prefix.size())), std::move(row)});
    return true;
  }));
  std::sort(out.begin(), out.end(), [](const NamedSeries& a, const NamedSeries& b) {
    if (a.row.has_number != b.row.has_number) return a.row.has_number;
    if (a.row.number != b.row.number) return a.row.number < b.row.number;
    return a.series_uid < b.series_uid;
  });
  return out;
}

Result<> IndexView::each_header(Uid study_uid, Uid series_uid,
                                const std::function<bool(Uid, std::string_view)>& visit) const {
  CAIRN_TRY(const auto since, live_since(study_uid, series_uid));
  if (!since) return outcome::success();
  return reader_->scan(Family::header, keys::header_prefix(study_uid, series_uid),
                       [&](std::string_view key, std::string_view value) -> Result<bool> {
                         CAIRN_TRY(const keys::HeaderKey parsed, keys::parse_header(key));
                         if (value.size() < 8) return fail(Errc::corrupt, "header of an index row");
                         if (load_be<std::uint64_t>(as_bytes(value).data()) <= *since) return true;
                         return visit(parsed.sop_uid, value.substr(8));
                       });
}

Result<> IndexView::each_instance(Uid study_uid, Uid series_uid,
                                  const std::function<bool(InstanceRow&&)>& visit) const {
  CAIRN_TRY(const auto since, live_since(study_uid, series_uid));
  if (!since) return outcome::success();
  constexpr std::size_t kGroup = 64;
  std::vector<std::string> uids;
  bool more = true;
  const auto look_up = [&]() -> Result<> {
    std::size_t found = 0;
    CAIRN_TRYV(reader_->get_all(Family::instance, uids, [&](std::size_t i, std::string_view value) -> Result<bool> {
      if (i != found++) return fail(Errc::corrupt, "instance of an index header");
      CAIRN_TRY(InstanceRow row, InstanceRow::decode(uids[i], value));
      return more = visit(std::move(row));
    }));
    if (more && found != uids.size()) return reader_->damaged(fail(Errc::corrupt, "instance of an index header"));
    uids.clear();
    return outcome::success();
  };
  CAIRN_TRYV(reader_->scan(Family::header, keys::header_prefix(study_uid, series_uid),
                           [&](std::string_view key, std::string_view value) -> Result<bool> {
                             CAIRN_TRY(const keys::HeaderKey parsed, keys::parse_header(key));
                             if (value.size() < 8) return fail(Errc::corrupt, "header of an index row");
                             if (load_be<std::uint64_t>(as_bytes(value).data()) <= *since) return true;
                             uids.emplace_back(parsed.sop_uid);
                             if (uids.size() == kGroup) {
                               CAIRN_TRYV(look_up());
                             }
                             return more;
                           }));
  return uids.empty() ? outcome::success() : look_up();
}

Result<std::vector<InstanceRow>> IndexView::sample_instances(std::size_t count) const {
  std::vector<InstanceRow> out;
  rocksdb::ReadOptions options;
  options.snapshot = reader_->snapshot.snapshot();
  const std::unique_ptr<rocksdb::Iterator> it(
      reader_->db.rocks().NewIterator(options, reader_->db.handle(Family::instance)));
  for (const bool forward : {true, false}) {
    forward ? it->SeekToFirst() : it->SeekToLast();
    for (std::size_t i = 0; i < count / 2 && it->Valid(); ++i, forward ? it->Next() : it->Prev()) {
      auto row = InstanceRow::decode(text_of(it->key()), text_of(it->value()));
      if (!row) return reader_->damaged(row.error());
      out.push_back(std::move(row).value());
    }
  }
  if (!it->status().ok()) return reader_->damaged(translate(it->status(), "reading the index"));
  return out;
}

Result<> IndexView::each_older(Uid sop_uid, const std::function<bool(Older&&)>& visit) const {
  return reader_->scan(Family::history, keys::history_prefix(sop_uid),
                       [&](std::string_view, std::string_view value) -> Result<bool> {
                         CAIRN_TRY(Older older, KeptInstance::decode(sop_uid, value));
                         return visit(std::move(older));
                       });
}

Result<> IndexView::each_removal(const std::function<bool(Removal&&)>& visit) const {
  return reader_->scan(Family::removed, "e", [&](std::string_view, std::string_view value) -> Result<bool> {
    CAIRN_TRY(Removal removal, Removal::decode(value));
    return visit(std::move(removal));
  });
}

Result<std::optional<Removal>> IndexView::removal(Sequence sequence) const {
  return reader_->row<Removal>(Family::removed, keys::removal(sequence));
}

Result<Sequence> IndexView::applied() const {
  CAIRN_TRY(const auto state, reader_->row<IndexState>(Family::meta, kStateKey));
  return state ? state->applied : 0;
}

Result<> IndexView::each_change(Sequence since, const std::function<bool(const Change&)>& visit) const {
  if (since == std::numeric_limits<Sequence>::max()) return outcome::success();
  std::string from;
  keys::append_be64(from, since + 1);
  rocksdb::ReadOptions options;
  options.snapshot = reader_->snapshot.snapshot();
  const std::unique_ptr<rocksdb::Iterator> it(
      reader_->db.rocks().NewIterator(options, reader_->db.handle(Family::changes)));
  for (it->Seek(slice(from)); it->Valid(); it->Next()) {
    const auto more = ChangeRow::read(text_of(it->value()),
                                      [&](const Change& change) { return change.sequence <= since || visit(change); });
    if (!more) return reader_->damaged(more.error());
    if (!more.value()) return outcome::success();
  }
  if (!it->status().ok()) return reader_->damaged(translate(it->status(), "reading the index"));
  return outcome::success();
}

Result<std::optional<Sequence>> IndexView::live_since(Uid study_uid, Uid series_uid) const {
  if (!reader_->state.tombstones.load()) return std::optional<Sequence>(0);
  CAIRN_TRY(const auto row, series(study_uid, series_uid));
  return row ? std::optional<Sequence>(row->since) : std::nullopt;
}

}  // namespace cairn::store
