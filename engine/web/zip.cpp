#include "engine/web/zip.h"

#include <isa-l/crc.h>

namespace cairn::web {
namespace {

constexpr std::uint32_t kMax32 = 0xFFFFFFFFu;
constexpr std::uint16_t kPlain = 20, kZip64 = 45;         // version needed
constexpr std::uint16_t kFlags = 1u << 3 | 1u << 11;      // descriptor behind the data; names in UTF-8
constexpr std::uint16_t kDate = (0 << 9) | (1 << 5) | 1;  // 1980-01-01: the same archive every time

template <class T>
void put(std::string& out, T value) {
  std::byte bytes[sizeof(T)];
  store_le(bytes, value);
  out += as_text(bytes);
}
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

bool is_large(std::uint64_t size) noexcept {
  return size >= kMax32;
}

}  // namespace

std::string ZipWriter::begin(std::string name, std::uint64_t size) {
  const bool large = is_large(size);
  std::string out;
  put<u32>(out, 0x04034b50);
  put<u16>(out, large ? kZip64 : kPlain);
  put<u16>(out, kFlags);
  put<u16>(out, 0);  // stored
  put<u16>(out, 0);
  put<u16>(out, kDate);
  put<u32>(out, 0);
  put<u32>(out, large ? kMax32 : static_cast<u32>(size));
  put<u32>(out, large ? kMax32 : static_cast<u32>(size));
  put<u16>(out, static_cast<u16>(name.size()));
  put<u16>(out, large ? 20 : 0);
  out += name;
  if (large) {
    put<u16>(out, 1);
    put<u16>(out, 16);
    put<u64>(out, size);
    put<u64>(out, size);
  }
  entries_.push_back({std::move(name), size, offset_, 0});
  offset_ += out.size() + size;
  return out;
}

void ZipWriter::data(Bytes bytes) noexcept {
  u32& crc = entries_.back().crc;

  crc = crc32_gzip_refl(crc, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

std::string ZipWriter::end_entry() {
  const Entry& entry = entries_.back();
  std::string out;
  put<u32>(out, 0x08074b50);
  put<u32>(out, entry.crc);
  if (is_large(entry.size)) {
    put<u64>(out, entry.size);
    put<u64>(out, entry.size);
  } else {
    put<u32>(out, static_cast<u32>(entry.size));
    put<u32>(out, static_cast<u32>(entry.size));
  }
  offset_ += out.size();
  return out;
}

std::string ZipWriter::finish() {
  std::string out;
  for (const Entry& entry : entries_) {
    const bool large = is_large(entry.size), far = is_large(entry.offset);
    put<u32>(out, 0x02014b50);
    put<u16>(out, kZip64);
    put<u16>(out, large || far ? kZip64 : kPlain);
    put<u16>(out, kFlags);
    put<u16>(out, 0);
    put<u16>(out, 0);
    put<u16>(out, kDate);
    put<u32>(out, entry.crc);
    put<u32>(out, large ? kMax32 : static_cast<u32>(entry.size));
    put<u32>(out, large ? kMax32 : static_cast<u32>(entry.size));
    put<u16>(out, static_cast<u16>(entry.name.size()));
    const unsigned extra = (large ? 16u : 0u) + (far ? 8u : 0u);
    put<u16>(out, static_cast<u16>(extra == 0 ? 0 : extra + 4));
    put<u16>(out, 0);  // comment
    put<u16>(out, 0);  // disk
    put<u16>(out, 0);
    put<u32>(out, 0);
    put<u32>(out, far ? kMax32 : static_cast<u32>(entry.offset));
    out += entry.name;
    if (extra == 0) continue;
    put<u16>(out, 1);
    put<u16>(out, static_cast<u16>(extra));
    if (large) {
      put<u64>(out, entry.size);
      put<u64>(out, entry.size);
    }
    if (far) put<u64>(out, entry.offset);
  }
  const std::uint64_t directory = out.size(), count = entries_.size();
  if (is_large(offset_) || is_large(directory) || count >= 0xFFFF) {
    put<u32>(out, 0x06064b50);
    put<u64>(out, 44);
    put<u16>(out, kZip64);
    put<u16>(out, kZip64);
    put<u32>(out, 0);
    put<u32>(out, 0);
    put<u64>(out, count);
    put<u64>(out, count);
    put<u64>(out, directory);
    put<u64>(out, offset_);
    put<u32>(out, 0x07064b50);
    put<u32>(out, 0);
    put<u64>(out, offset_ + directory);
    put<u32>(out, 1);
  }
  put<u32>(out, 0x06054b50);
  put<u16>(out, 0);
  put<u16>(out, 0);
  put<u16>(out, static_cast<u16>(count >= 0xFFFF ? 0xFFFF : count));
  put<u16>(out, static_cast<u16>(count >= 0xFFFF ? 0xFFFF : count));
  put<u32>(out, is_large(directory) ? kMax32 : static_cast<u32>(directory));
  put<u32>(out, is_large(offset_) ? kMax32 : static_cast<u32>(offset_));
  put<u16>(out, 0);
  offset_ += out.size();
  return out;
}

std::uint64_t ZipWriter::length_of(const std::vector<std::pair<std::string, std::uint64_t>>& entries) {
  ZipWriter writer;
  for (const auto& [name, size] : entries) {
    writer.begin(name, size);
    writer.end_entry();
  }
  writer.finish();
  return writer.offset_;
}

}  // namespace cairn::web
