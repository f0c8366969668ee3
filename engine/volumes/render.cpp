#include "engine/volumes/render.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <limits>

#include "codec/image.h"
#include "engine/volumes/fan_out.h"

namespace cairn::volumes {
namespace {

constexpr float kOutside = std::numeric_limits<float>::quiet_NaN();
constexpr std::uint32_t kNaturalEdge = 1024, kNaturalSceneEdge = 512;
constexpr std::uint32_t kSceneRowsPerItem = 8;
constexpr std::uint32_t kMaxSceneEdge = 2048;  // a picture of this size takes seconds
// Below this much work a second thread costs more than it brings; other requests use the other cores meanwhile.
constexpr double kSamplesWorthSharing = 2e6;
constexpr std::uint32_t kRowsPerItem = 32;

using Clock = std::chrono::steady_clock;

std::uint64_t micros_since(Clock::time_point start) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start).count());
}

double samples_in(const Applied& a, const recon::VolumeGeometry& g) {
  const double edge = std::min({g.column_spacing_mm, g.row_spacing_mm, norm(g.slice_step_mm)});
  return static_cast<double>(a.plane.width) * a.plane.height * std::max(1.0, std::ceil(a.slab.thickness_mm / edge));
}

void sample(const recon::VolumeView& v, const Applied& a, io::WorkerPool* pool, std::span<float> out) {
  if (samples_in(a, v.geometry) < kSamplesWorthSharing) {
    recon::sample_rows(v, a.plane, a.slab, kOutside, 0, out);
    return;
  }
  const std::uint32_t items = (a.plane.height + kRowsPerItem - 1) / kRowsPerItem;
  fan_out(pool, items, [&](std::size_t item) {
    const auto first = static_cast<std::uint32_t>(item) * kRowsPerItem;
    const std::uint32_t rows = std::min(kRowsPerItem, a.plane.height - first);
    recon::sample_rows(v, a.plane, a.slab, kOutside, first,
                       out.subspan(std::size_t{first} * a.plane.width, std::size_t{rows} * a.plane.width));
  });
}

void window_grey(const BuiltVolume& built, const Applied& a, std::span<const float> values,
                 std::span<std::uint8_t> into) {
  codec::apply_voi(*a.window, values, into, built.inverted);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) into[i] = 0;  // nothing there: black also where MONOCHROME1 turns low values white
  }
}

void place_colour(std::span<const float> values, unsigned component, std::span<std::uint8_t> into) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float x = std::isnan(values[i]) ? 0.0f : std::clamp(std::floor(values[i] + 0.5f), 0.0f, 255.0f);
    into[3 * i + component] = static_cast<std::uint8_t>(x);
  }
}

Result<> apply_scene(const RenderRequest& request, std::string_view modality, bool colour, Applied& a) {
  if (colour) return fail(Errc::unsupported, "3D of a colour volume");
  if (a.viewport.width > kMaxSceneEdge || a.viewport.height > kMaxSceneEdge)
    return fail(Errc::limit_exceeded, "viewport in 3D: at most 2048");
  if (request.slab.thickness_mm > 0) return fail(Errc::malformed, "mprslab in 3D");
  if (request.interpolation != recon::Interpolation::linear) return fail(Errc::malformed, "interpolation in 3D");
  a.scene = request.scene;
  if (a.scene->look != recon::Look::volume) {
    a.scene->preset.clear();
    a.scene->points.clear();
    return outcome::success();
  }
  if (request.media == MediaType::png16 || request.media == MediaType::raw)
    return fail(Errc::malformed, "values of a volume rendering");
  if (!a.scene->points.empty()) {
    a.scene->preset.clear();
  } else if (a.scene->preset.empty()) {
    a.scene->preset = modality == "CT" ? "bone" : modality == "PT" || modality == "NM" ? "pet" : "mr";
  }
  return outcome::success();
}

const recon::Cells& cells_of(const BuiltVolume& built, io::WorkerPool* pool) {
  LazyCells& lazy = *built.cells;
  std::call_once(lazy.once, [&] {
    const recon::VolumeView v = built.volume.view();
    recon::Cells cells = recon::empty_cells(v.geometry);
    fan_out(pool, cells.slices, [&](std::size_t layer) {
      const auto first = static_cast<std::uint32_t>(layer);
      recon::fill_cells(v, cells, first, first + 1);
    });
    lazy.cells = std::move(cells);
  });
  return lazy.cells;
}

Result<recon::SceneRenderer> scene_of(const BuiltVolume& built, const Applied& a, io::WorkerPool* pool) {
  recon::Scene scene;
  scene.camera = a.camera;
  scene.viewport = a.viewport;
  scene.perspective = a.scene->perspective;
  scene.look = a.scene->look;
  scene.crop = a.scene->crop;
  if (!a.scene->points.empty()) {
    scene.transfer = {a.scene->points, true};
  } else if (scene.look == recon::Look::volume) {
    const codec::Window window = a.window.value_or(codec::Window{});
    CAIRN_TRY(scene.transfer, recon::transfer_preset(a.scene->preset, window.center - window.width / 2,
                                                     window.center + window.width / 2));
  }
  return recon::SceneRenderer::of(built.volume.view(), scene, &cells_of(built, pool));
}

