#include "engine/dicom/dictionary.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "engine/dicom/dictionary_table.h"

namespace cairn::dicom {
namespace {

using dictionary_detail::Entry;
using dictionary_detail::kByKeyword;
using dictionary_detail::kEntries;

constexpr std::size_t kEntryCount = std::size(kEntries);
constexpr unsigned kHashBits = 14;  // 5,000 entries in 16,384 slots: one or two probes

constexpr std::uint32_t slot_of(std::uint32_t tag) noexcept {
  return (tag * 0x9E3779B1u) >> (32 - kHashBits);
}

// Open addressing; a slot holds the position in kEntries plus one, 0 when free.
constexpr auto kSlots = [] {
  std::array<std::uint16_t, std::size_t{1} << kHashBits> slots{};
  for (std::size_t i = 0; i < kEntryCount; ++i) {
    std::uint32_t slot = slot_of(kEntries[i].tag);
    while (slots[slot] != 0) slot = (slot + 1) & (slots.size() - 1);
    slots[slot] = static_cast<std::uint16_t>(i + 1);
  }
  return slots;
}();

const Entry* lookup(std::uint32_t tag) noexcept {
  for (std::uint32_t slot = slot_of(tag); kSlots[slot] != 0; slot = (slot + 1) & (kSlots.size() - 1)) {
    const Entry& e = kEntries[kSlots[slot] - 1u];
    if (e.tag == tag) return &e;
  }
  return nullptr;
}

// The entry of a public tag, repeating groups folded onto their first.
const Entry* entry_of(Tag tag) noexcept {
  if (tag.is_private()) return nullptr;
  const Entry* e = lookup(tag.value());
  if (e != nullptr) return e;
  switch (tag.group & 0xff00) {
    case 0x5000:
    case 0x6000:
    case 0x7f00:
      if (tag.group == 0x7fe0) return nullptr;
      return lookup(Tag{static_cast<std::uint16_t>(tag.group & 0xff00), tag.element}.value());
    default:
      break;
  }
  if (tag.group == 0x0020 && (tag.element & 0xff00) == 0x3100) return lookup(0x00203100);
  return nullptr;
}

}  // namespace

VR vr_of(Tag tag) noexcept {
  if (tag.element == 0) return VR::UL;
  if (tag.is_private()) return tag.element >= 0x10 && tag.element <= 0xff ? VR::LO : VR::UN;
  const Entry* e = entry_of(tag);
  return e == nullptr ? VR::UN : e->vr;
}

bool is_us_or_ss(Tag tag) noexcept {
  const Entry* e = entry_of(tag);
  return e != nullptr && e->signed_or_not;
}

std::string_view keyword_of(Tag tag) noexcept {
  const Entry* e = entry_of(tag);
  return e == nullptr ? std::string_view() : std::string_view(e->keyword);
}

std::optional<Tag> tag_of_keyword(std::string_view keyword) noexcept {
  const auto* found = std::lower_bound(std::begin(kByKeyword), std::end(kByKeyword), keyword,
                                       [](std::uint16_t i, std::string_view k) { return kEntries[i].keyword < k; });
  if (found == std::end(kByKeyword) || kEntries[*found].keyword != keyword) return std::nullopt;
  return tag_of(kEntries[*found].tag);
}

}  // namespace cairn::dicom
