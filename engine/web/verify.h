// `POST /api/v1/verify`: checks every stored byte while the server runs, and tells what it finds line by line (NDJSON):
//   {"checked_bytes": 1048576, "of_bytes": 99999999}
//   {"fault": "checksum mismatch", "where": "part", "volume": 0, "segment": 3, "offset": 4096, "sop_instance_uid":
//   "1.2"}
//   {"done": true, "instances": 120, "faults": 1}          (or {"done": false, "error": …})
#pragma once

#include <atomic>
#include <memory>

#include "engine/archive/archive.h"
#include "engine/web/message.h"

namespace cairn::web {

/// One verification at a time. `archive` and `pool` outlive it.
class Verification {
 public:
  Verification(archive::Archive& archive, io::WorkerPool& pool) : archive_(archive), pool_(pool) {}

  /// Begins in the background and answers with its lines. `self` is this, and kept while it runs. When the client
  /// leaves, the check goes on to its end, silently. Errors: conflict (one runs already).
  Task<Response> start(std::shared_ptr<Verification> self);

 private:
  archive::Archive& archive_;
  io::WorkerPool& pool_;
  std::atomic<bool> running_{false};
};

}  // namespace cairn::web
