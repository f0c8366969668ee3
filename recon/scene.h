// A volume seen from outside (or inside): volume rendering, and maximum, minimum and average along rays.
//
// The picture is made of planes at right angles to the view, one behind the other, sampled as recon/plane.h samples
// (trilinear, the same bits on every instruction set) in packets of 16 pixels of a row. Packets go from front to back,
// jump over cells where the transfer function shows nothing (recon/cells.h), and end when nothing behind can be seen;
// both leave every byte as it would be without. Orthographic as PS3.18 has it: the camera's distance has no effect.
// In perspective the camera's position is the eye; where all of the volume lies in front of it the picture holds all of
// it, else it is 60 degrees wide.
//
// Stacks whose slices lie within 1 % of a voxel edge of even places (headers are rounded) are taken as even here, which
// planes never do; other uneven stacks are sampled slice by slice as they are, which is slow: nothing is jumped over.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "engine/core/result.h"
#include "recon/cells.h"
#include "recon/cpu/row_kernel.h"
#include "recon/transfer.h"
#include "recon/view.h"

namespace cairn::recon {

enum class Look : std::uint8_t { volume, maximum, minimum, mean };

/// In patient millimetres; only what lies within is seen.
struct Box {
  Vec3 low, high;
};

struct Scene {
  Camera camera;
  Viewport viewport;
  bool perspective = false;
  Look look = Look::volume;
  std::optional<Box> crop;
  TransferFunction transfer;  ///< of Look::volume
};

class SceneRenderer {
 public:
  /// `v` and `cells` outlive it; `cells` may be null: then nothing is jumped over. Errors: as plane_for and
  /// TransferTable::of; malformed (an empty box, a volume behind the eye); limit_exceeded (an eye a kilometre away).
  static Result<SceneRenderer> of(const VolumeView& v, const Scene& scene, const Cells* cells);

  /// The plane through look_at whose pixels the picture's are.
  const Plane& plane() const noexcept { return plane_; }
  double step_mm() const noexcept { return step_mm_; }

  /// Rows from `first_row` on. Precondition: Look::volume; 3 bytes a pixel on black. Thread-safe, as is project().
  void paint(std::uint32_t first_row, std::span<std::uint8_t> rgb) const;
  /// Precondition: another look. NaN where a ray meets nothing.
  void project(std::uint32_t first_row, std::span<float> values) const;

 private:
  SceneRenderer() = default;
  Result<> set_up_planes(const Scene& scene);
  friend class Tracer;

  VolumeView view_;
  Look look_ = Look::volume;
  Plane plane_;
  std::vector<Plane> planes_;  // front to back
  std::vector<IndexPlane> index_;
  double step_mm_ = 1;
  bool perspective_ = false;
  double pixel_tangent_ = 0;  // in perspective: of one pixel
  std::optional<Box> crop_;
  cpu::RowKernel kernel_ = nullptr;
  std::optional<TransferTable> table_;
  bool shaded_ = false;
  Lamp lamp_{};
  double gradient_step_mm_[3] = {};  // along the patient's axes
  const Cells* cells_ = nullptr;
  std::vector<std::uint8_t> distance_;  // Look::volume
  Cells around_;                        // Look::maximum and minimum
};

}  // namespace cairn::recon
