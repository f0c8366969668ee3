#include "engine/volumes/builder.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "codec/decode.h"
#include "codec/frame_index.h"
#include "engine/volumes/fan_out.h"
#include "engine/volumes/samples.h"

namespace cairn::volumes {
namespace {

constexpr std::size_t kFramesPerUnit = 8;
constexpr std::size_t kWindowSamples = 1u << 18;

// Frames of one instance that one thread decodes one after the other: the instance is opened and indexed once a unit.
struct Unit {
  std::size_t instance;
  std::vector<std::size_t> slices;
};

std::vector<Unit> units_of(const SeriesPlan& plan, const recon::AssembledVolume& v) {
  std::vector<std::pair<std::size_t, std::size_t>> order;  // instance, slice
  for (std::size_t k = 0; k < v.frames.size(); ++k) order.emplace_back(plan.frame_of(v, k).instance, k);
  std::sort(order.begin(), order.end());
  std::vector<Unit> units;
  for (const auto& [instance, k] : order) {
    if (units.empty() || units.back().instance != instance || units.back().slices.size() >= kFramesPerUnit) {
      units.push_back({instance, {}});
    }
    units.back().slices.push_back(k);
  }
  return units;
}

// The value of an offset table, from the header or, when it was too long to be kept there, from the stream.
Result<std::vector<std::byte>> table_bytes(const dicom::Element& e, codec::ByteSource& source) {
  if (!e.bulk) {
    const Bytes bytes = as_bytes(e.value);
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  }
  if (e.bulk->length > 8 * std::uint64_t{recon::kMaxSlices} * 16)
    return fail(Errc::limit_exceeded, "Extended Offset Table");
  std::vector<std::byte> bytes(e.bulk->length);
  CAIRN_TRY(const std::size_t count, source.read(e.bulk->stream_offset, bytes));
  bytes.resize(count);
  return bytes;
}

Result<codec::FrameIndex> index_of(const InstanceInfo& info, const codec::TransferSyntax& syntax,
                                   codec::ByteSource& source) {
  CAIRN_TRY(const auto offsets, table_bytes(info.extended_offsets, source));
  CAIRN_TRY(const auto lengths, table_bytes(info.extended_lengths, source));
  codec::PixelDataValue value;
  value.offset = info.pixel_data.stream_offset;
  value.length = info.pixel_data.encapsulated ? codec::kUndefinedLength : info.pixel_data.length;
  value.extended_offsets = offsets;
  value.extended_lengths = lengths;
  return codec::FrameIndex::build(source, value, syntax, info.format);
}

bool has_native_samples(codec::Coding coding) {
  return coding == codec::Coding::native || coding == codec::Coding::uncompressed || coding == codec::Coding::rle ||
         coding == codec::Coding::deflated_frame;
}

class Builder {
 public:
  Builder(const SeriesPlan& plan, const recon::AssembledVolume& assembled, const InstanceOpener& opener,
          recon::Volume& volume)
      : plan_(plan), assembled_(assembled), opener_(opener), volume_(volume), errors_(assembled.frames.size()) {}

  void run(io::WorkerPool* pool) {
    const std::vector<Unit> units = units_of(plan_, assembled_);
    fan_out(pool, units.size(), [&](std::size_t u) {
      try {
        decode(units[u]);
      } catch (const std::bad_alloc&) {
        fail_unit(units[u], fail(Errc::out_of_memory, "decoding a frame"));
      }
    });
  }

  const std::vector<std::optional<Error>>& errors() const { return errors_; }  ///< by slice

 private:
  void fail_unit(const Unit& unit, const Error& e) {
    for (const std::size_t k : unit.slices) errors_[k] = e;
  }

  void decode(const Unit& unit) {
    const InstanceInfo& info = plan_.instances[unit.instance];
    const codec::TransferSyntax* syntax = codec::find_transfer_syntax(info.transfer_syntax_uid);
    if (syntax == nullptr) return fail_unit(unit, fail(Errc::unsupported, "unknown transfer syntax"));
    auto source = opener_.open(unit.instance);
    if (!source) return fail_unit(unit, source.error());
    auto index = index_of(info, *syntax, *source.value());
    if (!index) return fail_unit(unit, index.error());
    for (const std::size_t k : unit.slices) {
      const Result<> stored = decode_slice(info, *syntax, *source.value(), index.value(), k);
      if (!stored) errors_[k] = stored.error();
    }
  }

