#include "engine/web/picture_size.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/dicom/tags.h"
#include "engine/volumes/functional_groups.h"

namespace cairn::web {
namespace {

namespace tags = dicom::tags;
using volumes::FrameAttributes;

/// Which inputs make each output of one axis: a triangle filter as wide as a step of the output.
struct Taps {
  std::vector<std::uint32_t> first;
  std::vector<std::vector<float>> weights;
};
Taps taps_of(std::uint32_t from, std::uint32_t to) {
  Taps taps;
  const double step = static_cast<double>(from) / to, reach = std::max(1.0, step);
  for (std::uint32_t i = 0; i < to; ++i) {
    const double center = (i + 0.5) * step - 0.5;
    const auto low = static_cast<std::int64_t>(std::ceil(center - reach));
    const auto high = static_cast<std::int64_t>(std::floor(center + reach));
    const std::int64_t begin = std::clamp<std::int64_t>(low, 0, from - 1),
                       end = std::clamp<std::int64_t>(high, 0, from - 1);
    std::vector<float> weights(static_cast<std::size_t>(end - begin + 1));
    double sum = 0;
    for (std::int64_t k = low; k <= high; ++k) {
      const double weight = std::max(0.0, 1 - std::abs(static_cast<double>(k) - center) / reach);
      weights[static_cast<std::size_t>(std::clamp(k, begin, end) - begin)] += static_cast<float>(weight);
      sum += weight;
    }
    for (float& weight : weights) weight = static_cast<float>(weight / sum);
    taps.first.push_back(static_cast<std::uint32_t>(begin));
    taps.weights.push_back(std::move(weights));
  }
  return taps;
}

Picture scaled(const Picture& picture, std::uint32_t columns, std::uint32_t rows) {
  if (columns == picture.columns && rows == picture.rows) return picture;
  Picture out;
  out.samples_per_pixel = picture.samples_per_pixel;
  out.columns = columns;
  out.rows = rows;
  const std::size_t n = out.samples_per_pixel;
  const Taps across = taps_of(picture.columns, out.columns), down = taps_of(picture.rows, out.rows);
  std::vector<float> narrow(std::size_t{picture.rows} * out.columns * n);
  for (std::size_t y = 0; y < picture.rows; ++y) {
    for (std::size_t x = 0; x < out.columns; ++x) {
      for (std::size_t c = 0; c < n; ++c) {
        float sum = 0;
        const auto& weights = across.weights[x];
        const std::uint8_t* from = &picture.samples[(y * picture.columns + across.first[x]) * n + c];
        for (std::size_t k = 0; k < weights.size(); ++k) sum += weights[k] * static_cast<float>(from[k * n]);
        narrow[(y * out.columns + x) * n + c] = sum;
      }
    }
  }
  const std::size_t stride = out.columns * n;
  out.samples.resize(stride * out.rows);
  for (std::size_t y = 0; y < out.rows; ++y) {
    const auto& weights = down.weights[y];
    for (std::size_t i = 0; i < stride; ++i) {
      float sum = 0;
      for (std::size_t k = 0; k < weights.size(); ++k) sum += weights[k] * narrow[(down.first[y] + k) * stride + i];
      out.samples[y * stride + i] = static_cast<std::uint8_t>(std::clamp(sum + 0.5f, 0.0f, 255.0f));
    }
  }
  return out;
}

}  // namespace

Result<Picture> cut_region(const Picture& picture, const Region& region) {
  const std::int64_t columns = region.columns < 0 ? -region.columns : region.columns;
  const std::int64_t rows = region.rows < 0 ? -region.rows : region.rows;
  if (region.column < 0 || region.row < 0 || columns == 0 || rows == 0 || region.column >= picture.columns ||
      region.row >= picture.rows) {
    return fail(Errc::limit_exceeded, "viewport");
  }
  Picture out;
  out.samples_per_pixel = picture.samples_per_pixel;
  out.columns = static_cast<std::uint32_t>(std::min<std::int64_t>(columns, picture.columns - region.column));
  out.rows = static_cast<std::uint32_t>(std::min<std::int64_t>(rows, picture.rows - region.row));
  const std::size_t n = out.samples_per_pixel;
  out.samples.resize(std::size_t{out.columns} * out.rows * n);
  for (std::size_t y = 0; y < out.rows; ++y) {
    const std::size_t from_row = static_cast<std::size_t>(region.row) + (region.rows < 0 ? out.rows - 1 - y : y);
    for (std::size_t x = 0; x < out.columns; ++x) {
      const std::size_t from = static_cast<std::size_t>(region.column) + (region.columns < 0 ? out.columns - 1 - x : x);
      std::memcpy(&out.samples[(y * out.columns + x) * n], &picture.samples[(from_row * picture.columns + from) * n],
                  n);
    }
  }
  return out;
}

Picture fit_into(const Picture& picture, std::uint32_t columns, std::uint32_t rows, double aspect) {
  const double width = picture.columns, height = picture.rows * aspect;
  const double scale = std::min(columns / width, rows / height);
  return scaled(picture, std::clamp(static_cast<std::uint32_t>(std::lround(width * scale)), 1u, columns),
                std::clamp(static_cast<std::uint32_t>(std::lround(height * scale)), 1u, rows));
}

Picture square(const Picture& picture, double aspect, std::uint32_t most_edge) {
  if (aspect == 1) return picture;
  const double columns = aspect < 1 ? picture.columns / aspect : picture.columns;
  const double rows = aspect > 1 ? picture.rows * aspect : picture.rows;
  if (columns > most_edge || rows > most_edge) return fit_into(picture, most_edge, most_edge, aspect);
  return scaled(picture, static_cast<std::uint32_t>(std::lround(columns)),
                static_cast<std::uint32_t>(std::lround(rows)));
}

double pixel_aspect_of(const dicom::DataSet& data_set, std::uint32_t frame_number) {
  constexpr double kMost = 16, kNone = 0.005;
  const FrameAttributes attributes(data_set, frame_number);
  const auto ratio = [](const dicom::DataSet& d, dicom::Tag tag) -> std::optional<double> {
    const auto height = d.number(tag, 0), width = d.number(tag, 1);
    if (!height || !width || !(*height > 0) || !(*width > 0)) return std::nullopt;
    const double value = *height / *width;
    return value >= 1 / kMost && value <= kMost ? std::optional(value) : std::nullopt;
  };
  auto aspect = ratio(attributes.in(tags::PixelMeasuresSequence), tags::PixelSpacing);
  for (const dicom::Tag tag : {tags::ImagerPixelSpacing, tags::NominalScannedPixelSpacing, tags::PixelAspectRatio}) {
    if (!aspect) aspect = ratio(data_set, tag);
  }
  return aspect && std::abs(*aspect - 1) > kNone ? *aspect : 1;
}

}  // namespace cairn::web
