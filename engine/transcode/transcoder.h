// One stored instance in another transfer syntax, made while it is sent: from anything that codec/ decodes into
// anything that it encodes, one frame in memory at a time. What the data set says of its pixels follows (PS3.5 §8.2,
// PS3.3 §C.7.6.1.1.5): photometric interpretation, planar configuration, bits, the lossy flags. A lossless conversion
// decodes each frame again and compares it. What is lost by a lossy one makes another instance with an UID of its own
// (PS3.18 §8.7.3.4, PS3.3 §C.7.6.1.1.5.2): always the same for the same instance and coding.
//
// Blocking: on a worker pool. One thread at a time; several transcoders run side by side. The archive outlives it.
#pragma once

#include <memory>
#include <string>

#include "codec/encode.h"
#include "codec/transfer_syntax.h"
#include "engine/archive/archive.h"

namespace cairn::transcode {

struct Options {
  bool allow_lossy = false;  ///< else a target that would lose something is unsupported
  codec::EncodeOptions encode;
};

/// True when instances stored as `from` can as a rule be given as `to`; one instance's pixels may still be beyond it.
bool can_transcode(const codec::TransferSyntax& from, const codec::TransferSyntax& to) noexcept;

class Transcoder {
 public:
  /// Decodes the first frame, which decides. Errors: unsupported (named: the stored coding, the samples in the target
  /// coding, a loss that is not allowed), limit_exceeded (a native value past 4 GiB), those of decoding and of reading.
  static Result<std::unique_ptr<Transcoder>> open(archive::Archive& archive, const archive::Instance& instance,
                                                  const codec::TransferSyntax& target, const Options& options = {});
  virtual ~Transcoder() = default;

  /// Of what comes out; the stored one's unless something is lost.
  virtual const std::string& sop_instance_uid() const noexcept = 0;

  /// Appends the next bytes of the data set, a frame at most; false: that was the end. Errors: as open(); `frame()`
  /// says where.
  virtual Result<bool> next(std::string& out) = 0;

  /// Number of the frame under way, from 1; 0 outside Pixel Data.
  virtual std::uint64_t frame() const noexcept = 0;

  /// Preamble, "DICM" and File Meta Information to stand in front.
  std::string file_meta() const;

 protected:
  Transcoder(const archive::Instance& instance, const codec::TransferSyntax& target)
      : sop_class_uid_(instance.sop_class_uid), target_(target) {}
  const codec::TransferSyntax& target() const noexcept { return target_; }

 private:
  std::string sop_class_uid_;
  const codec::TransferSyntax& target_;
};

}  // namespace cairn::transcode
