#include "engine/store/part_reader.h"

#include <algorithm>

#include "engine/core/checksum.h"

namespace cairn::store {
namespace {

constexpr std::size_t kOpenFiles = 64;
// Read at a commit record's place before its length is known: most are shorter.
constexpr std::uint32_t kCommitGuess = 2048;
constexpr std::size_t kScratchBytes = (1u << 20) + 2 * io::kBlockBytes;

std::uint64_t volume_segment(const Location& location) {
  return std::uint64_t{location.volume} << 32 | location.segment;
}

}  // namespace

PartReader::PartReader(std::map<std::uint32_t, Volume*> volumes, std::uint64_t cache_bytes)
    : volumes_(std::move(volumes)), cache_bytes_(cache_bytes) {}

Result<PartReader::OpenFile> PartReader::file_of(const Location& location) {
  const std::uint64_t key = volume_segment(location);
  {
    const std::scoped_lock lock(files_mutex_);
    const auto it = std::find_if(open_.begin(), open_.end(), [&](const auto& open) { return open.first == key; });
    if (it != open_.end()) {
      open_.splice(open_.begin(), open_, it);
      return it->second;
    }
  }
  const auto volume = volumes_.find(location.volume);
  if (volume == volumes_.end()) return fail(Errc::not_found, "storage volume");
  const auto identity = volume->second->segment_identity(location.segment);
  if (!identity) return fail(Errc::not_found, "segment");
  CAIRN_TRY(auto file, volume->second->open_for_reading(location.segment));
  OpenFile opened{std::move(file), *identity};
  const std::scoped_lock lock(files_mutex_);
  // (Removed meanwhile: then forget() was here, or waits.)
  if (!volume->second->segment_identity(location.segment)) return opened;
  open_.emplace_front(key, opened);
  if (open_.size() > kOpenFiles) open_.pop_back();
  return opened;
}

void PartReader::forget(std::uint32_t volume, const std::set<std::uint32_t>& segments) {
  const std::scoped_lock lock(files_mutex_);
  open_.remove_if([&](const auto& open) {
    return open.first >> 32 == volume && segments.contains(static_cast<std::uint32_t>(open.first));
  });
}

Result<RecordHeader> PartReader::read_record(const Location& location, std::uint32_t expected_length,
                                             io::AlignedBytes& memory, Bytes& payload) {
  if (location.offset % 8 != 0 || location.offset < kSegmentHeaderBytes || location.offset > (1ull << 62)) {
    return fail(Errc::not_found, "record offset", location.offset);
  }
  CAIRN_TRY(const OpenFile open, file_of(location));
  const std::uint64_t start = io::block_down(location.offset);
  std::uint64_t length = kRecordHeaderBytes + std::uint64_t{expected_length};
  for (;;) {
    const auto wanted = static_cast<std::size_t>(io::block_up(location.offset + length) - start);
    if (memory.size() < wanted) memory = io::AlignedBytes(wanted);
    CAIRN_TRY(const std::size_t got, open.file->read(start, memory.first(wanted)));
    const std::size_t at = location.offset - start;
    if (got < at + kRecordHeaderBytes) return fail(Errc::not_found, "record", location.offset);
    const auto header = RecordHeader::decode(memory.data() + at, open.identity, location.offset);
    if (!header) return fail(Errc::corrupt, "record header", location.offset);
    const std::uint64_t whole = kRecordHeaderBytes + std::uint64_t{header->payload_length};
    if (got >= at + whole) {
      payload = {memory.data() + at + kRecordHeaderBytes, header->payload_length};
      if (crc32c(payload) != header->payload_crc) return fail(Errc::corrupt, "record payload", location.offset);
      return *header;
    }
    if (whole <= length) return fail(Errc::corrupt, "segment ends inside a record", location.offset);
    // The header is proven, so its length is what was written: never more than a segment.
    CAIRN_TRY(const std::uint64_t size, open.file->size());
    if (whole > size - location.offset) return fail(Errc::corrupt, "record length", location.offset);
    length = whole;
  }
}

PartBytes PartReader::cached(const Part& part) {
  const std::scoped_lock lock(mutex_);
  const auto it = cache_.find({volume_segment(part.location), part.location.offset});
  if (it == cache_.end() || it->second.crc != part.crc || it->second.bytes->size() != part.length) return nullptr;
  uses_.splice(uses_.begin(), uses_, it->second.use);
  return it->second.bytes;
}

Result<PartBytes> PartReader::read(const Part& part) {
  if (auto known = cached(part)) return known;
  const Key key{volume_segment(part.location), part.location.offset};
  thread_local io::AlignedBytes scratch(kScratchBytes);
  io::AlignedBytes larger;
  const bool fits = std::uint64_t{part.length} + kRecordHeaderBytes + io::kBlockBytes <= kScratchBytes;
  Bytes payload;
  CAIRN_TRY(const RecordHeader header, read_record(part.location, part.length, fits ? scratch : larger, payload));
  if (header.type != RecordType::part || header.payload_length != part.length || header.payload_crc != part.crc) {
    return fail(Errc::corrupt, "part is another", part.location.offset);
  }
  PartBytes bytes = std::make_shared<const std::vector<std::byte>>(payload.begin(), payload.end());
  if (bytes->size() > cache_bytes_) return bytes;
  const std::scoped_lock lock(mutex_);
  if (cache_.contains(key)) return bytes;
  uses_.push_front(key);
  cache_.emplace(key, Cached{bytes, part.crc, uses_.begin()});
  cached_bytes_ += bytes->size();
  while (cached_bytes_ > cache_bytes_) {
    const auto oldest = cache_.find(uses_.back());
    cached_bytes_ -= oldest->second.bytes->size();
    cache_.erase(oldest);
    uses_.pop_back();
  }
  return bytes;
}

Result<InstanceRecord> PartReader::read_commit(const Location& location) {
  io::AlignedBytes memory;
  Bytes payload;
  CAIRN_TRY(const RecordHeader header, read_record(location, kCommitGuess, memory, payload));
  if (header.type != RecordType::commit) return fail(Errc::corrupt, "no commit record", location.offset);
  return InstanceRecord::decode(payload);
}

}  // namespace cairn::store
