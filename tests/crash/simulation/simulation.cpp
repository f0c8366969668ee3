#include "tests/crash/simulation/simulation.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "engine/core/checksum.h"
#include "engine/core/log.h"
#include "engine/io/testing/manual_file_system.h"
#include "engine/store/log_impl.h"

namespace cairn::crash {
namespace {

using store::Committed;
using store::InstanceRecord;
using store::LogImpl;
using store::LogOptions;

constexpr std::size_t kWriters = 6;
constexpr std::size_t kBufferBytes = 128u << 10;

void put_element(std::string& out, unsigned group, unsigned element, const char* vr, std::string value) {
  if (value.size() % 2 != 0) value += vr == std::string_view("UI") ? '\0' : ' ';
  const bool is_long = std::string_view(vr) == "OW";
  const auto number = [&](std::uint64_t v, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(v >> (8 * i) & 0xff);
  };
  number(group, 2);
  number(element, 2);
  out += vr;
  if (is_long) number(0, 2);
  number(value.size(), is_long ? 4 : 2);
  out += value;
}

/// What an instance is, from its number alone.
std::string stream_of(std::uint64_t number, std::size_t pixel_bytes) {
  const std::string uid = "1.2.826." + std::to_string(number);
  std::string stream(128, '\0');
  stream += "DICM";
  std::string meta;
  put_element(meta, 2, 2, "UI", "1.2.840.10008.5.1.4.1.1.2");
  put_element(meta, 2, 3, "UI", uid);
  put_element(meta, 2, 0x10, "UI", "1.2.840.10008.1.2.1");
  std::string length(4, '\0');
  store_le(reinterpret_cast<std::byte*>(length.data()), static_cast<std::uint32_t>(meta.size()));
  put_element(stream, 2, 0, "UL", length);
  stream += meta;
  put_element(stream, 8, 0x16, "UI", "1.2.840.10008.5.1.4.1.1.2");
  put_element(stream, 8, 0x18, "UI", uid);
  put_element(stream, 0x20, 0xd, "UI", "1.2.3");
  put_element(stream, 0x20, 0xe, "UI", "1.2.3.4");
  std::string pixels(pixel_bytes / 2 * 2, '\0');
  std::mt19937_64 random(number);
  for (std::size_t i = 0; i + 8 <= pixels.size(); i += 8) {
    store_le(reinterpret_cast<std::byte*>(pixels.data() + i), static_cast<std::uint64_t>(random()));
  }
  put_element(stream, 0x7fe0, 0x10, "OW", std::move(pixels));
  return stream;
}

struct Expected {
  /// either: a removal or restoration was sent and not acknowledged; forgotten: or a removal was to be made final
  enum class Place { here, gone, either, forgotten };
  std::size_t pixel_bytes = 0;
  bool acknowledged = false;
  Place place = Place::here;
  store::Sequence removal = 0;  ///< when gone
};

struct Instance {
  std::uint64_t number = 0;
  std::string stream;
  InstanceRecord record;
  dicom::Header header;
  std::unique_ptr<store::InstanceWriter> writer;
  std::size_t sent = 0;
};

/// What such an index holds.
struct Rows {
  std::map<std::string, InstanceRecord> current;
  std::map<store::Sequence, InstanceRecord> removed;  ///< by removal
  std::set<store::Sequence> forgotten;                ///< removals
  std::set<store::Identity> compacted;
  std::string token;
  store::Sequence last = 0;
};

class RowFates final : public store::Fates {
 public:
  explicit RowFates(Rows rows) : rows_(std::move(rows)) {}
  store::Sequence applied() const override { return rows_.last; }
  Result<store::Fate> of(const InstanceRecord& record) override {
    for (const auto& [removal, removed] : rows_.removed) {
      if (removed.sequence == record.sequence && rows_.forgotten.contains(removal)) return store::Fate{false, removal};
    }
    return store::Fate{};
  }

