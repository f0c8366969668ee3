// A sink that keeps a small data set in memory: identifiers, responses, action information.
#pragma once

#include <string>

#include <boost/asio/awaitable.hpp>

#include "engine/net/association.h"

namespace cairn::dimse {

/// What is longer than its limit is read to the end and dropped: too_long() tells.
class Collect final : public net::DataSink {
 public:
  explicit Collect(std::size_t limit_bytes) : limit_(limit_bytes) {}

  Task<MutableBytes> room() override {
    chunk_.resize(kChunk);
    co_return MutableBytes(reinterpret_cast<std::byte*>(chunk_.data()), chunk_.size());
  }
  Result<> received(std::size_t bytes) override {
    too_long_ = too_long_ || bytes_.size() + bytes > limit_;
    if (!too_long_) bytes_.append(chunk_, 0, bytes);
    return outcome::success();
  }
  void relieve() override {}

  bool too_long() const noexcept { return too_long_; }
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  static constexpr std::size_t kChunk = 16u << 10;
  const std::size_t limit_;
  std::string chunk_, bytes_;
  bool too_long_ = false;
};

}  // namespace cairn::dimse
