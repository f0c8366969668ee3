#include "engine/web/volume_query.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "engine/core/uid.h"
#include "engine/dicom/dictionary.h"

namespace cairn::web {
namespace {

template <class T>
Result<T> parse_number(std::string_view text, const char* where) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return fail(Errc::malformed, where);
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) return fail(Errc::malformed, where);
  }
  return value;
}

template <class T, std::size_t N>
Result<std::array<T, N>> parse_list(std::string_view text, const char* where) {
  std::array<T, N> values{};
  for (std::size_t i = 0; i < N; ++i) {
    const std::size_t comma = text.find(',');
    if ((comma == std::string_view::npos) != (i + 1 == N)) return fail(Errc::malformed, where);
    CAIRN_TRY(values[i], parse_number<T>(text.substr(0, comma), where));
    if (comma != std::string_view::npos) text.remove_prefix(comma + 1);
  }
  return values;
}

Result<recon::Vec3> parse_vector(std::string_view text, const char* where) {
  CAIRN_TRY(const auto values, (parse_list<double, 3>(text, where)));
  return recon::Vec3{values[0], values[1], values[2]};
}

/// The three viewpoint parameters belong together.
struct Viewpoint {
  std::optional<recon::Vec3> position, look_at, up;

  Result<std::optional<recon::Camera>> camera() const {
    if (!position && !look_at && !up) return std::optional<recon::Camera>();
    if (!position) return fail(Errc::missing, "viewpointposition");
    if (!look_at) return fail(Errc::missing, "viewpointlookat");
    if (!up) return fail(Errc::missing, "viewpointup");
    return std::optional(recon::Camera{*position, *look_at, *up});
  }
};

Result<> parse_look(std::string_view text, recon::Look& look) {
  if (text == "volume_rendered") {
    look = recon::Look::volume;
  } else if (text == "average_ip") {
    look = recon::Look::mean;
  } else if (text == "maximum_ip") {
    look = recon::Look::maximum;
  } else if (text == "minimum_ip") {
    look = recon::Look::minimum;
  } else {
    return fail(Errc::malformed, "renderingmethod");
  }
  return outcome::success();
}

