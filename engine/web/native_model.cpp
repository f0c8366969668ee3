#include "engine/web/native_model.h"

#include <charconv>

#include <boost/json.hpp>

#include "engine/dicom/dictionary.h"
#include "engine/dicom/header_scan.h"

namespace cairn::web {
namespace {

namespace json = boost::json;

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\r') {
      out += "&#13;";  // a parser would turn it into a line feed
    } else if (byte < 0x20 && c != '\n' && c != '\t') {
      out += "\xEF\xBF\xBD";
    } else {
      out += c;
    }
  }
}

void append_scalar(std::string& out, const json::value& value) {
  char text[40];
  if (const auto* string = value.if_string()) {
    append_escaped(out, *string);
  } else if (value.is_int64()) {
    out.append(text, std::to_chars(text, text + sizeof text, value.get_int64()).ptr);
  } else if (value.is_uint64()) {
    out.append(text, std::to_chars(text, text + sizeof text, value.get_uint64()).ptr);
  } else if (value.is_double()) {
    out.append(text, std::to_chars(text, text + sizeof text, value.get_double()).ptr);
  }
}

std::string numbered(std::string_view name, std::size_t index) {
  return '<' + std::string(name) + " number=\"" + std::to_string(index + 1) + "\">";
}

void append_person_name(std::string& out, const json::object& name, std::size_t index) {
  static constexpr std::string_view kComponents[] = {"FamilyName", "GivenName", "MiddleName", "NamePrefix",
                                                     "NameSuffix"};
  out += numbered("PersonName", index);
  for (const std::string_view group : {"Alphabetic", "Ideographic", "Phonetic"}) {
    const auto* found = name.if_contains(group);
    const auto* text = found != nullptr ? found->if_string() : nullptr;
    if (text == nullptr) continue;
    out.append("<").append(group).append(">");
    std::string_view rest = *text;
    for (const std::string_view component : kComponents) {
      const std::size_t end = component == "NameSuffix" ? std::string_view::npos : rest.find('^');
      const std::string_view value = rest.substr(0, end);
      if (!value.empty()) {
        out.append("<").append(component).append(">");
        append_escaped(out, value);
        out.append("</").append(component).append(">");
      }
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
    out.append("</").append(group).append(">");
  }
  out += "</PersonName>";
}

Result<> append_data_set(std::string& out, const json::object& data_set, int depth);

Result<> append_values(std::string& out, const json::array& values, int depth) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const json::value& value = values[i];
    const auto* object = value.if_object();
    if (object == nullptr) {
      out += numbered("Value", i);
      append_scalar(out, value);
      out += "</Value>";
    } else if (object->contains("Alphabetic") || object->contains("Ideographic") || object->contains("Phonetic")) {
      append_person_name(out, *object, i);
    } else {
      out += numbered("Item", i);
      CAIRN_TRYV(append_data_set(out, *object, depth + 1));
      out += "</Item>";
    }
  }
  return outcome::success();
}

Result<> append_data_set(std::string& out, const json::object& data_set, int depth) {
  if (depth > dicom::kMaxNesting) return fail(Errc::limit_exceeded, "nesting");
  std::string creators[256];  // private creators by block (PS3.5 §7.8.1), of one group at a time
  std::uint16_t creators_of = 0;
  for (const auto& [key, value] : data_set) {
    const auto* attribute = value.if_object();
    std::uint32_t number = 0;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), number, 16);
    if (attribute == nullptr || key.size() != 8 || parsed.ptr != key.data() + 8)
      return fail(Errc::malformed, "DICOM JSON");
    const dicom::Tag tag = dicom::tag_of(number);
    const auto* vr = attribute->if_contains("vr");
    const auto* values = attribute->if_contains("Value");
    const bool is_private = tag.is_private();
    if (is_private && tag.group != creators_of) {
      for (std::string& creator : creators) creator.clear();
      creators_of = tag.group;
    }
    out.append("<DicomAttribute tag=\"").append(key.data(), key.size()).append("\" vr=\"");
    out.append(vr != nullptr && vr->is_string() ? std::string_view(vr->get_string()) : std::string_view("UN"))
        .append("\"");
    if (const auto keyword = dicom::keyword_of(tag); !keyword.empty()) {
      out.append(" keyword=\"").append(keyword).append("\"");
    }
    if (is_private && tag.element >= 0x1000 && !creators[tag.element >> 8].empty()) {
      out += " privateCreator=\"";
      append_escaped(out, creators[tag.element >> 8]);
      out += '"';
    }
    out += '>';
    if (const auto* uri = attribute->if_contains("BulkDataURI"); uri != nullptr && uri->is_string()) {
      out += "<BulkData uri=\"";
      append_escaped(out, uri->get_string());
      out += "\"/>";
    } else if (const auto* binary = attribute->if_contains("InlineBinary"); binary != nullptr && binary->is_string()) {
      out += "<InlineBinary>";
      append_escaped(out, binary->get_string());
      out += "</InlineBinary>";
    } else if (values != nullptr && values->is_array()) {
      const json::array& array = values->get_array();
      if (is_private && tag.element >= 0x10 && tag.element < 0x100 && !array.empty() && array[0].is_string()) {
        creators[tag.element] = std::string_view(array[0].get_string());
      }
      CAIRN_TRYV(append_values(out, array, depth));
    }
    out += "</DicomAttribute>\n";
  }
  return outcome::success();
}

}  // namespace

Result<std::string> native_model_of(std::string_view dicom_json) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = 4 * static_cast<std::size_t>(dicom::kMaxNesting) + 8;
  const json::value parsed = json::parse(dicom_json, error, {}, options);
  if (error || !parsed.is_object()) return fail(Errc::malformed, "DICOM JSON");
  std::string out =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<NativeDicomModel xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\" xml:space=\"preserve\">\n";
  CAIRN_TRYV(append_data_set(out, parsed.get_object(), 0));
  out += "</NativeDicomModel>\n";
  return out;
}

}  // namespace cairn::web