  Result<> decode_slice(const InstanceInfo& info, const codec::TransferSyntax& syntax, codec::ByteSource& source,
                        const codec::FrameIndex& index, std::size_t k) {
    const FrameInfo& f = plan_.frame_of(assembled_, k);
    CAIRN_TRY(const std::vector<std::byte> coded, index.read(source, f.frame));
    codec::DecodeOptions options;
    options.name = {info.sop_instance_uid, std::uint64_t{f.frame} + 1};
    CAIRN_TRY(const codec::Frame frame, codec::decode_frame(syntax, info.format, coded, options));
    const auto slice = static_cast<std::uint32_t>(k);
    CAIRN_TRYV(store_slice(frame, info.format, has_native_samples(syntax.coding), volume_, slice));
    if (volume_.components() == 1) volume_.set_rescale(slice, f.geometry.slope, f.geometry.intercept);
    return outcome::success();
  }

  const SeriesPlan& plan_;
  const recon::AssembledVolume& assembled_;
  const InstanceOpener& opener_;
  recon::Volume& volume_;
  std::vector<std::optional<Error>> errors_;
};

void set_padding(const SeriesPlan& plan, BuiltVolume& built) {
  const auto info = [&](std::size_t k) -> const InstanceInfo& {
    return plan.instances[plan.frame_of(built.assembled, k).instance];
  };
  const InstanceInfo& first = info(0);
  for (std::size_t k = 1; k < built.assembled.frames.size(); ++k) {
    if (info(k).padding_low == first.padding_low && info(k).padding_high == first.padding_high) continue;
    built.warnings.emplace_back("Pixel Padding Value differs from slice to slice; padding is treated as measured");
    return;
  }
  if (first.padding_low) built.volume.set_padding(*first.padding_low, *first.padding_high);
}

template <class T>
void collect(const recon::VolumeView& v, std::vector<float>& values) {
  const recon::VolumeGeometry& g = v.geometry;
  const std::uint64_t in_slice = std::uint64_t{g.columns} * g.rows, all = in_slice * g.slices;
  // An odd stride, so that the samples do not all fall into the same columns.
  const std::uint64_t stride = std::max<std::uint64_t>(1, all / kWindowSamples) | 1;
  const T* voxels = static_cast<const T*>(v.voxels);
  for (std::uint64_t i = 0; i < all; i += stride) {
    const auto stored = static_cast<float>(voxels[i]);
    if (v.has_padding && stored >= v.padding_low && stored <= v.padding_high) continue;
    const float x = stored * v.slope[i / in_slice] + v.intercept[i / in_slice];
    if (std::isfinite(x)) values.push_back(x);
  }
}

// The values between the lowest and highest half percent: what a picture shows when no header says.
codec::Window window_of_values(const recon::VolumeView& v) {
  std::vector<float> values;
  switch (v.type) {
    case recon::VoxelType::uint8:
      collect<std::uint8_t>(v, values);
      break;
    case recon::VoxelType::int8:
      collect<std::int8_t>(v, values);
      break;
    case recon::VoxelType::uint16:
      collect<std::uint16_t>(v, values);
      break;
    case recon::VoxelType::int16:
      collect<std::int16_t>(v, values);
      break;
    case recon::VoxelType::int32:
      collect<std::int32_t>(v, values);
      break;
    case recon::VoxelType::float32:
      collect<float>(v, values);
      break;
  }
  if (values.empty()) return {0.5, 1, codec::VOIFunction::linear_exact};
  auto at = [&](double part) {
    const auto n = static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + n, values.end());
    return static_cast<double>(values[static_cast<std::size_t>(n)]);
  };
  const double low = at(0.005), high = at(0.995);
  const double width = high > low ? high - low : 1;
  return {(low + high) / 2, width, codec::VOIFunction::linear_exact};
}

// A fault of the stored bytes, which the next attempt would meet again; others may pass and must not leave a gap
// behind.
bool is_lasting(const Error& e) {
  for (const Errc c : {Errc::truncated, Errc::malformed, Errc::limit_exceeded, Errc::unsupported, Errc::missing,
                       Errc::mismatch, Errc::corrupt}) {
    if (e == c) return true;
  }
  return false;
}

// Takes the frames that failed out of the plan and says so; the volume that is left has gaps there.
Result<> leave_out(SeriesPlan& plan, const recon::AssembledVolume& v, const std::vector<std::optional<Error>>& errors,
                   std::vector<std::string>& warnings) {
  std::size_t failed = 0;
  const Error* first = nullptr;
  for (std::size_t k = 0; k < errors.size(); ++k) {
    if (!errors[k]) continue;
    if (!is_lasting(*errors[k])) return *errors[k];
    if (first == nullptr) first = &*errors[k];
    ++failed;
  }
  if (failed * 10 > errors.size()) return *first;
  for (std::size_t k = 0; k < errors.size(); ++k) {
    if (!errors[k]) continue;
    FrameInfo& f = plan.frames[plan.source[v.frames[k]]];
    f.refusal = "cannot be decoded: " + to_string(*errors[k]);
    warnings.push_back("frame " + std::to_string(f.frame + 1) + " of instance " +
                       plan.instances[f.instance].sop_instance_uid + " " + f.refusal + "; left out");
  }
  return plan.assemble();
}

void add_oddities(const SeriesPlan& plan, std::size_t volume, std::vector<std::string>& warnings) {
  for (const recon::Oddity& o : plan.assembly.report.oddities) {
    if (o.whole_series || o.volume == volume) warnings.push_back(o.text);
  }
}

Result<BuiltVolume> finish(const SeriesPlan& plan, BuiltVolume built) {
  set_padding(plan, built);
  built.inverted = plan.instances[plan.frame_of(built.assembled, 0).instance].monochrome1;
  built.decoded_frames = built.assembled.frames.size();
  if (built.colour()) return built;
  built.window = header_window(plan, built.assembled);
  if (!built.window) {
    built.window = window_of_values(built.volume.view());
    built.window_from_values = true;
    built.warnings.emplace_back("no usable window in the headers; taken from the values");
  }
  return built;
}

}  // namespace

