// Foreign decoders in processes of their own (codec/foreign.h): a worker decodes one frame at a time, in memory that it
// shares with the server; under limits of memory and time, without files, network or other processes, and, where the
// system allows it, behind a filter of system calls. One that dies or takes too long costs the frame that it was given
// and is replaced. Made before the threads that decode, outlives them. Thread-safe.
//
// The program's main() calls run_if_zygote() (zygote.h) first.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "codec/foreign.h"

namespace cairn::sandbox {

struct Options {
  std::size_t processes = 1;                   ///< at most, made when they are needed
  std::uint64_t memory_bytes = 4ull << 30;     ///< private memory of one, beside its frame; 0: no limit
  std::chrono::milliseconds cpu_time{30'000};  ///< of one frame; ten times that on the clock
  bool filter_system_calls = true;             ///< off only in tests of what holds without
};

struct Stats {
  std::array<std::uint64_t, codec::kForeignDecoders.size()> decoded{};  ///< by ForeignDecoder
  std::uint64_t refused = 0;                                            ///< frames that a decoder gave an error for
  std::uint64_t crashed = 0;                                            ///< processes that died of a frame
  std::uint64_t killed = 0;           ///< processes that something else killed; the frame is decoded again
  std::uint64_t timed_out = 0;        ///< processes that were killed because a frame took too long
  std::uint64_t started = 0;          ///< processes
  std::uint64_t zygotes_started = 0;  ///< 1 when all went well
  std::size_t processes = 0, busy = 0, waiting = 0;  ///< now; waiting: frames without a process
};

class DecoderProcesses final : public codec::ForeignRunner {
 public:
  /// Starts the zygote and a first worker, and logs how they are held. Errors: the operating system's; closed.
  static Result<std::unique_ptr<DecoderProcesses>> start(const Options& options);
  ~DecoderProcesses() override;  ///< ends all processes; no job runs and no ForeignImage lives

  /// Blocks while all processes are busy. A process that something else killed is no fault of the frame: it is decoded
  /// again. Errors: see ForeignRunner.
  Result<codec::ForeignImage> run(const codec::ForeignJob& job) override;

  Stats stats() const;
  /// True when workers can make no system call but those that decoding needs.
  bool filters_system_calls() const;

 private:
  class State;
  explicit DecoderProcesses(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace cairn::sandbox
