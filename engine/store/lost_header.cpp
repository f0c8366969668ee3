#include "engine/store/lost_header.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/core/checksum.h"
#include "engine/store/event.h"
#include "engine/store/segment_walk.h"

namespace cairn::store {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78u;  // CRC32C, reflected; its highest bit is set

/// The state of the checksum before eight shifts that ended in `state`: a CRC can be run backwards.
std::uint32_t unshift(std::uint32_t state) noexcept {
  for (int i = 0; i < 8; ++i) state = (state & 0x80000000u) != 0 ? (state ^ kPolynomial) << 1 | 1 : state << 1;
  return state;
}

/// The checksum `before` for which crc32c(bytes, before) == `after`.
std::uint32_t crc32c_before(Bytes bytes, std::uint32_t after) noexcept {
  std::uint32_t state = ~after;
  for (auto it = bytes.rbegin(); it != bytes.rend(); ++it) state = unshift(state) ^ static_cast<std::uint8_t>(*it);
  return ~state;
}

/// An identity whose checksum is `seed`.
Identity identity_of(std::uint32_t seed) noexcept {
  Identity identity{};
  const std::uint32_t reached = ~crc32c(Bytes(identity).first(12));
  std::uint32_t wanted = ~seed;
  for (int i = 0; i < 4; ++i) wanted = unshift(wanted);
  store_le(identity.data() + 12, reached ^ wanted);
  return identity;
}

/// The checksum of the identity under which the record header at `at` is valid.
std::uint32_t record_seed(const std::byte* at) noexcept {
  return crc32c_before({at + 8, kRecordHeaderBytes - 8}, load_le<std::uint32_t>(at + 4));
}
std::uint32_t trailer_seed(const std::byte* at) noexcept {
  return crc32c_before({at + 16, kTrailerBytes - 16}, load_le<std::uint32_t>(at + 8));
}

struct Witness {
  RecordHeader header;
  std::uint32_t seed = 0;
  bool sufficient = false;  ///< a commit or event that says of itself what its record header says
};

/// The record at `offset`, when all but the seed of its header's checksum can be proven.
Result<std::optional<Witness>> witness_at(Window& window, std::uint64_t offset) {
  std::optional<Witness> found;
  CAIRN_TRY(const Bytes bytes, window.at(offset, kRecordHeaderBytes));
  if (bytes.size() < kRecordHeaderBytes || !looks_like_record(bytes.data())) return found;
  const std::uint32_t seed = record_seed(bytes.data());
  const auto header = RecordHeader::decode(bytes.data(), identity_of(seed), offset);
  if (!header || header->record_bytes() > window.end() - offset) return found;
  CAIRN_TRY(const std::uint32_t crc, payload_crc(window, *header));
  if (crc != header->payload_crc) return found;
  found = Witness{*header, seed, false};
  if (header->type == RecordType::commit) {
    CAIRN_TRY(const Bytes payload, window.at(offset + kRecordHeaderBytes, header->payload_length));
    const auto record = InstanceRecord::decode(payload);
    found->sufficient = record && record.value().instance_number == header->instance_number &&
                        record.value().stream_length == header->stream_offset;
  } else if (header->type == RecordType::event) {
    CAIRN_TRY(const Bytes payload, window.at(offset + kRecordHeaderBytes, header->payload_length));
    const auto event = Event::decode(payload);
    found->sufficient = event && event.value().sequence == header->stream_offset;
  }
  return found;
}

}  // namespace

Result<std::optional<Identity>> identity_from_records(io::File& file, std::uint64_t size) {
  std::optional<Identity> identity;
  std::vector<std::uint32_t> seeds;
  const auto agreed = [&](std::uint32_t seed) {
    if (std::find(seeds.begin(), seeds.end(), seed) == seeds.end()) {
      seeds.push_back(seed);
      return false;
    }
    identity = identity_of(seed);
    return true;
  };
  Window window(file, size);
  if (size % io::kBlockBytes == 0 && size >= 2 * io::kBlockBytes) {
    CAIRN_TRY(const Bytes last, window.at(size - kTrailerBytes, kTrailerBytes));
    const std::uint32_t seed = trailer_seed(last.data());
    if (const auto trailer = Trailer::decode(last, identity_of(seed), size)) {
      seeds.push_back(seed);
      CAIRN_TRY(const auto footer, witness_at(window, trailer->footer_offset));
      if (footer && footer->header.type == RecordType::footer && agreed(footer->seed)) return identity;
    }
  }
  bool sufficient = false;
  std::uint64_t at = kSegmentHeaderBytes;
  while (at < size) {
    CAIRN_TRY(const Bytes bytes, window.at(at, 256u << 10));
    std::size_t i = 0;
    while (i + 8 <= bytes.size() && !looks_like_record(bytes.data() + i)) i += 8;
    const bool candidate = i + 8 <= bytes.size();
    at += candidate ? i : std::max<std::size_t>(bytes.size() & ~std::size_t{7}, 8);
    if (!candidate) continue;
    CAIRN_TRY(const auto witness, witness_at(window, at));
    if (!witness) {
      at += 8;
      continue;
    }
    if (agreed(witness->seed)) return identity;
    sufficient = sufficient || witness->sufficient;
    at += witness->header.record_bytes();
  }
  if (sufficient && seeds.size() == 1) identity = identity_of(seeds.front());
  return identity;
}

}  // namespace cairn::store
