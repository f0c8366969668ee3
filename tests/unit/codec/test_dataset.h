// A small reader of DICOM files for the tests of codec, which may not depend on engine/dicom: finds the attributes of
// the Image Pixel Module and the Pixel Data value at the top level. It trusts its input; tests only.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <zlib.h>

#include "codec/frame_index.h"
#include "codec/pixel_format.h"
#include "codec/transfer_syntax.h"

namespace cairn::codec::test {

inline std::filesystem::path data_dir() {
  const char* const from_environment = std::getenv("DICOM_TEST_DATA_DIR");
  return from_environment != nullptr ? from_environment : CAIRN_TEST_DATA_DIR;
}

inline std::vector<std::byte> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<char> chars{std::istreambuf_iterator<char>(in), {}};
  std::vector<std::byte> out(chars.size());
  std::memcpy(out.data(), chars.data(), chars.size());
  return out;
}

struct Dataset {
  std::vector<std::byte> bytes;  ///< of the data set, inflated where it was deflated
  std::string syntax_uid;
  PixelFormat format;
  PixelDataValue pixels;
  bool has_pixels = false;
  std::vector<std::byte> extended_offsets, extended_lengths;
};

class Reader {
 public:
  Reader(Bytes b, bool explicit_vr, bool big) : b_(b), explicit_(explicit_vr), big_(big) {}

  struct Element {
    std::uint32_t tag = 0;
    std::string vr;
    std::uint64_t length = 0;  ///< kUndefinedLength
    std::size_t value = 0;
  };

  bool next(Element& e) {
    if (b_.size() - at_ < 8) return false;
    const std::uint32_t group = u16(at_);
    e.tag = group << 16 | u16(at_ + 2);
    std::size_t head = 8;
    e.vr.clear();
    std::uint32_t length = 0;
    if (group == 0xFFFE || !explicit_) {
      length = u32(at_ + 4);
    } else {
      e.vr = std::string(as_text(b_.subspan(at_ + 4, 2)));
      if (std::string("OB OW OF OD OL OV SQ UC UR UT UN SV UV").find(e.vr) != std::string::npos) {
        length = u32(at_ + 8);
        head = 12;
      } else {
        length = u16(at_ + 6);
      }
    }
    e.length = length == 0xFFFFFFFF ? kUndefinedLength : length;
    e.value = at_ + head;
    at_ = e.value;
    return true;
  }

  void skip(const Element& e) {
    if (e.length != kUndefinedLength) {
      at_ = std::min(b_.size(), e.value + static_cast<std::size_t>(e.length));
      return;
    }
    Element inner;
    const bool was = explicit_;
    if (e.vr == "UN") explicit_ = false;  // PS3.5 §6.2.2
    while (next(inner)) {
      if (inner.tag == 0xFFFEE0DD || inner.tag == 0xFFFEE00D) break;
      skip(inner);
    }
    explicit_ = was;
  }

  std::uint32_t u16(std::size_t i) const {
    return big_ ? load_be<std::uint16_t>(b_.data() + i) : load_le<std::uint16_t>(b_.data() + i);
  }
  std::uint32_t u32(std::size_t i) const {
    return big_ ? load_be<std::uint32_t>(b_.data() + i) : load_le<std::uint32_t>(b_.data() + i);
  }
  std::string text(const Element& e) const {
    std::string s(as_text(b_.subspan(e.value, static_cast<std::size_t>(e.length))));
    while (!s.empty() && (s.back() == ' ' || s.back() == '\0')) s.pop_back();
    return s;
  }
  std::size_t at() const { return at_; }
  void seek(std::size_t at) { at_ = at; }

 private:
  Bytes b_;
  std::size_t at_ = 0;
  bool explicit_;
  bool big_;
};

inline std::vector<std::byte> inflate_raw(Bytes in) {
  std::vector<std::byte> out(in.size() * 64 + 4096);
  z_stream z{};
  inflateInit2(&z, -15);
  z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  inflate(&z, Z_FINISH);
  out.resize(z.total_out);
  inflateEnd(&z);
  return out;
}

