#include "engine/store/format.h"

#include <cstring>

#include "engine/core/check.h"
#include "engine/core/checksum.h"

namespace cairn::store {
namespace {

constexpr char kVolumeMagic[9] = "CAIRNVOL";
constexpr char kKnownMagic[9] = "CAIRNSET";
constexpr char kSegmentMagic[9] = "CAIRNSEG";
constexpr char kTrailerMagic[9] = "CAIRNEND";
constexpr std::uint32_t kRecordMagic = 0x43525243u;  // "CRRC"
constexpr std::uint8_t kRecordVersion = 1;

bool has_magic(const std::byte* at, const char (&magic)[9]) {
  return std::memcmp(at, magic, 8) == 0;
}

/// Checksum of a block whose bytes 12..16 hold it.
std::uint32_t block_crc(Bytes block) {
  constexpr std::byte kNothing[4]{};
  std::uint32_t crc = crc32c(block.first(12));
  crc = crc32c(kNothing, crc);
  return crc32c(block.subspan(16), crc);
}

Result<> check_block(Bytes block, const char (&magic)[9], const char* where) {
  if (block.size() < io::kBlockBytes) return fail(Errc::truncated, where);
  block = block.first(io::kBlockBytes);
  if (!has_magic(block.data(), magic)) return fail(Errc::corrupt, where);
  if (load_le<std::uint32_t>(block.data() + 12) != block_crc(block)) return fail(Errc::corrupt, where, 12);
  if (load_le<std::uint32_t>(block.data() + 8) != kFormatVersion) return fail(Errc::unsupported, where, 8);
  return outcome::success();
}

std::uint32_t seeded(const Identity& identity, Bytes bytes) {
  return crc32c(bytes, crc32c(identity));
}

}  // namespace

io::AlignedBytes VolumeFile::encode() const {
  io::AlignedBytes block(io::kBlockBytes);
  std::byte* p = block.data();
  std::memcpy(p, kVolumeMagic, 8);
  store_le(p + 8, kFormatVersion);
  std::memcpy(p + 16, archive.data(), 16);
  store_le(p + 32, volume);
  store_le(p + 40, static_cast<std::uint64_t>(created_unix_ns));
  store_le(p + 12, block_crc(block.bytes()));
  return block;
}

Result<VolumeFile> VolumeFile::decode(Bytes block) {
  CAIRN_TRYV(check_block(block, kVolumeMagic, "volume file"));
  VolumeFile file;
  std::memcpy(file.archive.data(), block.data() + 16, 16);
  file.volume = load_le<std::uint32_t>(block.data() + 32);
  file.created_unix_ns = static_cast<std::int64_t>(load_le<std::uint64_t>(block.data() + 40));
  return file;
}

io::AlignedBytes KnownVolumes::encode() const {
  CAIRN_CHECK(volumes.size() <= kMaxVolumes);
  io::AlignedBytes block(io::kBlockBytes);
  std::byte* p = block.data();
  std::memcpy(p, kKnownMagic, 8);
  store_le(p + 8, kFormatVersion);
  std::memcpy(p + 16, archive.data(), 16);
  store_le(p + 32, static_cast<std::uint32_t>(volumes.size()));
  p += 40;
  for (const std::uint32_t volume : volumes) {
    store_le(p, volume);
    p += 4;
  }
  store_le(block.data() + 12, block_crc(block.bytes()));
  return block;
}

Result<KnownVolumes> KnownVolumes::decode(Bytes block) {
  CAIRN_TRYV(check_block(block, kKnownMagic, "known volumes"));
  KnownVolumes known;
  std::memcpy(known.archive.data(), block.data() + 16, 16);
  const auto count = load_le<std::uint32_t>(block.data() + 32);
  if (count > kMaxVolumes) return fail(Errc::corrupt, "known volumes", 32);
  for (std::uint32_t i = 0; i < count; ++i) known.volumes.insert(load_le<std::uint32_t>(block.data() + 40 + 4 * i));
  return known;
}

io::AlignedBytes SegmentHeader::encode() const {
  CAIRN_CHECK(poisoned.size() <= kMaxPoisoned && sources.size() <= kMaxSources && moved.size() <= kMaxMoved);
  CAIRN_CHECK(poisoned.empty() || !is_compacted(segment));
  io::AlignedBytes block(kSegmentHeaderBytes);
  std::byte* p = block.data();
  std::memcpy(p, kSegmentMagic, 8);
  store_le(p + 8, kFormatVersion);
  std::memcpy(p + 16, archive.data(), 16);
  std::memcpy(p + 32, identity.data(), 16);
  store_le(p + 48, volume);
  store_le(p + 52, segment);
  store_le(p + 56, size);
  store_le(p + 64, static_cast<std::uint64_t>(created_unix_ns));
  store_le(p + 72, static_cast<std::uint32_t>(poisoned.size()));
  store_le(p + 76, static_cast<std::uint16_t>(sources.size()));
  store_le(p + 78, static_cast<std::uint16_t>(moved.size()));
  p += 80;
  if (is_compacted(segment)) {
    store_le(p, first_sequence);
    p += 8;
    for (const std::uint64_t sequence : moved) {
      store_le(p, sequence);
      p += 8;
    }
    for (const std::uint32_t source : sources) {
      store_le(p, source);
      p += 4;
    }
  }
  for (const Poisoned& statement : poisoned) {
    store_le(p, statement.segment);
    store_le(p + 8, statement.good_end);
    p += 16;
  }
  store_le(block.data() + 12, block_crc(block.bytes()));
  return block;
}

Result<SegmentHeader> SegmentHeader::decode(Bytes block) {
  CAIRN_TRYV(check_block(block, kSegmentMagic, "segment header"));
  const std::byte* p = block.data();
  SegmentHeader header;
  std::memcpy(header.archive.data(), p + 16, 16);
  std::memcpy(header.identity.data(), p + 32, 16);
  header.volume = load_le<std::uint32_t>(p + 48);
  header.segment = load_le<std::uint32_t>(p + 52);
  header.size = load_le<std::uint64_t>(p + 56);
  header.created_unix_ns = static_cast<std::int64_t>(load_le<std::uint64_t>(p + 64));
  const auto count = load_le<std::uint32_t>(p + 72);
  const auto sources = load_le<std::uint16_t>(p + 76);
  const auto moved = load_le<std::uint16_t>(p + 78);
  const bool compacted = is_compacted(header.segment);
  if (count > (compacted ? 0 : kMaxPoisoned)) return fail(Errc::corrupt, "segment header", 72);
  if (sources > (compacted ? kMaxSources : 0)) return fail(Errc::corrupt, "segment header", 76);
  if (moved > (compacted ? kMaxMoved : 0)) return fail(Errc::corrupt, "segment header", 78);
  p += 80;
  if (compacted) {
    header.first_sequence = load_le<std::uint64_t>(p);
    p += 8;
    for (std::uint32_t i = 0; i < moved; ++i, p += 8) header.moved.push_back(load_le<std::uint64_t>(p));
    for (std::uint32_t i = 0; i < sources; ++i, p += 4) header.sources.push_back(load_le<std::uint32_t>(p));
    return header;
  }
  for (std::uint32_t i = 0; i < count; ++i, p += 16) {
    header.poisoned.push_back({load_le<std::uint32_t>(p), load_le<std::uint64_t>(p + 8)});
  }
  return header;
}

std::uint64_t RecordHeader::record_bytes() const noexcept {
  return store::record_bytes(payload_length);
}

void RecordHeader::encode(std::byte* at, const Identity& identity) const {
  store_le(at, kRecordMagic);
  store_le(at + 8, static_cast<std::uint8_t>(type));
  store_le(at + 9, kRecordVersion);
  store_le(at + 10, std::uint16_t{0});
  store_le(at + 12, payload_length);
  store_le(at + 16, payload_crc);
  store_le(at + 20, part_index);
  store_le(at + 24, instance_number);
  store_le(at + 32, stream_offset);
  store_le(at + 40, offset);
  store_le(at + 48, durable_below);
  store_le(at + 56, std::uint64_t{0});
  store_le(at + 4, seeded(identity, {at + 8, kRecordHeaderBytes - 8}));
}

std::optional<RecordHeader> RecordHeader::decode(const std::byte* at, const Identity& identity, std::uint64_t offset) {
  if (load_le<std::uint32_t>(at) != kRecordMagic) return std::nullopt;
  if (load_le<std::uint64_t>(at + 40) != offset) return std::nullopt;
  if (load_le<std::uint32_t>(at + 4) != seeded(identity, {at + 8, kRecordHeaderBytes - 8})) return std::nullopt;
  const auto type = load_le<std::uint8_t>(at + 8);
  if (type < 1 || type > 4 || load_le<std::uint8_t>(at + 9) != kRecordVersion) return std::nullopt;
  RecordHeader header;
  header.type = static_cast<RecordType>(type);
  header.payload_length = load_le<std::uint32_t>(at + 12);
  header.payload_crc = load_le<std::uint32_t>(at + 16);
  header.part_index = load_le<std::uint32_t>(at + 20);
  header.instance_number = load_le<std::uint64_t>(at + 24);
  header.stream_offset = load_le<std::uint64_t>(at + 32);
  header.offset = offset;
  header.durable_below = load_le<std::uint64_t>(at + 48);
  return header;
}

bool looks_like_record(const std::byte* at) noexcept {
  return load_le<std::uint32_t>(at) == kRecordMagic;
}

io::AlignedBytes encode_footer(const std::vector<CommitEntry>& commits, const Identity& identity,
                               const Trailer& trailer) {
  io::AlignedBytes bytes(footer_bytes(commits.size()));
  std::byte* payload = bytes.data() + kRecordHeaderBytes;
  for (std::size_t i = 0; i < commits.size(); ++i) {
    store_le(payload + i * kFooterEntryBytes, commits[i].offset);
    store_le(payload + i * kFooterEntryBytes + 8, commits[i].length);
  }
  RecordHeader header;
  header.type = RecordType::footer;
  header.payload_length = static_cast<std::uint32_t>(commits.size() * kFooterEntryBytes);
  header.payload_crc = crc32c({payload, header.payload_length});
  header.part_index = static_cast<std::uint32_t>(commits.size());
  header.offset = trailer.footer_offset;
  header.durable_below = trailer.tail;
  header.encode(bytes.data(), identity);

  std::byte* p = bytes.data() + bytes.size() - kTrailerBytes;
  std::memcpy(p, kTrailerMagic, 8);
  store_le(p + 16, trailer.footer_offset);
  store_le(p + 24, trailer.tail);
  store_le(p + 32, static_cast<std::uint32_t>(commits.size()));
  store_le(p + 40, trailer.last_sequence);
  store_le(p + 8, seeded(identity, {p + 16, kTrailerBytes - 16}));
  return bytes;
}

std::optional<Trailer> Trailer::decode(Bytes bytes, const Identity& identity, std::uint64_t file_size) {
  if (bytes.size() != kTrailerBytes || !has_magic(bytes.data(), kTrailerMagic)) return std::nullopt;
  const std::byte* p = bytes.data();
  if (load_le<std::uint32_t>(p + 8) != seeded(identity, {p + 16, kTrailerBytes - 16})) return std::nullopt;
  if (load_le<std::uint32_t>(p + 12) != 0) return std::nullopt;
  Trailer trailer{load_le<std::uint64_t>(p + 16), load_le<std::uint64_t>(p + 24), load_le<std::uint32_t>(p + 32),
                  load_le<std::uint64_t>(p + 40)};
  if (trailer.tail < kSegmentHeaderBytes || trailer.tail > trailer.footer_offset || trailer.footer_offset > file_size ||
      file_size - trailer.footer_offset != footer_bytes(trailer.commits)) {
    return std::nullopt;
  }
  return trailer;
}

Result<std::vector<CommitEntry>> decode_footer(Bytes payload, std::uint64_t tail) {
  if (payload.size() % kFooterEntryBytes != 0) return fail(Errc::corrupt, "segment footer");
  std::vector<CommitEntry> commits(payload.size() / kFooterEntryBytes);
  std::uint64_t end = kSegmentHeaderBytes;
  for (std::size_t i = 0; i < commits.size(); ++i) {
    const std::byte* p = payload.data() + i * kFooterEntryBytes;
    commits[i] = {load_le<std::uint64_t>(p), load_le<std::uint32_t>(p + 8)};
    if (commits[i].offset < end || commits[i].offset > tail || commits[i].offset % 8 != 0 ||
        record_bytes(commits[i].length) > tail - commits[i].offset) {
      return fail(Errc::corrupt, "segment footer", i * kFooterEntryBytes);
    }
    end = commits[i].offset + record_bytes(commits[i].length);
  }
  return commits;
}

}  // namespace cairn::store
