// What compaction asks of the index, and tells it.
#include <algorithm>
#include <limits>
#include <optional>

#include <rocksdb/snapshot.h>

#include "engine/store/index/index_state.h"
#include "engine/store/index/keys.h"

namespace cairn::store {
namespace {

constexpr Sequence kNever = std::numeric_limits<Sequence>::max();

/// A row of a SOP Instance UID, wherever it is kept.
struct Standing {
  std::optional<InstanceRow> row;  ///< nothing when it was replaced: then only its sequence is left
  Sequence sequence = 0;
  Sequence end = kNever;  ///< what took it out of the index
  bool gone = false;      ///< for good
  bool older = false;     ///< in history
};

class SnapshotFates final : public Fates {
 public:
  explicit SnapshotFates(const Index::State& state) : state_(state), db_(*state.database), snapshot_(&db_.rocks()) {
    const std::lock_guard lock(state.mutex);
    applied_ = state.published.applied;
  }

  Sequence applied() const override { return applied_; }

  Result<Fate> of(const InstanceRecord& record) override {
    std::vector<Standing> all;
    CAIRN_TRYV(current(all, record.sop_instance_uid));
    if (all.empty() || all.front().sequence != record.sequence) {
      CAIRN_TRYV(not_current(all, record.sop_instance_uid));
    }
    for (const Standing& standing : all) {
      if (standing.sequence != record.sequence) continue;
      return standing.gone ? Fate{false, standing.end} : Fate{};
    }
    for (const Standing& standing : all) {
      if (never_needed(record, standing)) return Fate{false, record.sequence};
    }
    return Fate{};
  }

 private:
  // A commit without a row was identical or refused, or could not be read when the index was made: that one may be the
  // only copy of something.
  bool never_needed(const InstanceRecord& record, const Standing& standing) const {
    const bool beside = standing.sequence < record.sequence && record.sequence < standing.end;
    if (standing.gone) {
      if (!beside) return false;
      return !standing.row || (standing.row->study_instance_uid == record.study_instance_uid &&
                               standing.row->series_instance_uid == record.series_instance_uid);
    }
    if (record.duplicate_policy == DuplicatePolicy::refuse && beside && !standing.older) return true;
    const InstanceRow& row = *standing.row;
    return row.transfer_syntax_uid == record.transfer_syntax_uid &&
           row.stream_length - row.data_set_offset == record.stream_length - record.data_set_offset &&
           state_.options.compare(row, record) == Comparison::same;
  }

  Result<> current(std::vector<Standing>& all, const std::string& uid) const {
    rocksdb::PinnableSlice value;
    CAIRN_TRY(const bool found, db_.get(Family::instance, uid, value, snapshot_.snapshot()));
    if (!found) return outcome::success();
    CAIRN_TRY(InstanceRow row, InstanceRow::decode(uid, text_of(value)));
    return in_place(all, std::move(row));
  }

  Result<> not_current(std::vector<Standing>& all, const std::string& uid) const {
    CAIRN_TRYV(
        scan(Family::history, keys::history_prefix(uid), [&](std::string_view, std::string_view stored) -> Result<> {
          CAIRN_TRY(KeptInstance kept, KeptInstance::decode(uid, stored));
          const Sequence sequence = kept.row.sequence;
          all.push_back({std::move(kept.row), sequence, kNever, false, true});
          return outcome::success();
        }));
    const std::string prefix = keys::taken_out_prefix(uid);
    return scan(Family::removed, prefix, [&](std::string_view key, std::string_view stored) -> Result<> {
      if (key.size() != prefix.size() + 8 || stored.size() != 8) return fail(Errc::corrupt, "index row");
      const auto sequence = load_be<std::uint64_t>(as_bytes(key.substr(prefix.size())).data());
      const auto by = load_be<std::uint64_t>(as_bytes(stored).data());
      rocksdb::PinnableSlice taken_out;
      CAIRN_TRY(const bool removed,
                db_.get(Family::removed, keys::removed_instance(by, uid), taken_out, snapshot_.snapshot()));
      if (!removed) {
        all.push_back({std::nullopt, sequence, by, true, false});
        return outcome::success();
      }
      CAIRN_TRY(KeptInstance kept, KeptInstance::decode(uid, text_of(taken_out)));
      CAIRN_TRY(const bool gone, forgotten(by));
      all.push_back({std::move(kept.row), sequence, by, gone, false});
      return outcome::success();
    });
  }

  // A row that no removal of its series has come after is alive. (The newest tombstone that is above it would do as
  // well for that; which removal it belongs to is told by the oldest.)
  Result<> in_place(std::vector<Standing>& all, InstanceRow row) const {
    Standing standing;
    standing.sequence = row.sequence;
    CAIRN_TRYV(scan(Family::removed, keys::tombstones_prefix(row.study_instance_uid, row.series_instance_uid),
                    [&](std::string_view key, std::string_view) -> Result<> {
                      CAIRN_TRY(const Sequence removal, keys::removal_of(key));
                      if (removal > row.sequence) standing.end = std::min(standing.end, removal);
                      return outcome::success();
                    }));
    if (standing.end != kNever) {
      CAIRN_TRY(standing.gone, forgotten(standing.end));
    }
    standing.row = std::move(row);
    all.push_back(std::move(standing));
    return outcome::success();
  }

