// The stored stream of an instance as codec reads it. Blocking; belongs to one thread at a time.
#pragma once

#include <memory>
#include <utility>

#include "codec/byte_source.h"
#include "engine/archive/archive.h"

namespace cairn::archive {

class StoredSource final : public codec::ByteSource {
 public:
  explicit StoredSource(std::unique_ptr<StreamReader> reader) : reader_(std::move(reader)) {}
  std::uint64_t size() const override { return reader_->size(); }
  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override { return reader_->read(offset, into); }

 private:
  std::unique_ptr<StreamReader> reader_;
};

}  // namespace cairn::archive
