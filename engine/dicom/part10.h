// What stands in front of a data set in a file (PS3.10 §7.1), and what files of the field have instead of it: no
// preamble, "DICM" alone, no group length, no transfer syntax, nothing at all.
#pragma once

#include <cstdint>
#include <string>

#include "engine/core/bytes.h"
#include "engine/core/result.h"
#include "engine/dicom/encoding.h"

namespace cairn::dicom {

/// Limits of the File Meta Information.
inline constexpr std::size_t kMaxMetaBytes = 1u << 20;
inline constexpr std::size_t kMaxMetaElements = 256;

struct Part10Prefix {
  bool has_preamble = false;  ///< 128 bytes before "DICM"
  bool has_dicm = false;
  bool has_meta = false;          ///< at least one element of group 0002
  std::uint64_t meta_offset = 0;  ///< of the first element of group 0002; data_set_offset when there is none
  std::uint64_t data_set_offset = 0;
  std::string transfer_syntax_uid;  ///< as stated, or the one that the first element speaks for
  bool transfer_syntax_stated = false;
  Encoding encoding;  ///< as it really is: a first element that contradicts the stated syntax wins
  std::string media_storage_sop_class_uid, media_storage_sop_instance_uid, source_ae;  ///< from group 0002
  bool is_dicomdir = false;  ///< Media Storage Directory Storage, or a data set that begins with group 0004

  /// True when the stream can go into the log as it is: preamble, "DICM" and a stated transfer syntax.
  bool is_complete() const noexcept { return has_preamble && has_dicm && has_meta && transfer_syntax_stated; }
};

/// Reads the beginning of a file. `first_bytes` should be the whole file or its first kMaxMetaBytes.
///
/// "DICM" at 128 counts only when group 0002 follows, or when no data set can begin at 0: the letters occur in values.
/// Without a stated transfer syntax the first element decides: two letters of a known VR mean explicit, in the byte
/// order in which the group is the lower number; else implicit little endian, when the dictionary knows the tag or it
/// is a private one, and its length is below 2^31.
/// Errors: malformed (no DICOM file), truncated (more bytes are needed), limit_exceeded.
Result<Part10Prefix> read_prefix(Bytes first_bytes);

/// As read_prefix() for a stream of which these are the bytes so far: an empty `prefix` when more are needed. The
/// answer does not depend on how many bytes more than needed are given. `at_end`: no more will come.
struct PrefixProgress {
  bool complete = false;
  Part10Prefix prefix;
};
Result<PrefixProgress> try_read_prefix(Bytes so_far, bool at_end);

}  // namespace cairn::dicom
