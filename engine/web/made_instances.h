// Instances that are sent in another transfer syntax than the stored one: made while they are sent, several at once on
// the worker pool, in order. Of each no more than a few MiB (or a frame) wait.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/archive/archive.h"
#include "engine/io/worker_pool.h"
#include "engine/transcode/transcoder.h"
#include "engine/web/message.h"

namespace cairn::web {

/// One instance on its way, in its stored transfer syntax or another one. Blocking; one thread at a time.
class InstanceMaker {
 public:
  /// What a client names may lose something: it asked for it.
  static Result<std::unique_ptr<InstanceMaker>> open(archive::Archive& archive, archive::Instance instance,
                                                     const std::string& syntax);
  virtual ~InstanceMaker() = default;

  /// Appends more of the Part 10 stream until `out` has `enough` bytes; true when that was the end.
  virtual Result<bool> make(std::string& out, std::size_t enough) = 0;

  /// "instance 1.2.3, frame 4", for what an error is about.
  virtual std::string place() const = 0;
};

struct InstanceToMake {
  archive::Instance instance;
  std::string syntax;
};

/// Of what send_made() sends.
std::string made_etag(const InstanceToMake& wanted);

/// The whole of one, or of each as a part of multipart/related; an error response that names it when the first cannot
/// be made. Blocking: on the worker pool. `archive` and `pool` outlive the response. Precondition: not empty.
Response send_made(archive::Archive& archive, io::WorkerPool& pool, InstanceToMake wanted);
Response send_made(archive::Archive& archive, io::WorkerPool& pool, std::vector<InstanceToMake> wanted);

/// "application/dicom;transfer-syntax=1.2": without the parameter when `syntax` cannot be an UID.
std::string instance_content_type(const std::string& syntax);

}  // namespace cairn::web
