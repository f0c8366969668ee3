// Random access to the stored stream of one instance, over the log's verified parts. Internal to engine/archive.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/archive/archive.h"
#include "engine/io/worker_pool.h"

namespace cairn::archive {

/// Reads ahead one part on `pool` when the parts are asked for in order, so that the next is in the log's cache.
class PartStreamReader final : public StreamReader {
 public:
  /// `pool` outlives the reader; the log lives at least as long as `log` is shared.
  /// `locate` tells where the parts are now, when they are not any more where `instance` says. Errors: not_found.
  using Locate = std::function<Result<std::vector<store::Part>>()>;
  PartStreamReader(std::shared_ptr<store::Log> log, io::WorkerPool& pool, const Instance& instance, Locate locate);

  std::uint64_t size() const override { return ends_.empty() ? 0 : ends_.back(); }
  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override;
  Result<View> view(std::uint64_t offset) override { return view(offset, Reach::disk); }
  Result<View> view_at_hand(std::uint64_t offset) override { return view(offset, Reach::memory); }

 private:
  Result<store::PartBytes> part(std::size_t index, Reach reach);
  Result<store::PartBytes> part_elsewhere(std::size_t index);
  Result<View> view(std::uint64_t offset, Reach reach);

  std::shared_ptr<store::Log> log_;
  io::WorkerPool& pool_;
  const Locate locate_;
  std::vector<store::Part> parts_;
  std::vector<std::uint64_t> ends_;  ///< in the stream, one for each part
  std::size_t current_ = ~std::size_t{0};
  store::PartBytes current_bytes_;
};

}  // namespace cairn::archive