inline Dataset read_dataset(const std::filesystem::path& path) {
  Dataset d;
  std::vector<std::byte> file = read_file(path);
  std::size_t at = file.size() > 132 && as_text(Bytes(file).subspan(128, 4)) == "DICM" ? 132 : 0;
  Reader meta(file, true, false);
  meta.seek(at);
  Reader::Element e;
  while (at + 8 < file.size() && load_le<std::uint16_t>(file.data() + at) == 2 && meta.next(e)) {
    if (e.tag == 0x00020010) d.syntax_uid = meta.text(e);
    meta.skip(e);
    at = meta.at();
  }
  const TransferSyntax* const syntax = find_transfer_syntax(d.syntax_uid);
  if (syntax == nullptr) return d;
  const Bytes rest = Bytes(file).subspan(at);
  d.bytes = syntax->deflated ? inflate_raw(rest) : std::vector<std::byte>(rest.begin(), rest.end());
  Reader r(d.bytes, syntax->explicit_vr, syntax->big_endian);
  const auto value = [&](const Reader::Element& x) {
    const Bytes v = Bytes(d.bytes).subspan(x.value, static_cast<std::size_t>(x.length));
    return std::vector<std::byte>(v.begin(), v.end());
  };
  while (r.next(e)) {
    switch (e.tag) {
      case 0x00280002:
        d.format.samples_per_pixel = static_cast<std::uint16_t>(r.u16(e.value));
        break;
      case 0x00280004:
        d.format.photometric = r.text(e);
        break;
      case 0x00280006:
        d.format.planar_configuration = static_cast<std::uint16_t>(r.u16(e.value));
        break;
      case 0x00280008:
        d.format.number_of_frames = std::strtoull(r.text(e).c_str(), nullptr, 10);
        break;
      case 0x00280010:
        d.format.rows = r.u16(e.value);
        break;
      case 0x00280011:
        d.format.columns = r.u16(e.value);
        break;
      case 0x00280100:
        d.format.bits_allocated = static_cast<std::uint16_t>(r.u16(e.value));
        break;
      case 0x00280101:
        d.format.bits_stored = static_cast<std::uint16_t>(r.u16(e.value));
        break;
      case 0x00280102:
        d.format.high_bit = static_cast<std::uint16_t>(r.u16(e.value));
        break;
      case 0x00280103:
        d.format.is_signed = r.u16(e.value) == 1;
        break;
      case 0x7FE00001:
        d.extended_offsets = value(e);
        break;
      case 0x7FE00002:
        d.extended_lengths = value(e);
        break;
      case 0x7FE00010:
        d.pixels.offset = e.value;
        d.pixels.length = e.length;
        d.format.ow = e.vr != "OB";
        d.has_pixels = true;
        break;
      default:
        break;
    }
    if (d.has_pixels) break;
    r.skip(e);
  }
  d.pixels.extended_offsets = d.extended_offsets;
  d.pixels.extended_lengths = d.extended_lengths;
  return d;
}

/// Rows of a tab-separated file without its header line, by column name.
inline std::vector<std::map<std::string, std::string>> read_table(const std::filesystem::path& path) {
  std::ifstream in(path);
  const auto split = [](const std::string& line) {
    std::vector<std::string> cells;
    std::size_t from = 0;
    for (;;) {
      const std::size_t tab = line.find('\t', from);
      cells.push_back(line.substr(from, tab - from));
      if (tab == std::string::npos) return cells;
      from = tab + 1;
    }
  };
  std::string line;
  std::vector<std::map<std::string, std::string>> rows;
  std::getline(in, line);
  const auto names = split(line);
  while (std::getline(in, line)) {
    const auto cells = split(line);
    std::map<std::string, std::string> row;
    for (std::size_t i = 0; i < cells.size() && i < names.size(); ++i) row[names[i]] = cells[i];
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace cairn::codec::test
