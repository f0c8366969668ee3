// What the headers of a series say about its frames: where each lies, how its samples are stored, and how it is meant
// to be windowed. Classic single-frame images, enhanced multi-frame ones (functional groups: PS3.3 C.7.6.16: per frame,
// then shared, then the top level) and RT Dose grids (C.8.8.3). Frames that cannot be part of a volume are refused by
// name: never given a guessed place. Pure: no archive, no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/pixel_format.h"
#include "codec/voi.h"
#include "engine/core/result.h"
#include "engine/dicom/data_set.h"
#include "recon/assemble.h"

namespace cairn::volumes {

/// One instance and how to get at its frames.
struct InstanceInfo {
  std::string sop_instance_uid, transfer_syntax_uid;
  codec::PixelFormat format;
  dicom::BulkValue pixel_data;
  dicom::Element extended_offsets, extended_lengths;  ///< (7FE0,0001) and (7FE0,0002), by value or `bulk`; may be empty
  std::optional<double> padding_low, padding_high;    ///< stored values; both or none
  bool monochrome1 = false;
  std::string frame_of_reference_uid;
  std::string refusal;  ///< why no frame of it can be used; empty otherwise
};

struct FrameInfo {
  std::size_t instance = 0;
  std::uint32_t frame = 0;  ///< from 0
  recon::SliceGeometry geometry;
  std::optional<codec::Window> window;
  std::string refusal;  ///< as of the instance, or of this frame
};

/// The frames of a series and the volumes they make. frames[i].refusal or assembly.report.frames[assembled[i]] says
/// what became of frame i.
struct SeriesPlan {
  static constexpr std::size_t kNotAssembled = ~std::size_t{0};

  std::string modality;
  std::vector<InstanceInfo> instances;
  std::vector<FrameInfo> frames;
  std::vector<std::size_t> assembled;  ///< index in the assembly's input, or kNotAssembled
  std::vector<std::size_t> source;     ///< the inverse: frame of an assembly input
  recon::Assembly assembly;
  std::vector<std::string> notes;  ///< oddities of the series beyond geometry

  const FrameInfo& frame_of(const recon::AssembledVolume& v, std::size_t slice) const {
    return frames[source[v.frames[slice]]];
  }
  /// The volume that holds a frame (from 1; 0: any frame) of an instance; empty when none does.
  std::optional<std::size_t> volume_with(std::string_view sop_instance_uid, std::uint32_t frame) const;
  /// Assembles again from the frames that are not refused. Errors: as recon::assemble.
  Result<> assemble();
};

/// Takes headers one after the other. A series has at most one frame of reference (PS3.3 A.1.2.5); instances of several
/// are split, but where each of them names one of its own (a known slip of de-identification) they are taken as one,
/// and that is reported. Errors: limit_exceeded past recon::kMaxSlices frames.
class SeriesReader {
 public:
  Result<> add(std::string_view sop_instance_uid, std::string_view transfer_syntax_uid, const dicom::DataSet& header);
  Result<SeriesPlan> finish();

 private:
  SeriesPlan plan_;
};

}  // namespace cairn::volumes
