#include "engine/store/volume.h"

#include <algorithm>
#include <cstdio>

#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/store/segment_walk.h"

namespace cairn::store {
namespace {

constexpr const char* kVolumeFileName = "volume.cairn";
constexpr const char* kKnownVolumesName = "volumes.cairn";
constexpr const char* kFillingPrefix = "filling-";
constexpr const char* kSparePrefix = "spare-";
constexpr std::uint64_t kPrewriteChunk = 1u << 20;
constexpr std::int64_t kFreeSpaceAge_ns = 50'000'000;

}  // namespace

Volume::Volume(VolumeOptions options, const LogOptions& log, io::FileSystem& files)
    : options_(std::move(options)),
      segment_bytes_(io::block_down(log.segment_bytes)),
      reserve_bytes_(log.reserve_bytes),
      files_(files) {}

Result<std::optional<Identity>> Volume::read_volume_file() {
  CAIRN_TRYV(files_.create_directories(options_.directory));
  auto opened = files_.open(path(kVolumeFileName), io::OpenMode::read);
  if (!opened && opened.error() == Errc::not_found) {
    CAIRN_TRY(const auto names, files_.list(options_.directory));
    const bool used =
        std::any_of(names.begin(), names.end(), [](const auto& name) { return segment_number(name) != 0; });
    if (used) return fail(Errc::corrupt, "volume file is missing");
    return std::optional<Identity>();
  }
  CAIRN_TRY(const auto file, std::move(opened));
  auto volume = [&]() -> Result<VolumeFile> {
    io::AlignedBytes block(io::kBlockBytes);
    CAIRN_TRY(const std::size_t got, file->read(0, block.bytes()));
    return VolumeFile::decode(block.first(got));
  }();
  if (!volume && volume.error() != Errc::unsupported) {
    auto instead = volume_from_segments();
    if (!instead) return std::move(volume).error();
    volume_file_fault_ = Fault{{options_.id, 0, 0}, "", std::move(volume).error()};
    volume = std::move(instead);
  }
  CAIRN_TRYV(volume);
  if (volume.value().volume != options_.id) return fail(Errc::mismatch, "volume id");
  archive_ = volume.value().archive;
  return std::optional<Identity>(archive_);
}

Result<VolumeFile> Volume::volume_from_segments() const {
  CAIRN_TRY(const auto names, files_.list(options_.directory));
  for (const std::string& name : names) {
    if (segment_number(name) == 0) continue;
    CAIRN_TRY(const auto file, files_.open(path(name), io::OpenMode::read));
    io::AlignedBytes block(io::kBlockBytes);
    const auto got = file->read(0, block.bytes());
    if (!got) continue;
    if (const auto header = SegmentHeader::decode(block.first(got.value()))) {
      return VolumeFile{header.value().archive, header.value().volume, 0};
    }
  }
  return fail(Errc::corrupt, "volume file");
}

// Whole and flushed before it has its name.
Result<> Volume::put_block(const char* name, const io::AlignedBytes& block) {
  const auto temporary = path(std::string(kFillingPrefix) + name);
  auto opened = files_.open(temporary, io::OpenMode::create);
  if (!opened && opened.error() == Errc::conflict) {
    CAIRN_TRYV(files_.remove(temporary));
    opened = files_.open(temporary, io::OpenMode::create);
  }
  CAIRN_TRY(const auto file, std::move(opened));
  CAIRN_TRYV(file->write(0, block.bytes()));
  CAIRN_TRYV(file->flush());
  CAIRN_TRYV(files_.rename(temporary, path(name)));
  return files_.sync_directory(options_.directory);
}

Result<> Volume::create_volume_file() {
  CAIRN_TRYV(put_block(kVolumeFileName, VolumeFile{archive_, options_.id, files_.now_unix_ns()}.encode()));
  // Directories above may be as new as this one. Of those far above nothing need be true but that we can get here.
  const auto directory = std::filesystem::absolute(options_.directory).lexically_normal();
  CAIRN_TRYV(files_.sync_directory(directory.parent_path()));
  for (auto above = directory.parent_path().parent_path(); above.has_relative_path(); above = above.parent_path()) {
    if (!files_.sync_directory(above)) break;
  }
  return outcome::success();
}

std::set<std::uint32_t> Volume::known_volumes() const {
  const auto known = [&]() -> Result<KnownVolumes> {
    CAIRN_TRY(const auto file, files_.open(path(kKnownVolumesName), io::OpenMode::read));
    io::AlignedBytes block(io::kBlockBytes);
    CAIRN_TRY(const std::size_t got, file->read(0, block.bytes()));
    return KnownVolumes::decode(block.first(got));
  }();
  if (known && known.value().archive == archive_) return known.value().volumes;
  if (known || known.error() != Errc::not_found) {
    log::warning("what other storage volumes there are is not known from this one", {{"volume", options_.id}});
  }
  return {};
}

Result<> Volume::write_known_volumes(const std::set<std::uint32_t>& volumes) {
  return put_block(kKnownVolumesName, KnownVolumes{archive_, volumes}.encode());
}

Result<> Volume::look() {
  recovery_ = std::make_unique<VolumeRecovery>(files_, options_.directory, options_.id, archive_, segment_bytes_);
  CAIRN_TRYV(recovery_->look());
  const std::scoped_lock lock(mutex_);
  segments_ = recovery_->segments;
  for (const auto& [number, state] : segments_) moved_.insert(state.header.moved.begin(), state.header.moved.end());
  return outcome::success();
}

Result<> Volume::recover(const ProvenPlace& proven) {
  if (!recovery_) {
    CAIRN_TRYV(look());
  }
  const auto recovery = std::move(recovery_);
  CAIRN_TRYV(recovery->decide(proven));
  const std::scoped_lock lock(mutex_);
  segments_ = std::move(recovery->segments);
  spares_ = std::move(recovery->spares);
  next_segment_ = recovery->next_segment;
  next_compacted_ = recovery->next_compacted;
  unsealed_ = std::move(recovery->unsealed);
  recovered_ = {std::move(recovery->faults), recovery->dropped_unfinished, recovery->bytes_read,
                recovery->commits_lost};
  if (volume_file_fault_) recovered_.faults.push_back(*volume_file_fault_);
  return outcome::success();
}

std::string Volume::spare_name(const char* prefix) {
  char name[40];
  std::snprintf(name, sizeof name, "%s%08llu", prefix, static_cast<unsigned long long>(next_spare_++));
  return name;
}

Result<bool> Volume::room_for_segment() const {
  CAIRN_TRY(const io::Space space, files_.space(options_.directory));
  return space.free_bytes >= reserve_bytes_ && space.free_bytes - reserve_bytes_ >= segment_bytes_;
}

Result<Volume::Ready> Volume::create_segment(std::uint32_t number, const std::vector<Poisoned>& poisoned) {
  std::string name;
  bool prewritten = false;
  {
    const std::scoped_lock lock(mutex_);
    if (!spares_.empty()) {
      name = std::move(spares_.back());
      spares_.pop_back();
      prewritten = true;
    } else {
      name = spare_name(kFillingPrefix);
    }
  }
  Ready ready;
  ready.prewritten = prewritten;
  const auto make = [&]() -> Result<> {
    if (prewritten) {
      CAIRN_TRY(ready.segment.file, files_.open(path(name), io::OpenMode::read_write));
    } else {
      CAIRN_TRY(const bool room, room_for_segment());
      if (!room) return fail(Errc::out_of_space, "storage reserve");
      CAIRN_TRY(ready.segment.file, files_.open(path(name), io::OpenMode::create));
      CAIRN_TRYV(ready.segment.file->allocate(segment_bytes_));
    }
    SegmentHeader& header = ready.segment.header;
    header.archive = archive_;
    files_.random(header.identity);
    header.volume = options_.id;
    header.segment = number;
    header.size = segment_bytes_;
    header.created_unix_ns = files_.now_unix_ns();
    header.poisoned = poisoned;
    // The name comes last: a file with a segment's name always has a whole header.
    CAIRN_TRYV(ready.segment.file->write(0, header.encode().bytes()));
    CAIRN_TRYV(ready.segment.file->flush());
    CAIRN_TRYV(files_.rename(path(name), path(segment_name(number))));
    return files_.sync_directory(options_.directory);
  };
  if (auto made = make(); !made) {
    // Never used again, whatever state it is in; what cannot be removed now is removed at the next start.
    if (!files_.remove(path(name))) (void)files_.remove(path(segment_name(number)));
    return std::move(made).error();
  }
  return ready;
}

Result<OpenSegment> Volume::take_segment(const std::vector<Poisoned>& poisoned) {
  std::uint32_t number = 0;
  std::optional<Ready> unused;
  {
    const std::scoped_lock lock(mutex_);
    if (poisoned.empty() && ready_) {
      OpenSegment segment = std::move(ready_->segment);
      ready_.reset();
      segments_[segment.header.segment].header = segment.header;
      return segment;
    }
    unused.swap(ready_);
    number = next_segment_++;
  }
  if (unused) put_back(*unused);
  CAIRN_TRY(Ready made, create_segment(number, poisoned));
  const std::scoped_lock lock(mutex_);
  segments_[number].header = made.segment.header;
  return std::move(made.segment);
}

Result<bool> Volume::prepare_segment() {
  std::uint32_t number = 0;
  std::optional<Ready> slow;
  {
    const std::scoped_lock lock(mutex_);
    if (ready_ && (ready_->prewritten || spares_.empty())) return false;
    slow.swap(ready_);  // made before there was a stock: its flushes would take twice as long
    number = next_segment_++;
  }
  if (slow) put_back(*slow);
  CAIRN_TRY(Ready made, create_segment(number, {}));
  {
    const std::scoped_lock lock(mutex_);
    if (next_segment_ == number + 1) {
      ready_ = std::move(made);
      return true;
    }
  }
  put_back(made);  // the appender did not wait, and took a greater number
  return true;
}

void Volume::put_back(Ready& ready) {
  const auto from = path(segment_name(ready.segment.header.segment));
  ready.segment.file.reset();
  if (!ready.prewritten) {
    (void)files_.remove(from);
    return;
  }
  std::string name;
  {
    const std::scoped_lock lock(mutex_);
    name = spare_name(kSparePrefix);
  }
  // The old name must be gone for good before the file gets another header.
  if (!files_.rename(from, path(name)) || !files_.sync_directory(options_.directory)) return;
  const std::scoped_lock lock(mutex_);
  spares_.push_back(name);
}

Result<bool> Volume::prewrite_step(std::uint64_t stock_bytes) {
  const auto fill = [&]() -> Result<bool> {
    if (!filling_) {
      {
        const std::scoped_lock lock(mutex_);
        const std::size_t made = spares_.size() + (ready_ && ready_->prewritten ? 1 : 0);
        if ((made + 1) * segment_bytes_ > stock_bytes) return false;
      }
      CAIRN_TRY(const bool room, room_for_segment());
      if (!room) return false;
      {
        const std::scoped_lock lock(mutex_);
        filling_ = Filling{spare_name(kFillingPrefix), nullptr, 0};
      }
      CAIRN_TRY(filling_->file, files_.open(path(filling_->name), io::OpenMode::create));
      CAIRN_TRYV(filling_->file->allocate(segment_bytes_));
      if (zeros_.size() == 0) zeros_ = io::AlignedBytes(kPrewriteChunk);
    }
    const auto chunk = static_cast<std::size_t>(std::min(kPrewriteChunk, segment_bytes_ - filling_->filled));
    CAIRN_TRYV(filling_->file->write(filling_->filled, zeros_.first(chunk)));
    filling_->filled += chunk;
    prewritten_bytes_.fetch_add(chunk, std::memory_order_relaxed);
    if (filling_->filled < segment_bytes_) return true;
    CAIRN_TRYV(filling_->file->flush());
    std::string name;
    {
      const std::scoped_lock lock(mutex_);
      name = spare_name(kSparePrefix);
    }
    CAIRN_TRYV(files_.rename(path(filling_->name), path(name)));
    filling_.reset();
    const std::scoped_lock lock(mutex_);
    spares_.push_back(name);
    return true;
  };
  auto filled = fill();
  if (!filled && filling_) drop_filling();
  return filled;
}

void Volume::drop_filling() {
  filling_->file.reset();
  (void)files_.remove(path(filling_->name));
  filling_.reset();
}

void Volume::discard_prepared() {
  std::optional<Ready> unused;
  {
    const std::scoped_lock lock(mutex_);
    unused.swap(ready_);
  }
  if (unused) put_back(*unused);
  if (filling_) drop_filling();
}

void Volume::set_durable(std::uint32_t segment, std::uint64_t tail, std::span<const CommitEntry> new_commits) {
  const std::scoped_lock lock(mutex_);
  SegmentState& state = segments_.at(segment);
  state.tail = tail;
  state.commits.insert(state.commits.end(), new_commits.begin(), new_commits.end());
}

void Volume::set_sealed(std::uint32_t segment, const Trailer& trailer) {
  const std::scoped_lock lock(mutex_);
  SegmentState& state = segments_.at(segment);
  state.trailer = trailer;
  state.tail = trailer.tail;
  state.commits = {};
}

void Volume::set_poisoned(std::uint32_t segment) {
  const std::scoped_lock lock(mutex_);
  segments_.at(segment).poisoned = true;
}

void Volume::remove_empty(std::uint32_t segment) {
  {
    const std::scoped_lock lock(mutex_);
    segments_.erase(segment);
  }
  (void)files_.remove(path(segment_name(segment)));
}

std::vector<std::uint32_t> Volume::segments() const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::uint32_t> numbers;
  for (const auto& [number, state] : segments_) numbers.push_back(number);
  return numbers;
}

