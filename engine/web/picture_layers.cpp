#include "engine/web/picture_layers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <vector>

#include "engine/dicom/tags.h"

namespace cairn::web {
namespace {

namespace tags = dicom::tags;

void paint(Picture& picture, std::size_t pixel, std::uint8_t shade) {
  const std::size_t n = picture.samples_per_pixel;
  std::fill_n(picture.samples.begin() + static_cast<std::ptrdiff_t>(pixel * n), n, shade);
}

// ---- shutter: rows and columns count from 1, as the standard has them

struct Corner {
  double row, column;
};

/// Where a row crosses the sides of a polygon, in ascending order: a pixel is inside when an odd number lies behind it.
std::vector<double> crossings(const std::vector<Corner>& corners, double row) {
  std::vector<double> out;
  for (std::size_t i = 0, j = corners.size() - 1; i < corners.size(); j = i++) {
    const Corner &a = corners[i], &b = corners[j];
    if ((a.row > row) == (b.row > row)) continue;
    out.push_back((b.column - a.column) * (row - a.row) / (b.row - a.row) + a.column);
  }
  std::sort(out.begin(), out.end());
  return out;
}

struct Shutter {
  std::optional<std::array<double, 4>> edges;   ///< left, right, upper, lower: the first shown, the last shown
  std::optional<std::array<double, 3>> circle;  ///< row, column, radius
  std::vector<Corner> corners;

