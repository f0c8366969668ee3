// Reads many byte ranges of segments at once: neighbours in one read, several reads in flight. For replay, which wants
// a few KiB of each instance and nothing between. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/core/result.h"
#include "engine/io/aligned_bytes.h"
#include "engine/io/file_system.h"

namespace cairn::store {

struct ReadRange {
  io::File* file = nullptr;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  Bytes bytes;                 ///< set by read(); empty with an error
  std::optional<Error> error;  ///< io (some block of it cannot be read), truncated
};

class BatchReader {
 public:
  /// Without `ring`: one blocking read after the other.
  BatchReader(io::FileSystem& files, bool ring);
  ~BatchReader();

  /// Fills every range. Their bytes are valid until the next call.
  void read(std::span<ReadRange> ranges);
  std::uint64_t bytes_read() const noexcept { return bytes_read_; }

 private:
  struct Extent;
  void run(std::vector<Extent>& extents);
  void read_block_by_block(Extent& extent, MutableBytes into);
  std::unique_ptr<io::Queue> queue_;
  io::AlignedBytes arena_;
  std::uint64_t bytes_read_ = 0;
};

}  // namespace cairn::store
