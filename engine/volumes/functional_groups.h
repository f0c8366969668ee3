// Looks attributes of one frame up where an enhanced multi-frame object may keep them (PS3.3 C.7.6.16.1.1): the frame's
// own functional groups, then the shared ones, then, where a group sequence is in neither, the top level.
// Borrows the data set. Internal to engine/volumes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/dicom/data_set.h"

namespace cairn::volumes {

class FrameAttributes {
 public:
  /// `frame` from 0.
  FrameAttributes(const dicom::DataSet& data_set, std::uint32_t frame)
      : top_(&data_set),
        own_(data_set.item(dicom::Tag{0x5200, 0x9230}, frame)),
        shared_(data_set.item(dicom::Tag{0x5200, 0x9229})) {}

  bool has_groups() const noexcept { return own_ != nullptr || shared_ != nullptr; }
  const dicom::DataSet& top() const noexcept { return *top_; }

  /// First item of a functional group sequence; nullptr when neither the frame nor the shared groups have it.
  const dicom::DataSet* group(dicom::Tag sequence) const noexcept {
    if (own_ != nullptr) {
      if (const dicom::DataSet* item = own_->item(sequence)) return item;
    }
    return shared_ != nullptr ? shared_->item(sequence) : nullptr;
  }

  /// The data set to read an attribute of `sequence` from: its item, or the top level when there is no such group.
  const dicom::DataSet& in(dicom::Tag sequence) const noexcept {
    const dicom::DataSet* item = group(sequence);
    return item != nullptr ? *item : *top_;
  }

 private:
  const dicom::DataSet* top_;
  const dicom::DataSet* own_;
  const dicom::DataSet* shared_;
};

}  // namespace cairn::volumes
