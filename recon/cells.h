// The least and greatest value in each cell of 8 x 8 x 8 voxels and their next neighbours, so that rays need not look
// where nothing is to be seen. Values are after the Modality LUT; voxels in the padding range and NaN take no part.
#pragma once

#include <cstdint>
#include <vector>

#include "recon/sampling.h"
#include "recon/transfer.h"

namespace cairn::recon {

inline constexpr std::uint32_t kCellEdge = 8;

/// Column fastest, then row, then slice. A cell without values has low > high.
struct Cells {
  std::uint32_t columns = 0, rows = 0, slices = 0;
  std::vector<float> low, high;

  std::size_t at(std::uint32_t x, std::uint32_t y, std::uint32_t z) const {
    return (std::size_t{z} * rows + y) * columns + x;
  }
};

/// Layers of cells [first, last) of `cells`, which empty_cells made; different layers may be filled at once.
Cells empty_cells(const VolumeGeometry& g);
void fill_cells(const VolumeView& v, Cells& cells, std::uint32_t first, std::uint32_t last);

/// For each cell how far, in cells along the longest axis, the nearest visible one is: 0 when it is one itself, at most
/// 255.
std::vector<std::uint8_t> distance_to_visible(const Cells& cells, const TransferTable& table);

/// The same array with each cell's value joined with those of its 26 neighbours: low with the least, high with the
/// greatest.
Cells dilated(const Cells& cells);

}  // namespace cairn::recon
