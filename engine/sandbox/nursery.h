// The server's side of the zygote: starts it, has it fork workers and tell how they ended. Private to sandbox.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include <sys/types.h>

#include "engine/core/bytes.h"
#include "engine/core/result.h"
#include "engine/sandbox/channel.h"

namespace cairn::sandbox {

inline constexpr std::string_view kZygoteArgument = "--decoder-processes";
inline constexpr int kZygoteDescriptor = 3;  ///< where the zygote finds its socket

class Nursery;

/// A worker that said hello. Its destructor neither kills nor waits: Nursery::reap() does, and must.
struct Worker {
  Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  std::shared_ptr<Nursery> nursery;
  pid_t pid = 0;
  Descriptor channel;
  MutableBytes memory;  ///< mapped here too, until the destructor
  unsigned frames = 0;  ///< that it has decoded
};

struct WorkerLimits {
  std::uint64_t memory_bytes = 0;
  std::uint64_t shared_bytes = 0;
  bool filter_system_calls = true;
};

/// One zygote. Thread-safe.
class Nursery : public std::enable_shared_from_this<Nursery> {
 public:
  /// Executes this program anew. Errors: the operating system's; closed (it ended at once).
  static Result<std::shared_ptr<Nursery>> start();
  ~Nursery();  ///< ends the zygote and all its workers, and waits for it

  /// Errors: closed (the zygote is gone, or the worker ended before it was ready), the operating system's.
  Result<std::unique_ptr<Worker>> spawn(const WorkerLimits& limits);
  /// Kills the worker if it lives, and gives what waitpid() said; nothing when the zygote is gone, and the worker so.
  std::optional<int> reap(pid_t pid);

  bool alive();
  std::uint32_t confinement() const noexcept { return confinement_; }  ///< what the zygote could leave
  std::uint32_t worker_confinement() const noexcept { return worker_confinement_; }

 private:
  Nursery() = default;
  Result<struct ZygoteReply> ask(const struct ZygoteRequest& request, std::span<const int> descriptors);

  std::mutex mutex_;  ///< one question at a time
  Descriptor channel_;
  bool gone_ = false;  ///< under mutex_
  pid_t pid_ = 0;
  std::uint32_t confinement_ = 0;
  std::atomic<std::uint32_t> worker_confinement_ = 0;  ///< relaxed: of the latest worker, for reports
};

}  // namespace cairn::sandbox
