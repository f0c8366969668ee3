#include "engine/core/checksum.h"

#include <isa-l/crc.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>
#if defined(__x86_64__)
#include <xxh_x86dispatch.h>  // the widest vectors of the machine it runs on
#endif

#include <algorithm>
#include <limits>

namespace cairn {

std::uint32_t crc32c(Bytes bytes, std::uint32_t previous) noexcept {
  std::uint32_t state = ~previous;
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min<std::size_t>(bytes.size(), 1u << 30));
    // The library takes a mutable pointer and does not write through it.
    auto* data = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(piece.data()));
    state = crc32_iscsi(data, static_cast<int>(piece.size()), state);
    bytes = bytes.subspan(piece.size());
  }
  return ~state;
}

namespace {
Digest128 canonical(XXH128_hash_t hash) noexcept {
  Digest128 out;
  store_be<std::uint64_t>(out.data(), hash.high64);
  store_be<std::uint64_t>(out.data() + 8, hash.low64);
  return out;
}
}  // namespace

Digest128 digest128(Bytes bytes) noexcept { return canonical(XXH3_128bits(bytes.data(), bytes.size())); }

struct DigestStream::State {
  XXH3_state_t hash;  // aligned for vector stores
};

DigestStream::DigestStream() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->hash); }
DigestStream::~DigestStream() = default;
DigestStream::DigestStream(DigestStream&&) noexcept = default;
DigestStream& DigestStream::operator=(DigestStream&&) noexcept = default;

void DigestStream::update(Bytes bytes) noexcept { XXH3_128bits_update(&state_->hash, bytes.data(), bytes.size()); }
Digest128 DigestStream::digest() const noexcept { return canonical(XXH3_128bits_digest(&state_->hash)); }

}  // namespace cairn
