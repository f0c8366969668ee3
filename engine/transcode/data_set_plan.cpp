#include "engine/transcode/data_set_plan.h"

#include <algorithm>
#include <array>

#include "engine/dicom/tags.h"
#include "engine/dicom/vr.h"

namespace cairn::transcode {
namespace {

namespace tags = dicom::tags;
using dicom::DataSet;
using dicom::Element;
using dicom::VR;

template <std::unsigned_integral T>
void put(std::string& out, T number) {
  std::array<std::byte, sizeof(T)> bytes;
  store_le(bytes.data(), number);
  out.append(as_text(bytes));
}

}  // namespace

bool is_pixel_data(dicom::Tag tag) noexcept {
  return tag == tags::PixelData || tag == tags::FloatPixelData || tag == tags::DoubleFloatPixelData;
}

bool has_bulk(const Element& element) {
  if (element.bulk) return true;
  return std::any_of(element.items.begin(), element.items.end(), [](const DataSet& item) {
    return std::any_of(item.elements().begin(), item.elements().end(), has_bulk);
  });
}

void put_header(std::string& out, dicom::Encoding to, dicom::Tag tag, VR vr, std::uint32_t length) {
  put(out, tag.group);
  put(out, tag.element);
  if (!to.explicit_vr || vr == VR::none) return put(out, length);
  out.push_back(static_cast<char>(static_cast<unsigned>(vr) >> 8));
  out.push_back(static_cast<char>(static_cast<unsigned>(vr) & 0xff));
  if (!dicom::properties(vr).long_length) return put(out, static_cast<std::uint16_t>(length));
  put(out, std::uint16_t{0});
  put(out, length);
}

std::string& DataSetPlan::text() {
  if (steps.empty() || !std::holds_alternative<std::string>(steps.back())) steps.emplace_back(std::string());
  return std::get<std::string>(steps.back());
}

Result<> DataSetPlan::write(const DataSet& set, bool root) {
  DataSet run;  // elements that are written as they are
  const auto flush = [&] {
    text() += run.encode(to_);
    run = {};
  };
  for (const Element& element : set.elements()) {
    if (root && is_pixel_data(element.tag)) {
      flush();
      steps.emplace_back(Pixels{});
    } else if (!has_bulk(element)) {
      run.set(element);
    } else {
      flush();
      CAIRN_TRYV(element.bulk ? copy(element) : sequence(element));
    }
  }
  flush();
  return outcome::success();
}

Result<> DataSetPlan::copy(const Element& element) {
  if (element.bulk->encapsulated) return fail(Errc::unsupported, "an encapsulated value that is no pixel data");
  const std::uint64_t length = element.bulk->length + element.bulk->length % 2;
  if (length > kMaxValueLength) return fail(Errc::limit_exceeded, "length of a value");
  VR vr = dicom::properties(element.vr).known ? element.vr : VR::UN;
  if (length > 0xffff && !dicom::properties(vr).long_length) vr = VR::UN;  // PS3.5 §6.2.2
  put_header(text(), to_, element.tag, vr, static_cast<std::uint32_t>(length));
  const bool spaces = dicom::properties(element.vr).text && element.vr != VR::UI;
  steps.emplace_back(Copy{element.bulk->stream_offset, element.bulk->length,
                          swap_ ? dicom::properties(element.vr).unit : std::size_t{1}, spaces ? ' ' : '\0'});
  return outcome::success();
}

Result<> DataSetPlan::sequence(const Element& element) {
  put_header(text(), to_, element.tag, VR::SQ, kUndefinedLength);
  for (const DataSet& item : element.items) {
    put_header(text(), to_, tags::Item, VR::none, kUndefinedLength);
    CAIRN_TRYV(write(item, false));
    put_header(text(), to_, tags::ItemDelimitationItem, VR::none, 0);
  }
  put_header(text(), to_, tags::SequenceDelimitationItem, VR::none, 0);
  return outcome::success();
}

}  // namespace cairn::transcode