  bool is_empty() const noexcept { return !edges && !circle && corners.empty(); }
  bool shows(double row, double column) const {  // the polygon apart
    if (edges) {
      const auto& [left, right, upper, lower] = *edges;
      if (column < left || column > right || row < upper || row > lower) return false;
    }
    if (!circle) return true;
    const auto& [at_row, at_column, radius] = *circle;
    return std::hypot(row - at_row, column - at_column) <= radius;
  }
};

constexpr std::size_t kMaxCorners = 1024;

Shutter shutter_of(const dicom::DataSet& d) {
  Shutter out;
  const std::string shapes = '\\' + d.text(tags::ShutterShape) + '\\';
  const auto has = [&](std::string_view shape) {
    return shapes.find('\\' + std::string(shape) + '\\') != std::string::npos;
  };
  if (has("RECTANGULAR")) {
    const auto left = d.number(tags::ShutterLeftVerticalEdge), right = d.number(tags::ShutterRightVerticalEdge);
    const auto upper = d.number(tags::ShutterUpperHorizontalEdge), lower = d.number(tags::ShutterLowerHorizontalEdge);
    if (left && right && upper && lower && *left <= *right && *upper <= *lower) {
      out.edges = {*left, *right, *upper, *lower};
    }
  }
  if (has("CIRCULAR")) {
    const auto row = d.number(tags::CenterOfCircularShutter, 0), column = d.number(tags::CenterOfCircularShutter, 1);
    const auto radius = d.number(tags::RadiusOfCircularShutter);
    if (row && column && radius && *radius > 0) out.circle = {*row, *column, *radius};
  }
  if (has("POLYGONAL")) {
    const std::vector<double> values = d.numbers(tags::VerticesOfThePolygonalShutter);
    if (values.size() >= 6 && values.size() % 2 == 0 && values.size() / 2 <= kMaxCorners) {
      for (std::size_t i = 0; i < values.size(); i += 2) out.corners.push_back({values[i], values[i + 1]});
      const auto is_near = [](const Corner& c) { return std::abs(c.row) < 1e9 && std::abs(c.column) < 1e9; };
      if (!std::all_of(out.corners.begin(), out.corners.end(), is_near)) out.corners.clear();
    }
  }
  return out;
}

// ---- overlays

/// One plane of the frame: the bit of a pixel by its place in the plane.
struct Plane {
  std::int64_t rows = 0, columns = 0, top = 0, left = 0;  // `top` and `left` from 0
};

/// Calls `lit(row of plane, column of plane)` for each place of the plane in the picture, and paints where it is true.
template <class Lit>
void draw(const Plane& plane, Picture& picture, const Lit& lit) {
  const std::int64_t rows = std::min<std::int64_t>(plane.rows, std::int64_t{picture.rows} - plane.top);
  const std::int64_t columns = std::min<std::int64_t>(plane.columns, std::int64_t{picture.columns} - plane.left);
  for (std::int64_t row = std::max<std::int64_t>(0, -plane.top); row < rows; ++row) {
    for (std::int64_t column = std::max<std::int64_t>(0, -plane.left); column < columns; ++column) {
      if (!lit(static_cast<std::uint64_t>(row), static_cast<std::uint64_t>(column))) continue;
      paint(picture,
            static_cast<std::size_t>(plane.top + row) * picture.columns + static_cast<std::size_t>(plane.left + column),
            255);
    }
  }
}

}  // namespace

void close_shutter(const volumes::FrameAttributes& attributes, Picture& picture) {
  const dicom::DataSet& d = attributes.in(tags::FrameDisplayShutterSequence);
  const Shutter shutter = shutter_of(d);
  if (shutter.is_empty()) return;
  // A P-value of 16 bits.
  const auto value = std::clamp<std::int64_t>(d.integer(tags::ShutterPresentationValue).value_or(0), 0, 65535);
  const auto shade = static_cast<std::uint8_t>((value * 255 + 32767) / 65535);
  for (std::size_t row = 0; row < picture.rows; ++row) {
    const std::vector<double> sides = crossings(shutter.corners, static_cast<double>(row + 1));
    std::size_t behind = sides.size();
    for (std::size_t column = 0; column < picture.columns; ++column) {
      const auto at = static_cast<double>(column + 1);
      while (behind > 0 && !(sides[sides.size() - behind] > at)) --behind;
      const bool inside = shutter.corners.empty() || behind % 2 == 1;
      if (!inside || !shutter.shows(static_cast<double>(row + 1), at)) {
        paint(picture, row * picture.columns + column, shade);
      }
    }
  }
}

Result<> draw_overlays(const dicom::DataSet& data_set, std::uint32_t number, const codec::Frame& frame,
                       bool native_samples, const ValueReader& read, Picture& picture) {
  // Overlays are numbered by even groups, 6000 to 601E.
  for (std::uint16_t group = 0x6000; group <= 0x601E; group = static_cast<std::uint16_t>(group + 2)) {
    const auto tag = [group](dicom::Tag first) { return dicom::Tag{group, first.element}; };
    Plane plane;
    plane.rows = data_set.integer(tag(tags::OverlayRows)).value_or(0);
    plane.columns = data_set.integer(tag(tags::OverlayColumns)).value_or(0);
    if (plane.rows <= 0 || plane.columns <= 0 || plane.rows > 65535 || plane.columns > 65535) continue;
    if (data_set.text(tag(tags::OverlayType)) == "R") continue;
    plane.top = std::clamp<std::int64_t>(data_set.integer(tag(tags::OverlayOrigin), 0).value_or(1), -65535, 65535) - 1;
    plane.left = std::clamp<std::int64_t>(data_set.integer(tag(tags::OverlayOrigin), 1).value_or(1), -65535, 65535) - 1;

    if (const dicom::Element* data = data_set.find(tag(tags::OverlayData))) {
      std::uint64_t index = 0;
      if (const auto frames = data_set.integer(tag(tags::NumberOfFramesInOverlay)); frames && *frames >= 1) {
        const auto origin = data_set.integer(tag(tags::ImageFrameOrigin)).value_or(1);
        const std::int64_t first = std::clamp<std::int64_t>(origin, 1, INT32_MAX) - 1;
        const std::int64_t own = std::int64_t{number} - first;
        if (own < 0 || own >= *frames) continue;
        index = static_cast<std::uint64_t>(own);
      }
      CAIRN_TRY(const std::string bits, read(*data));
      const auto columns = static_cast<std::uint64_t>(plane.columns);
      const std::uint64_t size = columns * static_cast<std::uint64_t>(plane.rows);
      const std::uint64_t begin = index * size;  // frames follow each other without a gap; below 2^64: 32 bits each
      if (begin + size > std::uint64_t{bits.size()} * 8) continue;
      draw(plane, picture, [&](std::uint64_t row, std::uint64_t column) {
        const std::uint64_t bit = begin + row * columns + column;
        return (static_cast<unsigned char>(bits[bit / 8]) >> (bit % 8) & 1) != 0;
      });
      continue;
    }
    // In a bit of the samples that is none of theirs; retired, and still sent.
    const std::int64_t position = data_set.integer(tag(tags::OverlayBitPosition)).value_or(0);
    const std::size_t bytes = frame.bits_allocated / 8u;
    if (!native_samples || position <= 0 || position >= frame.bits_allocated || frame.samples_per_pixel != 1) continue;
    if (plane.rows != frame.rows || plane.columns != frame.columns) continue;
    draw(plane, picture, [&](std::uint64_t row, std::uint64_t column) {
      const std::uint64_t at = (row * frame.columns + column) * bytes + static_cast<std::uint64_t>(position) / 8;
      return (std::to_integer<unsigned>(frame.samples[at]) >> (position % 8) & 1) != 0;
    });
  }
  return outcome::success();
}

}  // namespace cairn::web