std::uint64_t voxel_bytes(const SeriesPlan& plan, std::size_t volume) {
  const recon::AssembledVolume& v = plan.assembly.volumes[volume];
  const codec::PixelFormat& f = plan.instances[plan.frame_of(v, 0).instance].format;
  const auto type = voxel_type(f);
  const std::uint64_t size = type ? recon::size_of(type.value()) : 8;
  return std::uint64_t{v.layout.affine.columns} * v.layout.affine.rows * v.layout.affine.slices * size *
         f.samples_per_pixel;
}

std::optional<codec::Window> header_window(const SeriesPlan& plan, const recon::AssembledVolume& v) {
  if (const auto& middle = plan.frame_of(v, v.frames.size() / 2).window) return middle;
  for (std::size_t k = 0; k < v.frames.size(); ++k) {
    if (const auto& window = plan.frame_of(v, k).window) return window;
  }
  return std::nullopt;
}

Result<BuiltVolume> build_volume(const SeriesPlan& plan, std::size_t volume, const InstanceOpener& opener,
                                 io::WorkerPool* pool, std::uint64_t limit_bytes) {
  if (volume >= plan.assembly.volumes.size()) return fail(Errc::not_found, "volume of the series");
  const recon::AssembledVolume& assembled = plan.assembly.volumes[volume];
  const codec::PixelFormat& format = plan.instances[plan.frame_of(assembled, 0).instance].format;
  CAIRN_TRY(const recon::VoxelType type, voxel_type(format));
  CAIRN_TRY(recon::Volume voxels, recon::Volume::create(assembled.layout, type, format.samples_per_pixel, limit_bytes));
  Builder builder(plan, assembled, opener, voxels);
  builder.run(pool);
  const bool whole =
      std::none_of(builder.errors().begin(), builder.errors().end(), [](const auto& e) { return e.has_value(); });
  if (whole) {
    BuiltVolume built{std::move(voxels), assembled, {}, false, false, {}, 0};
    add_oddities(plan, volume, built.warnings);
    return finish(plan, std::move(built));
  }

  // Rare: lay the volume out again without the frames that failed, and decode the rest anew.
  SeriesPlan rest = plan;
  std::vector<std::string> warnings;
  CAIRN_TRYV(leave_out(rest, assembled, builder.errors(), warnings));
  const std::size_t kept = [&] {
    for (std::size_t k = 0; k < assembled.frames.size(); ++k) {
      if (!builder.errors()[k]) return k;
    }
    return std::size_t{0};
  }();
  const FrameInfo& anchor = plan.frame_of(assembled, kept);
  const auto again = rest.volume_with(plan.instances[anchor.instance].sop_instance_uid, anchor.frame + 1);
  if (!again) return fail(Errc::internal, "volume without its failed frames");
  CAIRN_TRY(BuiltVolume built, build_volume(rest, *again, opener, pool, limit_bytes));
  built.warnings.insert(built.warnings.begin(), warnings.begin(), warnings.end());
  for (std::size_t& f : built.assembled.frames)
    f = plan.assembled[rest.source[f]];  // back to indices of the caller's plan
  return built;
}

}  // namespace cairn::volumes
