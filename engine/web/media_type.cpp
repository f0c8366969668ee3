#include "engine/web/media_type.h"

#include <algorithm>

namespace cairn::web {
namespace {

bool is_token(char c) noexcept {
  constexpr std::string_view kPunctuation = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         kPunctuation.find(c) != std::string_view::npos;
}

/// Reads one value from the front of a text; every function leaves the text at the first character not read.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}
  bool done() const noexcept { return text_.empty(); }
  void skip_space() noexcept {
    while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\t')) text_.remove_prefix(1);
  }
  bool take(char c) noexcept {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  std::string token() {
    const auto end = std::find_if_not(text_.begin(), text_.end(), is_token);
    std::string out(text_.begin(), end);
    text_.remove_prefix(out.size());
    return out;
  }
  /// A token, a quoted string, or, as senders in the field write it, an unquoted value with slashes.
  std::optional<std::string> value() {
    if (!take('"')) {
      const std::size_t end = text_.find_first_of(";, \t\"");
      std::string out(text_.substr(0, end));
      text_.remove_prefix(out.size());
      return out;
    }
    std::string out;
    while (!text_.empty()) {
      char c = text_.front();
      text_.remove_prefix(1);
      if (c == '"') return out;
      if (c == '\\' && !text_.empty()) {
        c = text_.front();
        text_.remove_prefix(1);
      }
      out += c;
    }
    return std::nullopt;
  }
  /// Goes on after the next comma that is not inside quotes.
  void skip_to_next() noexcept {
    bool quoted = false;
    while (!text_.empty()) {
      const char c = text_.front();
      text_.remove_prefix(1);
      if (quoted && c == '\\' && !text_.empty()) {
        text_.remove_prefix(1);
      } else if (c == '"') {
        quoted = !quoted;
      } else if (c == ',' && !quoted) {
        return;
      }
    }
  }

 private:
  std::string_view text_;
};

std::string lowered(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

/// RFC 9110 §12.4.2: 0 to 1 with at most three decimals.
std::optional<int> parse_quality(std::string_view text) noexcept {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  int value = (text[0] - '0') * 1000;
  if (text.size() > 1) {
    if (text[1] != '.') return std::nullopt;
    int scale = 100;
    for (const char c : text.substr(2)) {
      if (c < '0' || c > '9') return std::nullopt;
      value += (c - '0') * scale;
      scale /= 10;
    }
  }
  return value > 1000 ? std::nullopt : std::optional(value);
}

std::optional<MediaRange> parse_range(Cursor& cursor) {
  cursor.skip_space();
  MediaRange range;
  range.type = lowered(cursor.token());
  if (range.type.empty() || !cursor.take('/')) return std::nullopt;
  range.subtype = lowered(cursor.token());
  if (range.subtype.empty() || (range.type == "*" && range.subtype != "*")) return std::nullopt;
  cursor.skip_space();
  while (cursor.take(';')) {
    cursor.skip_space();
    std::string name = lowered(cursor.token());
    cursor.skip_space();
    if (name.empty()) continue;  // "a/b;" and "a/b;;c=d"
    if (!cursor.take('=')) return std::nullopt;
    cursor.skip_space();
    auto value = cursor.value();
    if (!value) return std::nullopt;
    cursor.skip_space();
    if (name == "q") {
      const auto quality = parse_quality(*value);
      if (!quality) return std::nullopt;
      range.quality = *quality;
    } else {
      range.parameters.emplace_back(std::move(name), std::move(*value));
    }
  }
  return range;
}

}  // namespace

std::string_view MediaRange::parameter(std::string_view name) const noexcept {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return {};
}

bool MediaRange::matches(std::string_view full_type) const noexcept {
  if (type == "*") return true;
  const std::size_t slash = full_type.find('/');
  if (full_type.substr(0, slash) != type) return false;
  return subtype == "*" || (slash != std::string_view::npos && full_type.substr(slash + 1) == subtype);
}

std::vector<MediaRange> parse_accept(std::string_view value) {
  std::vector<MediaRange> ranges;
  Cursor cursor(value);
  while (!cursor.done() && ranges.size() < kMaxMediaRanges) {
    auto range = parse_range(cursor);
    cursor.skip_space();
    const bool clean = cursor.done() || cursor.take(',');
    if (range && clean) ranges.push_back(std::move(*range));
    if (!clean) cursor.skip_to_next();
  }
  return ranges;
}

std::optional<MediaRange> parse_media_type(std::string_view value) {
  Cursor cursor(value);
  auto range = parse_range(cursor);
  if (!range || !cursor.done() || range->type == "*" || range->subtype == "*") return std::nullopt;
  return range;
}

std::optional<std::size_t> choose(const std::vector<MediaRange>& ranges,
                                  std::initializer_list<std::string_view> offers) {
  if (ranges.empty()) return offers.size() == 0 ? std::nullopt : std::optional<std::size_t>(0);
  std::optional<std::size_t> best;
  int best_quality = 0;
  std::size_t index = 0;
  for (const std::string_view offer : offers) {
    int specificity = -1, quality = 0;
    for (const MediaRange& range : ranges) {
      if (!range.matches(offer)) continue;
      const int specific = range.type == "*" ? 0 : range.subtype == "*" ? 1 : 2;
      if (specific > specificity) {
        specificity = specific;
        quality = range.quality;
      } else if (specific == specificity) {
        quality = std::max(quality, range.quality);
      }
    }
    if (quality > best_quality) {
      best = index;
      best_quality = quality;
    }
    ++index;
  }
  return best;
}

}  // namespace cairn::web