Result<> parse_transfer_function(std::string_view text, std::vector<recon::TransferPoint>& points) {
  constexpr std::size_t kMostPoints = 256;
  while (!text.empty()) {
    const std::size_t end = text.find(';');
    CAIRN_TRY(const auto n, (parse_list<double, 5>(text.substr(0, end), "transferfunction")));
    points.push_back({n[0], n[1], n[2], n[3], n[4]});
    if (points.size() > kMostPoints) return fail(Errc::limit_exceeded, "transferfunction");
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  if (!recon::TransferTable::of({points, true})) return fail(Errc::malformed, "transferfunction");
  return outcome::success();
}

/// Parameters of 3D alone. nullopt: none of them.
std::optional<Result<>> parse_scene(std::string_view name, const std::string& value, volumes::SceneRequest& scene) {
  if (name == "renderingmethod") return parse_look(value, scene.look);
  if (name == "preset") {
    if (!recon::transfer_preset(value, 0, 1)) return fail(Errc::malformed, "preset");
    scene.preset = value;
    return outcome::success();
  }
  if (name == "transferfunction") return parse_transfer_function(value, scene.points);
  if (name == "projection") {
    if (value != "orthographic" && value != "perspective") return fail(Errc::malformed, "projection");
    scene.perspective = value == "perspective";
    return outcome::success();
  }
  if (name == "crop") {
    const auto corners = parse_list<double, 6>(value, "crop");
    if (!corners) return corners.error();
    const auto& c = corners.value();
    scene.crop = recon::Box{{std::min(c[0], c[3]), std::min(c[1], c[4]), std::min(c[2], c[5])},
                            {std::max(c[0], c[3]), std::max(c[1], c[4]), std::max(c[2], c[5])}};
    if (c[0] == c[3] || c[1] == c[4] || c[2] == c[5]) return fail(Errc::malformed, "crop");
    return outcome::success();
  }
  for (const char* of_planes : {"mprslab", "interpolation", "planes"}) {
    if (name == of_planes) return fail(Errc::malformed, of_planes);
  }
  return std::nullopt;
}

Result<> parse_method(std::string_view text, recon::Slab& slab) {
  if (text == "average_ip") {
    slab.projection = recon::Projection::mean;
  } else if (text == "maximum_ip") {
    slab.projection = recon::Projection::maximum;
  } else if (text == "minimum_ip") {
    slab.projection = recon::Projection::minimum;
  } else {
    return fail(text == "volume_rendered" ? Errc::unsupported : Errc::malformed, "renderingmethod");
  }
  return outcome::success();
}

Result<> parse_viewport(std::string_view text, recon::Viewport& viewport) {
  CAIRN_TRY(const auto size, (parse_list<std::uint32_t, 2>(text, "viewport")));
  if (size[0] == 0 || size[1] == 0 || size[0] > recon::kMaxPlaneEdge || size[1] > recon::kMaxPlaneEdge) {
    return fail(Errc::malformed, "viewport");
  }
  viewport = {size[0], size[1]};
  return outcome::success();
}

Result<> parse_interpolation(std::string_view text, recon::Interpolation& interpolation) {
  if (text == "nearest") {
    interpolation = recon::Interpolation::nearest;
  } else if (text == "linear") {
    interpolation = recon::Interpolation::linear;
  } else if (text == "cubic") {
    interpolation = recon::Interpolation::cubic;
  } else {
    return fail(Errc::malformed, "interpolation");
  }
  return outcome::success();
}

Result<> parse_planes(std::string_view text, PlaneStack& stack) {
  const std::size_t comma = text.find(',');
  if (comma == std::string_view::npos) return fail(Errc::malformed, "planes");
  CAIRN_TRY(stack.count, parse_number<std::uint32_t>(text.substr(0, comma), "planes"));
  CAIRN_TRY(stack.step_mm, parse_number<double>(text.substr(comma + 1), "planes"));
  if (stack.count == 0 || stack.count > kMaxStackPlanes || !(stack.step_mm > 0) || stack.step_mm > 1e4)
    return fail(Errc::malformed, "planes");
  return outcome::success();
}

/// Literal names of parameters that would change what the picture shows, and are not there yet.
const char* refused(std::string_view name) {
  for (const char* known : {"match", "swivelrange", "volumetriccurvepoint", "animationstepsize", "animationrate"}) {
    if (name == known) return known;
  }
  // The standard's examples write the attribute itself: CardiacRRIntervalSpecified=140-260.
  return dicom::tag_of_keyword(name) ? "match by attribute" : nullptr;
}

Result<> parse_one(std::string_view name, const std::string& value, VolumeQuery& query, Viewpoint& viewpoint) {
  volumes::RenderRequest& render = query.render;
  if (render.scene) {
    if (const auto parsed = parse_scene(name, value, *render.scene)) return *parsed;
  }
  if (name == "orientation") {
    auto orientation = recon::parse_orientation(value);
    if (!orientation) return fail(Errc::malformed, "orientation");
    render.orientation = orientation.value();
  } else if (name == "viewpointposition") {
    CAIRN_TRY(viewpoint.position, parse_vector(value, "viewpointposition"));
  } else if (name == "viewpointlookat") {
    CAIRN_TRY(viewpoint.look_at, parse_vector(value, "viewpointlookat"));
  } else if (name == "viewpointup") {
    CAIRN_TRY(viewpoint.up, parse_vector(value, "viewpointup"));
  } else if (name == "viewport") {
    return parse_viewport(value, render.viewport);
  } else if (name == "window") {
    auto window = codec::parse_window(value);
    if (!window) return fail(Errc::malformed, "window");
    if (!codec::validate(window.value())) return fail(Errc::malformed, "window");
    render.window = window.value();
  } else if (name == "quality") {
    CAIRN_TRY(render.quality, parse_number<int>(value, "quality"));
    if (render.quality < 1 || render.quality > 100) return fail(Errc::malformed, "quality");
  } else if (name == "mprslab") {
    CAIRN_TRY(render.slab.thickness_mm, parse_number<double>(value, "mprslab"));
    if (render.slab.thickness_mm < 0) return fail(Errc::malformed, "mprslab");
  } else if (name == "interpolation") {
    return parse_interpolation(value, render.interpolation);
  } else if (name == "planes") {
    return parse_planes(value, query.stack);
  } else if (name == "bits") {
    if (value != "8" && value != "16") return fail(Errc::malformed, "bits");
    query.sixteen_bits = value == "16";
  } else if (name == "renderingmethod") {
    return parse_method(value, render.slab);
  } else if (name == "volumeinputreference") {
    return parse_volume_reference(value, render.volume);
  } else if (name == "renderedvolumetricmetadata") {
    if (value != "yes" && value != "no") return fail(Errc::malformed, "renderedvolumetricmetadata");
    query.metadata_only = value == "yes";
  } else if (const char* known = refused(name)) {
    return fail(Errc::unsupported, known);
  } else if (name != "accept") {
    query.warnings.emplace_back("A parameter that is not known was ignored");
  }
  return outcome::success();
}

}  // namespace

Result<> parse_volume_reference(std::string_view text, volumes::VolumeRequest& volume) {
  const std::size_t separator = text.find_first_of(",/");
  const std::string_view uid = text.substr(0, separator);
  if (!is_usable_uid(uid)) return fail(Errc::malformed, "volumeinputreference");
  volume.reference_uid = uid;
  if (separator == std::string_view::npos) return outcome::success();
  CAIRN_TRY(volume.reference_frame, parse_number<std::uint32_t>(text.substr(separator + 1), "volumeinputreference"));
  if (volume.reference_frame == 0) return fail(Errc::malformed, "volumeinputreference");
  return outcome::success();
}

Result<VolumeQuery> parse_volume_query(const Resource& path, bool in_3d,
                                       const std::vector<std::pair<std::string, std::string>>& parameters) {
  VolumeQuery query;
  query.render.volume.study_uid = path.study;
  query.render.volume.series_uid = path.series;
  query.render.volume.instance_uid = path.instance;
  if (in_3d) query.render.scene.emplace();
  Viewpoint viewpoint;
  for (const auto& [name, value] : parameters) {
    CAIRN_TRYV(parse_one(name, value, query, viewpoint));
  }
  CAIRN_TRY(query.render.viewpoint, viewpoint.camera());
  if (query.render.viewpoint && query.render.orientation) return fail(Errc::malformed, "orientation and viewpoint");
  if (query.warnings.size() > 1) query.warnings.resize(1);
  return query;
}

}  // namespace cairn::web
