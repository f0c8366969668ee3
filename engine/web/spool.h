// A nameless file that holds what of a request has to wait: bulk data, until all that belongs to an instance is there.
// So memory does not depend on what is sent. Blocking: on the worker pool. One thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>

#include "codec/byte_source.h"
#include "engine/core/bytes.h"
#include "engine/core/result.h"
#include "engine/dicom/header_scan.h"

namespace cairn::web {

class Spool {
 public:
  /// The file is made by the first append, in `directory`, and is gone with this object or the process.
  explicit Spool(std::filesystem::path directory) : directory_(std::move(directory)) {}
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  /// Errors: out_of_space, those of the system.
  Result<> append(Bytes bytes);
  std::uint64_t size() const noexcept { return size_; }
  /// Fills `into`; short only at the end.
  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) const;
  /// Gives the space back to the file system; the bytes must not be read again.
  void release(dicom::Extent extent) noexcept;

 private:
  std::filesystem::path directory_;
  int file_ = -1;
  std::uint64_t size_ = 0;
};

/// A piece of a spool, which outlives it.
class SpoolSource final : public codec::ByteSource {
 public:
  SpoolSource(const Spool& spool, dicom::Extent extent) : spool_(spool), extent_(extent) {}
  std::uint64_t size() const override { return extent_.length; }
  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override {
    if (offset >= extent_.length) return std::size_t{0};
    const auto length = std::min<std::uint64_t>(into.size(), extent_.length - offset);
    return spool_.read(extent_.offset + offset, into.first(static_cast<std::size_t>(length)));
  }

 private:
  const Spool& spool_;
  dicom::Extent extent_;
};

}  // namespace cairn::web
