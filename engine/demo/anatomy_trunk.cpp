#include <cmath>

#include "engine/demo/anatomy.h"

namespace cairn::demo {
namespace {

// The skin of the trunk.
const std::vector<Section> kSkin = {
    {26, 0, 8, 30, 40, .2f},    {44, 0, 6, 120, 74, .3f},    {80, 0, 8, 180, 104, .3f},   {140, 0, 8, 186, 112, .3f},
    {210, 0, 4, 172, 108, .3f}, {275, 0, 0, 152, 100, .3f},  {340, 0, 0, 158, 106, .35f}, {430, 0, 2, 172, 114, .35f},
    {520, 0, 6, 186, 112, .4f}, {575, 0, 10, 200, 96, .45f}, {612, 0, 12, 200, 76, .4f},  {632, 0, 13, 172, 62, .25f},
    {648, 0, 13, 116, 56, .1f}, {664, 0, 13, 70, 54, 0},     {690, 0, 10, 59, 55, 0},     {725, 0, 10, 56, 56, 0},
    {765, 0, 14, 50, 60, 0}};

std::vector<Section> inset(const std::vector<Section>& sections, float side, float front_and_back, float low,
                           float high) {
  std::vector<Section> out;
  for (Section s : sections) {
    if (s.z < low || s.z > high) continue;
    s.half_width -= side;
    s.half_depth -= front_and_back;
    out.push_back(s);
  }
  return out;
}

void add_thigh(Figure& f, float side) {
  const std::vector<Section> thigh = {
      {-30, side * 88, 8, 76, 80, .1f}, {40, side * 90, 6, 80, 88, .1f}, {100, side * 92, 8, 84, 92, .1f}};
  f.loft(hu::kSkin, thigh);
  std::vector<Section> fat = thigh, muscle = thigh;
  for (auto& s : fat) s.half_width -= 2, s.half_depth -= 2;
  for (auto& s : muscle) s.half_width -= 14, s.half_depth -= 14;
  f.loft(hu::kFat, fat).loft(hu::kMuscle, muscle);
  // Planes of fat between the groups of muscles.
  for (int i = 0; i < 5; ++i) {
    const float a = 0.4f + 1.25f * static_cast<float>(i);
    const Point middle{side * 90 + 44 * std::cos(a), 6 + 46 * std::sin(a), 10};
    f.ellipsoid(hu::kFat, middle, {24, 1.6f, 90}, a * 57.3f);
  }
}

}  // namespace

Point spine_at(float z) {
  static const std::vector<Section> kSpine = {{60, 0, 92, 1, 1},  {110, 0, 84, 1, 1}, {170, 0, 66, 1, 1},
                                              {230, 0, 46, 1, 1}, {300, 0, 40, 1, 1}, {370, 0, 46, 1, 1},
                                              {460, 0, 55, 1, 1}, {540, 0, 52, 1, 1}, {610, 0, 38, 1, 1},
                                              {660, 0, 24, 1, 1}, {725, 0, 20, 1, 1}};
  return {0, section_at(kSpine, z).y, z};
}

void add_couch_and_letters(Figure& f) {
  // A curved couch of carbon fibre over foam.
  for (float x = -205; x < 205; x += 5) {
    const auto y = [](float at) { return 150 - at * at / 1400; };
    f.rod(-550, {x, y(x), -40}, {x, y(x), 940}, 3.2f);
  }
  f.rod(-930, {-150, 128, -40}, {-150, 128, 940}, 3).rod(-930, {150, 128, -40}, {150, 128, 940}, 3);
  constexpr Point kLeft{1, 0, 0}, kBack{0, 1, 0}, kFront{0, -1, 0}, kHead{0, 0, 1};
  // Read in transverse slices, in coronal ones, in sagittal ones.
  f.letter(140, 'R', {-226, -205, 450}, kLeft, kFront, 30, 1000)
      .letter(140, 'L', {226, -205, 450}, kLeft, kFront, 30, 1000);
  f.letter(200, 'R', {-190, 10, 780}, kLeft, kHead, 38, 120).letter(200, 'L', {190, 10, 780}, kLeft, kHead, 38, 120);
  f.letter(200, 'H', {-190, 10, 855}, kLeft, kHead, 38, 120).letter(200, 'F', {-205, 10, 36}, kLeft, kHead, 38, 120);
  f.letter(200, 'H', {0, -200, 855}, kBack, kHead, 38, 120).letter(200, 'F', {0, -200, 36}, kBack, kHead, 38, 120);
}

void add_trunk(Figure& f) {
  add_thigh(f, 1);
  add_thigh(f, -1);
  f.loft(hu::kSkin, kSkin);
  f.loft(hu::kFat, inset(kSkin, 2, 2, 0, 900));
  f.loft(hu::kMuscle, inset(kSkin, 15, 13, 30, 740));
  // Muscles of the back stand out from the fat around them.
  for (const float side : {1.0f, -1.0f}) {
    f.loft(hu::kFat, {{210, side * 34, 88, 34, 14},
                      {330, side * 34, 88, 32, 15},
                      {480, side * 30, 98, 30, 13},
                      {600, side * 24, 78, 24, 12}});
    f.loft(hu::kMuscle + 4, {{200, side * 33, 86, 30, 14},
                             {330, side * 33, 86, 29, 15},
                             {480, side * 29, 96, 27, 12},
                             {600, side * 22, 76, 22, 11}});
    // Gluteal muscles, with a plane of fat in front.
    f.ellipsoid(hu::kFat, {side * 88, 66, 120}, {72, 30, 70}, side * -20);
    f.ellipsoid(hu::kMuscle, {side * 88, 70, 118}, {68, 28, 68}, side * -20);
    f.rod(hu::kFat, {side * 30, 96, 60}, {side * 140, 48, 130}, 2);
    // Shoulder: deltoid and its fat.
    f.ellipsoid(hu::kFat, {side * 168, 12, 592}, {34, 44, 40}, 0, 0)
        .ellipsoid(hu::kMuscle, {side * 168, 12, 592}, {30, 40, 36});
  }
}

}  // namespace cairn::demo