 private:
  Rows rows_;
};

/// An index in memory that can be persisted and lost like the real one.
class Index final : public store::Applier, public store::Catalogue, public Rows {
 public:
  Result<> apply(std::span<Committed> batch, std::string_view positions) override {
    for (const Committed& commit : batch) {
      if (commit.record.sequence <= last) out_of_order = true;
      last = commit.record.sequence;
      if (commit.event) {
        change(*commit.event);
        continue;
      }
      current[commit.record.sop_instance_uid] = commit.record;
    }
    token = positions;
    return outcome::success();
  }
  void change(const store::Event& event) {
    if (event.kind == store::Event::Kind::remove) {
      if (auto taken = current.extract(event.study_instance_uid)) removed[event.sequence] = std::move(taken.mapped());
    } else if (event.kind == store::Event::Kind::forget) {
      if (removed.contains(event.subject)) forgotten.insert(event.subject);
    } else if (forgotten.contains(event.subject)) {
      restored_too_late = true;
    } else if (auto taken = removed.extract(event.subject)) {
      current[event.study_instance_uid] = std::move(taken.mapped());
    }
  }
  std::unique_ptr<store::Fates> fates() const override { return std::make_unique<RowFates>(*this); }
  Result<> relocate(std::span<const store::Relocation> relocations) override {
    for (const auto& relocation : relocations) {
      const auto take = [&](InstanceRecord& record) {
        if (record.sequence != relocation.sequence) return;
        record.parts = relocation.parts;
        record.until = relocation.until;
      };
      if (const auto it = current.find(relocation.sop_instance_uid); it != current.end()) take(it->second);
      for (auto& [removal, record] : removed) take(record);
    }
    return outcome::success();
  }
  Result<std::set<store::Identity>> known_compacted() const override { return compacted; }
  Result<> set_compacted(const std::set<store::Identity>& segments) override {
    compacted = segments;
    return outcome::success();
  }
  std::string positions() const override { return token; }
  Result<> persist() override {
    persisted = *this;
    return outcome::success();
  }
  void lose_unpersisted() { static_cast<Rows&>(*this) = persisted; }
  void lose_all() {
    static_cast<Rows&>(*this) = {};
    (void)persist();
  }
  Rows persisted;
  bool restored_too_late = false;
  bool out_of_order = false;
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, const Settings& settings)
      : settings_(settings), random_(seed), files_(seed ^ 0x5bd1e995, 24u << 20), pool_(shared_pool()) {
    for (int i = 0; i < settings.volumes; ++i) {
      options_.volumes.push_back({static_cast<std::uint32_t>(i), "/volume" + std::to_string(i)});
    }
    options_.segment_bytes = 256u << 10 << below(3);
    options_.reserve_bytes = 0;
    options_.prewritten_bytes = 2 * options_.segment_bytes * options_.volumes.size();
    options_.read_cache_bytes = below(2) * (1u << 20);
  }

  Report run() {
    const std::uint64_t lives = 2 + below(4);
    for (std::uint64_t life = 0; life < lives && report_.violation.empty(); ++life) {
      ++report_.lives;
      live(life + 1 == lives);
    }
    return report_;
  }

 private:
  static io::BufferPool& shared_pool() {  // made once: every run gives all of it back
    static io::BufferPool pool(64 * kBufferBytes, kBufferBytes);
    return pool;
  }

  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  void violate(std::string what) {
    if (report_.violation.empty()) report_.violation = std::move(what);
  }

  void live(bool last) {
    files_.faults = {};
    files_.faults.swallow_flushes = settings_.swallow_flushes;
    if (one_in(4)) files_.cut_power_after(below(60));  // while opening and recovering
    if (!open()) return after_death();
    if (!check() || last) return close();
    set_faults();
    const std::uint64_t steps = 50 + below(600);
    for (std::uint64_t i = 0; i < steps && !files_.power_is_off(); ++i) step();
    if (files_.power_is_off()) return after_death();
    switch (below(4)) {
      case 0:
        return close();
      case 1:
        files_.kill_process();
        report_poisoned();
        drop();
        files_.restart();
        index_.lose_unpersisted();
        return;
      default:
        files_.cut_power_now();
        return after_death();
    }
  }

