// Header's stored form: version, flags, transfer syntax, holes, bytes; integers as LEB128. Holes are written as
// differences, since they ascend.
#include <limits>

#include "engine/dicom/header_scan.h"

namespace cairn::dicom {
namespace {

constexpr char kVersion = 1;
enum Flags : unsigned { kExplicit = 1, kBig = 2, kWasDeflated = 4 };

void put(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

// Reads integers and byte strings off a span; every failure is remembered and makes the rest read as zero.
class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(bytes) {}

  std::uint64_t integer() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && at_ < bytes_.size(); shift += 7) {
      const auto b = std::to_integer<std::uint64_t>(bytes_[at_++]);
      if (shift == 63 && b > 1) break;
      value |= (b & 0x7f) << shift;
      if (b < 0x80) return value;
    }
    failed_ = true;
    return 0;
  }
  std::string_view text(std::uint64_t size) {
    if (failed_ || size > bytes_.size() - at_) {
      failed_ = true;
      return {};
    }
    const std::string_view text = as_text(bytes_.subspan(at_, static_cast<std::size_t>(size)));
    at_ += static_cast<std::size_t>(size);
    return text;
  }
  bool failed() const { return failed_; }
  std::size_t at() const { return at_; }
  std::size_t remaining() const { return bytes_.size() - at_; }

 private:
  Bytes bytes_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace

std::string Header::serialize() const {
  std::string out;
  out.reserve(bytes.size() + transfer_syntax_uid.size() + holes.size() * 12 + 24);
  out.push_back(kVersion);
  put(out,
      (encoding.explicit_vr ? kExplicit : 0u) | (encoding.big_endian ? kBig : 0u) | (was_deflated ? kWasDeflated : 0u));
  put(out, transfer_syntax_uid.size());
  out.append(transfer_syntax_uid);
  put(out, holes.size());
  std::uint64_t at = 0, stream = 0;
  for (const Hole& hole : holes) {
    put(out, hole.at - at);
    put(out, hole.stream_offset - stream);
    put(out, hole.length);
    out.push_back(hole.encapsulated ? 1 : 0);
    at = hole.at;
    stream = hole.stream_offset;
  }
  put(out, bytes.size());
  out.append(bytes);
  return out;
}

Result<Header> Header::deserialize(Bytes stored) {
  Reader in(stored);
  if (in.text(1) != std::string_view(&kVersion, 1)) return fail(Errc::corrupt, "version of a stored header");
  Header header;
  const std::uint64_t flags = in.integer();
  if (flags > (kExplicit | kBig | kWasDeflated)) return fail(Errc::corrupt, "flags of a stored header", in.at());
  header.encoding = Encoding{(flags & kExplicit) != 0, (flags & kBig) != 0, false};
  header.was_deflated = (flags & kWasDeflated) != 0;
  header.transfer_syntax_uid = in.text(in.integer());
  const std::uint64_t count = in.integer();
  if (count > kMaxHoles || count > in.remaining() / 4) return fail(Errc::corrupt, "holes of a stored header", in.at());
  header.holes.reserve(static_cast<std::size_t>(count));
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t at = 0, stream = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t at_step = in.integer(), stream_step = in.integer();
    Hole hole;
    hole.length = in.integer();
    hole.encapsulated = in.integer() != 0;
    if (at_step > kMax - at || stream_step > kMax - stream || hole.length > kMax - (stream + stream_step)) {
      return fail(Errc::corrupt, "holes of a stored header", in.at());
    }
    hole.at = at += at_step;
    hole.stream_offset = stream += stream_step;
    header.holes.push_back(hole);
  }
  header.bytes = in.text(in.integer());
  if (in.failed() || in.remaining() != 0 || (count != 0 && at > header.bytes.size())) {
    return fail(Errc::corrupt, "stored header", in.at());
  }
  return header;
}

}  // namespace cairn::dicom