Result<std::vector<float>> sample_all(const BuiltVolume& built, const Applied& a, unsigned component,
                                      io::WorkerPool* pool) {
  std::vector<float> values(std::size_t{a.plane.width} * a.plane.height);
  if (!a.scene) {
    sample(built.volume.view(component), a, pool, values);
    return values;
  }
  CAIRN_TRY(const recon::SceneRenderer renderer, scene_of(built, a, pool));
  fan_out(pool, (a.plane.height + kSceneRowsPerItem - 1) / kSceneRowsPerItem, [&](std::size_t item) {
    const auto first = static_cast<std::uint32_t>(item) * kSceneRowsPerItem;
    const std::uint32_t rows = std::min(kSceneRowsPerItem, a.plane.height - first);
    renderer.project(first,
                     std::span(values).subspan(std::size_t{first} * a.plane.width, std::size_t{rows} * a.plane.width));
  });
  return values;
}

Result<std::vector<std::uint8_t>> paint_all(const BuiltVolume& built, const Applied& a, io::WorkerPool* pool) {
  CAIRN_TRY(const recon::SceneRenderer renderer, scene_of(built, a, pool));
  const std::size_t row_bytes = std::size_t{3} * a.plane.width;
  std::vector<std::uint8_t> rgb(row_bytes * a.plane.height);
  fan_out(pool, (a.plane.height + kSceneRowsPerItem - 1) / kSceneRowsPerItem, [&](std::size_t item) {
    const auto first = static_cast<std::uint32_t>(item) * kSceneRowsPerItem;
    const std::uint32_t rows = std::min(kSceneRowsPerItem, a.plane.height - first);
    renderer.paint(first, std::span(rgb).subspan(row_bytes * first, row_bytes * rows));
  });
  return rgb;
}

// What 16-bit samples mean: the range that stored values can have, so that where all slices share one rescale a sample
// is a stored value moved, and every plane of a volume has the same scale. Errors: unsupported (voxels of 32 bits).
struct ValueRange {
  double low = 0, high = 0;
};

Result<ValueRange> value_range(const recon::VolumeView& v) {
  double low = 0, high = 0;
  switch (v.type) {
    case recon::VoxelType::uint8:
      high = 255;
      break;
    case recon::VoxelType::int8:
      low = -128, high = 127;
      break;
    case recon::VoxelType::uint16:
      high = 65535;
      break;
    case recon::VoxelType::int16:
      low = -32768, high = 32767;
      break;
    default:
      return fail(Errc::unsupported, "16-bit PNG of voxels with 32 bits: application/octet-stream has their values");
  }
  ValueRange range{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (std::uint32_t k = 0; k < v.geometry.slices; ++k) {
    for (const double stored : {low, high}) {
      const double value = stored * double{v.slope[k]} + double{v.intercept[k]};
      range = {std::min(range.low, value), std::max(range.high, value)};
    }
  }
  if (!(range.high > range.low)) return fail(Errc::unsupported, "16-bit PNG of a volume with one value");
  return range;
}

Result<std::vector<std::byte>> values_as_png(std::span<const float> values, Applied& a, const ValueRange& range,
                                             double stored_values) {
  a.value_scale = (range.high - range.low) / (stored_values - 1);
  a.value_offset = range.low;
  std::vector<std::uint16_t> samples(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) continue;
    const double sample = std::floor((double{values[i]} - range.low) / a.value_scale + 0.5);
    samples[i] = static_cast<std::uint16_t>(std::clamp(sample, 0.0, 65535.0));  // cubic may overshoot the range
  }
  return codec::encode_png(codec::Plane16{a.plane.height, a.plane.width, samples});
}

std::vector<std::byte> values_as_bytes(std::span<const float> values) {
  std::vector<std::byte> bytes(values.size_bytes());
  for (std::size_t i = 0; i < values.size(); ++i) {
    store_le(bytes.data() + i * sizeof(float), std::bit_cast<std::uint32_t>(values[i]));
  }
  return bytes;
}

// Values instead of a picture. Single component: apply_defaults saw to it.
Result<RenderedImage> render_values(const BuiltVolume& built, const Applied& applied, const RenderRequest& request,
                                    io::WorkerPool* pool) {
  const recon::VolumeView v = built.volume.view();
  ValueRange range;
  if (request.media == MediaType::png16) {
    CAIRN_TRY(range, value_range(v));
  }
  RenderedImage image;
  image.applied = applied;
  image.warnings = built.warnings;
  const Clock::time_point start = Clock::now();
  CAIRN_TRY(const std::vector<float> values, sample_all(built, applied, 0, pool));
  image.sample_us = micros_since(start);
  const Clock::time_point encoding = Clock::now();
  if (request.media == MediaType::raw) {
    image.bytes = values_as_bytes(values);
    image.content_type = "application/octet-stream";
  } else {
    const double stored_values = recon::size_of(v.type) == 1 && v.same_rescale ? 256 : 65536;
    CAIRN_TRY(image.bytes, values_as_png(values, image.applied, range, stored_values));
    image.content_type = "image/png";
  }
  image.encode_us = micros_since(encoding);
  return image;
}

}  // namespace

