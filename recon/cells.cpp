#include "recon/cells.h"

#include <algorithm>
#include <limits>

namespace cairn::recon {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::uint32_t cells_along(std::uint32_t voxels) {
  return (voxels + kCellEdge - 1) / kCellEdge;
}

// The stored range of one row of voxels between two columns.
template <class T>
void widen(const VolumeView& v, const T* row, std::uint32_t first, std::uint32_t last, float& low, float& high) {
  if (v.has_padding || std::is_floating_point_v<T>) {
    for (std::uint32_t i = first; i <= last; ++i) {
      const float x = static_cast<float>(row[i]);
      if (x != x || (v.has_padding && x >= v.padding_low && x <= v.padding_high)) continue;
      low = std::min(low, x);
      high = std::max(high, x);
    }
    return;
  }
  T least = row[first], most = row[first];
  for (std::uint32_t i = first + 1; i <= last; ++i) {
    least = std::min(least, row[i]);
    most = std::max(most, row[i]);
  }
  low = std::min(low, static_cast<float>(least));
  high = std::max(high, static_cast<float>(most));
}

template <class T>
void fill(const VolumeView& v, Cells& cells, std::uint32_t first, std::uint32_t last) {
  const VolumeGeometry& g = v.geometry;
  const T* voxels = static_cast<const T*>(v.voxels);
  for (std::uint32_t z = first; z < last; ++z) {
    for (std::uint32_t k = z * kCellEdge; k <= std::min(z * kCellEdge + kCellEdge, g.slices - 1); ++k) {
      for (std::uint32_t y = 0; y < cells.rows; ++y) {
        for (std::uint32_t j = y * kCellEdge; j <= std::min(y * kCellEdge + kCellEdge, g.rows - 1); ++j) {
          const T* row = voxels + (std::size_t{k} * g.rows + j) * g.columns;
          for (std::uint32_t x = 0; x < cells.columns; ++x) {
            float low = kInfinity, high = -kInfinity;
            widen(v, row, x * kCellEdge, std::min(x * kCellEdge + kCellEdge, g.columns - 1), low, high);
            if (!(low <= high)) continue;
            const float a = low * v.slope[k] + v.intercept[k], b = high * v.slope[k] + v.intercept[k];
            const std::size_t at = cells.at(x, y, z);
            cells.low[at] = std::min({cells.low[at], a, b});
            cells.high[at] = std::max({cells.high[at], a, b});
          }
        }
      }
    }
  }
}

// Runs `line(first, stride, count)` over every line of cells along one axis.
template <class Line>
void for_each_line(const Cells& c, int axis, Line line) {
  const std::size_t stride[3] = {1, c.columns, std::size_t{c.columns} * c.rows};
  const std::uint32_t count[3] = {c.columns, c.rows, c.slices};
  const int u = axis == 0 ? 1 : 0, w = axis == 2 ? 1 : 2;
  for (std::uint32_t i = 0; i < count[u]; ++i) {
    for (std::uint32_t j = 0; j < count[w]; ++j) line(i * stride[u] + j * stride[w], stride[axis], count[axis]);
  }
}

}  // namespace

Cells empty_cells(const VolumeGeometry& g) {
  Cells c{cells_along(g.columns), cells_along(g.rows), cells_along(g.slices), {}, {}};
  const std::size_t count = std::size_t{c.columns} * c.rows * c.slices;
  c.low.assign(count, kInfinity);
  c.high.assign(count, -kInfinity);
  return c;
}

void fill_cells(const VolumeView& v, Cells& cells, std::uint32_t first, std::uint32_t last) {
  switch (v.type) {
    case VoxelType::uint8:
      return fill<std::uint8_t>(v, cells, first, last);
    case VoxelType::int8:
      return fill<std::int8_t>(v, cells, first, last);
    case VoxelType::uint16:
      return fill<std::uint16_t>(v, cells, first, last);
    case VoxelType::int16:
      return fill<std::int16_t>(v, cells, first, last);
    case VoxelType::int32:
      return fill<std::int32_t>(v, cells, first, last);
    case VoxelType::float32:
      return fill<float>(v, cells, first, last);
  }
}

// Two sweeps over the 26 neighbours are exact for this distance (chamfer weights all 1).
std::vector<std::uint8_t> distance_to_visible(const Cells& cells, const TransferTable& table) {
  std::vector<std::uint8_t> d(cells.low.size());
  for (std::size_t n = 0; n < d.size(); ++n) d[n] = table.invisible(cells.low[n], cells.high[n]) ? 255 : 0;
  const auto nx = static_cast<std::int64_t>(cells.columns), ny = static_cast<std::int64_t>(cells.rows),
             nz = static_cast<std::int64_t>(cells.slices);
  // One sweep looks at the 13 neighbours already visited, the other at the 13 opposite ones.
  const auto sweep = [&](std::int64_t sign) {
    for (std::int64_t n = 0; n < nx * ny * nz; ++n) {
      const std::int64_t at = sign > 0 ? n : nx * ny * nz - 1 - n;
      const std::int64_t x = at % nx, y = at / nx % ny, z = at / (nx * ny);
      unsigned best = d[static_cast<std::size_t>(at)];
      for (int m = 0; m < 13 && best > 1; ++m) {
        const std::int64_t dx = (m % 3 - 1) * sign, dy = (m / 3 % 3 - 1) * sign, dz = (m / 9 - 1) * sign;
        const std::int64_t x1 = x + dx, y1 = y + dy, z1 = z + dz;
        if (x1 < 0 || y1 < 0 || z1 < 0 || x1 >= nx || y1 >= ny || z1 >= nz) continue;
        best = std::min(best, 1u + d[static_cast<std::size_t>(at + dx + nx * (dy + ny * dz))]);
      }
      d[static_cast<std::size_t>(at)] = static_cast<std::uint8_t>(std::min(best, 255u));
    }
  };
  sweep(1);
  sweep(-1);
  return d;
}

Cells dilated(const Cells& cells) {
  Cells out = cells;
  std::vector<float> low, high;
  for (int axis = 0; axis < 3; ++axis) {
    for_each_line(out, axis, [&](std::size_t first, std::size_t stride, std::uint32_t count) {
      low.resize(count);
      high.resize(count);
      for (std::uint32_t n = 0; n < count; ++n) {
        low[n] = out.low[first + n * stride];
        high[n] = out.high[first + n * stride];
      }
      for (std::uint32_t n = 0; n < count; ++n) {
        const std::uint32_t a = n == 0 ? 0 : n - 1, b = n + 1 == count ? n : n + 1;
        out.low[first + n * stride] = std::min({low[a], low[n], low[b]});
        out.high[first + n * stride] = std::max({high[a], high[n], high[b]});
      }
    });
  }
  return out;
}

}  // namespace cairn::recon
