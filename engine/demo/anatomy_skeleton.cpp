#include <algorithm>
#include <cmath>

#include "engine/demo/anatomy.h"

namespace cairn::demo {
namespace {

// A long bone or a chain of them: cortex around marrow.
void bone(Figure& f, std::span<const Point> path, float radius_first, float radius_last, float cortex = 2,
          float inside = hu::kCancellous) {
  f.tube(hu::kCortical, path, radius_first, radius_last);
  f.tube(inside, path, std::max(.6f, radius_first - cortex), std::max(.6f, radius_last - cortex));
}

struct VertebraSize {
  float height, half_width, half_depth, canal, spinous, transverse;
};

void vertebra(Figure& f, float z, VertebraSize v) {
  const Point c = spine_at(z);
  const float above = spine_at(z + v.height / 2).y - c.y;
  f.drum(hu::kDisc, {0, c.y + above, z + v.height / 2}, {v.half_width - 1, v.half_depth - 1, v.height * .22f});
  const Point canal{0, c.y + v.half_depth + v.canal * .9f, z};
  // Arch around the canal, then the processes.
  f.drum(hu::kCortical - 250, canal, {v.canal + 4.5f, v.canal + 4, v.height * .34f});
  const Point spinous[] = {canal + Point{0, v.canal + 1, 0}, canal + Point{0, v.canal + v.spinous, -v.height * .55f}};
  bone(f, spinous, 3.6f, 4, 1.4f);
  for (const float side : {1.0f, -1.0f}) {
    const Point process[] = {canal + Point{side * v.canal, -2, 0},
                             canal + Point{side * (v.canal + v.transverse), 4, 1}};
    bone(f, process, 3.8f, 3.2f, 1.4f);
    f.ellipsoid(hu::kCortical - 200, canal + Point{side * (v.canal + 3), 2, v.height * .45f},
                {4.5f, 4.5f, v.height * .25f});  // facet joint
  }
  f.drum(hu::kCortical - 150, c, {v.half_width, v.half_depth, v.height * .39f})
      .drum(hu::kCancellous - 40, c, {v.half_width - 2, v.half_depth - 2, v.height * .39f - 1.8f});
  f.ellipsoid(hu::kFat + 20, canal, {v.canal, v.canal * .9f, v.height * .7f});
}

void spine(Figure& f) {
  float z = 219;
  for (int i = 0; i < 5; ++i, z += 32)
    vertebra(f, z, {32, 25.0f - static_cast<float>(i) * .8f, 18.0f - static_cast<float>(i) * .4f, 10, 24, 24});
  z = 219 + 4 * 32 + 27;
  for (int i = 0; i < 12; ++i, z += 21) {
    const float k = static_cast<float>(i);
    vertebra(f, z, {21, 20 - k * .55f, 16.5f - k * .5f, 9, 22, 19});
  }
  z = 219 + 4 * 32 + 27 + 11 * 21 + 18;
  for (int i = 0; i < 7; ++i, z += 15) vertebra(f, z, {15, 13, 9.5f, 9, i == 0 ? 22.0f : 12.0f, 12});
  // The sac and the cord in it, down to the first lumbar vertebra.
  std::vector<Point> sac, cord;
  for (float h = 190; h <= 730; h += 30) {
    const float depth = h < 380 ? 17.0f : h < 620 ? 14.0f : 9.5f;
    const Point p = spine_at(h) + Point{0, depth + 9, 0};
    sac.push_back(p);
    if (h > 340) cord.push_back(p);
  }
  f.tube(hu::kCSF + 8, sac, 6.5f, 7.5f).tube(hu::kBrainGrey, cord, 3.5f, 5);
}

// Depth of the sternum at height `z`.
float sternum_y(float z) {
  return z > 560 ? -56 - (600 - z) * .4f : -72 - (560 - z) * .15f;
}

// Rib `n` of 12, from the spine around the chest and forward, sloping down.
void rib(Figure& f, int n, float side) {
  const float k = static_cast<float>(n);
  const float z0 = 614 - k * 21;
  const Point back = spine_at(z0);
  const float width = n == 0   ? 62.0f
                      : n == 1 ? 92.0f
                               : std::min(148.0f, 104 + k * 8.0f),
              depth = n == 0   ? 40.0f
                      : n == 1 ? 62.0f
                               : std::min(100.0f, 72 + k * 6.0f);
  const float middle = 12 + (n < 3 ? 6.0f : 0.0f);
  const float end = n < 10 ? 2.55f : n == 10 ? 1.7f : 1.3f, drop = n < 2 ? 34.0f : 44 + k * 4;
  std::vector<Point> path, cartilage;
  for (int i = 0; i <= 14; ++i) {
    const float a = 0.28f + (end - 0.28f) * static_cast<float>(i) / 14;
    Point p{side * width * std::sin(a), middle + depth * std::cos(a), z0 + 4 - drop * (a - .28f) / 2.3f};
    if (i == 0) p = {side * 22, back.y + 18, z0 + 3};
    path.push_back(p);
  }
  f.tube(hu::kCortical - 150, path, 5.2f, 5.4f).tube(hu::kCancellous, path, 3.2f, 3.4f);
  f.rod(hu::kCortical - 150, {side * 14, back.y + 8, z0 + 2}, path[0], 4.5f);
  if (n >= 10) return;
  // Cartilage rises to the sternum.
  const float meets = n < 7 ? 592 - k * 20 : 452.0f - (k - 6) * 3;
  const Point front{side * (n < 7 ? 16.0f : 20 + (k - 6) * 5), n < 7 ? sternum_y(meets) + 2 : -80, meets};
  const Point last = path.back();
  const Point bend = between(last, front, .5f) + Point{0, -5, n < 7 ? -6.0f : -14.0f};
  const Point curve[] = {last, bend, front};
  f.tube(hu::kCartilage, curve, 5, 4.5f);
}

void pelvis(Figure& f) {
  // Sacrum and coccyx.
  for (int i = 0; i < 5; ++i) {
    const float k = static_cast<float>(i), z = 192 - k * 21;
    const Point c = spine_at(z) + Point{0, 2, 0};
    f.drum(hu::kCortical - 250, c, {46 - k * 7, 18 - k * 1.8f, 11.5f})
        .drum(hu::kCancellous - 60, c, {43 - k * 7, 15 - k * 1.8f, 10.5f});
    for (const float side : {1.0f, -1.0f}) f.ellipsoid(hu::kFat, c + Point{side * (20 - k * 2.5f), -6, -10}, {4, 7, 4});
    f.ellipsoid(hu::kFat + 60, c + Point{0, 10 - k, 0}, {9 - k, 4, 11});
  }
  const Point coccyx[] = {{0, 88, 92}, {0, 90, 78}, {0, 84, 62}};
  bone(f, coccyx, 7, 3);
  for (const float side : {1.0f, -1.0f}) {
    // The wing of the ilium as rods fanned out from above the hip joint to the crest.
    const Point root{side * 84, 22, 108};
    std::vector<Point> crest;
    for (int i = 0; i <= 12; ++i) {
      const float t = static_cast<float>(i) / 12;
      crest.push_back(
          {side * (118 - 66 * t * t + 16 * std::sin(3.14f * t)), -28 + 106 * t, 172 + 42 * std::sin(.5f + 2.1f * t)});
    }
    for (std::size_t i = 0; i + 1 < crest.size(); ++i) {
      for (const float h : {0.0f, .5f}) {
        const Point edge = between(crest[i], crest[i + 1], h);
        f.rod(hu::kCortical - 100, root + Point{0, 30 * (static_cast<float>(i) / 12 - .4f), 0}, edge, 6, 4.2f);
      }
    }
    for (std::size_t i = 0; i + 1 < crest.size(); ++i) {
      const Point edge = crest[i];
      f.rod(hu::kCancellous, root + Point{0, 30 * (static_cast<float>(i) / 12 - .4f), 0}, between(root, edge, .92f),
            3.8f, 1.8f);
    }
    f.tube(hu::kCortical - 150, crest, 5.5f, 6).tube(hu::kCancellous, crest, 3.5f, 4);
    f.rod(hu::kCortical - 200, {side * 46, 70, 176}, {side * 60, 60, 160}, 12, 9)
        .rod(hu::kCancellous, {side * 46, 70, 176}, {side * 60, 60, 160}, 9.5f, 7);  // sacroiliac joint
    // Socket, pubis and ischium.
    f.ellipsoid(hu::kCortical - 100, {side * 88, 10, 88}, {34, 35, 34})
        .ellipsoid(hu::kCancellous, {side * 86, 10, 89}, {31, 32, 31});
    const Point pubis[] = {{side * 70, -8, 84}, {side * 44, -42, 74}, {side * 12, -54, 60}};
    const Point ischium[] = {
        {side * 82, 30, 76}, {side * 66, 42, 40}, {side * 50, 22, 18}, {side * 28, -24, 28}, {side * 12, -50, 48}};
    bone(f, pubis, 11, 9);
    bone(f, ischium, 14, 8);
    // Femur: head, neck, trochanter, shaft. The joint space around the head is cartilage.
    f.ellipsoid(hu::kCartilage, {side * 91, 8, 86}, {28, 28, 28});
    f.ellipsoid(hu::kCortical, {side * 91, 8, 86}, {24.5f, 24.5f, 24.5f})
        .ellipsoid(hu::kCancellous + 80, {side * 91, 8, 86}, {22.5f, 22.5f, 22.5f});
    const Point neck[] = {{side * 91, 8, 86}, {side * 134, 16, 58}};
    const Point shaft[] = {{side * 138, 18, 66}, {side * 130, 16, 20}, {side * 118, 12, -40}};
    f.rod(hu::kCortical, neck[0], neck[1], 16, 18).tube(hu::kCortical, shaft, 19, 14);
    f.rod(hu::kCancellous + 40, neck[0], neck[1], 14, 15.5f).tube(hu::kFat + 60, shaft, 15.5f, 8);
  }
  f.ellipsoid(hu::kCartilage, {0, -54, 58}, {5, 11, 18});
}

void shoulders(Figure& f) {
  for (const float side : {1.0f, -1.0f}) {
    const Point clavicle[] = {
        {side * 16, -46, 604}, {side * 60, -44, 615}, {side * 110, -22, 620}, {side * 152, -4, 614}};
    bone(f, clavicle, 8, 6.5f);
    // Scapula: blade between spine and tip, spine of the scapula, acromion, socket.
    for (int i = 0; i <= 16; ++i) {
      const float t = static_cast<float>(i) / 16;
      f.rod(hu::kCortical - 250, {side * (74 + 6 * t), 70 + 26 * t, 606 - 116 * t},
            {side * (142 - 56 * t), 46 + 50 * t, 594 - 100 * t}, 2.6f);
    }
    const Point ridge[] = {{side * 78, 82, 588}, {side * 116, 74, 604}, {side * 156, 42, 618}, {side * 162, 10, 616}};
    bone(f, ridge, 4, 6.5f);
    f.ellipsoid(hu::kCortical - 150, {side * 142, 38, 588}, {9, 17, 22})
        .ellipsoid(hu::kCancellous, {side * 141, 38, 588}, {6.5f, 14, 19});
    f.ellipsoid(hu::kCortical, {side * 168, 24, 590}, {25, 25, 25})
        .ellipsoid(hu::kCancellous, {side * 168, 24, 590}, {22.5f, 22.5f, 22.5f});
    f.rod(hu::kCortical, {side * 174, 24, 584}, {side * 184, 22, 545}, 18, 13)
        .rod(hu::kFat + 80, {side * 174, 24, 584}, {side * 184, 22, 545}, 15, 9);
  }
  const Point sternum[] = {
      {0, sternum_y(600), 600}, {0, sternum_y(562), 562}, {0, sternum_y(505), 505}, {0, sternum_y(455), 455}};
  for (const float side : {1.0f, -1.0f}) {
    std::vector<Point> edge(std::begin(sternum), std::end(sternum));
    for (auto& p : edge) p.x = side * 8;
    f.tube(hu::kCortical - 250, edge, 9, 6);
  }
  f.tube(hu::kCortical - 250, sternum, 8, 6);
  for (const float x : {-8.0f, 0.0f, 8.0f}) {
    std::vector<Point> marrow(std::begin(sternum), std::end(sternum));
    for (auto& p : marrow) p.x = x;
    f.tube(hu::kCancellous - 80, marrow, 6, 4);
  }
}

}  // namespace

void add_skeleton(Figure& f) {
  for (int n = 0; n < 12; ++n) {
    rib(f, n, 1);
    rib(f, n, -1);
  }
  shoulders(f);
  pelvis(f);
  spine(f);
}

}  // namespace cairn::demo
