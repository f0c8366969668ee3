// One instance on its way into the log: bytes go into a pooled buffer, are scanned and summed while they are hot in the
// caches, and leave as parts. Internal to engine/archive; archive.h has the contract.
//
// A receiver belongs to one connection and its executor. It goes before the archive. After commit() has begun the rest
// belongs to the log: a caller that is gone cannot tear it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "engine/archive/archive.h"
#include "engine/core/checksum.h"
#include "engine/io/buffer_pool.h"

namespace cairn::archive {

/// What became of instances since the archive was opened. Relaxed: counters for metrics.
struct IngestCounters {
  std::atomic<std::uint64_t> instances{0}, bytes{0}, identical{0}, replaced{0}, refused{0}, failed{0};
};

class LogReceiver final : public Receiver {
 public:
  LogReceiver(Source source, Announced announced, std::unique_ptr<store::InstanceWriter> writer, io::BufferPool& pool,
              std::shared_ptr<IngestCounters> counters);
  ~LogReceiver() override;

  Task<std::span<std::byte>> room() override;
  /// Precondition: nobody is filling the memory that room() gave; call room() again afterwards.
  void relieve() override;
  Result<> received(std::size_t length) override;
  Task<> write(Bytes bytes) override;
  Task<Stored> commit() override;

 private:
  std::size_t space() const noexcept;
  void sum();
  void hand_over();
  Result<store::InstanceRecord> make_record();
  Result<> check_announced(const dicom::KeyAttributes& key, std::string_view transfer_syntax) const;

  Source source_;
  Announced announced_;
  std::unique_ptr<store::InstanceWriter> writer_;
  io::BufferPool& pool_;
  std::shared_ptr<IngestCounters> counters_;

  dicom::HeaderScanner scanner_;
  dicom::Header header_;        ///< when the stream has ended
  std::optional<Error> error_;  ///< of the scan; nothing is kept after it
  std::uint64_t stream_length_ = 0;
  io::Buffer buffer_;
  std::chrono::steady_clock::time_point acquired_;
  std::size_t filled_ = 0;              ///< payload in buffer_
  std::size_t summed_ = 0;              ///< of it, in crc_ and digest_
  std::uint32_t crc_ = 0;               ///< of buffer_'s payload
  std::optional<DigestStream> digest_;  ///< made when the stream does not fit one step
  bool committed_ = false;
};

}  // namespace cairn::archive
