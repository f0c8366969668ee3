// What the three kinds of process say to each other. Fixed messages over sequenced-packet sockets between processes of
// one program on one machine: structs as they lie in memory. The server trusts the zygote, which never sees a stream,
// and nothing that a worker says. Private to sandbox.
//
//   server  --SpawnRequest + worker's socket and memory-->  zygote  --fork-->  worker
//   server  --ReapRequest-->  zygote                          (kills, waits, tells how the worker ended)
//   server  --DecodeRequest-->  worker                        (coded bytes in the shared memory, samples back in it)
//
// Shared memory of a worker, a sealed memfd of fixed size: coded bytes from 0, samples from the next page on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "codec/foreign.h"

namespace cairn::sandbox {

inline constexpr std::uint64_t kPage = 4096;

constexpr std::uint64_t whole_pages(std::uint64_t bytes) noexcept {
  return (bytes + kPage - 1) / kPage * kPage;
}

/// What holds a process: a set of bits. Without the first two a worker is still held by being another process, by its
/// limits of memory and time, and by having no descriptor left to open anything with.
enum Confinement : std::uint32_t { kSystemCalls = 1, kNamespaces = 2 };

struct ZygoteHello {
  std::uint32_t confinement;
};

enum class Order : std::uint32_t { spawn, reap };

struct ZygoteRequest {
  Order order;
  std::int32_t pid;            ///< reap
  std::uint64_t memory_bytes;  ///< spawn: private memory that the worker may have, 0: no limit
  std::uint64_t shared_bytes;  ///< spawn: size of its memory; the worker's socket and the memfd come with the message
  std::uint32_t filter_system_calls;  ///< spawn
  std::uint32_t unused;
};

struct ZygoteReply {
  std::int32_t pid;     ///< spawn: of the worker, or 0
  std::int32_t status;  ///< spawn: errno where pid is 0; reap: as from waitpid()
};

struct WorkerHello {
  std::uint32_t confinement;
};

struct DecodeRequest {
  std::uint32_t decoder;
  std::uint32_t allow_partial;
  std::uint64_t coded_bytes;
  std::uint32_t rows, columns;
  std::uint16_t samples_per_pixel, bits_allocated, bits_stored, high_bit, planar_configuration;
  std::uint8_t is_signed, floating;
  std::array<char, 20> photometric;  ///< zero-terminated; longer ones are none that a decoder knows
};

struct DecodeReply {
  std::int32_t error;  ///< Errc, or 0
  std::uint32_t width_bytes, precision, oddities;
  std::uint8_t stream_signed, lossy, colour, unused;
  std::uint64_t offset;  ///< of the error
  std::uint64_t sample_bytes;
  std::array<char, 120> where;  ///< of the error, zero-terminated
};

static_assert(std::is_trivially_copyable_v<ZygoteRequest> && std::is_trivially_copyable_v<DecodeRequest> &&
              std::is_trivially_copyable_v<DecodeReply>);

}  // namespace cairn::sandbox
