#include "engine/store/index/index.h"

#include <cstdio>
#include <fstream>

#include "engine/core/log.h"
#include "engine/store/index/index_state.h"
#include "engine/store/index/keys.h"

namespace cairn::store {
namespace {

namespace fs = std::filesystem;

// An index up to this size is read through at open, so that damage inside a file shows before anybody is answered.
constexpr std::uint64_t kVerifyBytes = 64u << 20;
constexpr const char* kDamaged = "DAMAGED";  // a file whose presence asks for a rebuild

std::string schema_value() {
  std::string out;
  keys::append_be64(out, keys::kSchemaVersion);
  return out;
}

Result<> read_meta(Index::State& s) {
  rocksdb::PinnableSlice value;
  CAIRN_TRY(const bool has_schema, s.database->get(Family::meta, kSchemaKey, value, nullptr));
  if (!has_schema || text_of(value) != schema_value()) return fail(Errc::corrupt, "another schema version");
  CAIRN_TRY(const bool has_state, s.database->get(Family::meta, kStateKey, value, nullptr));
  if (!has_state) return outcome::success();  // nothing applied yet
  CAIRN_TRY(s.totals, IndexState::decode(text_of(value)));
  s.tombstones.store(s.totals.tombstones > 0);
  CAIRN_TRY(const bool has_positions, s.database->get(Family::meta, kPositionsKey, value, nullptr));
  s.publish(has_positions ? text_of(value) : std::string_view());
  return outcome::success();
}

void start_flusher(Index::State& s) {
  s.flusher =
      std::make_unique<Flusher>(*s.database, Flusher::Tail{s.options.unpersisted_records, s.options.unpersisted_bytes});
}

void append_hex(std::string& out, std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (const char c : bytes) {
    out.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
}

}  // namespace

Result<> open_database(Index::State& s) {
  std::error_code ec;
  if (fs::exists(s.options.directory / kDamaged, ec)) return fail(Errc::corrupt, "found damaged while in use");
  CAIRN_TRY(s.database, Database::open({s.options.directory, s.options.cache_bytes}));
  if (s.database->file_bytes() <= kVerifyBytes) {
    CAIRN_TRYV(s.database->verify());
  }
  CAIRN_TRYV(read_meta(s));
  s.database->set_persisted(s.totals.applied);
  start_flusher(s);
  s.names.load(*s.database);
  return outcome::success();
}

Result<> create_database(Index::State& s, const char* reason) {
  s.flusher.reset();
  s.names.clear();
  s.database.reset();
  s.totals = {};
  s.tombstones.store(false);
  s.publish({});
  s.changes.clear();
  s.series.clear();
  s.studies.clear();
  s.patients.clear();
  s.failed.reset();
  s.rebuilt_because = reason;
  std::error_code ec;
  fs::remove_all(s.options.directory, ec);
  if (!ec) fs::create_directories(s.options.directory, ec);
  if (ec) return Error{ec, 0, "emptying the index"};
  CAIRN_TRY(s.database, Database::open({s.options.directory, s.options.cache_bytes}));
  rocksdb::WriteBatch batch;
  batch.Put(s.database->handle(Family::meta), slice(kSchemaKey), schema_value());
  CAIRN_TRYV(s.database->write(batch, 0));
  start_flusher(s);
  return s.database->flush();
}

void Index::State::note_damage(const Error& error) const {
  if (error.code != make_error_code(Errc::corrupt)) return;
  std::ofstream(options.directory / kDamaged) << to_string(error) << '\n';
}

Index::Index() = default;
Index::~Index() = default;

Result<std::unique_ptr<Index>> Index::open(IndexOptions options) {
  std::unique_ptr<Index> index(new Index);
  index->state_ = std::make_unique<State>(std::move(options));
  State& s = *index->state_;
  std::error_code ec;
  const bool present = fs::exists(s.options.directory / "CURRENT", ec);
  const bool leftovers = !present && fs::exists(s.options.directory, ec) && !fs::is_empty(s.options.directory, ec);
  if (present) {
    const Result<> opened = open_database(s);
    if (opened) return index;
    const bool damaged = opened.error() == Errc::corrupt;
    log::warning("index", {{"rebuild", opened.error()}});
    CAIRN_TRYV(create_database(s, damaged ? opened.error().where : "it cannot be opened"));
    return index;
  }
  const char* reason = leftovers ? "files are missing" : "";
  if (*reason != '\0') log::warning("index", {{"rebuild", reason}});
  CAIRN_TRYV(create_database(s, reason));
  return index;
}

Result<> Index::persist() {
  return state_->database->flush();
}

Result<> Index::close() {
  const Result<> persisted = state_->failed ? outcome::success() : persist();
  state_->flusher.reset();
  state_->names.stop();
  state_->database.reset();
  return persisted;
}

Result<> Index::reset(const char* reason) {
  log::warning("index", {{"rebuild", reason}});
  return create_database(*state_, reason);
}

void Index::set_bulk(bool bulk) noexcept {
  state_->flusher->set_scale(bulk ? 4 : 1);
}

std::string Index::positions() const {
  const std::lock_guard lock(state_->mutex);
  return state_->positions;
}

IndexState Index::state() const {
  const std::lock_guard lock(state_->mutex);
  return state_->published;
}

Sequence Index::applied() const noexcept {
  return state().applied;
}
Sequence Index::persisted() const noexcept {
  return state_->database->persisted();
}
const std::string& Index::rebuilt_because() const noexcept {
  return state_->rebuilt_because;
}

Sequence Index::series_version(std::string_view study_uid, std::string_view series_uid) const {
  rocksdb::PinnableSlice value;
  const auto of_its_own = state_->database->get(Family::series, keys::series(study_uid, series_uid), value, nullptr);
  if (!of_its_own) return 0;
  if (of_its_own.value()) {
    const auto row = SeriesRow::decode(text_of(value));
    return row ? row.value().version : 0;
  }
  const auto found = state_->database->get(Family::study, study_uid, value, nullptr);
  if (!found || !found.value()) return 0;
  const auto study = StudyRow::decode(text_of(value));
  return study && study.value().sole_series_uid == series_uid ? study.value().sole_series.version : 0;
}

Result<> Index::dump(const std::function<void(std::string_view line)>& each) const {
  const Database& db = *state_->database;
  rocksdb::ManagedSnapshot snapshot(&db.rocks());
  std::string line;
  const auto say = [&](Family family, std::string_view key, std::string_view value) {
    line = name_of(family);
    line.push_back(' ');
    append_hex(line, key);
    line.push_back(' ');
    append_hex(line, value);
    each(line);
  };
  for (std::size_t f = 0; f < kFamilies; ++f) {
    const auto family = static_cast<Family>(f);
    rocksdb::ReadOptions options;
    options.snapshot = snapshot.snapshot();
    options.fill_cache = false;
    const std::unique_ptr<rocksdb::Iterator> it(db.rocks().NewIterator(options, db.handle(family)));
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      const std::string_view key = text_of(it->key());
      if (family == Family::meta && (key == kPositionsKey || key == kCompactedKey)) continue;
      if (family == Family::changes) {
        CAIRN_TRYV(ChangeRow::read(text_of(it->value()), [&](const Change& change) {
          ChangeRow alone;
          alone.add(change);
          std::string change_key;
          keys::append_be64(change_key, change.sequence);
          say(family, change_key, alone.encoded());
          return true;
        }));
        continue;
      }
      say(family, key, text_of(it->value()));
    }
    if (!it->status().ok()) return translate(it->status(), "reading the index");
  }
  return outcome::success();
}

}  // namespace cairn::store
