#include "engine/dicom/header_scan.h"

#include <algorithm>
#include <optional>

#include "engine/core/uid.h"
#include "engine/dicom/element_scan.h"
#include "engine/dicom/inflate.h"
#include "engine/dicom/part10.h"

namespace cairn::dicom {
namespace {

using namespace element_detail;

constexpr std::size_t kDeflateTrailerBytes = 16;
constexpr std::size_t kMaxKeyBytes = 256;  // a longer UID is unusable anyway

// Keeps what the index needs.
struct IngestSink {
  static constexpr bool kStreaming = true;

  KeyAttributes key;
  Header header;
  Extent pixel_data;
  bool hole_is_pixels = false;
  std::string* key_target = nullptr;  // that the current value fills
  std::uint32_t key_length = 0;

  bool leaves_out(const ElementHeader& h, bool pixels, bool) const {
    return pixels || (h.length > kBulkThresholdBytes && properties(h.vr).bulk);
  }
  Result<> hole_opened(const ElementHeader&, std::uint64_t position, bool encapsulated, bool pixels, bool) {
    if (header.holes.size() >= kMaxHoles) return fail(Errc::limit_exceeded, "number of bulk values", position);
    header.holes.push_back({header.bytes.size(), position, 0, encapsulated});
    hole_is_pixels = pixels;
    return outcome::success();
  }
  void hole_closed(std::uint64_t length) {
    Hole& hole = header.holes.back();
    hole.length = length;
    if (hole_is_pixels && pixel_data.length == 0) pixel_data = {hole.stream_offset, length};
  }
  void sequence_begins(const ElementHeader&) {}
  void sequence_ends() {}
  void item_begins() {}
  void item_ends() {}

  void keep(Bytes run) { header.bytes.append(as_text(run)); }
  void take_back(std::size_t count) { header.bytes.resize(header.bytes.size() - count); }
  std::size_t kept() const { return header.bytes.size(); }
  bool value_begins(const ElementHeader& h, bool top_level) {
    if (!top_level || h.length > kMaxKeyBytes) return false;
    switch (h.tag.value()) {
      case tags::SOPClassUID.value():
        key_target = &key.sop_class_uid;
        break;
      case tags::SOPInstanceUID.value():
        key_target = &key.sop_instance_uid;
        break;
      case tags::StudyInstanceUID.value():
        key_target = &key.study_instance_uid;
        break;
      case tags::SeriesInstanceUID.value():
        key_target = &key.series_instance_uid;
        break;
      default:
        return false;
    }
    key_length = h.length;
    return key_target->empty();  // of repeated ones the first is kept
  }
  void value_ended() {
    *key_target = trim_uid(std::string_view(header.bytes).substr(header.bytes.size() - key_length));
  }
};

Result<> check_key(const std::string& uid, const char* name) {
  if (uid.empty()) return fail(Errc::missing, name);
  if (!is_usable_uid(uid)) return fail(Errc::malformed, name);
  return outcome::success();
}

}  // namespace

struct HeaderScanner::State {
  IngestSink sink;
  std::optional<ElementScan<IngestSink>> scan;  // once the File Meta Information has been read
  std::string prefix_bytes;                     // of a prefix that came in several pieces
  std::uint64_t data_set_offset = 0;
  std::unique_ptr<Inflater> inflater;
  std::uint64_t fed = 0;
  std::uint64_t deflate_padding = 0;
  std::optional<Error> error;
  std::vector<Extent> extents;

  Result<> feed(Bytes piece);
  Result<> read_prefix(Bytes so_far, bool at_end);
  Result<> data_set(Bytes piece);
  Result<> inflate(Bytes piece);
  Result<> finish();
  Result<> remember(Result<> result) {
    if (!result && !error) error = result.error();
    return result;
  }
};

// Takes the File Meta Information off the beginning, and hands on what is behind it.
Result<> HeaderScanner::State::read_prefix(Bytes so_far, bool at_end) {
  CAIRN_TRY(PrefixProgress progress, try_read_prefix(so_far, at_end));
  if (!progress.complete) {
    if (so_far.size() > kMaxMetaBytes + 256) return fail(Errc::limit_exceeded, "File Meta Information", so_far.size());
    return outcome::success();
  }
  Part10Prefix& prefix = progress.prefix;
  if (!prefix.has_meta) return fail(Errc::missing, "File Meta Information");
  data_set_offset = prefix.data_set_offset;
  sink.header.transfer_syntax_uid = std::move(prefix.transfer_syntax_uid);
  sink.header.was_deflated = prefix.encoding.deflated;
  if (prefix.encoding.deflated) inflater = std::make_unique<Inflater>();
  scan.emplace(sink, prefix.encoding, prefix.encoding.deflated ? 0 : data_set_offset);
  return data_set(so_far.subspan(static_cast<std::size_t>(data_set_offset)));
}

Result<> HeaderScanner::State::inflate(Bytes piece) {
  inflater->feed(piece);
  while (!inflater->ended()) {
    CAIRN_TRY(const Bytes inflated, inflater->next());
    if (inflated.empty()) return outcome::success();
    CAIRN_TRYV(scan->consume(inflated));
  }
  // PS3.5 §A.5: one NUL may follow to make the length even. Files of the field have a gzip trailer here, or padding.
  const Bytes rest = inflater->rest();
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (++deflate_padding > kDeflateTrailerBytes && rest[i] != std::byte{0}) {
      return fail(Errc::malformed, "data behind the deflated data set", fed - rest.size() + i);
    }
    if (deflate_padding > kMaxTrailingPaddingBytes) {
      return fail(Errc::limit_exceeded, "trailing padding", fed - rest.size() + i);
    }
  }
  inflater->feed({});
  return outcome::success();
}

