#include "engine/archive/query_match.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "engine/core/uid.h"
#include "engine/dicom/tags.h"
#include "engine/dicom/vr.h"
#include "engine/store/index/fold.h"

namespace cairn::archive {
namespace {

using dicom::VR;
constexpr std::string_view kEmptyValue = "\"\"";

bool has_wildcard(std::string_view text) noexcept {
  return text.find_first_of("*?") != text.npos;
}

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

// Calls `test` with each value of a text until one passes; false when none does.
template <class Test>
bool any_value(std::string_view text, bool multiple, Test&& test) {
  while (true) {
    const std::size_t end = multiple ? text.find('\\') : text.npos;
    if (test(trimmed(text.substr(0, end)))) return true;
    if (end == text.npos) return false;
    text.remove_prefix(end + 1);
  }
}

std::vector<std::string_view> groups_of(std::string_view name) {
  std::vector<std::string_view> groups;
  for (std::size_t end = 0; end != name.npos && groups.size() < 3; name.remove_prefix(end + 1)) {
    end = name.find('=');
    groups.push_back(name.substr(0, end));
    if (end == name.npos) break;
  }
  return groups;
}

bool name_matches(std::string_view stored, std::string_view key, bool fuzzy) {
  if (fuzzy) {
    const auto words = fuzzy_words(key);
    const auto groups = store::folded_groups(stored);
    return !words.empty() && std::any_of(groups.begin(), groups.end(),
                                         [&](const std::string& group) { return fuzzy_name_matches(words, group); });
  }
  const auto group_matches = [](std::string_view group, std::string_view pattern) {
    const std::string folded = store::fold(pattern);
    return matches_wildcard(store::fold(group), folded);
  };
  const auto have = groups_of(stored);
  if (key.find('=') == key.npos) {
    return std::any_of(have.begin(), have.end(),
                       [&](std::string_view group) { return !trimmed(group).empty() && group_matches(group, key); });
  }
  const auto want = groups_of(key);
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (trimmed(want[i]).empty()) continue;
    if (i >= have.size() || !group_matches(have[i], want[i])) return false;
  }
  return true;
}

bool number_of(std::string_view text, double& value) noexcept {
  text = trimmed(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

bool is_dated(VR vr) noexcept {
  return vr == VR::DA || vr == VR::TM || vr == VR::DT;
}
bool is_numeric(VR vr) noexcept {
  for (const VR n : {VR::IS, VR::DS, VR::US, VR::SS, VR::UL, VR::SL, VR::UV, VR::SV, VR::FL, VR::FD}) {
    if (vr == n) return true;
  }
  return false;
}

bool value_matches(std::string_view stored, std::string_view key, VR vr, bool fuzzy) {
  if (vr == VR::PN) return name_matches(stored, key, fuzzy);
  if (is_dated(vr)) {
    const auto range = read_range(key, vr, true);
    const std::string digits = range_digits(stored, vr);
    if (!range || digits.empty()) return false;
    return (range.value().low.empty() || digits >= range.value().low) &&
           (range.value().high.empty() || digits <= range.value().high);
  }
  double a = 0, b = 0;
  if (is_numeric(vr) && number_of(stored, a) && number_of(key, b)) return !(a < b) && !(b < a);
  if (vr == VR::UI) return trim_uid(stored) == trim_uid(key);
  return has_wildcard(key) ? matches_wildcard(stored, key) : stored == key;
}

}  // namespace

bool matches_wildcard(std::string_view text, std::string_view pattern) noexcept {
  std::size_t t = 0, p = 0, star = pattern.npos, resume = 0;
  const auto width = [&](std::size_t at) {  // of the character there: ? is one character, not one byte
    std::size_t n = 1;
    while (at + n < text.size() && (static_cast<unsigned char>(text[at + n]) & 0xc0) == 0x80) ++n;
    return n;
  };
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '?') {
      t += width(t), ++p;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++t, ++p;
    } else if (star != pattern.npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == pattern.npos;
}

std::string range_digits(std::string_view value, VR vr) {
  const std::size_t whole = vr == VR::DA ? 8 : vr == VR::TM ? 12 : 20;
  std::string out;
  for (std::size_t i = 0; i < value.size() && out.size() < whole; ++i) {
    const char c = value[i];
    if (c >= '0' && c <= '9') {
      out.push_back(c);
    } else if ((c == '+' || c == '-') && vr == VR::DT) {
      break;  // the offset from UTC: compared as local times
    } else if (c != '.' && c != ':' && c != ' ') {
      return {};
    }
  }
  if (out.empty()) return out;
  if (vr == VR::DA && out.size() != 8) return {};
  out.resize(whole, '0');
  return out;
}

Result<Range> read_range(std::string_view value, VR vr, bool may_be_backward) {
  std::size_t dash = value.find('-');
  if (vr == VR::DT && dash != value.npos) {
    // A dash with four digits and then another dash or the end behind a date is an offset from UTC.
    const std::size_t after = dash + 5;
    const bool offset = dash >= 4 && after <= value.size() && (after == value.size() || value[after] == '-') &&
                        (value.find('-', dash + 1) != value.npos || dash >= 10);
    if (offset) dash = after < value.size() ? after : value.npos;
  }
  const std::size_t whole = vr == VR::DA ? 8 : vr == VR::TM ? 12 : 20;
  const auto end_of = [&](std::string_view text, char fill) -> Result<std::string> {
    text = trimmed(text);
    std::string out;
    if (text.empty()) return out;
    for (const char c : text.substr(0, vr == VR::DT ? text.find_first_of("+-") : text.npos)) {
      if (c >= '0' && c <= '9')
        out.push_back(c);
      else if (c != '.' && c != ':')
        return fail(Errc::malformed, "a date or time to match");
    }
    const std::size_t least = vr == VR::TM ? 2 : 4;
    if (out.size() < least || out.size() > whole) return fail(Errc::malformed, "a date or time to match");
    out.resize(whole, fill);
    return out;
  };
  Range range;
  if (dash == value.npos) {
    CAIRN_TRY(range.low, end_of(value, '0'));
    CAIRN_TRY(range.high, end_of(value, '9'));
    if (range.low.empty()) return fail(Errc::malformed, "a date or time to match");
    return range;
  }
  CAIRN_TRY(range.low, end_of(value.substr(0, dash), '0'));
  CAIRN_TRY(range.high, end_of(value.substr(dash + 1), '9'));
  if (range.low.empty() && range.high.empty()) return fail(Errc::malformed, "a range without ends");
  if (!may_be_backward && !range.low.empty() && !range.high.empty() && range.high < range.low) {
    return fail(Errc::malformed, "a range that ends before it begins");
  }
  return range;
}

std::string name_beginning(std::string_view key_value, bool& exact) {
  for (const std::string_view group : groups_of(key_value)) {
    const std::string folded = store::fold(group);
    const std::size_t wild = folded.find_first_of("*?");
    if (folded.empty() || wild == 0) continue;
    exact = wild == folded.npos;
    return folded.substr(0, std::min(wild, store::kMaxFoldedBytes));
  }
  exact = false;
  return {};
}

std::vector<std::string> fuzzy_words(std::string_view key_value) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : store::fold(key_value) + " ") {
    const bool between = c == ' ' || c == '^' || c == '=' || c == ',' || c == '*' || c == '?' || c == '\\';
    if (!between) {
      word.push_back(c);
    } else if (!word.empty() && words.size() < 16) {
      words.push_back(std::exchange(word, {}).substr(0, 64));
    }
  }
  return words;
}

