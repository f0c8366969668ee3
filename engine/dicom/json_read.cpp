#include "engine/dicom/json_read.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>

#include <boost/json.hpp>

#include "engine/dicom/dictionary.h"
#include "engine/dicom/header_scan.h"
#include "engine/dicom/tags.h"
#include "engine/dicom/vr.h"

namespace cairn::dicom {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDSChars = 16;  // PS3.5 §6.2
/// Of JSON for each sequence: attribute, array, item; and those around them.
constexpr std::size_t kJSONDepth = 3 * static_cast<std::size_t>(kMaxNesting) + 8;

std::optional<Tag> tag_from(std::string_view text) {
  std::uint32_t value = 0;
  if (text.size() != 8) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + 8, value, 16);
  if (error != std::errc{} || end != text.data() + 8) return std::nullopt;
  return tag_of(value);
}

std::string_view text_of(const json::value& value) {
  const auto* string = value.if_string();
  return string == nullptr ? std::string_view() : std::string_view(*string);
}

Result<std::string> base64(std::string_view text) {
  static constexpr auto kDigits = [] {
    std::array<std::uint8_t, 256> table{};
    table.fill(0xff);
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
      table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return table;
  }();
  std::string out;
  out.reserve(text.size() / 4 * 3 + 3);
  std::uint32_t bits = 0;
  unsigned count = 0;
  std::size_t at = 0;
  for (; at < text.size() && text[at] != '='; ++at) {
    const char c = text[at];
    if (c == '\r' || c == '\n') continue;
    const std::uint8_t digit = kDigits[static_cast<unsigned char>(c)];
    if (digit == 0xff) return fail(Errc::malformed, "InlineBinary");
    bits = bits << 6 | digit;
    if (++count % 4 == 0) {
      for (const unsigned shift : {16u, 8u, 0u}) out.push_back(static_cast<char>(bits >> shift & 0xff));
      bits = 0;
    }
  }
  if (text.find_first_not_of("=\r\n", at) != std::string_view::npos) return fail(Errc::malformed, "InlineBinary");
  switch (count % 4) {
    case 1:
      return fail(Errc::malformed, "InlineBinary");
    case 2:
      out.push_back(static_cast<char>(bits >> 4 & 0xff));
      break;
    case 3:
      out.push_back(static_cast<char>(bits >> 10 & 0xff));
      out.push_back(static_cast<char>(bits >> 2 & 0xff));
      break;
    default:
      break;
  }
  return out;
}

template <class T>
void put(std::string& out, T number) {
  std::array<std::byte, sizeof(T)> bytes;
  store_le(bytes.data(), number);
  out.append(as_text(bytes));
}

class Reader {
 public:
  ReadDataSet out;
  bool beyond_ascii = false;  // in text that Specific Character Set governs

