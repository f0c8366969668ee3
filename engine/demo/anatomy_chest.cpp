#include <cmath>

#include "engine/demo/anatomy.h"

namespace cairn::demo {
namespace {

// A lung as a loft; the heart, the vessels and the dome of the diaphragm are painted over it.
std::vector<Section> lung(float side) {
  return {{378, side * 90, 40, 40, 56, .2f}, {395, side * 86, 36, 47, 64, .2f},  {430, side * 80, 22, 60, 80, .25f},
          {480, side * 79, 14, 63, 86, .3f}, {530, side * 74, 12, 58, 80, .25f}, {570, side * 62, 14, 48, 64, .1f},
          {600, side * 48, 18, 36, 44, 0},   {622, side * 38, 22, 22, 26, 0},    {632, side * 36, 24, 8, 10, 0}};
}

bool inside(std::span<const Section> sections, Point p, float margin) {
  if (p.z < sections.front().z + margin || p.z > sections.back().z - margin) return false;
  const Section s = section_at(sections, p.z);
  const float u = (p.x - s.x) / std::max(1.0f, s.half_width - margin),
              v = (p.y - s.y) / std::max(1.0f, s.half_depth - margin);
  return u * u + v * v < 1;
}

// A vessel that divides in two until it is thin or reaches the pleura.
void branch(Figure& f, std::span<const Section> within, Point from, Point direction, float radius, int depth,
            Dice& dice) {
  const float reach = radius * dice.between(5, 9) + 6;
  const Point to = from + direction * reach;
  if (!inside(within, to, 3)) return;
  f.rod(20 + 30 * std::min(1.0f, radius / 2), from, to, radius, radius * .85f);
  if (depth == 0 || radius < 0.8f) return;
  for (const float sign : {1.0f, -1.0f}) {
    const Point turn{dice.between(-1, 1), dice.between(-1, 1), dice.between(-1, 1)};
    Point next = direction + turn * (0.75f * (sign > 0 ? .7f : 1.1f)) + Point{sign * .12f, 0, sign * .15f};
    next = next * (1 / std::max(0.2f, length(next)));
    branch(f, within, to, next, radius * (sign > 0 ? .84f : .68f), depth - 1, dice);
  }
}

}  // namespace

void add_chest(Figure& f, std::uint64_t seed) {
  Dice dice(seed ^ 0x6C756E67);
  // Mediastinal fat between the lungs.
  f.loft(hu::kFat, {{380, 0, 10, 66, 70, .2f},
                    {480, 4, 8, 60, 78, .2f},
                    {560, 0, 16, 48, 56, .1f},
                    {620, 0, 18, 36, 36, 0},
                    {640, 0, 12, 26, 26, 0}});
  for (const float side : {-1.0f, 1.0f}) {
    const auto sections = lung(side);
    f.loft(hu::kMuscle, [&] {
      auto wall = sections;
      for (auto& s : wall) s.half_width += 5, s.half_depth += 5;
      return wall;
    }());
    f.loft(hu::kLung, sections);
    const Point hilum{side * 34, 16, 505};
    for (int i = 0; i < 22; ++i) {
      const float a = -1.5f + 3.0f * static_cast<float>(i) / 21;
      Point direction{side * std::cos(a) * dice.between(.6f, 1), dice.between(-.8f, .8f), std::sin(a)};
      direction = direction * (1 / length(direction));
      branch(f, sections, hilum + direction * 8, direction, dice.between(2.4f, 4.0f), 7, dice);
    }
    // The oblique fissure.
    for (float t = 0; t < 1; t += .02f) {
      const Point p{side * 76, 70 - 130 * t, 580 - 165 * t};
      const Section s = section_at(sections, p.z);
      if (inside(sections, {s.x, p.y, p.z}, 4))
        f.rod(-650, {s.x - s.half_width * .75f, p.y, p.z}, {s.x + s.half_width * .75f, p.y, p.z}, .6f);
    }
  }
}

void add_heart(Figure& f) {
  // Apex to the left and down: pericardial fat, muscle, chambers with contrast.
  f.ellipsoid(hu::kFat, {16, -26, 464}, {68, 54, 60}, 28).ellipsoid(hu::kMuscle + 40, {18, -26, 463}, {62, 48, 55}, 28);
  f.ellipsoid(hu::kContrast, {44, -22, 452}, {34, 22, 30}, 28)
      .ellipsoid(hu::kMuscle + 40, {52, -10, 448}, {7, 5, 9})
      .ellipsoid(hu::kContrast - 10, {24, 8, 490}, {28, 18, 20}, 10);
  f.ellipsoid(hu::kVein + 20, {12, -52, 454}, {40, 15, 30}, 24)
      .ellipsoid(hu::kVein + 20, {-28, -26, 474}, {22, 26, 30});
}

void add_airways(Figure& f) {
  // Trachea and main bronchi, with their walls, and the oesophagus behind.
  const std::vector<Point> trachea = {{0, -14, 672}, {0, -2, 640}, {0, 8, 590}, {0, 16, 545}};
  f.tube(hu::kMuscle, trachea, 10.5f, 11)
      .rod(hu::kMuscle, trachea.back(), {-34, 20, 508}, 8.5f)
      .rod(hu::kMuscle, trachea.back(), {36, 20, 506}, 7.5f);
  f.tube(hu::kAir, trachea, 8.5f, 9)
      .rod(hu::kAir, trachea.back(), {-38, 20, 505}, 6.5f, 4.5f)
      .rod(hu::kAir, trachea.back(), {40, 20, 503}, 5.5f, 4);
  const std::vector<Point> oesophagus = {{4, 6, 670}, {4, 22, 600}, {2, 32, 530}, {8, 34, 460}, {22, 18, 405}};
  f.tube(hu::kMuscle, oesophagus, 6, 7);
  f.rod(-700, {3, 30, 545}, {3, 31, 520}, 1.8f);
  // Thyroid.
  for (const float side : {1.0f, -1.0f}) f.ellipsoid(150, {side * 15, -16, 648}, {8, 10, 20});
  f.rod(150, {-12, -22, 642}, {12, -22, 642}, 4);
}

}  // namespace cairn::demo
