// Volumes of the archive's series, and pictures of them: series -> geometry -> volume -> plane -> PNG or JPEG.
//
// One Service per process. Its functions are coroutines for the web layer: heavy work runs on the worker pool in the
// interactive class, frames are decoded in parallel, requests for one cold volume share one build, and finished volumes
// stay in a cache bounded in bytes. A series that gains, loses or replaces an instance is assembled anew
// (Archive::series_version). The volume's geometry and what is odd about it come from the headers in the index.
//
// Parameters follow PS3.18 8.3.5.3 (Rendered MPR Volume); recon/view.h has the table of orientations. Of several
// volumes in a series (mixed orientations, time points, echoes) the primary one is used unless the request names an
// instance (or a frame of it): then the volume that holds it. recon/assemble.h states which one is primary.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codec/voi.h"
#include "engine/core/histogram.h"
#include "engine/core/task.h"
#include "recon/plane.h"
#include "recon/scene.h"
#include "recon/view.h"

namespace cairn::archive {
class Archive;
}
namespace cairn::io {
class WorkerPool;
}

namespace cairn::volumes {

struct BuiltVolume;  // engine/volumes/builder.h

struct Options {
  std::uint64_t cache_bytes = std::uint64_t{2} << 30;       ///< voxels kept and being built, all volumes together
  std::uint64_t max_volume_bytes = std::uint64_t{2} << 30;  ///< of one volume; larger ones are refused
};

/// Which volume. `instance_uid` restricts the input to that instance (the instance-level resource); `reference_uid` and
/// `reference_frame` (from 1; 0: any) only choose among the volumes of the series (volumeinputreference).
struct VolumeRequest {
  std::string study_uid, series_uid, instance_uid;
  std::string reference_uid;
  std::uint32_t reference_frame = 0;
};

enum class MediaType : std::uint8_t {
  png,
  jpeg,
  png16,  ///< values after the Modality LUT on the scale that Applied states; no window
  raw,    ///< the same values as float32, little endian, row by row; NaN where there is nothing
};

/// A Rendered 3D Volume (PS3.18 8.3.5.3) instead of a plane. No colour volumes.
struct SceneRequest {
  recon::Look look = recon::Look::volume;
  bool perspective = false;
  std::optional<recon::Box> crop;
  std::string preset;                        ///< of recon/transfer.h; empty: after the modality
  std::vector<recon::TransferPoint> points;  ///< the caller's own function instead of a preset
};

struct RenderRequest {
  VolumeRequest volume;
  std::optional<SceneRequest> scene;
  /// Neither: orientation f (axial, radiological), in 3D a (from the front). Both: malformed.
  std::optional<recon::Orientation> orientation;
  std::optional<recon::Camera> viewpoint;
  recon::Viewport viewport;             ///< 0 x 0: the volume's natural size, at most 1024 on the longer side
  std::optional<codec::Window> window;  ///< absent: of the series; malformed for a colour volume
  recon::Slab slab;                     ///< thickness 0: thin; malformed in 3D
  recon::Interpolation interpolation = recon::Interpolation::linear;
  double advance_mm = 0;  ///< moves the plane along the view, away from the camera
  MediaType media = MediaType::jpeg;
  int quality = 90;  ///< of JPEG, 1 to 100
};

/// What was really used, with every default filled in: the values of the Rendered Volume Response Module.
struct Applied {
  recon::Camera camera;
  recon::Viewport viewport;
  recon::Plane plane;                   ///< pixel to patient
  std::optional<codec::Window> window;  ///< empty for colour
  bool inverted = false;                ///< MONOCHROME1
  recon::Slab slab;
  std::size_t volume = 0, volumes = 0;  ///< index of the one shown, and how many the series holds
  std::string geometry_class, frame_of_reference_uid;
  std::optional<SceneRequest> scene;  ///< with its preset filled in; `plane` is then the one through look_at
  /// png16: a sample s means s * value_scale + value_offset; 0 is also what lies outside.
  double value_scale = 1, value_offset = 0;
};

struct RenderedImage {
  std::vector<std::byte> bytes;
  const char* content_type = "";
  Applied applied;
  std::vector<std::string> warnings;  ///< what was odd, in plain language; no patient data
  std::string etag;                   ///< quoted; changes with series, request and renderer version
  std::uint64_t series_version = 0;   ///< tells whether two pictures show the same state of the series
  bool was_cached = false;
  std::uint64_t build_us = 0, sample_us = 0, encode_us = 0;
};

struct Stats {
  std::uint64_t cached_volumes = 0, cached_bytes = 0, building_bytes = 0, budget_bytes = 0;
  std::uint64_t hits = 0, misses = 0, shared = 0, evicted = 0, build_failures = 0;
  std::uint64_t pictures = 0, decoded_frames = 0;
  Histogram::Snapshot build_us, render_us;  ///< render: sampling and encoding of one picture
  const char* backend = "";                 ///< e.g. "cpu AVX3"
};

class Service {
 public:
  /// `archive` and `pool` outlive the service; the execution contexts of its callers do too.
  Service(archive::Archive& archive, io::WorkerPool& pool, Options options);
  ~Service();  ///< waits for work of its own that still runs on the pool
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  /// Errors, named in Error::where: not_found (no such series or instance), malformed (a parameter), unsupported (the
  /// series has no volume, or one that cannot be drawn truthfully; report_json() has the reasons frame by frame),
  /// limit_exceeded, out_of_memory (the budget is taken by builds: try again), and those of archive and codec.
  Task<RenderedImage> render(RenderRequest request);

  /// The parameters that render would apply, without a picture (renderedvolumetricmetadata=yes). The volume is
  /// built only when the default window needs its voxels.
  Task<Applied> resolve(RenderRequest request);

  /// The acceptance report of a series: volumes with dimensions, spacing, direction, origin and geometry class; what
  /// was odd; and for each instance and frame where it went or why it did not. From the index alone. Errors: not_found.
  Task<std::string> report_json(VolumeRequest request);

  /// The voxels of a volume, with its geometry: for export. Held, it stays in memory whatever the cache does. Errors:
  /// as render.
  Task<std::shared_ptr<const BuiltVolume>> volume(VolumeRequest request);

  Stats stats() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// One object of the DICOM JSON Model with the Rendered Volume Response Module (PS3.18 Annex K).
std::string response_module_json(const Applied& applied);

/// How pixels lie in the patient and what samples mean, as one line of JSON: origin_mm, right_mm, down_mm (pixel (i, j)
/// is at origin + i right + j down), size, and for png16 and raw the type, scale and offset of the values.
std::string plane_json(const Applied& applied, MediaType media);

}  // namespace cairn::volumes
