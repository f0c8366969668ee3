// VOI windowing (PS3.3 §C.11.2.1.2 LINEAR and LINEAR_EXACT, §C.11.2.1.3 SIGMOID): values after the modality transform
// to 8-bit presentation values. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/core/result.h"

namespace cairn::codec {

enum class VOIFunction : std::uint8_t { linear, linear_exact, sigmoid };

struct Window {
  double center = 0;
  double width = 1;
  VOIFunction function = VOIFunction::linear;
};

/// "center,width,function" as in the `window` parameter of PS3.18 §8.3.5.1.4; the function is LINEAR, LINEAR_EXACT or
/// SIGMOID in any case, with '-' or '_', and may be left out. Errors: malformed.
Result<Window> parse_window(std::string_view text);

/// Finite numbers and a width that the function allows: at least 1 for LINEAR, above 0 for the others. Errors:
/// malformed.
Result<> validate(const Window& window);

/// The output for `value`, from 0 to 255 before rounding. Precondition: a valid window.
double voi_value(const Window& window, double value) noexcept;

/// Windows each value to 0..255, rounded to nearest; `invert` for MONOCHROME1 (0 is then white). NaN becomes the lowest
/// value of the window. Precondition: a valid window, `into` as long as `values`.
void apply_voi(const Window& window, std::span<const float> values, std::span<std::uint8_t> into,
               bool invert = false) noexcept;

}  // namespace cairn::codec
