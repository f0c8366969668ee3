#include "engine/store/batch_reader.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace cairn::store {
namespace {

constexpr unsigned kDepth = 32;
constexpr std::uint64_t kLongest = 1u << 20;  // one read of neighbours
// Reading this much that nobody wants is cheaper than another read.
constexpr std::uint64_t kGap = 8u << 10;

}  // namespace

struct BatchReader::Extent {
  io::File* file = nullptr;
  std::uint64_t start = 0, end = 0;  // whole blocks
  std::size_t arena = 0;
  std::size_t got = 0;
  std::vector<std::uint64_t> unreadable;  // blocks, ascending
};

BatchReader::BatchReader(io::FileSystem& files, bool ring) {
  if (ring) queue_ = files.make_queue(kDepth, true);
}
BatchReader::~BatchReader() = default;

void BatchReader::read(std::span<ReadRange> ranges) {
  std::vector<std::size_t> order(ranges.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(ranges[a].file, ranges[a].offset) < std::pair(ranges[b].file, ranges[b].offset);
  });
  std::vector<Extent> extents;
  std::vector<std::size_t> extent_of(ranges.size());
  std::size_t arena_bytes = 0;
  for (const std::size_t i : order) {
    const std::uint64_t start = io::block_down(ranges[i].offset);
    const std::uint64_t end = io::block_up(ranges[i].offset + ranges[i].length);
    if (!extents.empty()) {
      Extent& last = extents.back();
      const std::uint64_t joined = std::max(last.end, end);
      if (last.file == ranges[i].file && start <= last.end + kGap && joined - last.start <= kLongest) {
        last.end = joined;
        extent_of[i] = extents.size() - 1;
        continue;
      }
    }
    extents.push_back({ranges[i].file, start, end, 0, 0, {}});
    extent_of[i] = extents.size() - 1;
  }
  for (Extent& extent : extents) {
    extent.arena = arena_bytes;
    arena_bytes += extent.end - extent.start;
  }
  if (arena_.size() < arena_bytes) arena_ = io::AlignedBytes(arena_bytes);
  run(extents);
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const Extent& extent = extents[extent_of[i]];
    const std::uint64_t at = ranges[i].offset - extent.start;
    const auto bad =
        std::lower_bound(extent.unreadable.begin(), extent.unreadable.end(), io::block_down(ranges[i].offset));
    if (bad != extent.unreadable.end() && *bad < ranges[i].offset + ranges[i].length) {
      ranges[i].error = fail(Errc::io, "segment read", *bad);
    } else if (at + ranges[i].length > extent.got) {
      ranges[i].error = fail(Errc::truncated, "segment", extent.start + extent.got);
    } else {
      ranges[i].bytes = {arena_.data() + extent.arena + at, static_cast<std::size_t>(ranges[i].length)};
    }
  }
}

// One bad block is no reason to lose its neighbours.
void BatchReader::read_block_by_block(Extent& extent, MutableBytes into) {
  for (std::size_t at = 0; at < into.size(); at += io::kBlockBytes) {
    const auto got = extent.file->read(extent.start + at, into.subspan(at, io::kBlockBytes));
    if (!got) extent.unreadable.push_back(extent.start + at);
    extent.got = at + (got ? got.value() : io::kBlockBytes);
    if (got && got.value() < io::kBlockBytes) break;
  }
  bytes_read_ += extent.got;
}

void BatchReader::run(std::vector<Extent>& extents) {
  const auto into = [&](const Extent& extent) {
    return MutableBytes(arena_.data() + extent.arena, static_cast<std::size_t>(extent.end - extent.start));
  };
  if (!queue_) {
    for (Extent& extent : extents) {
      if (auto got = extent.file->read(extent.start, into(extent))) {
        extent.got = got.value();
        bytes_read_ += extent.got;
      } else {
        read_block_by_block(extent, into(extent));
      }
    }
    return;
  }
  std::size_t asked = 0;
  for (std::size_t done = 0; done < extents.size();) {
    for (; asked < extents.size() && asked - done < kDepth; ++asked) {
      queue_->read(*extents[asked].file, extents[asked].start, into(extents[asked]), asked);
    }
    std::array<io::Completion, kDepth> completions;
    const std::size_t count = queue_->wait(completions, true);
    done += count;
    for (std::size_t i = 0; i < count; ++i) {
      Extent& extent = extents[completions[i].token];
      if (completions[i].result < 0) {
        read_block_by_block(extent, into(extent));
      } else {
        extent.got = static_cast<std::size_t>(completions[i].result);
        if (extent.got < extent.end - extent.start) {  // the end of the file, or just short: a plain read knows
          auto again = extent.file->read(extent.start, into(extent));
          if (again) {
            extent.got = again.value();
          } else {
            read_block_by_block(extent, into(extent));
            continue;
          }
        }
        bytes_read_ += extent.got;
      }
    }
  }
}

}  // namespace cairn::store
