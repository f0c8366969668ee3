#include "engine/volumes/render.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "codec/image.h"
#include "engine/volumes/fan_out.h"

namespace cairn::volumes {
namespace {

constexpr float kOutside = std::numeric_limits<float>::quiet_NaN();
constexpr std::uint32_t kNaturalEdge = 1024;
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
  a.camera = request.viewpoint ? *request.viewpoint
                               : recon::camera_for(request.orientation.value_or(recon::Orientation::feet), g);
  a.viewport = request.viewport;
  if (a.viewport.width == 0 && a.viewport.height == 0) {
    CAIRN_TRY(const recon::Viewport natural, recon::natural_viewport(a.camera, g, kNaturalEdge));
    a.viewport = natural;
  }
  CAIRN_TRY(const recon::Plane plane, recon::plane_for(a.camera, g, a.viewport));
  a.plane = plane;
  a.slab = request.slab;
  recon::VolumeView shape;
  shape.geometry = g;
  CAIRN_TRYV(recon::check_plane(shape, a.plane, a.slab));
  if (colour) {
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
  a.inverted = !colour && info.monochrome1;
  a.volume = index;
  a.volumes = plan.assembly.volumes.size();
  a.geometry_class = recon::to_string(g.kind);
  return a;
}

Result<RenderedImage> render(const BuiltVolume& built, const Applied& applied, const RenderRequest& request,
                             io::WorkerPool* pool) {
  const std::size_t pixels = std::size_t{applied.plane.width} * applied.plane.height;
  const unsigned components = built.volume.components();
  std::vector<float> values(pixels);
  std::vector<std::uint8_t> picture(pixels * components);

  RenderedImage image;
  const Clock::time_point start = Clock::now();
  for (unsigned c = 0; c < components; ++c) {
    sample(built.volume.view(c), applied, pool, values);
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