  Result<DataSet> data_set(const json::object& object, int depth) {
    if (depth > kMaxNesting) return fail(Errc::limit_exceeded, "nesting of the JSON");
    std::vector<std::pair<Tag, const json::value*>> attributes;
    attributes.reserve(object.size());
    for (const auto& [key, value] : object) {
      const auto tag = tag_from(key);
      if (!tag) return fail(Errc::malformed, "tag of the JSON");
      if (tag->element == 0 && tag->group != 0x0002) continue;
      const bool meta = tag->group == 0x0002 && depth == 0;
      if ((tag->group < 0x0008 && !meta) || tag->group >= 0xfffe) {
        out.discarded = true;
        continue;
      }
      attributes.emplace_back(*tag, &value);
    }
    // In order of tags, so that setting them moves nothing.
    std::sort(attributes.begin(), attributes.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    DataSet set;
    for (const auto& [tag, value] : attributes) {
      const auto* attribute = value->if_object();
      if (attribute == nullptr) return fail(Errc::malformed, "attribute of the JSON");
      CAIRN_TRY(auto element, element_of(tag, *attribute, depth));
      set.set(std::move(element));
    }
    return set;
  }

 private:
  Result<Element> element_of(Tag tag, const json::object& attribute, int depth) {
    Element element;
    element.tag = tag;
    element.vr = vr_of(tag);
    if (const auto* vr = attribute.if_contains("vr")) {
      const std::string_view text = text_of(*vr);
      if (text.size() != 2) return fail(Errc::malformed, "vr of the JSON");
      element.vr = static_cast<VR>(static_cast<unsigned char>(text[0]) << 8 | static_cast<unsigned char>(text[1]));
      if (!properties(element.vr).known) return fail(Errc::malformed, "vr of the JSON");
    }
    const auto* uri = attribute.if_contains("BulkDataURI");
    const auto* binary = attribute.if_contains("InlineBinary");
    const auto* values = attribute.if_contains("Value");
    if (uri != nullptr) {
      if (!uri->is_string() || element.vr == VR::SQ) return fail(Errc::malformed, "BulkDataURI");
      element.bulk = BulkValue{out.bulk_uris.size(), 0, false};
      out.bulk_uris.emplace_back(text_of(*uri));
    } else if (binary != nullptr) {
      if (!binary->is_string() || element.vr == VR::SQ) return fail(Errc::malformed, "InlineBinary");
      CAIRN_TRY(element.value, base64(text_of(*binary)));
      if (element.value.size() % properties(element.vr).unit != 0) return fail(Errc::malformed, "InlineBinary");
    } else if (values != nullptr && !values->is_null()) {
      const auto* array = values->if_array();
      if (array == nullptr) return fail(Errc::malformed, "Value of the JSON");
      if (element.vr == VR::SQ) {
        CAIRN_TRYV(items(element, *array, depth));
      } else {
        CAIRN_TRYV(scalars(element, *array));
      }
    }
    return element;
  }

  Result<> items(Element& element, const json::array& array, int depth) {
    for (const json::value& value : array) {
      if (value.is_null()) {
        element.items.emplace_back();
        continue;
      }
      const auto* object = value.if_object();
      if (object == nullptr) return fail(Errc::malformed, "item of the JSON");
      CAIRN_TRY(auto item, data_set(*object, depth + 1));
      // Text is UTF-8 throughout: what the root says holds in the items.
      item.erase(tags::SpecificCharacterSet);
      element.items.push_back(std::move(item));
    }
    return outcome::success();
  }

  Result<> scalars(Element& element, const json::array& array) {
    const VRProperties& vp = properties(element.vr);
    if (vp.text) {
      for (std::size_t i = 0; i < array.size(); ++i) {
        if (i > 0) element.value.push_back('\\');
        CAIRN_TRYV(text(element, array[i]));
      }
      if (vp.charset) {
        beyond_ascii = beyond_ascii || std::any_of(element.value.begin(), element.value.end(),
                                                   [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
      }
      return outcome::success();
    }
    for (const json::value& value : array) {
      if (value.is_null() && array.size() == 1) continue;
      CAIRN_TRYV(number(element, value));
    }
    return outcome::success();
  }

  Result<> text(Element& element, const json::value& value) {
    if (value.is_null()) return outcome::success();
    if (const auto* string = value.if_string()) {
      element.value.append(std::string_view(*string));
      return outcome::success();
    }
    if (element.vr == VR::PN) return person_name(element.value, value);
    char digits[40];
    if (value.is_int64() || value.is_uint64()) {
      const auto end = value.is_int64() ? std::to_chars(digits, digits + sizeof digits, value.get_int64()).ptr
                                        : std::to_chars(digits, digits + sizeof digits, value.get_uint64()).ptr;
      return decimal(element, std::string_view(digits, static_cast<std::size_t>(end - digits)),
                     value.to_number<double>());
    }
    if (value.is_double()) {
      const double real = value.get_double();
      if (element.vr == VR::IS) {
        if (real != std::trunc(real) || std::abs(real) > 1e15) return fail(Errc::malformed, "IS of the JSON");
        const auto end = std::to_chars(digits, digits + sizeof digits, static_cast<std::int64_t>(real)).ptr;
        element.value.append(digits, end);
        return outcome::success();
      }
      const auto end = std::to_chars(digits, digits + sizeof digits, real).ptr;
      return decimal(element, std::string_view(digits, static_cast<std::size_t>(end - digits)), real);
    }
    return fail(Errc::malformed, "Value of the JSON");
  }

  Result<> decimal(Element& element, std::string_view digits, double real) {
    if (element.vr != VR::DS || digits.size() <= kMaxDSChars) {
      element.value.append(digits);
      return outcome::success();
    }
    out.coerced = true;
    char rounded[40];
    for (int precision = 16; precision > 0; --precision) {
      const int length = std::snprintf(rounded, sizeof rounded, "%.*g", precision, real);
      if (length > 0 && static_cast<std::size_t>(length) <= kMaxDSChars) {
        element.value.append(rounded, static_cast<std::size_t>(length));
        break;
      }
    }
    return outcome::success();
  }

  static Result<> person_name(std::string& into, const json::value& value) {
    const auto* object = value.if_object();
    if (object == nullptr) return fail(Errc::malformed, "PN of the JSON");
    std::string name;
    std::size_t used = 0;
    for (const std::string_view group : {"Alphabetic", "Ideographic", "Phonetic"}) {
      if (group != "Alphabetic") name.push_back('=');
      const auto* found = object->if_contains(group);
      if (found == nullptr || found->is_null()) continue;
      if (!found->is_string()) return fail(Errc::malformed, "PN of the JSON");
      name.append(text_of(*found));
      used = name.size();
    }
    into.append(name, 0, used);
    return outcome::success();
  }

  Result<> number(Element& element, const json::value& value) {
    std::string& to = element.value;
    switch (element.vr) {
      case VR::AT: {
        const auto tag = tag_from(text_of(value));
        if (!tag) return fail(Errc::malformed, "AT of the JSON");
        put(to, tag->group);
        put(to, tag->element);
        return outcome::success();
      }
      case VR::US:
        return integer<std::uint16_t>(to, value);
      case VR::SS:
        return integer<std::int16_t>(to, value);
      case VR::UL:
        return integer<std::uint32_t>(to, value);
      case VR::SL:
        return integer<std::int32_t>(to, value);
      case VR::UV:
        return integer<std::uint64_t>(to, value);
      case VR::SV:
        return integer<std::int64_t>(to, value);
      case VR::FL:
      case VR::FD: {
        CAIRN_TRY(const double real, real_of(value));
        if (element.vr == VR::FD) {
          put(to, std::bit_cast<std::uint64_t>(real));
        } else {
          put(to, std::bit_cast<std::uint32_t>(static_cast<float>(real)));
        }
        return outcome::success();
      }
      default:
        return fail(Errc::malformed, "Value of a binary VR in the JSON");
    }
  }

  template <class T>
  static Result<> integer(std::string& to, const json::value& value) {
    json::value number = value;
    if (const auto* string = value.if_string()) {
      T parsed{};
      const auto [end, error] = std::from_chars(string->data(), string->data() + string->size(), parsed);
      if (string->empty() || error != std::errc{} || end != string->data() + string->size()) {
        return fail(Errc::malformed, "integer of the JSON");
      }
      number = parsed;
    }
    boost::system::error_code error;
    const T exact = number.is_number() ? number.to_number<T>(error) : T{};
    if (error || !number.is_number()) return fail(Errc::malformed, "integer of the JSON");
    put(to, static_cast<std::make_unsigned_t<T>>(exact));
    return outcome::success();
  }

  static Result<double> real_of(const json::value& value) {
    if (value.is_number()) return value.to_number<double>();
    const std::string_view text = text_of(value);
    if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
    if (text == "Infinity" || text == "inf") return std::numeric_limits<double>::infinity();
    if (text == "-Infinity" || text == "-inf") return -std::numeric_limits<double>::infinity();
    double parsed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
      return fail(Errc::malformed, "number of the JSON");
    }
    return parsed;
  }
};

}  // namespace

Result<std::vector<std::string_view>> json_objects(std::string_view text, std::size_t most) {
  constexpr std::string_view kBlanks = " \t\r\n";
  std::vector<std::string_view> objects;
  std::size_t at = text.find_first_not_of(kBlanks);
  if (at == std::string_view::npos) return fail(Errc::malformed, "no JSON");
  const bool array = text[at] == '[';
  if (array) ++at;
  bool comma = true;  // one object may come
  while (true) {
    at = text.find_first_not_of(kBlanks, at);
    if (at == std::string_view::npos) {
      if (array || objects.empty()) return fail(Errc::truncated, "JSON", text.size());
      return objects;
    }
    const char c = text[at];
    if (array && c == ']' && (!comma || objects.empty())) {
      if (text.find_first_not_of(kBlanks, at + 1) != std::string_view::npos) return fail(Errc::malformed, "JSON", at);
      return objects;
    }
    if (array && c == ',' && !comma) {
      comma = true;
      ++at;
      continue;
    }
    if (c != '{' || !comma) return fail(Errc::malformed, "JSON", at);
    if (objects.size() == most) return fail(Errc::limit_exceeded, "data sets of the metadata");
    const std::size_t begin = at;
    std::size_t depth = 0;
    do {
      at = text.find_first_of("{}\"", at);
      if (at == std::string_view::npos) return fail(Errc::truncated, "JSON", text.size());
      if (text[at] == '"') {
        ++at;
        while (true) {
          at = text.find_first_of("\"\\", at);
          if (at == std::string_view::npos) return fail(Errc::truncated, "JSON", text.size());
          if (text[at] == '"') break;
          at += 2;  // an escape
        }
      } else {
        depth += text[at] == '{' ? 1 : std::size_t{0} - 1;
      }
      ++at;
    } while (depth != 0);
    objects.push_back(text.substr(begin, at - begin));
    comma = false;
  }
}

Result<ReadDataSet> read_json(std::string_view object) {
  if (object.size() > kMaxJSONBytes) return fail(Errc::limit_exceeded, "JSON of a data set", object.size());
  // In an arena, which goes at once.
  json::error_code error;
  json::parse_options options;
  options.max_depth = kJSONDepth;
  json::stream_parser parser(json::make_shared_resource<json::monotonic_resource>(), options);
  const std::size_t used = parser.write_some(object.data(), object.size(), error);
  if (error) return fail(error == json::error::too_deep ? Errc::limit_exceeded : Errc::malformed, "JSON", used);
  parser.finish(error);
  if (error || used != object.size()) return fail(Errc::malformed, "JSON", used);
  const json::value parsed = parser.release();
  if (!parsed.is_object()) return fail(Errc::malformed, "data set of the JSON");
  Reader reader;
  CAIRN_TRY(reader.out.data_set, reader.data_set(parsed.get_object(), 0));
  ReadDataSet& out = reader.out;
  const bool stated = !out.data_set.text(tags::SpecificCharacterSet).empty();
  if (reader.beyond_ascii || stated) {
    out.data_set.set_character_set("ISO_IR 192");
    Element element;
    element.tag = tags::SpecificCharacterSet;
    element.vr = VR::CS;
    element.value = "ISO_IR 192";
    out.data_set.set(std::move(element));
  }
  return std::move(out);
}

}  // namespace cairn::dicom
