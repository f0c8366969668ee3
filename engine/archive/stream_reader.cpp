#include "engine/archive/stream_reader.h"

#include <algorithm>
#include <cstring>

namespace cairn::archive {

PartStreamReader::PartStreamReader(std::shared_ptr<store::Log> log, io::WorkerPool& pool, const Instance& instance,
                                   Locate locate)
    : log_(std::move(log)), pool_(pool), locate_(std::move(locate)), parts_(instance.parts) {
  std::uint64_t end = 0;
  ends_.reserve(parts_.size());
  for (const store::Part& part : parts_) ends_.push_back(end += part.length);
}

Result<store::PartBytes> PartStreamReader::part(std::size_t index, Reach reach) {
  if (index == current_) return current_bytes_;
  if (reach == Reach::memory) {
    auto bytes = log_->cached(parts_[index]);
    if (!bytes) return store::out_of_reach();
    return bytes;
  }
  const bool in_order = index == current_ + 1;  // from the start too: current_ is then one before 0
  auto read = log_->read(parts_[index]);
  if (!read && read.error() == Errc::not_found) read = part_elsewhere(index);
  CAIRN_TRY(store::PartBytes bytes, std::move(read));
  if (bytes->size() != parts_[index].length) return fail(Errc::corrupt, "length of a part", ends_[index]);
  current_ = index;
  current_bytes_ = bytes;
  if (in_order && index + 1 < parts_.size()) {
    pool_.submit(io::WorkClass::background, [log = std::weak_ptr(log_), next = parts_[index + 1]] {
      if (const auto alive = log.lock()) (void)alive->read(next);  // a failure shows when the part is really read
    });
  }
  return bytes;
}

// Compaction has moved it. It keeps parts as they are.
Result<store::PartBytes> PartStreamReader::part_elsewhere(std::size_t index) {
  CAIRN_TRY(auto parts, locate_());
  const bool same = std::equal(parts.begin(), parts.end(), parts_.begin(), parts_.end(),
                               [](const store::Part& a, const store::Part& b) { return a.length == b.length; });
  if (!same) return fail(Errc::not_found, "content that compaction let go");
  parts_ = std::move(parts);
  return log_->read(parts_[index]);
}

Result<StreamReader::View> PartStreamReader::view(std::uint64_t offset, Reach reach) {
  if (offset >= size()) return View{};
  const auto at = std::upper_bound(ends_.begin(), ends_.end(), offset);
  const auto index = static_cast<std::size_t>(at - ends_.begin());
  CAIRN_TRY(store::PartBytes bytes, part(index, reach));
  const Bytes all(*bytes);
  const Bytes rest = all.last(static_cast<std::size_t>(*at - offset));
  return View{std::move(bytes), rest};
}

Result<std::size_t> PartStreamReader::read(std::uint64_t offset, MutableBytes into) {
  std::size_t done = 0;
  while (done < into.size()) {
    CAIRN_TRY(const View piece, view(offset + done));
    if (piece.bytes.empty()) break;
    const std::size_t length = std::min(piece.bytes.size(), into.size() - done);
    std::memcpy(into.data() + done, piece.bytes.data(), length);
    done += length;
  }
  return done;
}

}  // namespace cairn::archive
