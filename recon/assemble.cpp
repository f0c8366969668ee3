#include "recon/assemble.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "recon/layout.h"
#include "recon/phases.h"
#include "recon/text.h"

namespace cairn::recon {
namespace {

constexpr double kUniformToleranceMm = 0.01;
constexpr double kGapFactor = 1.5;
constexpr double kReportedTiltDegrees = 0.05;
constexpr double kReportedCornerErrorMm = 1e-3;

struct Group {
  std::size_t first;  // input index of the frame that the others are compared with
  Frame frame;        // its checked axes
  std::vector<std::size_t> members;
};

bool near(Vec3 a, Vec3 b, double tolerance) {
  return std::abs(a.x - b.x) <= tolerance && std::abs(a.y - b.y) <= tolerance && std::abs(a.z - b.z) <= tolerance;
}
bool near_ratio(double a, double b) {
  return std::abs(a - b) <= 1e-5 * std::max(a, b);
}

bool same_group(const Group& g, const SliceGeometry& first, const SliceGeometry& s, const Frame& f) {
  return first.rows == s.rows && first.columns == s.columns && first.localizer == s.localizer &&
         near(g.frame.row_direction, f.row_direction, kOrientationTolerance) &&
         near(g.frame.column_direction, f.column_direction, kOrientationTolerance) &&
         near_ratio(*first.row_spacing_mm, *s.row_spacing_mm) &&
         near_ratio(*first.column_spacing_mm, *s.column_spacing_mm) && first.class_key == s.class_key;
}

class Assembler {
 public:
  explicit Assembler(std::span<const SliceGeometry> frames) : frames_(frames) {
    out_.report.frames.resize(frames.size());
  }

  Assembly run() {
    std::vector<Group> groups = group();
    report_mixture(groups);
    for (const Group& g : groups) split(g);
    if (!out_.volumes.empty()) {
      choose_primary();
      account();
      for (std::size_t v = 0; v < out_.volumes.size(); ++v) describe(v);
    }
    return std::move(out_);
  }

 private:
  void odd(OddityKind kind, std::string text) { out_.report.oddities.push_back({kind, std::move(text), true, 0}); }
  void odd(OddityKind kind, std::string text, std::size_t volume) {
    out_.report.oddities.push_back({kind, std::move(text), false, volume});
  }

  std::vector<Group> group() {
    std::vector<Group> groups;
    std::map<std::string, std::size_t> refusals;
    checked_.resize(frames_.size());
    for (std::size_t i = 0; i < frames_.size(); ++i) {
      std::string why;
      if (!check_frame(frames_[i], checked_[i], why)) {
        out_.report.frames[i].reason = why;
        ++refusals[why];
        continue;
      }
      // Newest first: frames of one orientation mostly follow each other.
      auto found = std::find_if(groups.rbegin(), groups.rend(), [&](const Group& g) {
        return same_group(g, frames_[g.first], frames_[i], checked_[i]);
      });
      if (found == groups.rend()) {
        groups.push_back({i, checked_[i], {i}});
      } else {
        found->members.push_back(i);
      }
    }
    for (const auto& [why, count] : refusals) {
      const bool missing = why.starts_with("missing");
      odd(missing ? OddityKind::missing_geometry : OddityKind::invalid_geometry,
          format("%zu of %zu frames cannot be placed: %s", count, frames_.size(), why.c_str()));
    }
    return groups;
  }

  void report_mixture(const std::vector<Group>& groups) {
    bool orientation = false, matrix = false, spacing = false, classes = false;
    for (const Group& g : groups) {
      const SliceGeometry &a = frames_[groups.front().first], &b = frames_[g.first];
      orientation |= !near(groups.front().frame.row_direction, g.frame.row_direction, kOrientationTolerance) ||
                     !near(groups.front().frame.column_direction, g.frame.column_direction, kOrientationTolerance);
      matrix |= a.rows != b.rows || a.columns != b.columns;
      spacing |=
          !near_ratio(*a.row_spacing_mm, *b.row_spacing_mm) || !near_ratio(*a.column_spacing_mm, *b.column_spacing_mm);
      classes |= a.class_key != b.class_key;
    }
    if (orientation) odd(OddityKind::mixed_orientation, "frames of different orientation; each is a volume of its own");
    if (matrix) odd(OddityKind::mixed_matrix, "frames of different rows and columns; split by matrix");
    if (spacing) odd(OddityKind::mixed_spacing, "frames of different pixel spacing; split by spacing");
    if (classes) odd(OddityKind::mixed_class, "frames of different frame of reference or pixel format; split by it");
  }

