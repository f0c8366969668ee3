// One end of a sequenced-packet socket between two of our processes, and descriptors that close themselves. Private to
// sandbox.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <span>
#include <utility>

#include "engine/core/bytes.h"
#include "engine/core/result.h"

namespace cairn::sandbox {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor();
  int number() const noexcept { return number_; }
  explicit operator bool() const noexcept { return number_ >= 0; }

 private:
  int number_ = -1;
};

/// Both ends, closed on exec. Errors: the operating system's.
Result<std::pair<Descriptor, Descriptor>> make_channel();

/// After this long without a message receive() gives timeout.
Result<> set_patience(int channel, std::chrono::milliseconds patience);

/// At most two descriptors go with a message. Errors: closed (the other end is gone).
Result<> send(int channel, Bytes message, std::span<const int> descriptors = {});

/// Bytes of the message, which is `into.size()` long, or 0 at the end. `descriptors` are filled as far as any came.
/// Errors: timeout, malformed (a message of another size).
Result<std::size_t> receive(int channel, MutableBytes into, std::span<Descriptor> descriptors = {});

template <class T>
Bytes as_message(const T& value) noexcept {
  return std::as_bytes(std::span(&value, 1));
}
template <class T>
MutableBytes into_message(T& value) noexcept {
  return std::as_writable_bytes(std::span(&value, 1));
}

}  // namespace cairn::sandbox
