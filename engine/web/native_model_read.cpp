#include "engine/web/native_model_read.h"

#include <charconv>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/dicom/header_scan.h"
#include "engine/web/error_response.h"

namespace cairn::web {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xc0 | c >> 6));
    out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
  } else {
    if (c >= 0x10000) {
      out.push_back(static_cast<char>(0xf0 | c >> 18));
      out.push_back(static_cast<char>(0x80 | (c >> 12 & 0x3f)));
    } else {
      out.push_back(static_cast<char>(0xe0 | c >> 12));
    }
    out.push_back(static_cast<char>(0x80 | (c >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
  }
}

/// A start or end tag, prefix of its name space removed.
struct Mark {
  std::string_view name;
  std::vector<std::pair<std::string_view, std::string>> attributes;
  bool opens = false, closes = false;  ///< both: an empty element

  std::string_view attribute(std::string_view wanted) const {
    for (const auto& [key, value] : attributes) {
      if (key == wanted) return value;
    }
    return {};
  }
};

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  }

  std::size_t at() const noexcept { return at_; }

  /// The text up to the next mark, entities resolved, comments and instructions left out; then that mark.
  Result<Mark> next(std::string* characters) {
    while (true) {
      const std::size_t open = text_.find('<', at_);
      if (open == std::string_view::npos) return fail(Errc::truncated, "XML", text_.size());
      if (characters != nullptr) {
        CAIRN_TRYV(decode(text_.substr(at_, open - at_), *characters));
      }
      at_ = open;
      if (text_.substr(at_).starts_with("<!--")) {
        CAIRN_TRYV(skip_past("-->"));
      } else if (text_.substr(at_).starts_with("<?")) {
        CAIRN_TRYV(skip_past("?>"));
      } else if (text_.substr(at_).starts_with("<![CDATA[")) {
        const std::size_t begin = at_ + 9;
        CAIRN_TRYV(skip_past("]]>"));
        if (characters != nullptr) characters->append(text_.substr(begin, at_ - 3 - begin));
      } else if (text_.substr(at_).starts_with("<!")) {
        return fail(Errc::unsupported, "document type of the XML", at_);
      } else {
        return mark();
      }
    }
  }

 private:
  Result<> skip_past(std::string_view end) {
    const std::size_t found = text_.find(end, at_);
    if (found == std::string_view::npos) return fail(Errc::truncated, "XML", text_.size());
    at_ = found + end.size();
    return outcome::success();
  }

  void skip_blanks() {
    const std::size_t found = text_.find_first_not_of(kBlanks, at_);
    at_ = found == std::string_view::npos ? text_.size() : found;
  }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string_view name() {
    const std::size_t end = std::min(text_.find_first_of(" \t\r\n/>=<\"'&", at_), text_.size());
    std::string_view found = text_.substr(at_, end - at_);
    at_ = end;
    const std::size_t colon = found.rfind(':');
    return colon == std::string_view::npos ? found : found.substr(colon + 1);
  }

  Result<Mark> mark() {
    Mark out;
    ++at_;
    out.closes = take('/');
    out.opens = !out.closes;
    out.name = name();
    if (out.name.empty()) return fail(Errc::malformed, "tag of the XML", at_);
    while (true) {
      skip_blanks();
      if (take('>')) return out;
      if (out.opens && take('/')) {
        if (!take('>')) return fail(Errc::malformed, "tag of the XML", at_);
        out.closes = true;
        return out;
      }
      if (at_ >= text_.size()) return fail(Errc::truncated, "XML", at_);
      const std::string_view key = name();
      skip_blanks();
      if (key.empty() || !out.opens || !take('=')) return fail(Errc::malformed, "attribute of the XML", at_);
      skip_blanks();
      const char quote = at_ < text_.size() ? text_[at_] : ' ';
      const std::size_t end = quote == '"' || quote == '\'' ? text_.find(quote, at_ + 1) : std::string_view::npos;
      if (end == std::string_view::npos) return fail(Errc::malformed, "attribute of the XML", at_);
      std::string value;
      CAIRN_TRYV(decode(text_.substr(at_ + 1, end - at_ - 1), value));
      at_ = end + 1;
      out.attributes.emplace_back(key, std::move(value));
    }
  }

  Result<> decode(std::string_view raw, std::string& into) {
    static constexpr std::pair<std::string_view, char> kEntities[] = {
        {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    while (true) {
      const std::size_t found = raw.find('&');
      into.append(raw.substr(0, found));
      if (found == std::string_view::npos) return outcome::success();
      const std::size_t end = raw.find(';', found);
      if (end == std::string_view::npos) return fail(Errc::malformed, "entity of the XML", at_);
      std::string_view entity = raw.substr(found + 1, end - found - 1);
      raw.remove_prefix(end + 1);
      if (entity.starts_with('#')) {
        entity.remove_prefix(1);
        const bool hexadecimal = entity.starts_with('x');
        if (hexadecimal) entity.remove_prefix(1);
        std::uint32_t c = 0;
        const auto [last, error] =
            std::from_chars(entity.data(), entity.data() + entity.size(), c, hexadecimal ? 16 : 10);
        if (entity.empty() || error != std::errc{} || last != entity.data() + entity.size() || c == 0 || c > 0x10ffff ||
            (c >= 0xd800 && c < 0xe000)) {
          return fail(Errc::malformed, "character of the XML", at_);
        }
        append_utf8(into, c);
        continue;
      }
      const char* known = nullptr;
      for (const auto& [name, c] : kEntities) {
        if (name == entity) known = &c;
      }
      if (known == nullptr) return fail(Errc::unsupported, "entity of the XML", at_);
      into.push_back(*known);
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

class Reader {
 public:
  explicit Reader(std::string_view xml) : scanner_(xml) {}
  std::string out;

  Result<> document() {
    CAIRN_TRY(const Mark root, scanner_.next(nullptr));
    if (!root.opens || root.name != "NativeDicomModel") return fail(Errc::malformed, "NativeDicomModel");
    return data_set(root, 0);
  }

 private:
  Result<> expect_end(const Mark& mark, std::string_view name) {
    if (mark.opens || mark.name != name) return fail(Errc::malformed, "element of the XML", scanner_.at());
    return outcome::success();
  }

  /// Behind the opening mark of what holds DicomAttributes, up to its end.
  Result<> data_set(const Mark& parent, int depth) {
    if (depth > dicom::kMaxNesting) return fail(Errc::limit_exceeded, "nesting of the XML", scanner_.at());
    out.push_back('{');
    bool any = false;
    while (!parent.closes) {
      CAIRN_TRY(const Mark mark, scanner_.next(nullptr));
      if (!mark.opens) {
        CAIRN_TRYV(expect_end(mark, parent.name));
        break;
      }
      if (mark.name != "DicomAttribute") return fail(Errc::malformed, "DicomAttribute", scanner_.at());
      if (any) out.push_back(',');
      any = true;
      CAIRN_TRYV(attribute(mark, depth));
    }
    out.push_back('}');
    return outcome::success();
  }

  Result<> attribute(const Mark& mark, int depth) {
    append_json_string(out, mark.attribute("tag"));
    out += ":{";
    const std::string_view vr = mark.attribute("vr");
    bool member = !vr.empty();
    if (member) {
      out += "\"vr\":";
      append_json_string(out, vr);
    }
    const auto begin_member = [&](std::string_view name) {
      if (member) out.push_back(',');
      member = true;
      out.append("\"").append(name).append("\":");
    };
    bool in_values = false;
    while (!mark.closes) {
      CAIRN_TRY(const Mark child, scanner_.next(nullptr));
      if (!child.opens) {
        CAIRN_TRYV(expect_end(child, "DicomAttribute"));
        break;
      }
      if (child.name == "BulkData") {
        if (in_values) return fail(Errc::malformed, "BulkData", scanner_.at());
        begin_member("BulkDataURI");
        append_json_string(out, child.attribute("uri"));
        if (!child.closes) {
          CAIRN_TRY(const Mark end, scanner_.next(nullptr));
          CAIRN_TRYV(expect_end(end, child.name));
        }
      } else if (child.name == "InlineBinary") {
        if (in_values) return fail(Errc::malformed, "InlineBinary", scanner_.at());
        begin_member("InlineBinary");
        CAIRN_TRYV(string(child));
      } else if (child.name == "Value" || child.name == "PersonName" || child.name == "Item") {
        if (in_values) {
          out.push_back(',');
        } else {
          begin_member("Value");
          out.push_back('[');
        }
        in_values = true;
        if (child.name == "Value") {
          CAIRN_TRYV(string(child));
        } else if (child.name == "Item") {
          CAIRN_TRYV(data_set(child, depth + 1));
        } else {
          CAIRN_TRYV(person_name(child));
        }
      } else {
        return fail(Errc::malformed, "element of a DicomAttribute", scanner_.at());
      }
    }
    out += in_values ? "]}" : "}";
    return outcome::success();
  }

  Result<std::string> characters(const Mark& mark) {
    std::string text;
    if (mark.closes) return text;
    CAIRN_TRY(const Mark end, scanner_.next(&text));
    CAIRN_TRYV(expect_end(end, mark.name));
    return text;
  }
  Result<> string(const Mark& mark) {
    CAIRN_TRY(const std::string text, characters(mark));
    append_json_string(out, text);
    return outcome::success();
  }

  Result<> person_name(const Mark& mark) {
    out.push_back('{');
    bool any = false;
    while (!mark.closes) {
      CAIRN_TRY(const Mark group, scanner_.next(nullptr));
      if (!group.opens) {
        CAIRN_TRYV(expect_end(group, mark.name));
        break;
      }
      if (any) out.push_back(',');
      any = true;
      append_json_string(out, group.name);
      out.push_back(':');
      CAIRN_TRYV(name_components(group));
    }
    out.push_back('}');
    return outcome::success();
  }

  Result<> name_components(const Mark& group) {
    static constexpr std::string_view kComponents[] = {"FamilyName", "GivenName", "MiddleName", "NamePrefix",
                                                       "NameSuffix"};
    std::string components[std::size(kComponents)];
    std::size_t used = 0;
    while (!group.closes) {
      CAIRN_TRY(const Mark mark, scanner_.next(nullptr));
      if (!mark.opens) {
        CAIRN_TRYV(expect_end(mark, group.name));
        break;
      }
      std::size_t i = 0;
      while (i < std::size(kComponents) && kComponents[i] != mark.name) ++i;
      if (i == std::size(kComponents)) return fail(Errc::malformed, "component of a PersonName", scanner_.at());
      CAIRN_TRY(components[i], characters(mark));
      used = std::max(used, i + 1);
    }
    std::string name;
    for (std::size_t i = 0; i < used; ++i) name.append(i > 0 ? "^" : "").append(components[i]);
    append_json_string(out, name);
    return outcome::success();
  }

  Scanner scanner_;
};

}  // namespace

Result<std::string> dicom_json_of(std::string_view xml) {
  Reader reader(xml);
  CAIRN_TRYV(reader.document());
  return std::move(reader.out);
}

}  // namespace cairn::web