Result<> HeaderScanner::State::data_set(Bytes piece) {
  if (inflater) return inflate(piece);
  return scan->consume(piece);
}

Result<> HeaderScanner::State::feed(Bytes piece) {
  if (error) return *error;
  if (piece.empty()) return outcome::success();
  fed += piece.size();
  if (scan) return remember(data_set(piece));
  if (prefix_bytes.empty()) {
    const Result<> whole = read_prefix(piece, false);
    if (!whole || scan) return remember(whole);
  }
  prefix_bytes.append(as_text(piece));
  const Result<> result = read_prefix(as_bytes(prefix_bytes), false);
  if (scan) prefix_bytes = {};
  return remember(result);
}

Result<> HeaderScanner::State::finish() {
  if (!scan) {
    CAIRN_TRYV(read_prefix(as_bytes(prefix_bytes), true));
    if (!scan) return fail(Errc::truncated, "inside the File Meta Information", fed);
  }
  if (inflater && !inflater->ended()) return fail(Errc::truncated, "inside the deflated data set", fed);
  CAIRN_TRYV(scan->finish());
  sink.header.encoding = scan->encoding();
  CAIRN_TRYV(check_key(sink.key.sop_class_uid, "SOP Class UID (0008,0016)"));
  CAIRN_TRYV(check_key(sink.key.sop_instance_uid, "SOP Instance UID (0008,0018)"));
  CAIRN_TRYV(check_key(sink.key.study_instance_uid, "Study Instance UID (0020,000D)"));
  CAIRN_TRYV(check_key(sink.key.series_instance_uid, "Series Instance UID (0020,000E)"));
  std::uint64_t at = 0;
  if (!inflater) {
    for (const Hole& hole : sink.header.holes) {
      if (hole.length == 0) continue;
      extents.push_back({at, hole.stream_offset - at});
      at = hole.stream_offset + hole.length;
    }
  }
  const std::uint64_t end = inflater ? fed : scan->position();
  if (at < end) extents.push_back({at, end - at});
  return outcome::success();
}

HeaderScanner::HeaderScanner() : state_(std::make_unique<State>()) {}
HeaderScanner::~HeaderScanner() = default;
HeaderScanner::HeaderScanner(HeaderScanner&&) noexcept = default;
HeaderScanner& HeaderScanner::operator=(HeaderScanner&&) noexcept = default;

Result<> HeaderScanner::feed(Bytes piece) {
  return state_->feed(piece);
}

Result<> HeaderScanner::finish() {
  if (state_->error) return *state_->error;
  return state_->remember(state_->finish());
}

const KeyAttributes& HeaderScanner::key() const noexcept {
  return state_->sink.key;
}
std::uint64_t HeaderScanner::data_set_offset() const noexcept {
  return state_->data_set_offset;
}
Extent HeaderScanner::pixel_data() const noexcept {
  return state_->sink.pixel_data;
}
const std::vector<Extent>& HeaderScanner::extents() const noexcept {
  return state_->extents;
}
Header HeaderScanner::take_header() {
  return std::move(state_->sink.header);
}

Result<Header> HeaderScanner::rescan(const std::vector<Extent>& extents, Bytes concatenated,
                                     std::uint64_t stream_length) {
  HeaderScanner scanner;
  State& state = *scanner.state_;
  std::uint64_t at = 0, used = 0;
  const auto jump_to = [&state, &at](std::uint64_t offset) -> Result<> {
    if (offset == at) return outcome::success();
    if (offset < at || !state.scan || state.inflater) return fail(Errc::corrupt, "extents of a stored header", at);
    return state.scan->jump(offset - at);
  };
  for (const Extent& extent : extents) {
    CAIRN_TRYV(jump_to(extent.offset));
    if (extent.length > concatenated.size() - used)
      return fail(Errc::corrupt, "extents of a stored header", extent.offset);
    CAIRN_TRYV(
        scanner.feed(concatenated.subspan(static_cast<std::size_t>(used), static_cast<std::size_t>(extent.length))));
    used += extent.length;
    at = extent.offset + extent.length;
  }
  CAIRN_TRYV(jump_to(stream_length));
  if (used != concatenated.size()) return fail(Errc::corrupt, "extents of a stored header", used);
  CAIRN_TRYV(scanner.finish());
  return scanner.take_header();
}

}  // namespace cairn::dicom
