#include <cmath>

#include "engine/demo/anatomy.h"

namespace cairn::demo {
namespace {

void add_kidney(Figure& f, float side, float z) {
  const Point c{side * 62, 48, z};
  f.ellipsoid(hu::kFat, c, {36, 32, 62}, side * 20).ellipsoid(hu::kKidneyCortex, c, {27, 24, 52}, side * 20);
  // Pyramids around the sinus.
  for (int i = 0; i < 7; ++i) {
    const float t = -1 + 2 * static_cast<float>(i) / 6;
    f.ellipsoid(hu::kKidneyMedulla, {c.x + side * 6, c.y, z + 36 * t}, {11, 11, 5.5f});
  }
  f.ellipsoid(hu::kFat, {c.x - side * 13, c.y - 5, z}, {17, 11, 26})
      .ellipsoid(hu::kWater, {c.x - side * 16, c.y - 6, z - 2}, {9, 6, 13});
  const Point ureter[] = {{c.x - side * 20, c.y - 10, z - 14},
                          {side * 42, 26, z - 70},
                          {side * 40, 22, 200},
                          {side * 46, 40, 140},
                          {side * 22, 18, 92}};
  f.tube(40, ureter, 2.2f, 2);
}

// A loop of bowel, its content and now and then a bubble of gas on the anterior side.
void add_loop(Figure& f, std::span<const Point> path, float radius, float content, Dice& dice, float gas) {
  f.tube(hu::kMuscle + 20, path, radius, radius).tube(content, path, radius - 2.2f, radius - 2.2f);
  for (std::size_t i = 1; i + 1 < path.size(); ++i) {
    if (dice.next() < gas)
      f.ellipsoid(-980, path[i] + Point{0, -radius * .3f, 0}, {radius * .7f, radius * .55f, radius * .9f});
  }
}

}  // namespace

void add_abdomen(Figure& f, std::uint64_t seed) {
  Dice dice(seed ^ 0x61626467);
  // The cavity: fat around the organs, inside the wall of muscle.
  f.loft(hu::kFat, {{60, 0, -4, 92, 56, .3f},
                    {110, 0, -6, 108, 66, .3f},
                    {180, 0, -12, 126, 74, .3f},
                    {250, 0, -14, 124, 72, .35f},
                    {320, 0, -10, 132, 82, .35f},
                    {384, 0, -4, 138, 92, .3f}});
  // The domes of the diaphragm rise into the chest.
  f.ellipsoid(hu::kMuscle, {-74, 6, 368}, {76, 88, 82})
      .ellipsoid(hu::kMuscle, {74, 6, 360}, {74, 86, 76})
      .ellipsoid(hu::kFat, {74, 6, 357}, {74, 86, 73});
  f.ellipsoid(hu::kFat, {0, -6, 360}, {60, 76, 46});
  for (const float side : {1.0f, -1.0f}) {
    f.loft(hu::kMuscle + 3, {{110, side * 62, 10, 12, 12},
                             {150, side * 56, 20, 20, 19},
                             {230, side * 46, 38, 22, 22},
                             {300, side * 38, 44, 15, 16},
                             {345, side * 30, 48, 7, 8}});
  }
  // Liver: dome under the right lung, tapering to the left and downwards; gall bladder; veins.
  f.ellipsoid(hu::kLiver, {-74, 6, 368}, {74, 86, 80})
      .ellipsoid(hu::kLiver, {-10, -36, 388}, {76, 44, 38}, -12)
      .ellipsoid(hu::kLiver, {-88, 0, 330}, {44, 66, 58});
  const Point portal[] = {{6, 8, 336}, {-20, 0, 356}, {-48, -4, 372}, {-84, 2, 378}, {-112, 22, 384}};
  const Point left_portal[] = {{-40, -4, 370}, {-28, -32, 384}, {-4, -50, 390}};
  const Point hepatic[] = {{-14, 34, 425}, {-44, 20, 410}, {-80, -8, 396}, {-106, -30, 380}};
  const Point middle[] = {{-14, 32, 425}, {-28, 0, 412}, {-36, -40, 396}};
  f.tube(hu::kVein + 25, portal, 7, 2.5f)
      .tube(hu::kVein + 25, left_portal, 5, 2)
      .tube(hu::kVein + 20, hepatic, 5.5f, 2)
      .tube(hu::kVein + 20, middle, 4.5f, 2);
  f.ellipsoid(hu::kMuscle, {-52, -46, 326}, {16, 22, 30}, 0, 20)
      .ellipsoid(hu::kWater + 4, {-52, -46, 326}, {14, 20, 28}, 0, 20);
  // Spleen, stomach with an air bubble over its content, pancreas.
  f.ellipsoid(hu::kSpleen, {104, 44, 364}, {25, 44, 48}, 22);
  const Point stomach[] = {{58, 18, 398}, {76, -8, 380}, {62, -38, 352}, {26, -52, 332}, {-10, -44, 334}};
  f.tube(hu::kMuscle + 25, stomach, 35, 17).tube(38, stomach, 31, 13);
  f.ellipsoid(-990, {70, -18, 392}, {23, 14, 24});
  const Point pancreas[] = {{-26, -8, 318}, {-6, -16, 334}, {28, -8, 344}, {66, 14, 356}, {86, 26, 362}};
  f.tube(95, pancreas, 12, 8);
  add_kidney(f, 1, 316);
  add_kidney(f, -1, 302);
  // Small bowel in the middle, colon around it.
  for (int row = 0; row < 6; ++row) {
    std::vector<Point> path;
    for (int i = 0; i < 6; ++i) {
      const float across = (row % 2 == 0 ? 1.0f : -1.0f) * (-66 + 27 * static_cast<float>(i));
      path.push_back({across + dice.between(-8, 8), -34 + dice.between(-16, 14),
                      286 - 24 * static_cast<float>(row) + dice.between(-9, 9)});
    }
    add_loop(f, path, 12.5f, row % 3 == 0 ? 180.0f : 30.0f, dice, .12f);
  }
  const Point colon[] = {{-92, 0, 170},  {-98, 6, 220},  {-100, 2, 270},  {-86, -34, 300}, {-40, -62, 292},
                         {10, -66, 286}, {60, -58, 300}, {100, -10, 330}, {106, 14, 280},  {104, 12, 220},
                         {84, 4, 165},   {40, 4, 142},   {8, 36, 138},    {0, 52, 110},    {0, 56, 70}};
  add_loop(f, colon, 18, 15, dice, .6f);
  // Bladder, prostate, rectal wall.
  f.ellipsoid(hu::kMuscle, {0, -22, 96}, {46, 36, 33})
      .ellipsoid(hu::kWater, {0, -22, 96}, {42, 32, 29})
      .ellipsoid(70, {0, 0, 58}, {22, 16, 18});
}

void add_great_vessels(Figure& f) {
  const Point ascending[] = {{6, -16, 500}, {-10, -24, 530}, {-6, -18, 558}, {8, 2, 572},  {20, 22, 566}, {24, 36, 545},
                             {24, 42, 510}, {22, 40, 450},   {14, 30, 390},  {8, 20, 330}, {6, 14, 270},  {2, 18, 228}};
  f.tube(hu::kMuscle + 60, ascending, 16, 10).tube(hu::kContrast, ascending, 14.5f, 8.5f);
  for (float z = 250; z < 420; z += 23)
    f.ellipsoid(900, {17 - (z < 330 ? 2.0f : -3.0f), 22 + (z - 250) * .12f, z}, {1.5f, 3, 4});  // calcified plaque
  const Point cava[] = {{-20, -20, 480}, {-18, 16, 430}, {-20, 24, 380},
                        {-20, 16, 320},  {-18, 18, 250}, {-14, 24, 222}};
  f.tube(hu::kVein, cava, 12, 10);
  const Point superior_cava[] = {{-26, -16, 495}, {-26, -14, 540}, {-22, -12, 590}, {-34, -4, 618}};
  f.tube(hu::kVein + 30, superior_cava, 9, 7);
  const Point pulmonary[] = {{14, -44, 482}, {14, -30, 516}, {12, -4, 522}};
  f.tube(hu::kVein + 50, pulmonary, 13, 11)
      .rod(hu::kVein + 50, {10, -4, 520}, {-40, 8, 512}, 9, 6)
      .rod(hu::kVein + 50, {12, -4, 522}, {44, 14, 516}, 9, 6);
  for (const float side : {1.0f, -1.0f}) {
    const Point iliac[] = {{side * 2, 18, 228},   {side * 22, 22, 195}, {side * 46, 14, 150},
                           {side * 62, -24, 100}, {side * 70, -36, 60}, {side * 72, -34, -30}};
    f.tube(hu::kContrast, iliac, 6, 5);
    const Point iliac_vein[] = {{-14, 24, 222},        {side * 18 - 4, 30, 195}, {side * 42, 22, 150},
                                {side * 56, -18, 100}, {side * 62, -30, 60},     {side * 64, -28, -30}};
    f.tube(hu::kVein - 20, iliac_vein, 7, 6);
    f.rod(hu::kContrast, {8, 16, 322}, {side * 42, 40, side > 0 ? 316.0f : 304.0f}, 3.5f)
        .rod(hu::kVein, {-18, 14, 318}, {side * 40, 38, side > 0 ? 310.0f : 300.0f}, 4.5f);
    const Point carotid[] = {
        {side * 8, 4, 572}, {side * 20, -2, 625}, {side * 25, -6, 680}, {side * 27, -4, 712}, {side * 22, 2, 745}};
    f.tube(hu::kContrast, carotid, 4.5f, 3);
    const Point jugular[] = {{side * 26, -6, 610}, {side * 34, -4, 650}, {side * 36, 0, 700}, {side * 34, 6, 728}};
    f.tube(hu::kVein, jugular, 7, 5);
    const Point subclavian[] = {{side * 12, 2, 578}, {side * 36, 4, 618}, {side * 80, 0, 622}, {side * 130, 8, 600}};
    f.tube(hu::kContrast - 20, subclavian, 5, 4);
  }
  f.rod(hu::kContrast, {9, 4, 345}, {6, -20, 338}, 4, 3.5f).rod(hu::kContrast, {7, 2, 332}, {2, -26, 270}, 3.5f, 2.5f);
}

}  // namespace cairn::demo
