// An instance of the archive on its way to a peer: found, read, its checksums verified, and transcoded where the peer
// does not take it as it is stored, before the first byte is sent. So a damaged or unsuitable instance is one failed
// sub-operation and ends no association.
//
// Up to kHeldBytes the data set is held meanwhile; a larger one is read once to verify it and again to send it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/archive/archive.h"
#include "engine/dimse/ahead.h"
#include "engine/dimse/context_table.h"
#include "engine/net/association.h"

namespace cairn::dimse {

inline constexpr std::uint64_t kHeldBytes = 16u << 20;

/// A stretch of a data set: views of stored parts, or recoded bytes.
struct Stretch {
  std::vector<archive::StreamReader::View> views;
  std::string recoded;
  bool last = false;
  std::optional<Error> error;
};

struct StoredObject {
  std::string sop_instance_uid;
  std::string sop_class_uid;
  std::optional<Error> error;  ///< why it cannot be sent
  ContextTable::Entry context;
  bool transcoded = false;                ///< into another transfer syntax than the stored one
  std::uint64_t bytes = 0;                ///< of the stored data set
  Stretch held;                           ///< the whole data set, or nothing:
  std::function<Stretch()> read_stretch;  ///< then this gives it bit by bit; blocking

  /// Blocking. Finds, reads and verifies.
  static StoredObject prepare(archive::Archive& archive, const std::string& sop_instance_uid,
                              const ContextTable& contexts);
};

/// What is verified of an instance: reads every byte of its stored stream. Blocking. Errors: io, corrupt.
Result<> verify(archive::Archive& archive, const archive::Instance& instance);

/// The data set of an object, which outlives it.
class StoredSource final : public net::DataSource {
 public:
  StoredSource(const StoredObject& object, io::WorkerPool& pool, asio::any_io_executor executor);
  Task<Piece> next() override;

 private:
  Stretch stretch_;  ///< of a large object
  const Stretch* current_;
  std::size_t index_ = 0;
  std::optional<Ahead<Stretch>> more_;
};

}  // namespace cairn::dimse