Result<Applied> apply_defaults(const RenderRequest& request, const SeriesPlan& plan,
                               const recon::AssembledVolume& volume, std::size_t index,
                               const std::optional<codec::Window>& window_of_values) {
  if (request.orientation && request.viewpoint)
    return fail(Errc::malformed, "orientation and viewpoint exclude each other");
  if (request.media == MediaType::jpeg && (request.quality < 1 || request.quality > 100))
    return fail(Errc::malformed, "quality");
  const recon::VolumeGeometry g = volume.layout.view();
  const InstanceInfo& info = plan.instances[plan.frame_of(volume, 0).instance];
  const bool colour = info.format.samples_per_pixel == 3;

  Applied a;
  const auto standard = request.scene ? recon::Orientation::anterior : recon::Orientation::feet;
  a.camera = request.viewpoint ? *request.viewpoint : recon::camera_for(request.orientation.value_or(standard), g);
  a.viewport = request.viewport;
  if (a.viewport.width == 0 && a.viewport.height == 0) {
    CAIRN_TRY(const recon::Viewport natural,
              recon::natural_viewport(a.camera, g, request.scene ? kNaturalSceneEdge : kNaturalEdge));
    a.viewport = natural;
  }
  CAIRN_TRY(const recon::Plane plane, recon::plane_for(a.camera, g, a.viewport));
  a.plane = plane;
  a.plane.origin_mm =
      a.plane.origin_mm + recon::normalized(a.camera.look_at_mm - a.camera.position_mm) * request.advance_mm;
  a.plane.interpolation = request.interpolation;
  a.slab = request.slab;
  recon::VolumeView shape;
  shape.geometry = g;
  CAIRN_TRYV(recon::check_plane(shape, a.plane, a.slab));
  const bool measured = request.media == MediaType::png16 || request.media == MediaType::raw;
  if (measured) {
    if (request.window) return fail(Errc::malformed, "window: values are not windowed");
    if (colour) return fail(Errc::unsupported, "values of a colour volume");
  } else if (colour) {
    if (request.window) return fail(Errc::malformed, "window for a colour volume");
    if (a.slab.thickness_mm > 0 && a.slab.projection != recon::Projection::mean) {
      return fail(Errc::unsupported, "maximum or minimum slab of a colour volume");
    }
  } else {
    if (request.window) {
      CAIRN_TRYV(codec::validate(*request.window));
      a.window = request.window;
    } else {
      a.window = header_window(plan, volume);
      if (!a.window) a.window = window_of_values;
    }
  }
  if (request.scene) {
    CAIRN_TRYV(apply_scene(request, plan.modality, colour, a));
  }
  a.inverted = !colour && !measured && info.monochrome1;
  a.volume = index;
  a.volumes = plan.assembly.volumes.size();
  a.geometry_class = recon::to_string(g.kind);
  a.frame_of_reference_uid = info.frame_of_reference_uid;
  return a;
}

Result<RenderedImage> render(const BuiltVolume& built, const Applied& applied, const RenderRequest& request,
                             io::WorkerPool* pool) {
  if (request.media == MediaType::png16 || request.media == MediaType::raw) {
    return render_values(built, applied, request, pool);
  }
  const std::size_t pixels = std::size_t{applied.plane.width} * applied.plane.height;
  const bool painted = applied.scene && applied.scene->look == recon::Look::volume;
  const unsigned components = painted ? 3 : built.volume.components();
  std::vector<std::uint8_t> picture;

  RenderedImage image;
  const Clock::time_point start = Clock::now();
  if (painted) {
    CAIRN_TRY(picture, paint_all(built, applied, pool));
  } else {
    picture.resize(pixels * components);
  }
  for (unsigned c = 0; c < components && !painted; ++c) {
    CAIRN_TRY(const std::vector<float> values, sample_all(built, applied, c, pool));
    if (components == 1)
      window_grey(built, applied, values, picture);
    else
      place_colour(values, c, picture);
  }
  image.sample_us = micros_since(start);

  const Clock::time_point encoding = Clock::now();
  const codec::Plane8 plane{applied.plane.height, applied.plane.width, components, picture};
  if (request.media == MediaType::png) {
    CAIRN_TRY(auto bytes, codec::encode_png(plane));
    image.bytes = std::move(bytes);
    image.content_type = "image/png";
  } else {
    CAIRN_TRY(auto bytes, codec::encode_jpeg(plane, request.quality));
    image.bytes = std::move(bytes);
    image.content_type = "image/jpeg";
  }
  image.encode_us = micros_since(encoding);
  image.applied = applied;
  image.warnings = built.warnings;
  return image;
}

}  // namespace cairn::volumes