SegmentHeader Volume::compacted_header() {
  SegmentHeader header;
  header.archive = archive_;
  files_.random(header.identity);
  header.volume = options_.id;
  header.created_unix_ns = files_.now_unix_ns();
  const std::scoped_lock lock(mutex_);
  header.segment = next_compacted_++;
  return header;
}

Result<std::shared_ptr<io::File>> Volume::create_temporary(std::string& name) {
  std::string made;
  {
    const std::scoped_lock lock(mutex_);
    made = spare_name(kFillingPrefix);
  }
  CAIRN_TRY(auto file, files_.open(path(made), io::OpenMode::create));
  name = std::move(made);
  return file;
}

void Volume::drop_temporary(const std::string& name) {
  (void)files_.remove(path(name));
}

Result<> Volume::add_compacted(const std::string& temporary, const SegmentHeader& header, const Trailer& trailer) {
  auto named = files_.rename(path(temporary), path(segment_name(header.segment)));
  if (named) named = files_.sync_directory(options_.directory);
  const std::scoped_lock lock(mutex_);
  if (!named) {
    may_compact_ = false;
    return named;
  }
  segments_[header.segment] = {header, trailer.tail, trailer, {}, false};
  moved_.insert(header.moved.begin(), header.moved.end());
  return outcome::success();
}

