// The maths of volume rendering, one body for host and device (see kernel_math.h): what lies between two samples of a
// ray, how it is lit, and how it adds to what lies in front.
#pragma once

#include <cmath>
#include <cstdint>

#include "recon/host_device.h"

namespace cairn::recon {

/// Running integrals over the value, from the table's low end: of extinction per mm, and of each colour times it.
struct TransferEntry {
  float extinction, red, green, blue;
};

/// Entry n is at value low + n / scale; `count` entries, at least 2. Beyond the ends the function is constant.
struct TransferView {
  const TransferEntry* entries = nullptr;
  std::int32_t count = 0;
  float low = 0, scale = 1;
  TransferEntry below, above;  ///< the function itself beyond the ends: extinction and colour times it
};

/// The integrals at a value.
CAIRN_HOST_DEVICE inline TransferEntry integral_at(const TransferView& t, float value) {
  const float last = static_cast<float>(t.count - 1);
  float at = (value - t.low) * t.scale;
  float beyond = 0;
  const TransferEntry* outer = &t.below;
  if (at < 0) {
    beyond = at;
    at = 0;
  } else if (at > last) {
    beyond = at - last;
    at = last;
    outer = &t.above;
  }
  std::int32_t n = static_cast<std::int32_t>(at);
  n = n > t.count - 2 ? t.count - 2 : n;
  const float f = at - static_cast<float>(n), g = beyond / t.scale;
  const TransferEntry a = t.entries[n], b = t.entries[n + 1];
  return {a.extinction + (b.extinction - a.extinction) * f + outer->extinction * g,
          a.red + (b.red - a.red) * f + outer->red * g, a.green + (b.green - a.green) * f + outer->green * g,
          a.blue + (b.blue - a.blue) * f + outer->blue * g};
}

/// What a ray gathers, colours premultiplied by opacity.
struct Light {
  float red = 0, green = 0, blue = 0, alpha = 0;
};

/// Opacity from which on a ray ends: what lies behind adds less than one grey level.
inline constexpr float kOpaque = 1.0f - 1.0f / 255.0f;

/// The mean extinction (per mm) and colour between two values; extinction 0 where all of it is invisible.
CAIRN_HOST_DEVICE inline TransferEntry between_values(const TransferView& t, float front, float back) {
  // Of equal values the integral has no difference: a width of half an entry stands in.
  const float least = 0.5f / t.scale;
  float low = front < back ? front : back, high = front < back ? back : front;
  if (high - low < least) {
    const float middle = 0.5f * (low + high);
    low = middle - 0.5f * least;
    high = middle + 0.5f * least;
  }
  const TransferEntry a = integral_at(t, low), b = integral_at(t, high);
  const float width = high - low, extinction = (b.extinction - a.extinction) / width;
  if (!(extinction > 0)) return {0, 0, 0, 0};
  const float total = b.extinction - a.extinction;
  return {extinction, (b.red - a.red) / total, (b.green - a.green) / total, (b.blue - a.blue) / total};
}

/// Directions are unit vectors in patient coordinates.
struct Lamp {
  float to_light[3], to_eye[3];
  float ambient, diffuse, specular, shininess;
  float full_gradient;  ///< value per mm from which on a sample is lit as a surface; below it fades to unlit
};

/// Phong's model, both sides of a surface lit alike: factor for the colour, and white that is added to it.
struct Shade {
  float colour, white;
};

CAIRN_HOST_DEVICE inline Shade shade(const Lamp& lamp, float gx, float gy, float gz) {
  const float size = sqrtf(gx * gx + gy * gy + gz * gz);
  if (!(size > 0)) return {1, 0};
  const float weight = size < lamp.full_gradient ? size / lamp.full_gradient : 1.0f;
  const float nx = gx / size, ny = gy / size, nz = gz / size;
  const float along = nx * lamp.to_light[0] + ny * lamp.to_light[1] + nz * lamp.to_light[2];
  const float lit = along < 0 ? -along : along, side = along < 0 ? -1.0f : 1.0f;
  // The light's mirror image, on the lit side.
  const float twice = 2 * lit * side;
  const float mirrored = (twice * nx - lamp.to_light[0]) * lamp.to_eye[0] +
                         (twice * ny - lamp.to_light[1]) * lamp.to_eye[1] +
                         (twice * nz - lamp.to_light[2]) * lamp.to_eye[2];
  const float gloss = mirrored > 0 ? lamp.specular * powf(mirrored, lamp.shininess) : 0.0f;
  return {1 - weight + weight * (lamp.ambient + lamp.diffuse * lit), weight * gloss};
}

/// Adds what lies between two samples behind what is there. `length_mm` along the ray.
CAIRN_HOST_DEVICE inline void add_behind(Light& light, const TransferEntry& mean, float length_mm, Shade s) {
  const float opacity = 1.0f - expf(-mean.extinction * length_mm);
  const float share = (1.0f - light.alpha) * opacity;
  const float red = mean.red * s.colour + s.white, green = mean.green * s.colour + s.white,
              blue = mean.blue * s.colour + s.white;
  light.red += share * (red > 1 ? 1.0f : red);
  light.green += share * (green > 1 ? 1.0f : green);
  light.blue += share * (blue > 1 ? 1.0f : blue);
  light.alpha += share;
}

}  // namespace cairn::recon