  void split(const Group& g) {
    std::vector<PhaseInput> input;
    input.reserve(g.members.size());
    for (std::size_t i : g.members) {
      input.push_back(
          {dot(*frames_[i].position_mm - *frames_[g.first].position_mm, g.frame.normal), frames_[i].order, i});
    }
    PhaseSplit phases = split_phases(std::move(input), frames_);
    const std::size_t first_volume = out_.volumes.size();
    for (Phase& phase : phases.phases) {
      AssembledVolume v;
      v.frames = std::move(phase.frames);
      v.phase = std::move(phase.name);
      v.class_key = frames_[g.first].class_key;
      v.localizer = frames_[g.first].localizer;
      lay_out(v, frames_, g.frame);
      out_.volumes.push_back(std::move(v));
    }
    if (phases.phases.size() < 2) return;
    const std::size_t count = phases.phases.size();
    odd(OddityKind::duplicate_positions,
        format("up to %zu frames share a position; split into %zu volumes %s", phases.most_at_one_position, count,
               phases.how.c_str()),
        first_volume);
    if (phases.ambiguous) {
      odd(OddityKind::ambiguous_duplicates,
          "no attribute says why some positions are taken more than once; the lowest Instance Number of each is used",
          first_volume);
    } else {
      odd(OddityKind::phases, format("%zu complete sets of slices (phases, echoes or time points)", count),
          first_volume);
    }
  }

  void choose_primary() {
    auto better = [&](const AssembledVolume& a, const AssembledVolume& b) {
      if (a.localizer != b.localizer) return b.localizer;
      if (a.frames.size() != b.frames.size()) return a.frames.size() > b.frames.size();
      const auto pixels = [](const AssembledVolume& v) {
        return std::uint64_t{v.layout.affine.rows} * v.layout.affine.columns;
      };
      if (pixels(a) != pixels(b)) return pixels(a) > pixels(b);
      const auto order = [&](const AssembledVolume& v) {
        std::int64_t lowest = frames_[v.frames.front()].order;
        for (std::size_t i : v.frames) lowest = std::min(lowest, frames_[i].order);
        return lowest;
      };
      return order(a) < order(b);
    };
    for (std::size_t v = 1; v < out_.volumes.size(); ++v) {
      if (better(out_.volumes[v], out_.volumes[out_.primary])) out_.primary = v;
    }
  }

  void account() {
    for (std::size_t v = 0; v < out_.volumes.size(); ++v) {
      for (std::size_t k = 0; k < out_.volumes[v].frames.size(); ++k) {
        FrameAccount& a = out_.report.frames[out_.volumes[v].frames[k]];
        a.volume = v;
        a.slice = k;
        a.fate = v == out_.primary ? Fate::used : Fate::split_off;
        if (v != out_.primary) a.reason = difference(out_.volumes[v], out_.volumes[out_.primary]);
      }
    }
  }

  std::string difference(const AssembledVolume& v, const AssembledVolume& primary) const {
    const VolumeGeometry &a = v.layout.affine, &b = primary.layout.affine;
    if (v.class_key != primary.class_key) return "other frame of reference or pixel format";
    if (a.rows != b.rows || a.columns != b.columns) return "other rows or columns";
    if (!near(a.row_direction, b.row_direction, kOrientationTolerance) ||
        !near(a.column_direction, b.column_direction, kOrientationTolerance)) {
      return "other orientation";
    }
    if (!near_ratio(a.row_spacing_mm, b.row_spacing_mm) || !near_ratio(a.column_spacing_mm, b.column_spacing_mm)) {
      return "other pixel spacing";
    }
    if (v.localizer != primary.localizer) return "localizer";
    return v.phase.empty() ? "position taken by another frame" : "position taken by another frame; " + v.phase;
  }

