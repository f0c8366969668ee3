// A data set as the bytes it becomes in another encoding, with gaps: values that have to be copied from where they are
// stored, and the place of the pixel data. So an instance can be written piece by piece. Internal to engine/transcode.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "engine/core/result.h"
#include "engine/dicom/data_set.h"

namespace cairn::transcode {

inline constexpr std::uint32_t kUndefinedLength = 0xffffffff;
inline constexpr std::uint64_t kMaxValueLength = 0xfffffffe;

/// Pixel Data, Float or Double Float Pixel Data.
bool is_pixel_data(dicom::Tag tag) noexcept;

/// True when the element, or one in its items, is left out of the data set.
bool has_bulk(const dicom::Element& element);

/// Appends an element header in a little-endian encoding; VR::none for items and delimiters.
void put_header(std::string& out, dicom::Encoding to, dicom::Tag tag, dicom::VR vr, std::uint32_t length);

class DataSetPlan {
 public:
  /// A value of the stored data set that goes over as it is.
  struct Copy {
    std::uint64_t offset = 0, length = 0;
    std::size_t unit = 1;  ///< bytes to turn round
    char padding = '\0';   ///< behind an odd length
  };
  struct Pixels {};
  using Step = std::variant<std::string, Copy, Pixels>;

  /// `to` is little-endian and not deflated. `swap`: the stored values are big-endian.
  DataSetPlan(dicom::Encoding to, bool swap) : to_(to), swap_(swap) {}

  /// Errors: unsupported (an encapsulated value below the top level), limit_exceeded (a value past 4 GiB).
  Result<> write(const dicom::DataSet& set) { return write(set, true); }

  std::vector<Step> steps;

 private:
  Result<> write(const dicom::DataSet& set, bool root);
  Result<> copy(const dicom::Element& element);
  Result<> sequence(const dicom::Element& element);
  std::string& text();

  dicom::Encoding to_;
  bool swap_;
};

}  // namespace cairn::transcode
