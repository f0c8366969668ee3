// Counters of the DIMSE server, for the metrics. Relaxed atomics: each is right by itself.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine/core/histogram.h"

namespace cairn::dimse {

/// How a store was answered, by the groups of PS3.4 §B.2.3.
enum class StoreAnswer : std::uint8_t { success, out_of_resources, mismatch, cannot_understand, duplicate, other };
inline constexpr std::size_t kStoreAnswers = 6;

struct Stats {
  std::uint64_t connections_open = 0;  ///< associations and those in set-up or ending
  std::uint64_t associations_open = 0;
  std::uint64_t associations_total = 0, rejected = 0, aborted = 0;  ///< aborted: by either side, or lost
  std::uint64_t evicted = 0;                 ///< half-open connections that made room for newer ones
  std::uint64_t stores[kStoreAnswers] = {};  ///< by StoreAnswer
  std::uint64_t echoes = 0, finds = 0, matches = 0;
  std::uint64_t gets = 0, moves = 0;
  std::uint64_t commitments = 0, commitments_reported = 0, commitments_given_up = 0;
  std::uint64_t sub_operations_completed = 0, sub_operations_failed = 0, sub_operations_warned = 0;
  std::uint64_t retrieved_bytes = 0;  ///< of data sets, as stored
  std::uint64_t received_bytes = 0;
  Histogram::Snapshot store_us;  ///< from the command to the answer
};

struct Counters {
  std::atomic<std::uint64_t> connections_open{0}, associations_open{0}, associations_total{0}, rejected{0}, aborted{0},
      evicted{0}, stores[kStoreAnswers]{}, echoes{0}, finds{0}, matches{0}, gets{0}, moves{0}, commitments{0}, commitments_reported{0}, commitments_given_up{0}, sub_operations_completed{0}, sub_operations_failed{0},
      sub_operations_warned{0}, retrieved_bytes{0}, received_bytes{0};
  Histogram store_us;

  Stats snapshot() const {
    Stats s;
    s.connections_open = connections_open.load(std::memory_order_relaxed);
    s.associations_open = associations_open.load(std::memory_order_relaxed);
    s.associations_total = associations_total.load(std::memory_order_relaxed);
    s.rejected = rejected.load(std::memory_order_relaxed);
    s.aborted = aborted.load(std::memory_order_relaxed);
    s.evicted = evicted.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < kStoreAnswers; ++i) s.stores[i] = stores[i].load(std::memory_order_relaxed);
    s.echoes = echoes.load(std::memory_order_relaxed);
    s.finds = finds.load(std::memory_order_relaxed);
    s.matches = matches.load(std::memory_order_relaxed);
    s.gets = gets.load(std::memory_order_relaxed);
    s.moves = moves.load(std::memory_order_relaxed);
    s.commitments = commitments.load(std::memory_order_relaxed);
    s.commitments_reported = commitments_reported.load(std::memory_order_relaxed);
    s.commitments_given_up = commitments_given_up.load(std::memory_order_relaxed);
    s.sub_operations_completed = sub_operations_completed.load(std::memory_order_relaxed);
    s.sub_operations_failed = sub_operations_failed.load(std::memory_order_relaxed);
    s.sub_operations_warned = sub_operations_warned.load(std::memory_order_relaxed);
    s.retrieved_bytes = retrieved_bytes.load(std::memory_order_relaxed);
    s.received_bytes = received_bytes.load(std::memory_order_relaxed);
    s.store_us = store_us.snapshot();
    return s;
  }
};

}  // namespace cairn::dimse
