// What values look like in a volume-rendered picture: colour and opacity as functions of the value (PS3.3 C.11.24, as
// given by Cairn's presets or the caller), and the table that rays read.
//
// Opacity is per millimetre, so that a picture does not depend on the sampling step: the extinction of a value is
// -ln(1 - opacity) per mm. A table holds running integrals over the value of extinction and of colour times extinction:
// between two samples the value is taken to change linearly, and their difference gives what lies between them
// (pre-integration), so that thin layers are not stepped over and no rings appear.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/core/result.h"
#include "recon/ray_math.h"

namespace cairn::recon {

struct TransferPoint {
  double value = 0;                     ///< after the Modality LUT
  double red = 0, green = 0, blue = 0;  ///< 0 to 1
  double opacity = 0;                   ///< of one millimetre, 0 to below 1
};

/// Linear between points; beyond the ends as at the ends.
struct TransferFunction {
  std::vector<TransferPoint> points;  ///< by ascending value
  bool shaded = true;
};

inline constexpr std::string_view kPresets[] = {"bone", "vessels", "lung", "soft_tissue", "mr", "pet"};

/// bone, vessels, lung and soft_tissue are for Hounsfield units and ignore `low` and `high`; mr and pet span the window
/// from `low` to `high`. Errors: malformed (no such preset).
Result<TransferFunction> transfer_preset(std::string_view name, double low, double high);

class TransferTable {
 public:
  /// Errors: malformed (fewer than two points, values that do not ascend, numbers out of range).
  static Result<TransferTable> of(const TransferFunction& function);

  TransferView view() const noexcept;
  /// True when no value in [low, high] has any opacity.
  bool invisible(float low, float high) const noexcept;

 private:
  TransferTable() = default;

  std::vector<TransferEntry> entries_;
  float low_ = 0, scale_ = 1;
};

}  // namespace cairn::recon
