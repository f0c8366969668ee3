// What the log holds, as values: parts and the commit record of an instance. FORMAT.md has the bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/bytes.h"
#include "engine/core/checksum.h"
#include "engine/core/result.h"
#include "engine/dicom/header_scan.h"

namespace cairn::store {

/// Position in the archive's one order of events; given at commit, kept for ever. 0 is none.
using Sequence = std::uint64_t;

/// Where a record begins: storage volume, segment in it, byte offset of the record header in the segment.
struct Location {
  std::uint32_t volume = 0;
  std::uint32_t segment = 0;
  std::uint64_t offset = 0;
  bool operator==(const Location&) const noexcept = default;
};

/// A contiguous piece of an instance's stream in the log.
struct Part {
  Location location;
  std::uint32_t length = 0;  ///< payload bytes
  std::uint32_t crc = 0;     ///< CRC32C of the payload

  /// Nothing holds these bytes any more: compaction let them go.
  bool is_gone() const noexcept { return location.segment == 0; }
};

enum class Via : std::uint8_t { dimse = 1, import = 2, stow = 3 };

/// What happens to a newer instance with the SOP Instance UID of a stored one and other content.
enum class DuplicatePolicy : std::uint8_t {
  keep = 1,     ///< the newer becomes current, the older stays in history
  replace = 2,  ///< the newer becomes current, the older is forgotten
  refuse = 3,   ///< the older stays, the newer is refused
};

/// The commit record: an instance exists exactly when this is durable. All parts together are the complete Part 10
/// stream, its data set byte for byte as received.
struct InstanceRecord {
  Sequence sequence = 0;              ///< given by the log
  std::uint64_t instance_number = 0;  ///< given by the log; ties parts to their commit
  std::int64_t received_unix_ns = 0;
  std::string sop_class_uid, sop_instance_uid, study_instance_uid, series_instance_uid;
  std::string transfer_syntax_uid;
  std::string calling_ae, called_ae, peer_address;
  Via via = Via::dimse;
  DuplicatePolicy duplicate_policy = DuplicatePolicy::keep;
  std::uint64_t stream_length = 0;
  std::uint64_t data_set_offset = 0;
  dicom::Extent pixel_data;                   ///< length 0 when there is none
  std::vector<dicom::Extent> header_extents;  ///< as HeaderScanner::extents()
  Digest128 digest{};                         ///< of the whole stream
  std::uint32_t header_crc = 0;  ///< of dicom::Header::bytes, so that a replay can prove it; given by the log
  std::vector<Part> parts;       ///< in stream order; given by the log
  /// 0, or some parts are gone, and this is the sequence of what had taken the instance out of the index before; its
  /// own when it never was there.
  Sequence until = 0;

  std::string encode() const;
  std::size_t encoded_bytes() const;  ///< length of encode()
  /// Errors: truncated, malformed, mismatch, unsupported.
  static Result<InstanceRecord> decode(Bytes payload);
  /// What decode() asks of the values, so that nothing is written that could not be read again.
  Result<> check() const;
};

}  // namespace cairn::store
