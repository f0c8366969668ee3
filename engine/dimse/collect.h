// A sink that keeps a small data set in memory: identifiers, responses, action information.
#pragma once

#include <atomic>
#include <string>
#include <utility>

#include <boost/asio/awaitable.hpp>

#include "engine/net/association.h"

namespace cairn::dimse {

/// Long data sets of all associations together; what is parsed of them takes several times as much.
inline constexpr std::size_t kMostCollectedBytes = 64u << 20;

/// What is longer than its limit, or than what `all` (bytes of all associations; outlives this) leaves, is read to the
/// end and dropped: too_long() tells. What is short is taken always.
class Collect final : public net::DataSink {
 public:
  explicit Collect(std::size_t limit_bytes, std::atomic<std::size_t>* all = nullptr) : limit_(limit_bytes), all_(all) {}
  ~Collect() override { give_back(); }
  Collect(const Collect&) = delete;
  Collect& operator=(const Collect&) = delete;

  Task<MutableBytes> room() override {
    chunk_.resize(kChunk);
    co_return MutableBytes(reinterpret_cast<std::byte*>(chunk_.data()), chunk_.size());
  }
  Result<> received(std::size_t bytes) override {
    too_long_ = too_long_ || bytes_.size() + bytes > limit_ || !take(bytes);
    if (!too_long_) {
      bytes_.append(chunk_, 0, bytes);
    } else if (!bytes_.empty()) {
      std::string().swap(bytes_);
      give_back();
    }
    return outcome::success();
  }
  void relieve() override {}

  bool too_long() const noexcept { return too_long_; }
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  bool take(std::size_t bytes) {
    if (all_ == nullptr || bytes_.size() + bytes <= kShort) return true;
    // Relaxed: a count; the bytes are this association's own.
    taken_ += bytes;
    return all_->fetch_add(bytes, std::memory_order_relaxed) + bytes <= kMostCollectedBytes;
  }
  void give_back() {
    if (all_ != nullptr) all_->fetch_sub(std::exchange(taken_, 0), std::memory_order_relaxed);
  }

  static constexpr std::size_t kChunk = 16u << 10, kShort = 32u << 10;
  const std::size_t limit_;
  std::atomic<std::size_t>* all_;
  std::size_t taken_ = 0;
  std::string chunk_, bytes_;
  bool too_long_ = false;
};

}  // namespace cairn::dimse
