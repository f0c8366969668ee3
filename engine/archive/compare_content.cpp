#include "engine/archive/compare_content.h"

#include <algorithm>
#include <cstring>

namespace cairn::archive {
namespace {

// The bytes of a list of parts from an offset on, a run at a time.
class Runs {
 public:
  Runs(store::Log& log, const std::vector<store::Part>& parts, std::uint64_t offset)
      : log_(log), parts_(parts), skip_(offset) {}

  // Makes run() not empty, but at the end. False when a part cannot be read.
  bool fill() {
    while (run_.empty() && next_ < parts_.size()) {
      const store::Part& part = parts_[next_++];
      if (skip_ >= part.length) {
        skip_ -= part.length;
        continue;
      }
      auto read = log_.read(part);
      if (!read) return false;
      keep_ = std::move(read).value();
      run_ = Bytes(*keep_).subspan(static_cast<std::size_t>(skip_));
      skip_ = 0;
    }
    return true;
  }
  Bytes run() const { return run_; }
  void pass(std::size_t length) { run_ = run_.subspan(length); }

 private:
  store::Log& log_;
  const std::vector<store::Part>& parts_;
  std::uint64_t skip_;
  std::size_t next_ = 0;
  store::PartBytes keep_;
  Bytes run_;
};

}  // namespace

store::Comparison compare_content(store::Log& log, const store::InstanceRow& stored,
                                  const store::InstanceRecord& newer) {
  Runs a(log, stored.parts, stored.data_set_offset), b(log, newer.parts, newer.data_set_offset);
  for (;;) {
    if (!b.fill()) return store::Comparison::newer_unreadable;
    if (!a.fill()) return store::Comparison::stored_unreadable;
    const std::size_t length = std::min(a.run().size(), b.run().size());
    if (length == 0) return a.run().size() == b.run().size() ? store::Comparison::same : store::Comparison::different;
    if (std::memcmp(a.run().data(), b.run().data(), length) != 0) return store::Comparison::different;
    a.pass(length);
    b.pass(length);
  }
}

}  // namespace cairn::archive