bool Volume::may_compact() const {
  const std::scoped_lock lock(mutex_);
  return may_compact_;
}

void Volume::retire(const std::set<std::uint32_t>& segments) {
  {
    const std::scoped_lock lock(mutex_);
    for (const std::uint32_t number : segments) segments_.erase(number);
  }
  // What cannot be removed is superseded at the next start.
  for (const std::uint32_t number : segments) (void)files_.remove(path(segment_name(number)));
  (void)files_.sync_directory(options_.directory);
}

Result<std::uint64_t> Volume::segment_file_bytes(std::uint32_t segment) const {
  CAIRN_TRY(const auto file, open_for_reading(segment));
  return file->size();
}

std::set<std::uint32_t> Volume::superseded() const {
  const std::scoped_lock lock(mutex_);
  std::set<std::uint32_t> numbers;
  for (const auto& [number, state] : segments_) {
    if (!state.trailer) continue;  // damaged: then what it was made of counts too
    for (const std::uint32_t source : state.header.sources) {
      if (segments_.contains(source)) numbers.insert(source);
    }
  }
  return numbers;
}

bool Volume::moved(Sequence sequence) const {
  const std::scoped_lock lock(mutex_);
  return moved_.contains(sequence);
}

std::optional<SegmentState> Volume::segment(std::uint32_t number) const {
  const std::scoped_lock lock(mutex_);
  const auto it = segments_.find(number);
  if (it == segments_.end()) return std::nullopt;
  return it->second;
}

