// Writes data sets byte by byte, valid or not, for tests of the parsers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/dicom/encoding.h"
#include "engine/dicom/meta.h"
#include "engine/dicom/tags.h"
#include "engine/dicom/vr.h"

namespace cairn::dicom::test {

inline constexpr std::uint32_t kUndefined = 0xffffffff;

class StreamBuilder {
 public:
  explicit StreamBuilder(Encoding encoding = {}) : encoding_(encoding) {}

  StreamBuilder& u16(std::uint32_t v) {
    const char low = static_cast<char>(v), high = static_cast<char>(v >> 8);
    bytes_.push_back(encoding_.big_endian ? high : low);
    bytes_.push_back(encoding_.big_endian ? low : high);
    return *this;
  }
  StreamBuilder& u32(std::uint32_t v) {
    return encoding_.big_endian ? u16(v >> 16).u16(v & 0xffff) : u16(v & 0xffff).u16(v >> 16);
  }
  StreamBuilder& raw(std::string_view bytes) {
    bytes_.append(bytes);
    return *this;
  }
  StreamBuilder& header(Tag tag, VR vr, std::uint32_t length) {
    u16(tag.group).u16(tag.element);
    if (!encoding_.explicit_vr) return u32(length);
    bytes_.push_back(static_cast<char>(static_cast<unsigned>(vr) >> 8));
    bytes_.push_back(static_cast<char>(static_cast<unsigned>(vr) & 0xff));
    return properties(vr).long_length ? u16(0).u32(length) : u16(length);
  }
  StreamBuilder& element(Tag tag, VR vr, std::string_view value) {
    return header(tag, vr, static_cast<std::uint32_t>(value.size())).raw(value);
  }
  StreamBuilder& item(std::uint32_t length = kUndefined) { return u16(0xfffe).u16(0xe000).u32(length); }
  StreamBuilder& item_end() { return u16(0xfffe).u16(0xe00d).u32(0); }
  StreamBuilder& sequence_end() { return u16(0xfffe).u16(0xe0dd).u32(0); }
  /// The four attributes without which nothing is filed. Group 0020 comes after whatever `between` adds.
  StreamBuilder& instance(std::string_view between = {}) {
    return element(tags::SOPClassUID, VR::UI, std::string_view("1.2.840.10008.5.1.4.1.1.2\0", 26))
        .element(tags::SOPInstanceUID, VR::UI, std::string_view("1.2.3.4\0", 8))
        .raw(between)
        .element(tags::StudyInstanceUID, VR::UI, "1.2.34")
        .element(tags::SeriesInstanceUID, VR::UI, "1.2.56");
  }
  const std::string& bytes() const { return bytes_; }
  /// With preamble and File Meta Information in front.
  std::string file(std::string_view transfer_syntax) const {
    return make_file_meta("1.2.840.10008.5.1.4.1.1.2", "1.2.3.4", transfer_syntax, "SENDER") + bytes_;
  }

 private:
  Encoding encoding_;
  std::string bytes_;
};

inline constexpr Encoding kExplicitLE{true, false, false};
inline constexpr Encoding kImplicitLE{false, false, false};
inline constexpr Encoding kExplicitBE{true, true, false};
inline constexpr std::string_view kImplicitUID = "1.2.840.10008.1.2";
inline constexpr std::string_view kExplicitUID = "1.2.840.10008.1.2.1";
inline constexpr std::string_view kBigEndianUID = "1.2.840.10008.1.2.2";
inline constexpr std::string_view kDeflatedUID = "1.2.840.10008.1.2.1.99";

}  // namespace cairn::dicom::test
