// The expected-state file of crash tests: what was sent and what was acknowledged, in lines, each written with one
// write(2) before the sender goes on, so that it outlives a kill of either side.
//
//   S sop study series transfer-syntax bytes sha256     before the first byte of the request is sent
//   A sop status                                        after the response (status as four hexadecimal digits)
//
// The SHA-256 is of the data set as sent. UIDs that are unknown (files) are "-". Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "bench/load/object.h"
#include "engine/core/result.h"

namespace cairn::load {

class Journal {
 public:
  static Result<std::unique_ptr<Journal>> open(const std::string& path);  ///< appends
  ~Journal();
  Journal(const Journal&) = delete;

  Result<> sending(const Object& object);
  Result<> answered(const std::string& sop_instance_uid, std::uint16_t status);

 private:
  explicit Journal(int fd) : fd_(fd) {}
  Result<> line(const std::string& text);
  int fd_;
};

}  // namespace cairn::load