std::map<std::uint32_t, SegmentState> Volume::segment_states() const {
  const std::scoped_lock lock(mutex_);
  std::map<std::uint32_t, SegmentState> states;
  for (const auto& [number, state] : segments_) {
    states[number] = {state.header, state.tail, state.trailer, {}, state.poisoned};
  }
  return states;
}

std::optional<Identity> Volume::segment_identity(std::uint32_t number) const {
  const std::scoped_lock lock(mutex_);
  const auto it = segments_.find(number);
  if (it == segments_.end()) return std::nullopt;
  return it->second.header.identity;
}

Result<std::shared_ptr<io::File>> Volume::open_for_reading(std::uint32_t segment) const {
  return files_.open(path(segment_name(segment)), io::OpenMode::read);
}

Volume::Counts Volume::counts() const {
  const std::scoped_lock lock(mutex_);
  Counts counts;
  counts.segments = segments_.size();
  for (const auto& [number, state] : segments_) {
    counts.sealed += state.trailer.has_value();
    counts.poisoned += state.poisoned;
  }
  counts.spares = spares_.size() + (ready_ && ready_->prewritten ? 1 : 0);
  return counts;
}

bool Volume::has_spare() const {
  const std::scoped_lock lock(mutex_);
  return ready_ || !spares_.empty();
}

std::uint64_t Volume::free_bytes() {
  const std::int64_t now = files_.now_unix_ns();
  const std::int64_t asked = free_asked_ns_.load(std::memory_order_relaxed);
  if (asked == 0 || now - asked > kFreeSpaceAge_ns || now < asked) {
    free_asked_ns_.store(now, std::memory_order_relaxed);
    const auto space = files_.space(options_.directory);
    free_bytes_.store(space ? space.value().free_bytes : 0, std::memory_order_relaxed);
  }
  return free_bytes_.load(std::memory_order_relaxed);
}

}  // namespace cairn::store
