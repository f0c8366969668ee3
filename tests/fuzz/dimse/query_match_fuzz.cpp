// The matching itself, on any texts: wildcards against a slower and plainer matcher, ranges, names, fuzzy names. The
// input is a byte for the VR, the key, a zero byte, the stored value.
#include <cstdint>
#include <string>
#include <vector>

#include "engine/archive/query_match.h"
#include "engine/core/check.h"

namespace {

using namespace cairn;

std::size_t width(std::string_view text, std::size_t at) {
  std::size_t n = 1;
  while (at + n < text.size() && (static_cast<unsigned char>(text[at + n]) & 0xc0) == 0x80) ++n;
  return n;
}

// Each character has the bytes that its first one announces.
bool is_text(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t n = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (n == 0 || width(text, at) != n) return false;
    at += n;
  }
  return true;
}

// Row by row: does the text so far match the pattern so far?
bool plain_wildcard(std::string_view text, std::string_view pattern) {
  std::vector<std::string_view> characters;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t n = width(text, at);
    characters.push_back(text.substr(at, n));
    at += n;
  }
  std::vector<bool> row(characters.size() + 1, false);
  row[0] = true;
  for (std::size_t p = 0; p < pattern.size();) {
    const std::size_t n = width(pattern, p);
    const std::string_view one = pattern.substr(p, n);
    std::vector<bool> next(row.size(), false);
    next[0] = row[0] && one == "*";
    for (std::size_t i = 1; i < row.size(); ++i) {
      next[i] = one == "*" ? row[i] || next[i - 1] : row[i - 1] && (one == "?" || one == characters[i - 1]);
    }
    row = std::move(next);
    p += n;
  }
  return row.back();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using dicom::VR;
  constexpr VR kVRs[] = {VR::AE, VR::AS, VR::CS, VR::DA, VR::DS, VR::DT, VR::FD, VR::IS, VR::LO,
                         VR::LT, VR::PN, VR::SH, VR::TM, VR::UC, VR::UI, VR::UR, VR::US, VR::UT};
  if (size == 0 || size > 8192) return 0;
  const VR vr = kVRs[data[0] % std::size(kVRs)];
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = std::min(text.find('\0'), text.size());
  const std::string key = text.substr(0, cut);
  const std::string stored = cut == text.size() ? std::string() : text.substr(cut + 1);

  if (stored.size() < 512 && key.size() < 512 && is_text(stored) && is_text(key)) {
    CAIRN_CHECK(archive::matches_wildcard(stored, key) == plain_wildcard(stored, key));
  }
  if (const auto range = archive::read_range(key, vr); range) {
    CAIRN_CHECK(range.value().low.empty() || range.value().high.empty() || range.value().low <= range.value().high);
  }
  static_cast<void>(archive::range_digits(stored, vr));
  bool exact = false;
  static_cast<void>(archive::name_beginning(key, exact));
  static_cast<void>(archive::fuzzy_name_matches(archive::fuzzy_words(key), stored));

  const dicom::Tag tag{0x0009, 0x1001};
  const std::vector<archive::Key> keys = {{tag, vr, {key}, {}}};
  if (!archive::check_keys(keys)) return 0;
  dicom::DataSet attributes;
  attributes.set_character_set("ISO_IR 192");
  attributes.set(dicom::Element{tag, vr, stored, {}, {}});
  static_cast<void>(archive::matches(keys[0], attributes, false));
  static_cast<void>(archive::matches(keys[0], attributes, true));
  return 0;
}
