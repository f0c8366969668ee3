#include "engine/dicom/data_set.h"

#include <algorithm>
#include <charconv>

#include "engine/dicom/character_set.h"
#include "engine/dicom/element_scan.h"
#include "engine/dicom/numbers.h"

namespace cairn::dicom {

using namespace element_detail;

// Builds a DataSet from what the element scan passes. Only the last element of each open data set is open itself, so
// that growing vectors never move what the path points to.
class DataSetBuilder {
 public:
  static constexpr bool kStreaming = false;
  const Hole* hole = nullptr;  // of an index header: the next one

  explicit DataSetBuilder(DataSet& root, bool from_header) : from_header_(from_header) { path_.push_back(&root); }

  bool leaves_out(const ElementHeader&, bool, bool piece_ends) const { return hole != nullptr && piece_ends; }
  Result<> hole_opened(const ElementHeader& h, std::uint64_t position, bool encapsulated, bool, bool piece_ends) {
    Element& e = append(h, context_.real_vr(h));
    if (from_header_) {
      if (hole == nullptr || !piece_ends || hole->encapsulated != encapsulated) {
        return fail(Errc::corrupt, "left-out values of a header", position);
      }
      e.bulk = BulkValue{hole->stream_offset, hole->length, encapsulated};
      hole = nullptr;
    } else {
      e.bulk = BulkValue{position, 0, encapsulated};
    }
    return outcome::success();
  }
  void hole_closed(std::uint64_t length) { path_.back()->elements_.back().bulk->length = length; }
  void sequence_begins(const ElementHeader& h) { append(h, VR::SQ); }
  void sequence_ends() {}
  void item_begins() {
    path_.push_back(&path_.back()->elements_.back().items.emplace_back());
    context_.item_begins();
    path_.back()->character_set_ = context_.character_set();
  }
  void item_ends() {
    put_in_order(*path_.back());
    path_.pop_back();
    context_.item_ends();
  }
  void value(const ElementHeader& h, Bytes value, bool big_endian) {
    Element& e = append(h, context_.note(h, value, big_endian));
    e.value = as_text(value);
    if (big_endian) swap_units(e.value, properties(e.vr).unit);
    if (h.tag == tags::SpecificCharacterSet) path_.back()->character_set_ = context_.character_set();
  }
  void ends() { put_in_order(*path_.front()); }

 private:
  Element& append(const ElementHeader& h, VR vr) {
    Element& e = path_.back()->elements_.emplace_back();
    e.tag = h.tag;
    e.vr = vr;
    return e;
  }
  static void put_in_order(DataSet& set) {
    auto& elements = set.elements_;
    const auto not_ascending = [](const Element& x, const Element& y) { return x.tag >= y.tag; };
    if (std::adjacent_find(elements.begin(), elements.end(), not_ascending) == elements.end()) return;
    std::vector<std::uint64_t> order;  // tag, then position as received
    order.reserve(elements.size());
    for (const Element& e : elements) order.push_back(std::uint64_t{e.tag.value()} << 32 | order.size());
    std::sort(order.begin(), order.end());
    std::vector<Element> sorted;
    sorted.reserve(elements.size());
    for (const std::uint64_t key : order) {
      if (!sorted.empty() && sorted.back().tag.value() == key >> 32) continue;
      sorted.push_back(std::move(elements[key & 0xffffffff]));
    }
    elements = std::move(sorted);
  }

