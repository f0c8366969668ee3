#include "engine/volumes/volume_file.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>

#include "engine/core/bytes.h"

namespace cairn::volumes {
namespace {

using recon::Vec3;

/// Axes in LPS, in millimetres from one voxel to the next.
struct Frame {
  Vec3 origin, column, row, slice;
  double deviation_mm = 0;  ///< of the slice that lies farthest from its place in the file
};

Result<Frame> frame_of(const recon::VolumeGeometry& g) {
  Frame f;
  f.origin = recon::position_of(g, 0, 0, 0);
  f.column = g.row_direction * g.column_spacing_mm;
  f.row = g.column_direction * g.row_spacing_mm;
  f.slice = g.slice_step_mm;
  if (g.slices > 1) f.slice = (recon::position_of(g, 0, 0, g.slices - 1) - f.origin) * (1.0 / (g.slices - 1));
  for (std::uint32_t k = 0; k < g.slices; ++k) {
    const Vec3 off = recon::position_of(g, 0, 0, k) - (f.origin + f.slice * k);
    f.deviation_mm = std::max(f.deviation_mm, recon::norm(off));
  }
  const double smallest = std::min({g.column_spacing_mm, g.row_spacing_mm, recon::norm(f.slice)});
  if (f.deviation_mm > 0.01 * smallest)
    return fail(Errc::unsupported, "slices at uneven places: the format knows one step between slices");
  return f;
}

template <class Body>
void with_stored(const recon::VolumeView& v, std::uint32_t slice, Body body) {
  const std::size_t count = std::size_t{v.geometry.columns} * v.geometry.rows;
  const std::size_t first = count * slice;
  const auto run = [&](auto type) {
    using T = decltype(type);
    body(std::span(static_cast<const T*>(v.voxels) + first, count));
  };
  switch (v.type) {
    case recon::VoxelType::uint8:
      return run(std::uint8_t{});
    case recon::VoxelType::int8:
      return run(std::int8_t{});
    case recon::VoxelType::uint16:
      return run(std::uint16_t{});
    case recon::VoxelType::int16:
      return run(std::int16_t{});
    case recon::VoxelType::int32:
      return run(std::int32_t{});
    case recon::VoxelType::float32:
      return run(float{});
  }
}

recon::VoxelType type_for(const recon::VolumeView& v) {
  if (v.type == recon::VoxelType::float32) return v.type;
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (std::uint32_t k = 0; k < v.geometry.slices; ++k) {
    const double slope = double{v.slope[k]}, intercept = double{v.intercept[k]};
    if (slope != std::floor(slope) || intercept != std::floor(intercept)) return recon::VoxelType::float32;
    with_stored(v, k, [&](auto stored) {
      const auto [least, most] = std::ranges::minmax(stored);
      for (const double x : {static_cast<double>(least), static_cast<double>(most)}) {
        low = std::min(low, x * slope + intercept);
        high = std::max(high, x * slope + intercept);
      }
    });
  }
  if (low >= -32768 && high <= 32767) return recon::VoxelType::int16;
  return low >= -2147483648.0 && high <= 2147483647.0 ? recon::VoxelType::int32 : recon::VoxelType::float32;
}

std::string text_of(Vec3 v) {
  char text[120];
  std::snprintf(text, sizeof text, "(%.17g,%.17g,%.17g)", v.x, v.y, v.z);
  return text;
}

std::vector<std::byte> nrrd_header(const Frame& f, const recon::VolumeGeometry& g, recon::VoxelType type) {
  const char* name = type == recon::VoxelType::int16 ? "short" : type == recon::VoxelType::int32 ? "int" : "float";
  std::string h = "NRRD0004\n# values after the Modality LUT; positions in millimetres\n";
  h += std::string("type: ") + name + "\ndimension: 3\nspace: left-posterior-superior\n";
  h += "sizes: " + std::to_string(g.columns) + ' ' + std::to_string(g.rows) + ' ' + std::to_string(g.slices) + '\n';
  h += "space directions: " + text_of(f.column) + ' ' + text_of(f.row) + ' ' + text_of(f.slice) + '\n';
  h += "kinds: domain domain domain\nendian: little\nencoding: raw\n";
  h += "space units: \"mm\" \"mm\" \"mm\"\nspace origin: " + text_of(f.origin) + "\n\n";
  const Bytes bytes = as_bytes(h);
  return {bytes.begin(), bytes.end()};
}

// Fields by their offsets in nifti1.h.
class NiftiHeader {
 public:
  void put(std::size_t at, std::int16_t v) { store_le(bytes_.data() + at, static_cast<std::uint16_t>(v)); }
  void put(std::size_t at, std::int32_t v) { store_le(bytes_.data() + at, static_cast<std::uint32_t>(v)); }
  void put(std::size_t at, double v) {
    store_le(bytes_.data() + at, std::bit_cast<std::uint32_t>(static_cast<float>(v)));
  }
  void put(std::size_t at, std::string_view text) {
    std::ranges::copy(as_bytes(text), bytes_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_ = std::vector<std::byte>(352);
};

Vec3 ras(Vec3 lps) {
  return {-lps.x, -lps.y, lps.z};
}

/// The rotation of orthonormal columns a, b, c as a unit quaternion with w >= 0.
struct Quaternion {
  double w, x, y, z;
};

Quaternion quaternion_of(Vec3 a, Vec3 b, Vec3 c) {
  // The largest of the four is divided by, so that nothing is lost near half turns.
  const double squares[4] = {1 + a.x + b.y + c.z, 1 + a.x - b.y - c.z, 1 - a.x + b.y - c.z, 1 - a.x - b.y + c.z};
  const auto at = std::max_element(squares, squares + 4) - squares;
  const double s = 2 * std::sqrt(squares[at]);
  Quaternion q{};
  if (at == 0) q = {s / 4, (b.z - c.y) / s, (c.x - a.z) / s, (a.y - b.x) / s};
  if (at == 1) q = {(b.z - c.y) / s, s / 4, (b.x + a.y) / s, (c.x + a.z) / s};
  if (at == 2) q = {(c.x - a.z) / s, (b.x + a.y) / s, s / 4, (c.y + b.z) / s};
  if (at == 3) q = {(a.y - b.x) / s, (c.x + a.z) / s, (c.y + b.z) / s, s / 4};
  if (q.w < 0) q = {-q.w, -q.x, -q.y, -q.z};
  return q;
}

std::vector<std::byte> nifti_header(const Frame& f, const recon::VolumeGeometry& g, recon::VoxelType type) {
  NiftiHeader h;
  h.put(0, std::int32_t{348});
  const std::uint32_t extents[3] = {g.columns, g.rows, g.slices};
  h.put(40, std::int16_t{3});
  for (std::size_t a = 0; a < 7; ++a)
    h.put(42 + 2 * a, a < 3 ? static_cast<std::int16_t>(extents[a]) : std::int16_t{1});
  const bool floats = type == recon::VoxelType::float32, narrow = type == recon::VoxelType::int16;
  h.put(70, static_cast<std::int16_t>(floats ? 16 : narrow ? 4 : 8));  // NIFTI_TYPE_FLOAT32, INT16, INT32
  h.put(72, static_cast<std::int16_t>(narrow ? 16 : 32));
  const Vec3 column = ras(f.column), row = ras(f.row), slice = ras(f.slice), origin = ras(f.origin);
  h.put(80, recon::norm(column));
  h.put(84, recon::norm(row));
  h.put(88, recon::norm(slice));
  h.put(108, 352.0);                     // where voxels start
  h.put(112, 1.0);                       // slope
  h.put(123, std::string_view("\x02"));  // millimetres
  const Vec3 a = recon::normalized(column), b = recon::normalized(row), c = recon::normalized(slice);
  const Vec3 normal = recon::cross(a, b);
  if (std::abs(std::abs(recon::dot(c, normal)) - 1) < 1e-6) {
    const double handed = recon::dot(c, normal) < 0 ? -1 : 1;
    const Quaternion q = quaternion_of(a, b, normal);
    h.put(76, handed);
    h.put(252, std::int16_t{1});  // NIFTI_XFORM_SCANNER_ANAT
    h.put(256, q.x);
    h.put(260, q.y);
    h.put(264, q.z);
    h.put(268, origin.x);
    h.put(272, origin.y);
    h.put(276, origin.z);
  } else {
    h.put(76, 1.0);
  }
  h.put(254, std::int16_t{1});
  const double rows[3][4] = {
      {column.x, row.x, slice.x, origin.x}, {column.y, row.y, slice.y, origin.y}, {column.z, row.z, slice.z, origin.z}};
  for (std::size_t r = 0; r < 3; ++r) {
    for (std::size_t n = 0; n < 4; ++n) h.put(280 + 16 * r + 4 * n, rows[r][n]);
  }
  h.put(344, std::string_view("n+1"));
  return h.take();
}

}  // namespace

std::uint64_t VolumeFile::slice_bytes() const noexcept {
  return std::uint64_t{view_.geometry.columns} * view_.geometry.rows * recon::size_of(type_);
}

Result<VolumeFile> VolumeFile::of(const BuiltVolume& built, VolumeFormat format) {
  if (built.colour()) return fail(Errc::unsupported, "colour volume");
  VolumeFile file;
  file.view_ = built.volume.view();
  const recon::VolumeGeometry& g = file.view_.geometry;
  if (format == VolumeFormat::nifti && std::max({g.columns, g.rows, g.slices}) > 32767)
    return fail(Errc::unsupported, "an extent past 32767, which NIfTI-1 cannot state");
  CAIRN_TRY(const Frame frame, frame_of(g));
  if (frame.deviation_mm > 1e-6) {
    char text[120];
    std::snprintf(text, sizeof text, "Slices lie up to %.6f mm beside the even places that the file states",
                  frame.deviation_mm);
    file.warning_ = text;
  }
  file.type_ = type_for(file.view_);
  file.header_ = format == VolumeFormat::nrrd ? nrrd_header(frame, g, file.type_) : nifti_header(frame, g, file.type_);
  return file;
}

std::vector<std::byte> VolumeFile::slice(std::uint32_t index) const {
  std::vector<std::byte> bytes(slice_bytes());
  const double slope = double{view_.slope[index]}, intercept = double{view_.intercept[index]};
  with_stored(view_, index, [&](auto stored) {
    std::byte* to = bytes.data();
    for (const auto x : stored) {
      const double value = static_cast<double>(x) * slope + intercept;
      if (type_ == recon::VoxelType::int16) {
        store_le(to, static_cast<std::uint16_t>(static_cast<std::int16_t>(value)));
        to += 2;
      } else {
        const auto bits = type_ == recon::VoxelType::int32
                              ? static_cast<std::uint32_t>(static_cast<std::int32_t>(value))
                              : std::bit_cast<std::uint32_t>(static_cast<float>(value));
        store_le(to, bits);
        to += 4;
      }
    }
  });
  return bytes;
}

}  // namespace cairn::volumes
