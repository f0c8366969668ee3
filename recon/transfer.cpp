#include "recon/transfer.h"

#include <algorithm>
#include <cmath>

namespace cairn::recon {
namespace {

constexpr std::size_t kEntries = 4096;

struct Preset {
  std::string_view name;
  bool shaded;
  bool hounsfield;  ///< else values are shares of the window
  std::vector<TransferPoint> points;
};

const std::vector<Preset>& presets() {
  //                                                     value    red  green  blue  opacity per mm
  static const std::vector<Preset> all = {
      {"bone",
       true,
       true,
       {{140, .55, .32, .22, 0},
        {220, .72, .47, .33, .04},
        {320, .88, .72, .54, .35},
        {600, .96, .89, .77, .75},
        {1500, 1.0, .98, .94, .95}}},
      {"vessels",
       true,
       true,
       {{110, .50, .06, .04, 0},
        {160, .70, .13, .09, .08},
        {240, .86, .25, .17, .40},
        {400, .93, .60, .44, .70},
        {900, 1.0, .95, .86, .92}}},
      {"lung",
       true,
       true,
       {{-960, .30, .42, .62, 0},
        {-900, .40, .52, .70, .006},
        {-780, .62, .68, .80, .016},
        {-600, .86, .72, .64, .030},
        {-420, .80, .50, .42, .012},
        {-300, .80, .50, .42, 0},
        {220, .90, .80, .65, 0},
        {500, .96, .90, .80, .10}}},
      {"soft_tissue",
       true,
       true,
       {{-500, .80, .58, .47, 0},
        {-300, .84, .60, .48, .05},
        {-100, .87, .63, .50, .22},
        {20, .86, .56, .44, .45},
        {90, .80, .38, .30, .60},
        {250, .93, .74, .58, .80},
        {600, .98, .93, .84, .95}}},
      {"mr",
       true,
       false,
       {{.12, .25, .20, .18, 0},
        {.28, .45, .36, .31, .02},
        {.50, .72, .58, .50, .12},
        {.80, .92, .84, .76, .40},
        {1.2, 1.0, .97, .93, .75}}},
      {"pet",
       false,
       false,
       {{.10, .20, .02, .30, 0},
        {.25, .45, .05, .45, .006},
        {.45, .85, .15, .20, .03},
        {.70, 1.0, .60, .10, .10},
        {1.0, 1.0, .95, .70, .30}}},
  };
  return all;
}

TransferPoint at(const std::vector<TransferPoint>& points, double value) {
  if (value <= points.front().value) return points.front();
  if (value >= points.back().value) return points.back();
  const auto after = std::ranges::upper_bound(points, value, {}, &TransferPoint::value);
  const TransferPoint &a = *(after - 1), &b = *after;
  const double f = (value - a.value) / (b.value - a.value);
  const auto mix = [&](double TransferPoint::* m) { return a.*m + (b.*m - a.*m) * f; };
  return {value, mix(&TransferPoint::red), mix(&TransferPoint::green), mix(&TransferPoint::blue),
          mix(&TransferPoint::opacity)};
}

struct Density {
  double extinction, red, green, blue;  // colours times extinction
};

Density density_of(const TransferPoint& p) {
  const double extinction = -std::log1p(-p.opacity);
  return {extinction, p.red * extinction, p.green * extinction, p.blue * extinction};
}

TransferEntry entry_of(const Density& d) {
  return {static_cast<float>(d.extinction), static_cast<float>(d.red), static_cast<float>(d.green),
          static_cast<float>(d.blue)};
}

}  // namespace

Result<TransferFunction> transfer_preset(std::string_view name, double low, double high) {
  const auto found = std::ranges::find(presets(), name, &Preset::name);
  if (found == presets().end()) return fail(Errc::malformed, "preset");
  TransferFunction f{found->points, found->shaded};
  if (found->hounsfield) return f;
  const double width = high > low ? high - low : 1;
  for (TransferPoint& p : f.points) p.value = low + p.value * width;
  return f;
}

Result<TransferTable> TransferTable::of(const TransferFunction& function) {
  const auto& points = function.points;
  if (points.size() < 2) return fail(Errc::malformed, "transfer function: fewer than two points");
  for (std::size_t n = 0; n < points.size(); ++n) {
    const TransferPoint& p = points[n];
    const auto share = [](double x) { return x >= 0 && x <= 1; };  // false for NaN
    if (!std::isfinite(p.value) || std::abs(p.value) > 1e9 || !share(p.red) || !share(p.green) || !share(p.blue) ||
        !share(p.opacity) || p.opacity > 0.9999)
      return fail(Errc::malformed, "transfer function: a number out of range");
    if (n > 0 && !(p.value > points[n - 1].value))
      return fail(Errc::malformed, "transfer function: values must ascend");
  }
  TransferTable t;
  const double low = points.front().value, width = points.back().value - low, step = width / (kEntries - 1);
  t.low_ = static_cast<float>(low);
  t.scale_ = static_cast<float>(1 / step);
  Density sum{0, 0, 0, 0}, before = density_of(points.front());
  const TransferEntry below = entry_of(before);
  t.entries_.reserve(kEntries + 2);
  t.entries_.push_back(entry_of(sum));
  for (std::size_t n = 1; n < kEntries; ++n) {
    const Density here = density_of(at(points, low + step * static_cast<double>(n)));
    sum.extinction += (before.extinction + here.extinction) / 2 * step;
    sum.red += (before.red + here.red) / 2 * step;
    sum.green += (before.green + here.green) / 2 * step;
    sum.blue += (before.blue + here.blue) / 2 * step;
    before = here;
    t.entries_.push_back(entry_of(sum));
  }
  t.entries_.push_back(below);
  t.entries_.push_back(entry_of(before));
  return t;
}

TransferView TransferTable::view() const noexcept {
  return {entries_.data(),       static_cast<std::int32_t>(kEntries), low_, scale_, entries_[kEntries],
          entries_[kEntries + 1]};
}

bool TransferTable::invisible(float low, float high) const noexcept {
  if (!(low <= high)) return true;
  const TransferView t = view();
  // One entry further to both sides: between_values may look half an entry beyond.
  return !(integral_at(t, high + 1 / scale_).extinction > integral_at(t, low - 1 / scale_).extinction);
}

}  // namespace cairn::recon
