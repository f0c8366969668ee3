// The figure of the demonstration phantom: head and torso of a person, 0 to 900 mm from the thighs to above the crown,
// in patient coordinates (x to the left, y to the back, z to the head). Attenuations are those of a portal-venous scan.
#pragma once

#include <cstdint>

#include "engine/demo/figure.h"

namespace cairn::demo {

/// `seed` varies the branching of the vessels and the folds of the bowel, not the size of the person.
Figure make_person(std::uint64_t seed);

// Its parts, in the order in which they are painted.
void add_couch_and_letters(Figure& f);
void add_trunk(Figure& f);
void add_head(Figure& f);
void add_chest(Figure& f, std::uint64_t seed);
void add_abdomen(Figure& f, std::uint64_t seed);
void add_heart(Figure& f);
void add_airways(Figure& f);
void add_skeleton(Figure& f);
void add_great_vessels(Figure& f);

/// Where the middle of the vertebral bodies lies at height `z`.
Point spine_at(float z);

/// Small deterministic numbers in [0, 1).
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  float next() {
    state_ += 0x9E3779B97F4A7C15u;
    std::uint64_t x = state_;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return static_cast<float>((x ^ (x >> 31)) >> 40) / 16777216.0f;
  }
  float between(float low, float high) { return low + (high - low) * next(); }

 private:
  std::uint64_t state_;
};

namespace hu {  // Hounsfield units
inline constexpr float kAir = -1000, kLung = -860, kFat = -100, kWater = 6, kMuscle = 58, kSkin = 20, kLiver = 112,
                       kSpleen = 122, kKidneyCortex = 190, kKidneyMedulla = 130, kBlood = 45, kContrast = 230,
                       kVein = 165, kBrainGrey = 40, kBrainWhite = 28, kCSF = 4, kCortical = 1050, kCancellous = 260,
                       kCartilage = 110, kTooth = 1900, kDisc = 85;
}

}  // namespace cairn::demo