  bool from_header_;
  std::vector<DataSet*> path_;
  ValueContext context_;
};

Result<DataSet> DataSet::parse(Bytes bytes, Encoding encoding) {
  DataSet set;
  set.elements_.reserve(std::min<std::size_t>(bytes.size() / 12, 64));  // about what it will have
  DataSetBuilder builder(set, false);
  ElementScan<DataSetBuilder> scan(builder, encoding, 0);
  CAIRN_TRYV(scan.consume(bytes));
  CAIRN_TRYV(scan.finish());
  builder.ends();
  return set;
}

Result<DataSet> DataSet::parse(const Header& header) {
  DataSet set;
  DataSetBuilder builder(set, true);
  CAIRN_TRYV(scan_header(header, builder));
  builder.ends();
  return set;
}

const Element* DataSet::find(Tag tag) const noexcept {
  const auto at =
      std::lower_bound(elements_.begin(), elements_.end(), tag, [](const Element& e, Tag t) { return e.tag < t; });
  return at != elements_.end() && at->tag == tag ? &*at : nullptr;
}

const DataSet* DataSet::item(Tag sequence, std::size_t index) const noexcept {
  const Element* e = find(sequence);
  return e != nullptr && index < e->items.size() ? &e->items[index] : nullptr;
}

namespace {

// Numbers in decimal and tags in hexadecimal, separated by backslashes.
std::string text_of_numbers(const Element& e) {
  std::string out;
  const Bytes value = as_bytes(e.value);
  const std::size_t size = e.vr == VR::AT ? 4 : number_size(e.vr);
  for (std::size_t at = 0; size != 0 && at + size <= value.size(); at += size) {
    if (at != 0) out.push_back('\\');
    if (e.vr == VR::AT) {
      const std::string tag = to_string(load_tag(&value[at], false));  // "(gggg,eeee)"
      out.append(tag, 1, 4).append(tag, 6, 4);
      continue;
    }
    with_number(e.vr, &value[at], [&out](auto number) {
      char text[40];
      const auto end = std::to_chars(text, text + sizeof text, number).ptr;
      out.append(text, static_cast<std::size_t>(end - text));
    });
  }
  return out;
}

// Leading spaces are padding in these (PS3.5 §6.2).
bool leading_spaces_pad(VR vr) noexcept {
  return properties(vr).multiple && vr != VR::UC;
}

std::string text_of(const Element& e, const std::string& character_set) {
  if (e.bulk || e.vr == VR::SQ) return {};
  const VRProperties& p = properties(e.vr);
  if (!p.text && e.vr != VR::UN) return text_of_numbers(e);
  return decode_text(trim_padding(e.value), character_set, e.vr);
}

}  // namespace

std::string DataSet::text(Tag tag) const {
  const Element* e = find(tag);
  if (e == nullptr) return {};
  std::string text = text_of(*e, character_set_);
  if (leading_spaces_pad(e->vr)) text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

std::string DataSet::text(Tag tag, std::size_t index) const {
  const Element* e = find(tag);
  if (e == nullptr) return {};
  std::string text = text_of(*e, character_set_);
  if (properties(e->vr).text && !properties(e->vr).multiple) return index == 0 ? text : std::string();
  const auto value = nth_value(text, index);
  if (!value) return {};
  return std::string(leading_spaces_pad(e->vr) ? trim_both(*value) : trim_padding(*value));
}

std::optional<double> DataSet::number(Tag tag, std::size_t index) const {
  const Element* e = find(tag);
  if (e == nullptr || e->bulk) return std::nullopt;
  if (e->vr == VR::DS || e->vr == VR::IS) {
    const auto text = nth_value(e->value, index);
    return text ? parse_decimal(*text) : std::nullopt;
  }
  const std::size_t size = number_size(e->vr);
  if (size == 0 || index >= e->value.size() / size) return std::nullopt;
  double result = 0;
  with_number(e->vr, &as_bytes(e->value)[index * size], [&result](auto n) { result = static_cast<double>(n); });
  return result;
}

std::vector<double> DataSet::numbers(Tag tag) const {
  std::vector<double> all;
  const Element* e = find(tag);
  if (e == nullptr || e->bulk) return all;
  const std::size_t size = number_size(e->vr);
  if (size != 0) {
    all.reserve(e->value.size() / size);
    for (std::size_t at = 0; at + size <= e->value.size(); at += size) {
      with_number(e->vr, &as_bytes(e->value)[at], [&all](auto n) { all.push_back(static_cast<double>(n)); });
    }
    return all;
  }
  if ((e->vr != VR::DS && e->vr != VR::IS) || trim_padding(e->value).empty()) return all;
  for (std::string_view rest = e->value;;) {
    const std::size_t end = rest.find('\\');
    const std::optional<double> value = parse_decimal(rest.substr(0, end));
    if (!value) return {};
    all.push_back(*value);
    if (end == std::string_view::npos) return all;
    rest.remove_prefix(end + 1);
  }
}

std::optional<std::int64_t> DataSet::integer(Tag tag, std::size_t index) const {
  const Element* e = find(tag);
  if (e == nullptr || e->bulk) return std::nullopt;
  if (e->vr == VR::IS || e->vr == VR::DS) {
    const auto text = nth_value(e->value, index);
    if (!text) return std::nullopt;
    std::string_view digits = trim_both(*text);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc() && end == digits.data() + digits.size()) return value;
  } else if (e->vr == VR::SV || e->vr == VR::UV) {  // beyond a double's 53 bits
    if (index >= e->value.size() / 8) return std::nullopt;
    const auto raw = load_le<std::uint64_t>(&as_bytes(e->value)[index * 8]);
    if (e->vr == VR::UV && raw > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
    return static_cast<std::int64_t>(raw);
  }
  const std::optional<double> value = number(tag, index);
  if (!value || std::floor(*value) != *value || std::fabs(*value) > 9007199254740992.0) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

void DataSet::set(Element element) {
  if (element.tag == tags::SpecificCharacterSet) character_set_ = trim_both(element.value);
  const auto at = std::lower_bound(elements_.begin(), elements_.end(), element.tag,
                                   [](const Element& e, Tag t) { return e.tag < t; });
  if (at != elements_.end() && at->tag == element.tag) {
    *at = std::move(element);
  } else {
    elements_.insert(at, std::move(element));
  }
}

void DataSet::set_text(Tag tag, VR vr, std::string_view utf8) {
  Element e{tag, vr, {}, {}, std::nullopt};
  const std::string_view charset =
      properties(vr).charset ? std::string_view(character_set_) : std::string_view("ISO_IR 192");
  std::optional<std::string> encoded = encode_text(utf8, charset);
  if (!encoded) {
    std::string replaced;
    for (std::size_t at = 0; at < utf8.size();) {
      const std::size_t from = at++;
      while (at < utf8.size() && (static_cast<unsigned char>(utf8[at]) & 0xc0) == 0x80) ++at;
      const std::string_view character = utf8.substr(from, at - from);
      replaced.append(encode_text(character, charset) ? character : std::string_view("?"));
    }
    encoded = encode_text(replaced, charset);
  }
  e.value = encoded ? std::move(*encoded) : std::string();
  if (e.value.size() % 2 != 0) e.value.push_back(vr == VR::UI ? '\0' : ' ');
  set(std::move(e));
}

void DataSet::set_us(Tag tag, std::uint16_t value) {
  Element e{tag, VR::US, std::string(2, '\0'), {}, std::nullopt};
  store_le(reinterpret_cast<std::byte*>(e.value.data()), value);
  set(std::move(e));
}

void DataSet::set_ul(Tag tag, std::uint32_t value) {
  Element e{tag, VR::UL, std::string(4, '\0'), {}, std::nullopt};
  store_le(reinterpret_cast<std::byte*>(e.value.data()), value);
  set(std::move(e));
}

void DataSet::erase(Tag tag) {
  const Element* e = find(tag);
  if (e == nullptr) return;
  if (tag == tags::SpecificCharacterSet) character_set_.clear();
  elements_.erase(elements_.begin() + (e - elements_.data()));
}

}  // namespace cairn::dicom
