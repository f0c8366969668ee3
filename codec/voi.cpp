#include "codec/voi.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "engine/core/check.h"

namespace cairn::codec {
namespace {

constexpr double kMax = 255.0;

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

bool parse_number(std::string_view s, double& out) {
  s = trimmed(s);
  if (s.starts_with('+')) s.remove_prefix(1);
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), out);
  return error == std::errc{} && end == s.data() + s.size();
}

bool parse_function(std::string_view s, VOIFunction& out) {
  std::string name(trimmed(s));
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    if (c == '-') return '_';
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  if (name == "LINEAR")
    out = VOIFunction::linear;
  else if (name == "LINEAR_EXACT")
    out = VOIFunction::linear_exact;
  else if (name == "SIGMOID")
    out = VOIFunction::sigmoid;
  else
    return false;
  return true;
}

/// A ramp: below `low` 0, above `high` 255, between them scale * x + shift.
struct Ramp {
  double low, high, scale, shift;
};

Ramp ramp_of(const Window& w) {
  if (w.function == VOIFunction::linear) {
    const double c = w.center - 0.5;
    const double half = (w.width - 1) / 2;
    // A width of 1 leaves nothing between the ends: the ramp is a step.
    const double scale = w.width > 1 ? kMax / (w.width - 1) : 0;
    return {c - half, c + half, scale, 0.5 * kMax - c * scale};
  }
  const double scale = kMax / w.width;
  return {w.center - w.width / 2, w.center + w.width / 2, scale, 0.5 * kMax - w.center * scale};
}

double on_ramp(const Ramp& r, double x) {
  if (!(x > r.low)) return 0;
  if (x > r.high) return kMax;
  return x * r.scale + r.shift;
}

double sigmoid(const Window& w, double x) {
  return kMax / (1 + std::exp(-4 * (x - w.center) / w.width));
}

}  // namespace

Result<Window> parse_window(std::string_view text) {
  const std::size_t first = text.find(',');
  if (first == std::string_view::npos) return fail(Errc::malformed, "window: center,width,function");
  const std::size_t second = text.find(',', first + 1);
  Window window;
  if (!parse_number(text.substr(0, first), window.center)) return fail(Errc::malformed, "window center");
  const std::string_view width = text.substr(first + 1, second == std::string_view::npos ? second : second - first - 1);
  if (!parse_number(width, window.width)) return fail(Errc::malformed, "window width", first + 1);
  if (second != std::string_view::npos && !parse_function(text.substr(second + 1), window.function)) {
    return fail(Errc::malformed, "window function", second + 1);
  }
  CAIRN_TRYV(validate(window));
  return window;
}

Result<> validate(const Window& window) {
  if (!std::isfinite(window.center)) return fail(Errc::malformed, "window center");
  if (!std::isfinite(window.width)) return fail(Errc::malformed, "window width");
  if (window.function == VOIFunction::linear ? window.width < 1 : window.width <= 0) {
    return fail(Errc::malformed, "window width too small");
  }
  return outcome::success();
}

double voi_value(const Window& window, double value) noexcept {
  return window.function == VOIFunction::sigmoid ? sigmoid(window, value) : on_ramp(ramp_of(window), value);
}

void apply_voi(const Window& window, std::span<const float> values, std::span<std::uint8_t> into,
               bool invert) noexcept {
  CAIRN_CHECK(values.size() == into.size());
  const auto store = [invert](double y) {
    const auto v = static_cast<std::uint8_t>(std::clamp(y, 0.0, kMax) + 0.5);
    return static_cast<std::uint8_t>(invert ? 255 - v : v);
  };
  if (window.function == VOIFunction::sigmoid) {
    std::transform(values.begin(), values.end(), into.begin(),
                   [&](float x) { return store(std::isnan(x) ? 0.0 : sigmoid(window, x)); });
    return;
  }
  const Ramp ramp = ramp_of(window);
  std::transform(values.begin(), values.end(), into.begin(), [&](float x) { return store(on_ramp(ramp, x)); });
}

}  // namespace cairn::codec