namespace {

// Edit distance with exchanges of neighbours, as far as `limit` (2 at most).
bool within(std::string_view a, std::string_view b, std::size_t limit) noexcept {
  if (a.size() > b.size() + limit || b.size() > a.size() + limit) return false;
  constexpr std::size_t kMost = 72;
  if (b.size() >= kMost || a.size() >= kMost) return false;
  std::array<std::array<std::uint8_t, kMost + 1>, 3> rows{};
  for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = static_cast<std::uint8_t>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& now = rows[i % 3];
    const auto& last = rows[(i + 2) % 3];
    const auto& before = rows[(i + 1) % 3];
    now[0] = static_cast<std::uint8_t>(i);
    std::uint8_t least = now[0];
    for (std::size_t j = 1; j <= b.size(); ++j) {
      int cost = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) cost = std::min(cost, before[j - 2] + 1);
      now[j] = static_cast<std::uint8_t>(cost);
      least = std::min(least, now[j]);
    }
    if (least > limit) return false;
  }
  return rows[a.size() % 3][b.size()] <= limit;
}

}  // namespace

bool fuzzy_name_matches(const std::vector<std::string>& query_words, std::string_view folded_group) noexcept {
  return std::all_of(query_words.begin(), query_words.end(), [&](const std::string& word) {
    const std::size_t limit = word.size() >= 8 ? 2 : word.size() >= 4 ? 1 : 0;
    std::string_view rest = folded_group;
    while (!rest.empty()) {
      const std::size_t end = rest.find_first_of(" ^-'.");
      const std::string_view one = rest.substr(0, end);
      if (one.starts_with(word) || (limit > 0 && within(word, one, limit))) return true;
      if (end == rest.npos) break;
      rest.remove_prefix(end + 1);
    }
    return false;
  });
}

Result<> check_keys(const std::vector<Key>& keys, int depth) {
  if (depth > kMaxKeyDepth) return fail(Errc::limit_exceeded, "nesting of sequence keys");
  for (const Key& key : keys) {
    if (key.values.size() > kMaxKeyValues) return fail(Errc::limit_exceeded, "values of a key");
    for (const std::string& value : key.values) {
      if (value.size() > kMaxKeyBytes) return fail(Errc::limit_exceeded, "length of a key");
      if (value == kEmptyValue) continue;
      if (key.vr == VR::UI && !is_usable_uid(trim_uid(value))) return fail(Errc::malformed, "a UID to match");
      if (!is_dated(key.vr)) continue;
      CAIRN_TRYV(read_range(value, key.vr, key.vr == VR::TM));
    }
    CAIRN_TRYV(check_keys(key.items, depth + 1));
  }
  return outcome::success();
}

bool matches(const Key& key, const dicom::DataSet& attributes, bool fuzzy) {
  const dicom::Element* element = attributes.find(key.tag);
  if (!key.items.empty()) {
    return element != nullptr &&
           std::any_of(element->items.begin(), element->items.end(), [&](const dicom::DataSet& item) {
             return std::all_of(key.items.begin(), key.items.end(),
                                [&](const Key& inner) { return matches(inner, item, fuzzy); });
           });
  }
  if (key.values.empty()) return true;
  const std::string text = element != nullptr ? attributes.text(key.tag) : std::string();
  const bool empty = trimmed(text).empty() && (element == nullptr || element->items.empty());
  const bool multiple = dicom::properties(key.vr).multiple || is_numeric(key.vr);
  return std::any_of(key.values.begin(), key.values.end(), [&](const std::string& value) {
    if (value == kEmptyValue) return empty;
    return !empty && any_value(text, multiple,
                               [&](std::string_view stored) { return value_matches(stored, value, key.vr, fuzzy); });
  });
}

}  // namespace cairn::archive
