// The applications that we may call, by AE title, and how many associations each has from us. Immutable but for the
// counts; any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cairn::dimse {

/// A [[dicom.remote]] of the configuration: a destination of C-MOVE.
struct Remote {
  std::string ae_title, host;
  std::uint16_t port = 104;
  std::uint32_t max_associations = 4;       ///< at once, over all moves; further ones wait
  std::uint32_t associations_per_move = 2;  ///< that share the instances of one move
  std::chrono::milliseconds connect{10'000}, answer{60'000};
  std::uint32_t retries = 3;                    ///< of an association, and of an instance, after a failure that may pass
  std::chrono::milliseconds retry_wait{1'000};  ///< before the first; then doubled, up to 30 s
  /// Proposed for native instances, in order of preference; others are sent as stored.
  std::vector<std::string> transfer_syntaxes{"1.2.840.10008.1.2.1", "1.2.840.10008.1.2"};

  std::chrono::milliseconds wait_before(unsigned attempt) const {
    return std::min(retry_wait * (1u << std::min(attempt > 0 ? attempt - 1 : 0, 10u)), std::chrono::milliseconds(30'000));
  }
};

class Remotes {
 public:
  struct Entry {
    Remote remote;
    std::atomic<std::uint32_t> associations{0};
  };
  explicit Remotes(const std::vector<Remote>& remotes) {
    for (const Remote& remote : remotes) {
      entries_.push_back(std::make_unique<Entry>());
      entries_.back()->remote = remote;
    }
  }
  /// nullptr: unknown. Lives as long as this.
  Entry* find(std::string_view ae_title) const noexcept {
    for (const auto& entry : entries_) {
      if (entry->remote.ae_title == ae_title) return entry.get();
    }
    return nullptr;
  }

 private:
  std::vector<std::unique_ptr<Entry>> entries_;
};

/// One association's place among the remote's.
class RemoteSlot {
 public:
  static std::optional<RemoteSlot> take(Remotes::Entry& entry) noexcept {
    std::uint32_t n = entry.associations.load(std::memory_order_relaxed);
    while (n < entry.remote.max_associations) {
      if (entry.associations.compare_exchange_weak(n, n + 1, std::memory_order_relaxed)) return RemoteSlot(&entry);
    }
    return std::nullopt;
  }
  RemoteSlot(RemoteSlot&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  RemoteSlot& operator=(RemoteSlot&& other) noexcept {
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~RemoteSlot() {
    if (entry_ != nullptr) entry_->associations.fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  explicit RemoteSlot(Remotes::Entry* entry) : entry_(entry) {}
  Remotes::Entry* entry_;
};

}  // namespace cairn::dimse