  bool open() {
    auto opened = LogImpl::open(options_, files_, store::Threads::caller, settings_.sabotage);
    if (!opened) {
      if (!files_.power_is_off()) violate("does not open: " + to_string(opened.error()));
      return false;
    }
    log_ = std::move(opened).value();
    if (one_in(3)) index_.lose_all();
    const bool from_nothing = index_.token.empty();
    if (!from_nothing && !log_->take_in_compacted(index_)) {
      if (!files_.power_is_off()) violate("does not take in what was compacted");
      return false;
    }
    auto replayed = log_->replay(index_.token, index_);
    if (!replayed) {
      if (!files_.power_is_off()) violate("does not replay: " + to_string(replayed.error()));
      return false;
    }
    report_.dropped += replayed.value().dropped_unfinished;
    if (!replayed.value().faults.empty()) {
      violate("reports damage: " + to_string(replayed.value().faults.front().error));
    }
    if (!log_->finish_compaction(index_, from_nothing)) {
      if (!files_.power_is_off()) violate("does not finish a compaction");
      return false;
    }
    if (one_in(3) && !compare_with_new()) return false;
    if (!log_->start(index_)) violate("does not start");
    return true;
  }

  /// An index that is made anew says the same. (It may say more: what was whole, and answered with a failure.)
  bool compare_with_new() {
    Index anew;
    if (!log_->replay({}, anew)) {
      if (!files_.power_is_off()) violate("does not replay all");
      return false;
    }
    if (files_.power_is_off()) return false;
    const auto same = [](const InstanceRecord& a, const InstanceRecord& b) { return a.encode() == b.encode(); };
    const auto in_doubt = [this](const std::string& uid) { return expected_.at(uid).place == Expected::Place::either; };
    for (const auto& [uid, record] : index_.current) {
      if (in_doubt(uid)) continue;
      const auto it = anew.current.find(uid);
      if (it == anew.current.end()) {
        violate("not in a new index: " + uid);
      } else if (!same(it->second, record)) {
        violate("not the same in a new index: " + uid);
      }
    }
    for (const auto& [removal, record] : index_.removed) {
      if (in_doubt(record.sop_instance_uid)) continue;
      const auto it = anew.removed.find(removal);
      if (it == anew.removed.end() || !same(it->second, record)) violate("another removal in a new index");
    }
    if (!std::includes(anew.forgotten.begin(), anew.forgotten.end(), index_.forgotten.begin(), index_.forgotten.end()))
      violate("other forgotten removals in a new index");
    return report_.violation.empty();
  }

  /// All that the index shows is whole, and it shows all that was acknowledged.
  bool check() {
    if (index_.out_of_order) violate("applied out of order");
    for (const auto& [uid, record] : index_.current) {
      const auto it = expected_.find(uid);
      if (it == expected_.end()) {
        violate("shows what was never sent: " + uid);
        return false;
      }
      check_stream(uid, record, it->second);
      if (files_.power_is_off()) return false;
    }
    if (index_.restored_too_late) violate("restored after it was forgotten");
    for (const auto& [removal, record] : index_.removed) {
      if (index_.forgotten.contains(removal)) continue;
      check_stream(record.sop_instance_uid, record, expected_.at(record.sop_instance_uid));
      if (files_.power_is_off()) return false;
    }
    for (const auto& [uid, instance] : expected_) {
      const bool here = index_.current.contains(uid);
      if (instance.acknowledged && instance.place == Expected::Place::here && !here) violate("lost " + uid);
      if (instance.acknowledged && here &&
          (instance.place == Expected::Place::gone || instance.place == Expected::Place::forgotten))
        violate("not removed " + uid);
    }
    std::string damage;
    const auto scrubbed = log_->scrub([&](const store::Fault& f) { damage = to_string(f.error); }, {});
    if (!files_.power_is_off() && (!scrubbed || !damage.empty())) violate("scrub finds damage: " + damage);
    return report_.violation.empty() && !files_.power_is_off();
  }

  void check_stream(const std::string& uid, const InstanceRecord& record, const Expected& expected) {
    std::string stream;
    for (const auto& part : record.parts) {
      const auto bytes = log_->read(part);
      if (!bytes) {
        if (!files_.power_is_off()) violate("cannot read " + uid + ": " + to_string(bytes.error()));
        return;
      }
      stream += as_text(*bytes.value());
    }
    if (stream != stream_of(std::stoull(uid.substr(8)), expected.pixel_bytes)) violate("altered " + uid);
  }

