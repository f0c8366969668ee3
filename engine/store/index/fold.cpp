#include "engine/store/index/fold.h"

#include <algorithm>

#include "engine/store/index/fold_table.h"

namespace cairn::store {
namespace {

// The character at `at` and its length in bytes; length 0 when the bytes are not UTF-8.
char32_t decode(std::string_view text, std::size_t at, std::size_t& length) {
  const auto b = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char lead = b(0);
  length = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (lead >= 0x80 && lead < 0xc2) length = 0;
  if (length == 0 || at + length > text.size()) {
    length = 0;
    return 0;
  }
  char32_t c = length == 1 ? lead : lead & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((b(i) & 0xc0) != 0x80) {
      length = 0;
      return 0;
    }
    c = c << 6 | (b(i) & 0x3fu);
  }
  return c;
}

bool is_combining(char32_t c) {
  return (c >= 0x300 && c < 0x370) || (c >= 0x1ab0 && c < 0x1b00) || (c >= 0x1dc0 && c < 0x1e00) ||
         (c >= 0x20d0 && c < 0x2100) || (c >= 0x591 && c <= 0x5c7 && c != 0x5be) || (c >= 0x64b && c <= 0x65f);
}

void append_folded(std::string& out, std::string_view utf8, std::size_t at, std::size_t length, char32_t c) {
  if (is_combining(c)) return;
  const auto* fold = std::lower_bound(std::begin(kFolds), std::end(kFolds), c,
                                      [](const Fold& f, char32_t value) { return f.from < value; });
  if (fold != std::end(kFolds) && fold->from == c) {
    out.append(fold->to);
  } else {
    out.append(utf8.substr(at, length));
  }
}

// Spaces: one between words, none at the ends or beside "^"; no "^" at the end.
std::string tidy(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == ' ' && (out.empty() || out.back() == ' ' || out.back() == '^')) continue;
    if (c == '^' && !out.empty() && out.back() == ' ') out.pop_back();
    out.push_back(c);
  }
  while (!out.empty() && (out.back() == ' ' || out.back() == '^')) out.pop_back();
  return out;
}

void cut(std::string& folded) {
  if (folded.size() <= kMaxFoldedBytes) return;
  std::size_t end = kMaxFoldedBytes;
  while (end > 0 && (static_cast<unsigned char>(folded[end]) & 0xc0) == 0x80) --end;
  folded.resize(end);
}

}  // namespace

std::string fold(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  for (std::size_t at = 0; at < utf8.size();) {
    const auto c = static_cast<unsigned char>(utf8[at]);
    if (c < 0x80) {
      if (c >= 'A' && c <= 'Z') {
        out.push_back(static_cast<char>(c + 32));
      } else if (c >= ' ' && c < 0x7f) {
        out.push_back(static_cast<char>(c));
      }
      ++at;
      continue;
    }
    std::size_t length = 0;
    const char32_t wide = decode(utf8, at, length);
    if (length > 0) append_folded(out, utf8, at, length, wide);
    at += std::max<std::size_t>(length, 1);
  }
  return tidy(out);
}

std::vector<std::string> folded_groups(std::string_view person_name) {
  std::vector<std::string> groups;
  while (true) {
    const std::size_t end = person_name.find_first_of("=\\");
    std::string folded = fold(person_name.substr(0, end));
    cut(folded);
    if (!folded.empty()) groups.push_back(std::move(folded));
    if (end == person_name.npos) break;
    person_name.remove_prefix(end + 1);
  }
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  return groups;
}

}  // namespace cairn::store
