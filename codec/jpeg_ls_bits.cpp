#include "codec/jpeg_ls_bits.h"

namespace cairn::codec {
namespace {

unsigned octet(const std::byte* p) {
  return std::to_integer<unsigned>(*p);
}

}  // namespace

JPEGLSScanBits::JPEGLSScanBits(Bytes coded, std::size_t begin) : bytes_(coded.size() - begin + kSlackBits / 8 + 16) {
  const std::byte* const data = coded.data();
  std::size_t at = begin;
  std::byte* out = bytes_.data();
  std::uint64_t pending = 0;  // left-aligned, zeros behind
  unsigned count = 0;         // at most 31 between steps
  const auto flush = [&] {
    if (count < 32) return;
    store_be<std::uint32_t>(out, static_cast<std::uint32_t>(pending >> 32));
    out += 4;
    pending <<= 32;
    count -= 32;
  };
  bool after_ff = false;
  while (at < coded.size()) {
    if (!after_ff && coded.size() - at >= 4) {
      const auto next = load_be<std::uint32_t>(data + at);
      if (((~next - 0x01010101u) & next & 0x80808080u) == 0) {  // no FF among the four
        pending |= static_cast<std::uint64_t>(next) << (32 - count);
        store_be<std::uint32_t>(out, static_cast<std::uint32_t>(pending >> 32));
        out += 4;
        pending <<= 32;
        at += 4;
        continue;
      }
    }
    const unsigned byte = octet(data + at);
    if (byte == 0xFF && (at + 1 >= coded.size() || octet(data + at + 1) >= 0x80)) break;
    const unsigned width = after_ff ? 7 : 8;
    pending |= static_cast<std::uint64_t>(byte) << (64 - width - count);
    count += width;
    after_ff = byte == 0xFF;
    ++at;
    flush();
  }
  end_ = at;
  size_bits_ = static_cast<std::uint64_t>(out - bytes_.data()) * 8 + count;
  store_be<std::uint64_t>(out, pending);
}

void JPEGLSBitWriter::finish(std::vector<std::byte>& out) {
  const std::uint64_t size_bits = std::uint64_t{at_} * 8 + count_;
  reserve(64);
  Cursor rest(*this);
  rest.put(0, 32 - count_);
  rest.store();
  store_be<std::uint64_t>(bytes_.data() + at_, 0);
  const std::byte* const data = bytes_.data();
  const std::size_t begin = out.size();
  out.resize(begin + size_bits / 7 + 16);
  std::byte* to = out.data() + begin;
  for (std::uint64_t at = 0; at < size_bits;) {
    const std::uint64_t window = load_be<std::uint64_t>(data + (at >> 3)) << (at & 7u);
    const auto word = static_cast<std::uint32_t>(window >> 32);
    if (size_bits - at >= 32 && ((~word - 0x01010101u) & word & 0x80808080u) == 0) {  // no byte will be FF
      store_be<std::uint32_t>(to, word);
      to += 4;
      at += 32;
      continue;
    }
    const auto byte = static_cast<std::uint8_t>(window >> 56);
    *to++ = static_cast<std::byte>(byte);
    at += 8;
    if (byte == 0xFF) {  // seven bits more, or none but the zero that keeps a marker apart
      *to++ = static_cast<std::byte>(window << 8 >> 57);
      at += 7;
    }
  }
  out.resize(static_cast<std::size_t>(to - out.data()));
}

}  // namespace cairn::codec