  void set_faults() {
    files_.restart();  // no cut planned any more
    if (one_in(2)) files_.cut_power_after(below(400));
    if (!settings_.faults) return;
    if (one_in(4)) files_.faults.write_error = 0.01;
    if (one_in(4)) files_.faults.short_write = 0.01;
    if (one_in(4)) files_.faults.flush_error = 0.03;
    if (one_in(8)) files_.faults.no_space = 0.01;
    files_.set_capacity((4u << 20) + below(20u << 20));
  }

  void step() {
    switch (below(16)) {
      case 0:
        begin();
        break;
      case 1:
      case 2:
      case 3:
        if (!writers_.empty()) advance(below(writers_.size()));
        break;
      case 4:
        if (one_in(4)) log_->step_maker();
        if (one_in(40)) (void)index_.persist();
        break;
      case 5:
        if (!index_.current.empty() && one_in(8)) {
          auto it = index_.current.begin();
          std::advance(it, static_cast<std::ptrdiff_t>(below(index_.current.size())));
          check_stream(it->first, it->second, expected_.at(it->first));
        }
        break;
      case 6:
        if (one_in(4)) change();
        if (one_in(settings_.compactions)) compact();
        if (!writers_.empty() && one_in(20)) writers_.erase(writers_.begin());  // the peer is gone
        break;
      case 7:
      case 8:
      case 9:
      case 10:
        log_->step();
        break;
      default:
        files_.complete_one();
    }
  }

  void begin() {
    if (writers_.size() >= kWriters) return;
    auto writer = log_->begin();
    if (!writer) return;
    Instance instance;
    instance.number = next_number_++;
    const std::size_t kinds[] = {100, 3000, 3000, 70'000, 120'000, 300'000, 900'000};
    const std::size_t pixel_bytes = 8 + below(kinds[below(7)]);
    instance.stream = stream_of(instance.number, pixel_bytes);
    dicom::HeaderScanner scanner;
    if (!scanner.feed(as_bytes(instance.stream)) || !scanner.finish()) return violate("a stream of our own is refused");
    InstanceRecord& record = instance.record;
    record.sop_class_uid = scanner.key().sop_class_uid;
    record.sop_instance_uid = scanner.key().sop_instance_uid;
    record.study_instance_uid = scanner.key().study_instance_uid;
    record.series_instance_uid = scanner.key().series_instance_uid;
    record.transfer_syntax_uid = "1.2.840.10008.1.2.1";
    record.stream_length = instance.stream.size();
    record.data_set_offset = scanner.data_set_offset();
    record.pixel_data = scanner.pixel_data();
    record.header_extents = scanner.extents();
    instance.header = scanner.take_header();
    instance.writer = std::move(writer).value();
    expected_[record.sop_instance_uid] = {pixel_bytes, false};
    writers_.push_back(std::move(instance));
  }

  void advance(std::size_t which) {
    Instance& instance = writers_[which];
    auto buffer = pool_.try_acquire();
    if (!buffer) return;
    const std::size_t room = kBufferBytes - store::kPartHeadRoom;
    const std::size_t length = std::min(instance.stream.size() - instance.sent, one_in(3) ? 1 + below(room) : room);
    std::memcpy(buffer->data() + store::kPartHeadRoom, instance.stream.data() + instance.sent, length);
    const std::uint32_t crc = crc32c(Bytes(buffer->data() + store::kPartHeadRoom, length));
    instance.sent += length;
    if (instance.sent < instance.stream.size() || one_in(10)) {
      instance.writer->append(std::move(*buffer), length, crc);
      return;
    }
    const std::string uid = instance.record.sop_instance_uid;
    instance.writer->commit(std::move(*buffer), length, crc, std::move(instance.record), std::move(instance.header),
                            [this, uid](Result<store::Outcome> outcome) {
                              if (outcome) {
                                ++report_.acknowledged;
                                expected_.at(uid).acknowledged = true;
                                if (!index_.current.contains(uid)) violate("acknowledged before applied");
                              } else {
                                ++report_.refused;
                              }
                            });
    writers_.erase(writers_.begin() + static_cast<std::ptrdiff_t>(which));
  }

