// Runs the header scan over pieces and puts everything that it says into one comparable value.
#pragma once

#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "engine/dicom/header_scan.h"

namespace cairn::dicom::test {

struct ScanOutcome {
  std::string error;  // empty on success
  KeyAttributes key;
  std::string header;  // serialized
  Extent pixel_data;
  std::uint64_t data_set_offset = 0;
  std::vector<Extent> extents;

  bool operator==(const ScanOutcome& o) const {
    return error == o.error && key.sop_class_uid == o.key.sop_class_uid &&
           key.sop_instance_uid == o.key.sop_instance_uid && key.study_instance_uid == o.key.study_instance_uid &&
           key.series_instance_uid == o.key.series_instance_uid && header == o.header && pixel_data == o.pixel_data &&
           data_set_offset == o.data_set_offset && extents == o.extents;
  }
};

inline std::ostream& operator<<(std::ostream& out, const ScanOutcome& o) {
  return out << "error '" << o.error << "', SOP instance " << o.key.sop_instance_uid << ", header of "
             << o.header.size() << " bytes, pixels at " << o.pixel_data.offset << "+" << o.pixel_data.length << ", "
             << o.extents.size() << " extents";
}

/// `next_size(remaining)` says how long the next piece is.
template <class NextSize>
ScanOutcome scan_in_pieces(std::string_view stream, NextSize&& next_size) {
  HeaderScanner scanner;
  ScanOutcome outcome;
  Result<> result = boost::outcome_v2::success();
  for (std::size_t at = 0; at < stream.size() && result;) {
    const std::size_t size = std::min<std::size_t>(next_size(stream.size() - at), stream.size() - at);
    // A copy of its own, so that a sanitizer sees reads past the piece.
    const std::vector<std::byte> piece(as_bytes(stream).begin() + static_cast<std::ptrdiff_t>(at),
                                       as_bytes(stream).begin() + static_cast<std::ptrdiff_t>(at + size));
    result = scanner.feed(piece);
    at += size;
  }
  if (result) result = scanner.finish();
  outcome.key = scanner.key();
  outcome.pixel_data = scanner.pixel_data();
  outcome.data_set_offset = scanner.data_set_offset();
  if (!result) {
    outcome.error = to_string(result.error());
    // What was read before a failure may depend on the pieces; what is wrong, and where, may not.
    return ScanOutcome{outcome.error, {}, {}, {}, 0, {}};
  }
  outcome.extents = scanner.extents();
  outcome.header = scanner.take_header().serialize();
  return outcome;
}

inline ScanOutcome scan_whole(std::string_view stream) {
  return scan_in_pieces(stream, [](std::size_t remaining) { return remaining; });
}

/// Cuts of very different sizes, the same for the same seed.
inline ScanOutcome scan_at_random(std::string_view stream, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  return scan_in_pieces(stream, [&random](std::size_t) -> std::size_t {
    const auto most = std::size_t{1} << (random() % 18);
    return 1 + static_cast<std::size_t>(random() % most);
  });
}

}  // namespace cairn::dicom::test
