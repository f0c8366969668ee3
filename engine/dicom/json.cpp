#include "engine/dicom/json.h"

#include <charconv>
#include <vector>

#include "engine/dicom/element_scan.h"
#include "engine/dicom/json_value.h"
#include "engine/dicom/value_context.h"

namespace cairn::dicom {
namespace {

using namespace element_detail;
using namespace json_detail;

struct Step {
  Tag sequence;
  std::size_t item = 0;
};

void append_bulk(std::string& out, std::string_view prefix, const std::vector<Step>& path, Tag tag) {
  out.append(",\"BulkDataURI\":\"");
  append_escaped(out, prefix);
  out.push_back('/');
  for (const Step& step : path) {
    append_tag(out, step.sequence);
    char text[24];
    const auto end = std::to_chars(text, text + sizeof text, step.item).ptr;
    out.append("/").append(text, static_cast<std::size_t>(end - text)).append("/");
  }
  append_tag(out, tag);
  out.push_back('"');
}

bool is_group_length(Tag tag) noexcept {
  return tag.element == 0;
}

void append_data_set(std::string& out, const DataSet& set, std::string_view prefix, std::vector<Step>& path) {
  out.push_back('{');
  bool first = true;
  for (const Element& e : set.elements()) {
    if (is_group_length(e.tag) && e.vr != VR::SQ) continue;
    if (!first) out.push_back(',');
    first = false;
    append_attribute(out, e.tag, e.vr);
    if (e.bulk) {
      if (e.bulk->length != 0) append_bulk(out, prefix, path, e.tag);
    } else if (e.vr == VR::SQ) {
      path.push_back({e.tag, 0});
      for (const DataSet& item : e.items) {
        out.append(path.back().item == 0 ? ",\"Value\":[" : ",");
        append_data_set(out, item, prefix, path);
        ++path.back().item;
      }
      path.pop_back();
      if (!e.items.empty()) out.push_back(']');
    } else {
      append_value(out, e.tag, e.vr, as_bytes(e.value), set.character_set());
    }
    out.push_back('}');
  }
  out.push_back('}');
}

// Writes while the element scan passes an index header.
class JsonSink {
 public:
  static constexpr bool kStreaming = false;
  const Hole* hole = nullptr;
  bool in_order = true;  // as long as tags ascend: otherwise names could repeat, and a data set has to be built

  JsonSink(std::string& out, std::string_view prefix) : out_(out), prefix_(prefix), levels_(1) {}

  bool leaves_out(const ElementHeader&, bool, bool piece_ends) const { return hole != nullptr && piece_ends; }
  Result<> hole_opened(const ElementHeader& h, std::uint64_t position, bool encapsulated, bool, bool piece_ends) {
    if (hole == nullptr || !piece_ends || hole->encapsulated != encapsulated) {
      return fail(Errc::corrupt, "left-out values of a header", position);
    }
    if (begin(h.tag, context_.real_vr(h))) {
      if (hole->length != 0) append_bulk(out_, prefix_, path_, h.tag);
      out_.push_back('}');
    }
    hole = nullptr;
    return outcome::success();
  }
  void hole_closed(std::uint64_t) {}
  void sequence_begins(const ElementHeader& h) {
    begin(h.tag, VR::SQ);
    path_.push_back({h.tag, 0});
  }
  void sequence_ends() {
    if (path_.back().item != 0) out_.push_back(']');
    out_.push_back('}');
    path_.pop_back();
  }
  void item_begins() {
    out_.append(path_.back().item == 0 ? ",\"Value\":[{" : ",{");
    levels_.emplace_back();
    context_.item_begins();
  }
  void item_ends() {
    out_.push_back('}');
    ++path_.back().item;
    levels_.pop_back();
    context_.item_ends();
  }
  void value(const ElementHeader& h, Bytes value, bool big_endian) {
    const VR vr = context_.note(h, value, big_endian);
    if (!begin(h.tag, vr)) return;
    const std::size_t unit = properties(vr).unit;
    if (big_endian && unit > 1) {
      swapped_ = as_text(value);
      swap_units(swapped_, unit);
      value = as_bytes(swapped_);
    }
    append_value(out_, h.tag, vr, value, context_.character_set());
    out_.push_back('}');
  }

 private:
  struct Level {
    bool empty = true;
    bool begun = false;
    Tag last;
  };

  bool begin(Tag tag, VR vr) {
    Level& level = levels_.back();
    if (level.begun && tag <= level.last) in_order = false;
    level.begun = true;
    level.last = tag;
    if (is_group_length(tag) && vr != VR::SQ) return false;
    if (!level.empty) out_.push_back(',');
    level.empty = false;
    append_attribute(out_, tag, vr);
    return true;
  }

  std::string& out_;
  std::string_view prefix_;
  std::vector<Step> path_;
  std::vector<Level> levels_;
  ValueContext context_;
  std::string swapped_;
};

}  // namespace

void append_json(std::string& out, const DataSet& data_set, std::string_view bulk_uri_prefix) {
  std::vector<Step> path;
  append_data_set(out, data_set, bulk_uri_prefix, path);
}

Result<> append_json(std::string& out, const Header& header, std::string_view bulk_uri_prefix) {
  const std::size_t before = out.size();
  out.reserve(before + header.bytes.size() * 2 + 256);
  out.push_back('{');
  JsonSink sink(out, bulk_uri_prefix);
  const Result<> result = scan_header(header, sink);
  if (result && sink.in_order) {
    out.push_back('}');
    return outcome::success();
  }
  out.resize(before);
  if (!result) return result;
  CAIRN_TRY(const DataSet set, DataSet::parse(header));
  append_json(out, set, bulk_uri_prefix);
  return outcome::success();
}

}  // namespace cairn::dicom
