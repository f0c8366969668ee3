// Splits frames of one orientation into sets with at most one frame at a position (time points, echoes, b-values,
// a classic and an enhanced copy of the same slices). Internal to recon/assemble.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "recon/geometry.h"

namespace cairn::recon {

struct PhaseInput {
  double depth_mm;     ///< along the normal
  std::int64_t order;  ///< breaks ties
  std::size_t frame;   ///< input index
};

struct Phase {
  std::vector<std::size_t> frames;  ///< ascending along the normal, no two within kSamePositionMm
  std::string name;
};

struct PhaseSplit {
  std::vector<Phase> phases;
  std::string how;  ///< "by …", for the report
  std::size_t most_at_one_position = 1;
  bool ambiguous = false;  ///< some positions are taken more often than others and no key says why
};

/// Keys are tried in their order: first those whose parts cover the same positions, then those whose parts have no
/// two frames at one position. Where none helps, the n-th frame of each position (by order) goes to the n-th phase.
PhaseSplit split_phases(std::vector<PhaseInput> input, std::span<const SliceGeometry> frames);

}  // namespace cairn::recon
