// From the frames of a series to one or more volumes, and an account of every frame.
//
// Frames are grouped by class key, matrix, pixel spacing and orientation, and ordered by their position along the
// normal (row x column direction); never by file order or Instance Number. Frames that share a position are split into
// phases by the phase keys, or, when no key tells them apart, by their order. Nothing is resampled, averaged or
// dropped: a volume that is not regular to kAffineToleranceMm keeps one position per slice. Tolerances above that
// decide only what is reported as odd. Pure; throws only std::bad_alloc.
//
// Primary volume: among the volumes that are no localizer (else all) the one with most slices; ties go to the one with
// most pixels per slice, then to the one whose first frame has the lowest order, then to the first in the input.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "engine/core/result.h"
#include "recon/geometry.h"

namespace cairn::recon {

/// Largest distance between a header's position and the affine that stands for it.
inline constexpr double kAffineToleranceMm = 1e-4;
/// Frames closer than this along the normal are at one position.
inline constexpr double kSamePositionMm = 1e-3;
/// Direction cosines may differ by this much inside one volume; the resulting error in mm is reported.
inline constexpr double kOrientationTolerance = 1e-4;
/// Cosines off unit length or off orthogonality by more than this are refused.
inline constexpr double kCosineTolerance = 1e-3;
inline constexpr std::size_t kMaxSlices = 65'536;

/// Geometry with its tables; hands out VolumeGeometry views that must not outlive it.
struct VolumeLayout {
  VolumeGeometry affine;                                    ///< tables null; use view()
  std::vector<double> depth_mm, column_offset, row_offset;  ///< per_slice only

  VolumeGeometry view() const noexcept;
};

struct AssembledVolume {
  VolumeLayout layout;
  std::vector<std::size_t> frames;  ///< input indices, slice 0 first
  std::string class_key;
  std::string phase;  ///< what told it from its siblings at the same positions; empty if it has none
  bool localizer = false;
  bool uniform_spacing = true;                                           ///< within 0.01 mm or 1 % of the median step
  double median_step_mm = 0, smallest_step_mm = 0, largest_step_mm = 0;  ///< along the normal; 0 for one slice
  double tilt_degrees = 0;     ///< between the line of slice origins and the normal
  double corner_error_mm = 0;  ///< worst distance of a slice corner from where its header puts it
  bool varying_rescale = false;
};

enum class Fate : std::uint8_t {
  used,       ///< in the primary volume
  split_off,  ///< in another volume
  refused,    ///< in none
};

struct FrameAccount {
  Fate fate = Fate::refused;
  std::size_t volume = 0, slice = 0;  ///< meaningless when refused
  std::string reason;                 ///< why not used; empty when used
};

enum class OddityKind : std::uint8_t {
  missing_geometry,
  invalid_geometry,
  mixed_orientation,
  mixed_matrix,
  mixed_spacing,
  mixed_class,
  duplicate_positions,
  phases,
  ambiguous_duplicates,
  gap,
  non_uniform_spacing,
  tilt,
  in_plane_drift,
  orientation_drift,
  localizer,
  single_slice,
  varying_rescale,
  other,
};
const char* to_string(OddityKind kind) noexcept;

struct Oddity {
  OddityKind kind;
  std::string text;  ///< plain language, no patient data
  bool whole_series = true;
  std::size_t volume = 0;  ///< when not whole_series
};

struct AssemblyReport {
  std::vector<FrameAccount> frames;  ///< one for each input frame, same order
  std::vector<Oddity> oddities;
};

struct Assembly {
  std::vector<AssembledVolume> volumes;
  std::size_t primary = 0;  ///< valid when volumes is not empty
  AssemblyReport report;
};

/// Fails only with limit_exceeded (more than kMaxSlices frames). No usable frame is not an error: `volumes` is empty
/// and the report says why.
Result<Assembly> assemble(std::span<const SliceGeometry> frames);

}  // namespace cairn::recon