  Result<bool> forgotten(Sequence removal) const {
    rocksdb::PinnableSlice value;
    CAIRN_TRY(const bool found, db_.get(Family::removed, keys::removal(removal), value, snapshot_.snapshot()));
    if (!found) return fail(Errc::corrupt, "removal of an index row");
    CAIRN_TRY(const Removal row, Removal::decode(text_of(value)));
    return row.forgotten != 0;
  }

  template <class Visit>
  Result<> scan(Family family, const std::string& prefix, Visit&& visit) const {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot_.snapshot();
    const std::unique_ptr<rocksdb::Iterator> it(db_.rocks().NewIterator(options, db_.handle(family)));
    for (it->Seek(slice(prefix)); it->Valid() && text_of(it->key()).starts_with(prefix); it->Next()) {
      CAIRN_TRYV(visit(text_of(it->key()), text_of(it->value())));
    }
    if (!it->status().ok()) return translate(it->status(), "reading the index");
    return outcome::success();
  }

  const Index::State& state_;
  const Database& db_;
  mutable rocksdb::ManagedSnapshot snapshot_;
  Sequence applied_ = 0;
};

void take_place(InstanceRow& row, const Relocation& relocation) {
  row.commit = relocation.commit;
  row.parts = relocation.parts;
  row.until = relocation.until;
}

/// A commit's row, whichever family it is in.
struct RowPlace {
  Family family = Family::instance;
  std::string key;
  KeptInstance row;  ///< without its header in Family::instance
};

Result<std::optional<RowPlace>> find_row(const Database& db, std::string_view uid, Sequence sequence) {
  rocksdb::PinnableSlice value;
  CAIRN_TRY(const bool current, db.get(Family::instance, uid, value, nullptr));
  if (current) {
    CAIRN_TRY(InstanceRow row, InstanceRow::decode(uid, text_of(value)));
    if (row.sequence == sequence) {
      return std::optional(RowPlace{Family::instance, std::string(uid), {std::move(row), {}}});
    }
  }
  const auto kept = [&](Family family, std::string key) -> Result<std::optional<RowPlace>> {
    CAIRN_TRY(const bool found, db.get(family, key, value, nullptr));
    if (!found) return std::optional<RowPlace>();
    CAIRN_TRY(KeptInstance row, KeptInstance::decode(uid, text_of(value)));
    if (row.row.sequence != sequence) return std::optional<RowPlace>();
    return std::optional(RowPlace{family, std::move(key), std::move(row)});
  };
  CAIRN_TRY(auto older, kept(Family::history, keys::history(uid, sequence)));
  if (older) return older;
  CAIRN_TRY(const bool out, db.get(Family::removed, keys::taken_out(uid, sequence), value, nullptr));
  if (!out) return std::optional<RowPlace>();
  if (value.size() != 8) return fail(Errc::corrupt, "index row");
  const auto by = load_be<std::uint64_t>(as_bytes(text_of(value)).data());
  return kept(Family::removed, keys::removed_instance(by, uid));
}

}  // namespace

std::unique_ptr<Fates> Index::fates() const {
  const std::lock_guard lock(state_->applying);
  return std::make_unique<SnapshotFates>(*state_);
}

Result<> Index::relocate(std::span<const Relocation> relocations) {
  State& s = *state_;
  Flusher::Tail more;
  {
    const std::lock_guard lock(s.applying);
    if (s.failed) return *s.failed;
    rocksdb::WriteBatch batch;
    for (const Relocation& relocation : relocations) {
      CAIRN_TRY(auto place, find_row(*s.database, relocation.sop_instance_uid, relocation.sequence));
      if (!place) continue;
      take_place(place->row.row, relocation);
      std::string encoded;
      if (place->family == Family::instance) {
        place->row.row.encode(encoded);
      } else {
        encoded = KeptInstance::encode(place->row.row, place->row.header);
      }
      batch.Put(s.database->handle(place->family), slice(place->key), encoded);
    }
    more = {static_cast<std::uint64_t>(batch.Count()), batch.GetDataSize()};
    if (more.records > 0) {
      CAIRN_TRYV(s.database->write(batch, s.totals.applied));
    }
  }
  return more.records > 0 ? s.flusher->wrote(more) : outcome::success();
}

Result<std::vector<Part>> Index::parts_of(std::string_view sop_uid, Sequence sequence) const {
  CAIRN_TRY(auto place, find_row(*state_->database, sop_uid, sequence));
  if (!place) return fail(Errc::not_found, "instance");
  return std::move(place->row.row.parts);
}

Result<std::set<Identity>> Index::known_compacted() const {
  std::set<Identity> out;
  rocksdb::PinnableSlice value;
  CAIRN_TRY(const bool found, state_->database->get(Family::meta, kCompactedKey, value, nullptr));
  if (!found) return out;
  const Bytes bytes = as_bytes(text_of(value));
  if (bytes.size() % sizeof(Identity) != 0) return fail(Errc::corrupt, "compacted segments of the index");
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(Identity)) {
    Identity identity;
    std::copy_n(bytes.data() + at, identity.size(), identity.data());
    out.insert(identity);
  }
  return out;
}

Result<> Index::set_compacted(const std::set<Identity>& segments) {
  std::string value;
  for (const Identity& identity : segments) value.append(as_text(identity));
  const std::lock_guard lock(state_->applying);
  rocksdb::WriteBatch batch;
  batch.Put(state_->database->handle(Family::meta), slice(kCompactedKey), value);
  return state_->database->write(batch, state_->totals.applied);
}

}  // namespace cairn::store
