#include "recon/view.h"

#include <algorithm>

namespace cairn::recon {
namespace {

struct Direction {
  Vec3 view, up;
};

// Rows as in the table of view.h.
Direction direction_of(Orientation o) {
  const Vec3 superior{0, 0, 1}, anterior{0, -1, 0};
  switch (o) {
    case Orientation::anterior:
      return {{0, 1, 0}, superior};
    case Orientation::posterior:
      return {{0, -1, 0}, superior};
    case Orientation::right:
      return {{1, 0, 0}, superior};
    case Orientation::left:
      return {{-1, 0, 0}, superior};
    case Orientation::head:
      return {{0, 0, -1}, anterior};
    case Orientation::feet:
      return {{0, 0, 1}, anterior};
  }
  return {{0, 0, 1}, anterior};
}

struct Axes {
  Vec3 right, down;
  double half_width_mm, half_height_mm;  // of what must be seen, around look_at
};

Result<Axes> axes_of(const Camera& c, const VolumeGeometry& g) {
  if (!is_finite(c.position_mm) || !is_finite(c.look_at_mm) || !is_finite(c.up))
    return fail(Errc::malformed, "viewpoint");
  const Vec3 view = c.look_at_mm - c.position_mm;
  const double distance = norm(view), up = norm(c.up);
  if (!(distance > 1e-9) || !std::isfinite(distance))
    return fail(Errc::malformed, "viewpoint position and look-at point are the same");
  if (!(up > 1e-9) || !std::isfinite(up)) return fail(Errc::malformed, "viewpoint up direction is zero");
  const Vec3 right = cross(view * (1 / distance), c.up * (1 / up));
  if (!(norm(right) > 1e-6)) return fail(Errc::malformed, "viewpoint up direction is along the view");
  Axes axes{normalized(right), {}, 0, 0};
  axes.down = normalized(cross(view * (1 / distance), axes.right));
  for (const Vec3& corner : corners_of(g).point) {
    const Vec3 d = corner - c.look_at_mm;
    axes.half_width_mm = std::max(axes.half_width_mm, std::abs(dot(d, axes.right)));
    axes.half_height_mm = std::max(axes.half_height_mm, std::abs(dot(d, axes.down)));
  }
  if (axes.half_width_mm > 1e6 || axes.half_height_mm > 1e6)
    return fail(Errc::limit_exceeded, "look-at point is far from the volume");
  return axes;
}

}  // namespace

Result<Orientation> parse_orientation(std::string_view value) {
  if (value == "a") return Orientation::anterior;
  if (value == "p") return Orientation::posterior;
  if (value == "r") return Orientation::right;
  if (value == "l") return Orientation::left;
  if (value == "h") return Orientation::head;
  if (value == "f") return Orientation::feet;
  return fail(Errc::malformed, "orientation must be one of a, p, r, l, h, f");
}

Camera camera_for(Orientation orientation, const VolumeGeometry& g) {
  const Corners corners = corners_of(g);
  Vec3 middle;
  for (const Vec3& p : corners.point) middle = middle + p * 0.125;
  double reach = 0;
  for (const Vec3& p : corners.point) reach = std::max(reach, norm(p - middle));
  const Direction d = direction_of(orientation);
  return {middle - d.view * (2 * reach), middle, d.up};
}

Result<Viewport> natural_viewport(const Camera& camera, const VolumeGeometry& g, std::uint32_t longest) {
  CAIRN_TRY(const Axes axes, axes_of(camera, g));
  const double finest = std::min(g.column_spacing_mm, g.row_spacing_mm);
  double width = 2 * axes.half_width_mm / finest, height = 2 * axes.half_height_mm / finest;
  const double shrink = std::min(1.0, longest / std::max(width, height));
  auto edge = [&](double pixels) {
    // A hair below a whole number of pixels is that number: 511.9999999 is 512 pixels that meet their voxels.
    return std::clamp(static_cast<std::uint32_t>(std::ceil(pixels * shrink - 1e-6)), 1u, longest);
  };
  return Viewport{edge(width), edge(height)};
}

Result<Plane> plane_for(const Camera& camera, const VolumeGeometry& g, Viewport viewport) {
  if (viewport.width == 0 || viewport.height == 0) return fail(Errc::malformed, "empty viewport");
  if (viewport.width > kMaxPlaneEdge || viewport.height > kMaxPlaneEdge)
    return fail(Errc::limit_exceeded, "viewport size");
  CAIRN_TRY(const Axes axes, axes_of(camera, g));
  const double pixel_mm = std::max(2 * axes.half_width_mm / viewport.width, 2 * axes.half_height_mm / viewport.height);
  Plane plane;
  plane.right_mm = axes.right * pixel_mm;
  plane.down_mm = axes.down * pixel_mm;
  plane.origin_mm = camera.look_at_mm - plane.right_mm * (0.5 * (viewport.width - 1.0)) -
                    plane.down_mm * (0.5 * (viewport.height - 1.0));
  plane.width = viewport.width;
  plane.height = viewport.height;
  return plane;
}

}  // namespace cairn::recon