  void describe(std::size_t index) {
    const AssembledVolume& v = out_.volumes[index];
    const VolumeGeometry& g = v.layout.affine;
    if (v.localizer) odd(OddityKind::localizer, "the frames are a localizer", index);
    if (v.frames.size() == 1) {
      odd(OddityKind::single_slice, format("a single slice; taken to be %.4g mm thick", norm(g.slice_step_mm)), index);
    }
    describe_spacing(v, index);
    if (v.tilt_degrees > kReportedTiltDegrees) {
      odd(OddityKind::tilt,
          format("slices are sheared: %.3g degrees between their line of origins and their normal (gantry tilt); "
                 "sampled with that geometry",
                 v.tilt_degrees),
          index);
    }
    if (const double drift = in_plane_drift_mm(v); drift > kUniformToleranceMm) {
      odd(OddityKind::in_plane_drift,
          format("slice origins leave a straight line by up to %.3g mm; each slice is sampled where it lies", drift),
          index);
    }
    if (v.corner_error_mm > kReportedCornerErrorMm) {
      odd(OddityKind::orientation_drift,
          format("directions or spacing vary within tolerance; slice corners are off by up to %.3g mm",
                 v.corner_error_mm),
          index);
    }
    if (v.varying_rescale)
      odd(OddityKind::varying_rescale, "rescale slope or intercept differs from slice to slice; applied per slice",
          index);
  }

  void describe_spacing(const AssembledVolume& v, std::size_t index) {
    if (v.frames.size() < 3 || v.uniform_spacing) return;
    odd(OddityKind::non_uniform_spacing,
        format("distances between slices run from %.5g to %.5g mm (median %.5g); each slice is sampled where it lies",
               v.smallest_step_mm, v.largest_step_mm, v.median_step_mm),
        index);
    std::size_t named = 0, gaps = 0;
    for (std::size_t k = 0; k + 1 < v.layout.depth_mm.size(); ++k) {
      const double step = v.layout.depth_mm[k + 1] - v.layout.depth_mm[k];
      if (step <= kGapFactor * v.median_step_mm) continue;
      ++gaps;
      if (named++ < kNamedGaps) {
        odd(OddityKind::gap,
            format("gap of %.5g mm after slice %zu where %.5g mm is usual: slices are missing or were never "
                   "acquired; values there are interpolated across it",
                   step, k, v.median_step_mm),
            index);
      }
    }
    if (gaps > kNamedGaps) odd(OddityKind::gap, format("%zu further gaps", gaps - kNamedGaps), index);
  }

  static constexpr std::size_t kNamedGaps = 16;
  std::span<const SliceGeometry> frames_;
  std::vector<Frame> checked_;
  Assembly out_;
};

}  // namespace

const char* to_string(OddityKind kind) noexcept {
  switch (kind) {
    case OddityKind::missing_geometry:
      return "missing-geometry";
    case OddityKind::invalid_geometry:
      return "invalid-geometry";
    case OddityKind::mixed_orientation:
      return "mixed-orientation";
    case OddityKind::mixed_matrix:
      return "mixed-matrix";
    case OddityKind::mixed_spacing:
      return "mixed-pixel-spacing";
    case OddityKind::mixed_class:
      return "mixed-class";
    case OddityKind::duplicate_positions:
      return "duplicate-positions";
    case OddityKind::phases:
      return "phases";
    case OddityKind::ambiguous_duplicates:
      return "ambiguous-duplicates";
    case OddityKind::gap:
      return "gap";
    case OddityKind::non_uniform_spacing:
      return "non-uniform-spacing";
    case OddityKind::tilt:
      return "tilt";
    case OddityKind::in_plane_drift:
      return "in-plane-drift";
    case OddityKind::orientation_drift:
      return "orientation-drift";
    case OddityKind::localizer:
      return "localizer";
    case OddityKind::single_slice:
      return "single-slice";
    case OddityKind::varying_rescale:
      return "varying-rescale";
    case OddityKind::other:
      return "other";
  }
  return "unknown";
}

Result<Assembly> assemble(std::span<const SliceGeometry> frames) {
  if (frames.size() > kMaxSlices) return fail(Errc::limit_exceeded, "frames in one series");
  return Assembler(frames).run();
}

}  // namespace cairn::recon
