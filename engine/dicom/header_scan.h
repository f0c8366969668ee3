// The header scan: reads a Part 10 stream as it arrives, in pieces of any size, and keeps what the index needs.
//
// The stream is what the log stores: preamble, "DICM", File Meta Information (PS3.10 §7.1), data set. All encodings are
// scanned, deflated and big-endian included. Pixel data and large binary values are skipped without being looked at or
// kept, so memory does not depend on the size of the instance. A pure parser: no I/O, no clock. One thread at a time.
//
// Tolerated: "DICM" without preamble, a wrong or missing meta group length, a missing transfer syntax, a data set or
// item that is implicit VR under an explicit syntax and the reverse (Header::encoding says what it really is), VRs that
// are none, UN sequences (PS3.5 §6.2.2), odd lengths, superfluous delimiters in defined lengths, trailing padding.
// Left out always: pixel data at the top level, however short, and every encapsulated value at any depth.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/bytes.h"
#include "engine/core/result.h"
#include "engine/dicom/encoding.h"

namespace cairn::dicom {

/// Limits of one instance's header; past them the instance is refused by name.
inline constexpr std::size_t kMaxHeaderBytes = 32u << 20;
inline constexpr int kMaxNesting = 64;
/// Binary values (OB OD OF OL OV OW UN UC UT UR and the native or encapsulated pixel data) longer than this are left
/// out.
inline constexpr std::size_t kBulkThresholdBytes = 4096;
/// Values left out of one header.
inline constexpr std::size_t kMaxHoles = 1u << 18;
/// Zero bytes behind the last element, as some media writers leave them: skipped, never kept.
inline constexpr std::size_t kMaxTrailingPaddingBytes = 1u << 20;

/// A value left out of Header::bytes.
struct Hole {
  std::uint64_t at = 0;             ///< offset in Header::bytes at which the value would begin
  std::uint64_t stream_offset = 0;  ///< as BulkValue; in the inflated form 0 is the data set's first byte
  std::uint64_t length = 0;
  bool encapsulated = false;
};

/// What the index keeps of an instance: its data set (without File Meta Information) with large values left out; the
/// element headers of those stay. `encoding.deflated` is false: a deflated data set is kept inflated.
struct Header {
  Encoding encoding;
  std::string transfer_syntax_uid;
  bool was_deflated = false;
  std::string bytes;
  std::vector<Hole> holes;  ///< ascending `at`

  std::string serialize() const;
  static Result<Header> deserialize(Bytes bytes);
};

/// A byte range of the stream.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool operator==(const Extent&) const noexcept = default;
};

/// The attributes without which an instance cannot be filed.
struct KeyAttributes {
  std::string sop_class_uid, sop_instance_uid, study_instance_uid, series_instance_uid;
};

class HeaderScanner {
 public:
  HeaderScanner();
  ~HeaderScanner();
  HeaderScanner(HeaderScanner&&) noexcept;
  HeaderScanner& operator=(HeaderScanner&&) noexcept;

  /// The next piece of the stream. Once it has failed it keeps failing with the same error.
  Result<> feed(Bytes piece);
  /// The stream has ended. Errors: truncated (inside an element or sequence), missing (a key attribute, named in
  /// Error::where), malformed. A data set that ends inside its last value is truncated.
  Result<> finish();

  /// Valid once the attribute has been passed; empty before.
  const KeyAttributes& key() const noexcept;
  /// Offset of the first byte after the File Meta Information; 0 before it is known.
  std::uint64_t data_set_offset() const noexcept;
  /// Value of Pixel Data (or Float/Double Float Pixel Data) in the stream; length 0 when there is none.
  Extent pixel_data() const noexcept;
  /// After finish(): the stream's byte ranges from which the same scan gives the same Header: all but the holes.
  /// For a deflated data set the whole stream.
  const std::vector<Extent>& extents() const noexcept;
  /// After finish(): moves the header out.
  Header take_header();

  /// Scans again from stored ranges: feeds `stream_offset`-addressed ranges and jumps over holes that were left out.
  /// Ranges ascend and are exactly those of extents(); `stream_length` is the length of the whole stream.
  static Result<Header> rescan(const std::vector<Extent>& extents, Bytes concatenated, std::uint64_t stream_length);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn::dicom