  /// Removes an instance that is there, or restores one that is not.
  void change() {
    if (expected_.empty()) return;
    auto it = expected_.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(below(expected_.size())));
    const std::string uid = it->first;
    Expected& instance = it->second;
    if (!instance.acknowledged || instance.place == Expected::Place::either) return;
    if (instance.place == Expected::Place::forgotten) return;
    if (instance.place == Expected::Place::gone && !one_in(3)) return forget(uid);
    const bool removes = instance.place == Expected::Place::here;
    const auto event = std::make_shared<store::Event>();
    event->kind = removes ? store::Event::Kind::remove : store::Event::Kind::restore;
    event->study_instance_uid = uid;  // this index removes by it
    event->subject = removes ? 0 : instance.removal;
    const auto done = [this, uid, event, removes](Result<store::Outcome> outcome) {
      if (!outcome) return void(++report_.refused);
      ++report_.changed;
      Expected& changed = expected_.at(uid);
      changed.place = removes ? Expected::Place::gone : Expected::Place::here;
      changed.removal = event->sequence;
      if (index_.current.contains(uid) == removes) violate("acknowledged before applied");
    };
    instance.place = Expected::Place::either;
    const auto appended = log_->append(event, done);
    if (!appended) instance.place = removes ? Expected::Place::here : Expected::Place::gone;
  }

  /// Makes a removal final.
  void forget(const std::string& uid) {
    const auto event = std::make_shared<store::Event>();
    event->kind = store::Event::Kind::forget;
    event->study_instance_uid = uid;
    event->subject = expected_.at(uid).removal;
    const auto done = [this](Result<store::Outcome> outcome) { ++(outcome ? report_.changed : report_.refused); };
    if (log_->append(event, done)) expected_.at(uid).place = Expected::Place::forgotten;
  }

  /// Compacts while everything else goes on.
  void compact() {
    if (compacting_) return;
    compacting_ = true;
    store::CompactionOptions options;
    options.least_garbage_percent = static_cast<unsigned>(1 + below(30));
    options.spend = [this](std::uint64_t) {
      for (std::uint64_t i = below(4); i > 0 && !files_.power_is_off(); --i) step();
      return !one_in(400) && !files_.power_is_off();
    };
    options.fault = [this](const store::Fault& fault) {
      if (!files_.power_is_off()) violate("compaction finds damage: " + to_string(fault.error));
    };
    const auto compacted = log_->compact(index_, options);
    compacting_ = false;
    if (!compacted) return;
    report_.compacted += compacted.value().compacted;
    report_.let_go += compacted.value().let_go;
  }

  void report_poisoned() {
    if (!log_) return;
    for (const auto& stats : log_->stats()) report_.poisoned += stats.poisoned;
  }

  void drop() {
    writers_.clear();
    log_.reset();
  }

  void after_death() {
    if (report_.violation.empty()) report_poisoned();
    drop();
    files_.reboot();
    index_.lose_unpersisted();
  }

  void close() {
    writers_.clear();
    log_->stop();
    for (int i = 0; i < 100'000 && !log_->finished() && !files_.power_is_off(); ++i) {
      log_->step();
      files_.complete_one();
    }
    if (!log_->finished() && !files_.power_is_off()) violate("does not stop");
    if (files_.power_is_off()) return after_death();
    report_poisoned();
    if (pool_.in_use_bytes() != 0) violate("a buffer is not given back");
    (void)index_.persist();
    drop();
    if (settings_.sabotage == store::Sabotage::none && one_in(2)) {
      files_.cut_power_now();  // after a clean end a power cut takes nothing either
      files_.reboot();
    }
  }

  const Settings settings_;
  std::mt19937_64 random_;
  io::testing::ManualFileSystem files_;
  io::BufferPool& pool_;
  LogOptions options_;
  Index index_;
  std::map<std::string, Expected> expected_;
  std::uint64_t next_number_ = 1;
  std::vector<Instance> writers_;
  std::unique_ptr<LogImpl> log_;
  bool compacting_ = false;
  Report report_;
};

}  // namespace

Report simulate(std::uint64_t seed, const Settings& settings) {
  log::set_level(log::Level::error);
  return Simulation(seed, settings).run();
}

}  // namespace cairn::crash
