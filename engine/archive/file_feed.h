// Feeds the bytes of a file, as found on a medium or in a request body, into a Receiver. A complete Part 10 file goes in
// as it is; one without preamble, meta header or transfer syntax gets a File Meta Information of ours in front, and its
// data set goes in byte for byte.
#pragma once

#include <string>

#include "engine/archive/archive.h"

namespace cairn::archive {

class FileFeed {
 public:
  /// `receiver` outlives the feed.
  explicit FileFeed(Receiver& receiver) : receiver_(receiver) {}

  /// The next bytes of the file. Errors: malformed ("not a DICOM file"), unsupported (a DICOMDIR), limit_exceeded, and
  /// those of Receiver::write().
  Task<> write(Bytes bytes);
  /// The file has ended; then Receiver::commit() may be called.
  Task<> finish();

  /// True for what write() and finish() say of a file that holds no instance: not DICOM at all, or a DICOMDIR.
  static bool is_not_an_instance(const Error& error) noexcept;

 private:
  Task<> advance(bool at_end);

  Receiver& receiver_;
  std::string head_;  ///< what is held back until it is clear how the file begins
  bool passing_ = false;
};

}  // namespace cairn::archive
