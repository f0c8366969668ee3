// DataSet::encode: explicit or implicit VR, either byte order, defined lengths (PS3.5 §7.1, §7.5).
#include <array>

#include "engine/dicom/data_set.h"
#include "engine/dicom/element_header.h"
#include "engine/dicom/value_context.h"

namespace cairn::dicom {
namespace {

using namespace element_detail;

class Writer {
 public:
  Writer(std::string& out, Encoding encoding) : out_(out), encoding_(encoding) {}

  void data_set(const DataSet& set) {
    for (const Element& e : set.elements()) {
      if (e.bulk) continue;
      if (e.vr == VR::SQ) {
        sequence(e);
      } else {
        value(e);
      }
    }
  }

 private:
  template <std::unsigned_integral T>
  void put(T number) {
    std::array<std::byte, sizeof(T)> b;
    encoding_.big_endian ? store_be(b.data(), number) : store_le(b.data(), number);
    out_.append(as_text(b));
  }
  void put_tag(Tag tag) {
    put(tag.group);
    put(tag.element);
  }
  void put_header(Tag tag, VR vr, std::uint32_t length) {
    put_tag(tag);
    if (!encoding_.explicit_vr) return put(length);
    out_.push_back(static_cast<char>(static_cast<unsigned>(vr) >> 8));
    out_.push_back(static_cast<char>(static_cast<unsigned>(vr) & 0xff));
    if (!properties(vr).long_length) return put(static_cast<std::uint16_t>(length));
    put(std::uint16_t{0});
    put(length);
  }
  // Writes the length of what has been written since, into the four bytes before `from`; true when it can be told.
  bool patch_length(std::size_t from) {
    const std::size_t length = out_.size() - from;
    if (length >= kUndefinedLength) return false;
    std::array<std::byte, 4> b;
    const auto number = static_cast<std::uint32_t>(length);
    encoding_.big_endian ? store_be(b.data(), number) : store_le(b.data(), number);
    out_.replace(from - 4, 4, as_text(b));
    return true;
  }

  void sequence(const Element& e) {
    put_header(e.tag, VR::SQ, kUndefinedLength);
    const std::size_t from = out_.size();
    for (const DataSet& item : e.items) {
      put_tag(tags::Item);
      put(kUndefinedLength);
      const std::size_t item_from = out_.size();
      data_set(item);
      if (!patch_length(item_from)) {  // past 4 GiB the undefined length stands
        put_tag(tags::ItemDelimitationItem);
        put(std::uint32_t{0});
      }
    }
    if (!patch_length(from)) {
      put_tag(tags::SequenceDelimitationItem);
      put(std::uint32_t{0});
    }
  }

  void value(const Element& e) {
    const bool odd = e.value.size() % 2 != 0;
    const std::size_t length = e.value.size() + (odd ? 1 : 0);
    if (length >= kUndefinedLength) return;  // no length field can say it
    VR vr = properties(e.vr).known ? e.vr : VR::UN;
    if (encoding_.explicit_vr && length > 0xffff && !properties(vr).long_length) vr = VR::UN;  // PS3.5 §6.2.2
    put_header(e.tag, vr, static_cast<std::uint32_t>(length));
    if (encoding_.big_endian && properties(vr).unit > 1) {
      std::string swapped = e.value;
      swap_units(swapped, properties(vr).unit);
      out_.append(swapped);
    } else {
      out_.append(e.value);
    }
    if (odd) out_.push_back(properties(e.vr).text && e.vr != VR::UI ? ' ' : '\0');
  }

  std::string& out_;
  Encoding encoding_;
};

}  // namespace

std::string DataSet::encode(Encoding encoding) const {
  std::string out;
  Writer(out, encoding).data_set(*this);
  return out;
}

}  // namespace cairn::dicom
