#include <cmath>

#include "engine/demo/anatomy.h"

namespace cairn::demo {
namespace {

constexpr Point kSkull{0, 2, 800};   // middle of the brain case
constexpr Point kBrain{69, 84, 66};  // its inner radii

void soft_outline(Figure& f) {
  f.ellipsoid(hu::kSkin, kSkull, {82, 98, 80});
  f.loft(hu::kSkin, {{672, 0, -52, 24, 30, .2f},
                     {690, 0, -42, 46, 52, .2f},
                     {712, 0, -34, 60, 65, .2f},
                     {745, 0, -26, 67, 71, .2f},
                     {775, 0, -16, 72, 76, .1f},
                     {800, 0, -4, 72, 80, 0}});
  f.ellipsoid(hu::kSkin, {0, -102, 739}, {13, 15, 11}).rod(hu::kSkin, {0, -86, 776}, {0, -108, 742}, 6, 8);  // nose
  for (const float side : {1.0f, -1.0f})
    f.ellipsoid(hu::kFat + 40, {side * 82, 10, 758}, {5, 17, 28}, side * -18)
        .ellipsoid(hu::kFat, {side * 44, -56, 725}, {16, 22, 22});
  f.ellipsoid(hu::kSkin + 20, {0, -93, 709}, {24, 12, 5})
      .ellipsoid(hu::kSkin + 20, {0, -90, 698}, {22, 11, 5});  // lips
}

void brain(Figure& f) {
  // Vault, then what it holds: CSF, the folded cortex, white matter with folds that follow it.
  f.ellipsoid(hu::kCortical, kSkull, {76, 91, 73})
      .ellipsoid(hu::kCancellous + 240, kSkull, {73.5f, 88.5f, 70.5f})
      .ellipsoid(hu::kCortical, kSkull, {71.5f, 86.5f, 68.5f});
  f.ellipsoid(hu::kCSF, kSkull, kBrain);
  f.folded(hu::kBrainGrey, kSkull + Point{0, 0, 2}, {67, 82, 63}, 5.5f, 17)
      .folded(hu::kBrainWhite, kSkull + Point{0, 0, 2}, {60, 75, 56}, 9, 17);
  f.ellipsoid(hu::kBrainGrey + 24, {0, 0, 830}, {1.1f, 80, 38});  // falx
  for (const float side : {1.0f, -1.0f}) {
    f.ellipsoid(hu::kBrainGrey, {side * 12, 6, 798}, {9, 15, 9})
        .ellipsoid(hu::kBrainGrey, {side * 25, -6, 802}, {7, 20, 12}, side * 12);
    f.ellipsoid(hu::kBrainGrey, {side * 13, -22, 812}, {5, 10, 9});
    // Lateral ventricle: frontal horn, body, trigone, occipital and temporal horns; choroid plexus with calcium.
    const Point body[] = {
        {side * 8, -38, 812}, {side * 7, -16, 824}, {side * 12, 14, 824}, {side * 23, 34, 810}, {side * 22, 62, 806}};
    const Point temporal[] = {{side * 24, 34, 808}, {side * 34, 14, 788}, {side * 34, -12, 780}};
    f.tube(hu::kCSF, body, 6, 4.5f).tube(hu::kCSF, temporal, 5.5f, 2);
    f.ellipsoid(hu::kCSF, {side * 9, -34, 812}, {6, 11, 10}, side * 20);
    f.ellipsoid(160, {side * 23, 36, 808}, {2.6f, 4.5f, 3});
    // Sylvian fissure.
    const Point sylvian[] = {{side * 64, -20, 782}, {side * 42, -16, 788}, {side * 38, 0, 798}, {side * 44, 22, 806}};
    f.tube(hu::kCSF, sylvian, 2.6f, 1.6f);
  }
  f.ellipsoid(hu::kCSF, {0, 4, 798}, {2, 15, 10})
      .ellipsoid(300, {0, 24, 800}, {2.2f, 2.6f, 2.6f});  // third ventricle, pineal gland
  // Posterior fossa: tentorium, cerebellum with folia, brain stem, fourth ventricle.
  f.ellipsoid(hu::kCSF, {0, 48, 762}, {52, 38, 26});
  f.folded(hu::kBrainGrey + 3, {0, 50, 760}, {49, 35, 23}, 3, 6.5f)
      .ellipsoid(hu::kBrainWhite + 3, {22, 50, 760}, {15, 14, 7})
      .ellipsoid(hu::kBrainWhite + 3, {-22, 50, 760}, {15, 14, 7});
  const Point stem[] = {{0, 12, 790}, {0, 12, 765}, {0, 22, 742}, {0, 31, 718}};
  f.tube(hu::kBrainGrey - 4, stem, 15, 6)
      .ellipsoid(hu::kBrainGrey - 2, {0, 6, 768}, {17, 12, 13})
      .ellipsoid(hu::kCSF, {0, 28, 762}, {7, 4, 9});
}

// An arch of teeth: `z` of the biting edge, roots towards `root` mm.
void teeth(Figure& f, float z, float root, float forward) {
  for (int i = 0; i < 14; ++i) {
    const float a = -1.18f + 2.36f * static_cast<float>(i) / 13;
    const Point tip{27 * std::sin(a), -46 - forward - 30 * std::cos(a), z};
    const float r = std::abs(a) > .75f ? 4.4f : 3.1f;
    f.rod(hu::kCortical - 100, tip + Point{0, 2, root}, tip + Point{0, 1, root * .45f}, r * .55f, r * .85f)
        .rod(hu::kTooth, tip + Point{0, 1, root * .4f}, tip, r * .9f, r * .8f);
  }
}

void face(Figure& f) {
  // Base of the skull and the bones of the face.
  f.ellipsoid(hu::kCortical - 350, {0, -10, 752}, {52, 34, 8})
      .ellipsoid(hu::kCancellous + 150, {0, 30, 742}, {34, 22, 8});
  for (const float side : {1.0f, -1.0f}) {
    f.ellipsoid(hu::kCortical, {side * 42, 16, 752}, {32, 12, 10}, side * 32)
        .ellipsoid(hu::kCortical - 100, {side * 62, 26, 738}, {12, 16, 20});
    for (int i = 0; i < 9; ++i)
      f.ellipsoid(hu::kAir + 250,
                  {side * (60 + 3.5f * std::sin(2.4f * static_cast<float>(i))),
                   22 + 6 * std::cos(1.9f * static_cast<float>(i)), 728 + 3 * static_cast<float>(i)},
                  {2.2f, 2.6f, 2});
    f.rod(hu::kAir, {side * 84, 8, 756}, {side * 56, 10, 756}, 3.2f, 2.6f);  // ear canal
    f.ellipsoid(hu::kCortical, {side * 40, 12, 757}, {5, 4, 4})
        .ellipsoid(hu::kWater, {side * 40, 12, 757}, {1.8f, 1.8f, 1.8f});  // labyrinth
    // Orbit: rim, fat, eye with lens, optic nerve and muscles.
    f.ellipsoid(hu::kCortical - 150, {side * 32, -64, 768}, {25, 31, 22}, side * -16)
        .ellipsoid(hu::kFat, {side * 32, -66, 768}, {22, 31, 19}, side * -16);
    f.rod(hu::kMuscle, {side * 14, -34, 768}, {side * 21, -70, 768}, 2, 2.6f)
        .rod(hu::kMuscle, {side * 16, -34, 768}, {side * 45, -68, 768}, 2, 2.6f);
    f.rod(hu::kBrainGrey, {side * 14, -30, 768}, {side * 32, -68, 768}, 2.2f);
    f.ellipsoid(hu::kMuscle + 10, {side * 33, -80, 768}, {13, 13, 13})
        .ellipsoid(12, {side * 33, -80, 768}, {11.8f, 11.8f, 11.8f})
        .ellipsoid(75, {side * 33.5f, -89, 768}, {5, 2.4f, 5});
    // Cheek bone and its arch, maxillary sinus.
    const Point arch[] = {{side * 46, -68, 748}, {side * 66, -44, 744}, {side * 73, -14, 746}, {side * 66, 8, 750}};
    f.tube(hu::kCortical - 80, arch, 7, 3.4f).tube(hu::kCancellous, arch, 4.5f, 1);
    f.ellipsoid(hu::kCortical - 150, {side * 29, -58, 733}, {20, 23, 20})
        .ellipsoid(hu::kAir, {side * 29, -57, 734}, {17.5f, 20.5f, 17.5f});
    f.ellipsoid(hu::kMuscle, {side * 64, -28, 715}, {8, 20, 28});
  }
  // Nose: cavity, septum, turbinates; frontal, ethmoid and sphenoid sinuses.
  f.ellipsoid(hu::kSkin + 20, {0, -60, 738}, {15, 42, 21}).ellipsoid(hu::kAir, {0, -60, 738}, {11, 40, 19});
  for (const float side : {1.0f, -1.0f}) {
    f.rod(hu::kMuscle + 40, {side * 7, -84, 729}, {side * 7, -40, 729}, 3.4f)
        .rod(hu::kMuscle + 40, {side * 6, -78, 740}, {side * 6, -42, 741}, 2.6f);
    f.rod(hu::kAir, {side * 5, -92, 736}, {side * 6, -110, 729}, 3);
    for (int i = 0; i < 5; ++i)
      f.ellipsoid(hu::kCortical - 400, {side * 8, -74 + 11 * static_cast<float>(i), 766}, {6.6f, 6, 11})
          .ellipsoid(hu::kAir, {side * 8, -74 + 11 * static_cast<float>(i), 766}, {5.6f, 5, 9.5f});
    f.ellipsoid(hu::kCortical, {side * 12, -86, 790}, {13, 7, 13})
        .ellipsoid(hu::kAir, {side * 12, -86, 790}, {10.5f, 4, 10.5f});
  }
  f.ellipsoid(hu::kMuscle, {0, -62, 745}, {1.2f, 36, 18});
  f.ellipsoid(hu::kCortical, {0, -18, 764}, {16, 13, 12})
      .ellipsoid(hu::kAir, {6, -18, 763}, {8, 10, 9})
      .ellipsoid(hu::kAir, {-7, -18, 763}, {6.5f, 10, 9});
  f.ellipsoid(hu::kCortical - 100, {0, -2, 778}, {9, 3, 7})
      .ellipsoid(hu::kBrainGrey + 20, {0, -8, 778}, {5, 4, 4});  // sella
  // Palate, upper jaw, tongue, mouth, throat.
  f.ellipsoid(hu::kCortical - 250, {0, -58, 717}, {29, 32, 5}).ellipsoid(hu::kMuscle, {0, -44, 700}, {24, 34, 17});
  f.ellipsoid(hu::kAir, {0, -50, 713}, {16, 22, 2.2f});
  const Point throat[] = {{0, -22, 742}, {0, -10, 725}, {0, -8, 705}, {0, -12, 688}, {0, -14, 670}};
  f.tube(hu::kMuscle, throat, 11, 11).tube(hu::kAir, throat, 8, 7.5f);
  f.rod(hu::kMuscle + 30, {0, -14, 720}, {0, -12, 708}, 4, 3);  // soft palate
  // Lower jaw: ramus, angle, body, chin.
  const Point jaw[] = {{-54, -4, 746},  {-54, -12, 715}, {-50, -24, 695}, {-36, -54, 686},
                       {-18, -76, 682}, {0, -82, 681},   {18, -76, 682},  {36, -54, 686},
                       {50, -24, 695},  {54, -12, 715},  {54, -4, 746}};
  f.tube(hu::kCortical, jaw, 6.6f, 6.6f).tube(hu::kCancellous, jaw, 4, 4);
  teeth(f, 703, 14, 2);
  teeth(f, 702, -13, 0);
  const Point hyoid[] = {{-16, -14, 672}, {-10, -32, 670}, {0, -38, 669}, {10, -32, 670}, {16, -14, 672}};
  f.tube(hu::kCortical - 300, hyoid, 2.4f, 2.4f);
  for (const float side : {1.0f, -1.0f}) f.rod(hu::kCartilage + 120, {side * 14, -10, 660}, {side * 3, -34, 658}, 2.4f);
}

}  // namespace

void add_head(Figure& f) {
  soft_outline(f);
  // Muscles of the neck.
  for (const float side : {1.0f, -1.0f}) {
    f.ellipsoid(hu::kFat, {side * 34, 6, 690}, {18, 22, 60})
        .rod(hu::kMuscle + 4, {side * 52, 16, 735}, {side * 22, -30, 630}, 10, 8);
    f.loft(hu::kMuscle, {{640, side * 26, 50, 24, 14}, {690, side * 24, 46, 20, 15}, {740, side * 26, 48, 22, 12}});
  }
  brain(f);
  face(f);
}

Figure make_person(std::uint64_t seed) {
  Figure f;
  add_couch_and_letters(f);
  add_trunk(f);
  add_head(f);
  add_chest(f, seed);
  add_abdomen(f, seed);
  add_heart(f);
  add_airways(f);
  add_great_vessels(f);
  add_skeleton(f);
  return f;
}

}  // namespace cairn::demo
