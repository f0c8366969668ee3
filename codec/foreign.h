// The decoders of other people's libraries, behind one door: decode_frame() goes through it whenever bytes that were
// not coded here reach libjpeg-turbo, DCMTK, OpenJPEG, OpenJPH or libdeflate. C and C++ on hostile bytes can crash,
// hang or worse, so a server gives them other processes: it installs a ForeignRunner (engine/sandbox). Without one they
// run in the calling thread. Our own decoders (native, RLE, JPEG lossless, JPEG-LS) stay where they are called: every
// access of theirs is bounded by a span, and they are fuzzed under sanitizers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "codec/decode.h"

namespace cairn::codec {

enum class ForeignDecoder : std::uint8_t { jpeg_8bit, jpeg_12bit, jpeg2000, htj2k, deflate };
inline constexpr std::array<std::string_view, 5> kForeignDecoders{"JPEG 8 bit", "JPEG 12 bit", "JPEG 2000", "HTJ2K",
                                                                  "deflate"};

/// Colour of decoded samples as far as the stream itself tells.
enum class StreamColour : std::uint8_t { as_tagged, rgb, ybr };

/// What a stream says of its samples.
struct StreamTraits {
  std::uint32_t width_bytes = 1;  ///< of a sample: 1, 2 or 4
  std::uint32_t precision = 0;    ///< bits of a sample in the stream
  bool stream_signed = false;     ///< samples are already two's complement at `width_bytes`
  bool lossy = false;
  StreamColour colour = StreamColour::as_tagged;
  std::uint32_t oddities = 0;

  void mark(Oddity o) noexcept { oddities |= static_cast<std::uint32_t>(o); }
};

struct ForeignJob {
  ForeignDecoder decoder = ForeignDecoder::jpeg_8bit;
  PixelFormat format;  ///< validated
  Bytes coded;
  bool allow_partial = false;
  FrameName name;
};

/// The most bytes of samples that a job can give.
std::uint64_t most_sample_bytes(const ForeignJob& job) noexcept;

/// Where a decoder puts samples.
class SampleRoom {
 public:
  virtual ~SampleRoom() = default;
  /// `bytes` zeros, once a job: nothing of another frame shows where a decoder leaves holes. Errors: limit_exceeded.
  virtual Result<MutableBytes> take(std::uint64_t bytes) = 0;
};

/// Runs a job in this thread. Errors: those of decode_frame().
Result<StreamTraits> run_foreign_here(const ForeignJob& job, SampleRoom& room);

/// Samples in memory that `owner` keeps; it is given back as soon as they are copied.
struct ForeignImage {
  StreamTraits traits;
  MutableBytes samples;
  std::shared_ptr<void> owner;
};

/// Runs jobs elsewhere. Thread-safe.
class ForeignRunner {
 public:
  virtual ~ForeignRunner() = default;
  /// Errors: those of run_foreign_here(); malformed (the decoder died of the stream), limit_exceeded (it took too long,
  /// or more room than there is), closed (nothing runs decoders).
  virtual Result<ForeignImage> run(const ForeignJob& job) = 0;
};

/// For the whole process, so that no caller of decode_frame() can forget it. nullptr: the calling thread again. The
/// runner outlives every decode_frame() that began before it was taken away.
void set_foreign_runner(ForeignRunner* runner) noexcept;

}  // namespace cairn::codec
