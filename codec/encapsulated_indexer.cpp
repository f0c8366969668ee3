#include "codec/encapsulated_indexer.h"

#include <algorithm>
#include <array>

namespace cairn::codec {
namespace {

constexpr std::uint16_t kItemGroup = 0xFFFE;
constexpr std::uint16_t kItem = 0xE000;
constexpr std::uint16_t kSequenceDelimiter = 0xE0DD;
constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kWindowBytes = 4096;
constexpr std::size_t kTailBytes = 16;

unsigned octet(std::byte b) {
  return std::to_integer<unsigned>(b);
}

}  // namespace

Result<bool> EncapsulatedIndexer::fetch(std::uint64_t offset, MutableBytes into) {
  if (into.size() > end_ || offset > end_ - into.size()) return false;
  const bool inside = offset >= window_offset_ && offset - window_offset_ <= window_.size() &&
                      window_.size() - (offset - window_offset_) >= into.size();
  if (!inside) {
    window_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kWindowBytes, end_ - offset)));
    window_offset_ = offset;
    auto got = source_.read(offset, window_);
    window_.resize(got.has_value() ? got.value() : 0);
    if (got.has_error()) return got.error();
    if (window_.size() < into.size()) return false;
  }
  std::copy_n(window_.begin() + static_cast<std::ptrdiff_t>(offset - window_offset_), into.size(), into.begin());
  return true;
}

Result<std::optional<EncapsulatedIndexer::ItemHeader>> EncapsulatedIndexer::item_at(std::uint64_t offset) {
  std::array<std::byte, kHeaderBytes> raw;
  CAIRN_TRY(const bool whole, fetch(offset, raw));
  if (!whole) return std::optional<ItemHeader>{};
  return std::optional<ItemHeader>{{load_le<std::uint16_t>(raw.data()), load_le<std::uint16_t>(raw.data() + 2),
                                    load_le<std::uint32_t>(raw.data() + 4)}};
}

Result<> EncapsulatedIndexer::read_basic_table(std::uint64_t offset, std::uint32_t length) {
  if (length > end_ - offset) return fail(Errc::truncated, "Basic Offset Table", offset);
  if (length / 4 > limits_.max_fragments) return fail(Errc::limit_exceeded, "Basic Offset Table entries", offset);
  std::vector<std::byte> raw(length);
  CAIRN_TRY(const std::size_t count, source_.read(offset, raw));
  if (count < raw.size()) return fail(Errc::truncated, "Basic Offset Table", offset + count);
  if (length % 4 != 0) index_.note(IndexNote::basic_table_wrong);
  basic_.resize(length / 4);
  for (std::size_t i = 0; i < basic_.size(); ++i) basic_[i] = load_le<std::uint32_t>(raw.data() + i * 4);
  return outcome::success();
}

Result<> EncapsulatedIndexer::walk_items() {
  end_ = source_.size();
  if (value_.length != kUndefinedLength)
    end_ = std::min(end_, value_.offset + std::min(value_.length, end_ - value_.offset));
  CAIRN_TRY(const auto table, item_at(value_.offset));
  if (!table) return fail(Errc::truncated, "Basic Offset Table item", value_.offset);
  if (table->group != kItemGroup || table->element != kItem) {
    return fail(Errc::malformed, "Pixel Data does not begin with an item", value_.offset);
  }
  std::uint64_t at = value_.offset + kHeaderBytes;
  CAIRN_TRYV(read_basic_table(at, table->length));
  at += table->length;
  first_item_ = at;
  for (;;) {
    CAIRN_TRY(const auto item, item_at(at));
    if (!item) {
      // A value of defined length may end without the delimiter; the source may not.
      if (at != end_ || value_.length == kUndefinedLength) index_.note(IndexNote::truncated);
      break;
    }
    if (item->group == kItemGroup && item->element == kSequenceDelimiter) break;
    if (item->group != kItemGroup || item->element != kItem || item->length == 0xFFFFFFFF) {
      if (index_.fragments_.empty()) return fail(Errc::malformed, "fragment item", at);
      index_.note(IndexNote::truncated);  // what came before can be served
      break;
    }
    if (index_.fragments_.size() >= limits_.max_fragments) return fail(Errc::limit_exceeded, "number of fragments", at);
    at += kHeaderBytes;
    const std::uint64_t length = std::min<std::uint64_t>(item->length, end_ - at);
    if (length > 0 || item->length == 0) index_.fragments_.push_back({at, length});
    at += length;
    if (length < item->length) {
      index_.note(IndexNote::truncated);
      break;
    }
  }
  fragments_end_ = at;
  return outcome::success();
}

std::optional<std::uint32_t> EncapsulatedIndexer::fragment_at(std::uint64_t relative) const {
  const auto& fragments = index_.fragments_;
  if (relative > fragments_end_ - first_item_) return std::nullopt;
  const std::uint64_t wanted = first_item_ + relative + kHeaderBytes;
  const auto found = std::lower_bound(fragments.begin(), fragments.end(), wanted,
                                      [](const ByteRange& f, std::uint64_t offset) { return f.offset < offset; });
  if (found == fragments.end() || found->offset != wanted) return std::nullopt;
  return static_cast<std::uint32_t>(found - fragments.begin());
}

std::optional<EncapsulatedIndexer::Starts> EncapsulatedIndexer::starts_from_extended() {
  const Bytes table = value_.extended_offsets;
  if (table.empty()) return std::nullopt;
  Starts starts;
  std::vector<std::uint64_t> lengths;
  const std::size_t entries = table.size() / 8;
  bool good =
      table.size() % 8 == 0 && value_.extended_lengths.size() == table.size() && entries <= index_.fragments_.size();
  for (std::size_t i = 0; good && i < entries; ++i) {
    const auto fragment = fragment_at(load_le<std::uint64_t>(table.data() + i * 8));
    const std::uint64_t length = load_le<std::uint64_t>(value_.extended_lengths.data() + i * 8);
    // Frames in ascending order, one fragment each, a length that is the item's but for its padding.
    good = fragment == i && length <= index_.fragments_[i].length && index_.fragments_[i].length - length <= 1;
    if (good) {
      starts.push_back(*fragment);
      lengths.push_back(length);
    }
  }
  if (!good || entries != index_.fragments_.size()) {
    index_.note(IndexNote::extended_table_wrong);
    return std::nullopt;
  }
  index_.trimmed_lengths_ = std::move(lengths);
  return starts;
}

std::optional<EncapsulatedIndexer::Starts> EncapsulatedIndexer::starts_from_basic() {
  if (basic_.empty()) return std::nullopt;
  if (basic_.size() > 1 && basic_.back() == fragments_end_ - first_item_) {
    basic_.pop_back();
    index_.note(IndexNote::extra_table_entry);
  }
  Starts starts;
  bool good = basic_.front() == 0;
  for (std::size_t i = 0; good && i < basic_.size(); ++i) {
    const auto fragment = fragment_at(basic_[i]);
    good = fragment && (starts.empty() || *fragment > starts.back());
    if (good) starts.push_back(*fragment);
  }
  // A table of the wrong size loses to fragments that are as many as the frames.
  const std::uint64_t declared = index_.declared_frames_;
  if (good && starts.size() != declared && index_.fragments_.size() == declared) good = false;
  if (!good) {
    index_.note(IndexNote::basic_table_wrong);
    return std::nullopt;
  }
  return starts;
}

bool EncapsulatedIndexer::has_signature() const noexcept {
  switch (syntax_.coding) {
    case Coding::jpeg_dct:
    case Coding::jpeg_lossless:
    case Coding::jpeg_exotic:
    case Coding::jpeg_ls:
    case Coding::jpeg2000:
    case Coding::htj2k:
      return true;
    default:
      return false;
  }
}

Result<bool> EncapsulatedIndexer::begins_frame(std::uint32_t fragment) {
  const ByteRange& range = index_.fragments_[fragment];
  std::array<std::byte, 8> head{};
  if (range.length < head.size()) return false;
  CAIRN_TRY(const bool whole, fetch(range.offset, head));
  if (!whole) return false;
  const bool soi = octet(head[0]) == 0xFF && octet(head[1]) == 0xD8 && octet(head[2]) == 0xFF;
  const bool soc = octet(head[0]) == 0xFF && octet(head[1]) == 0x4F && octet(head[2]) == 0xFF && octet(head[3]) == 0x51;
  const bool jp2 = load_be<std::uint32_t>(head.data()) == 12 && load_be<std::uint32_t>(head.data() + 4) == 0x6A502020;
  const bool j2k = syntax_.coding == Coding::jpeg2000 || syntax_.coding == Coding::htj2k;
  return j2k ? soc || jp2 : soi;
}

Result<bool> EncapsulatedIndexer::ends_frame(std::uint32_t fragment) {
  const ByteRange& range = index_.fragments_[fragment];
  std::array<std::byte, kTailBytes> tail{};
  const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(tail.size(), range.length));
  const MutableBytes into = MutableBytes(tail).first(count);
  CAIRN_TRY(const bool whole, fetch(range.offset + range.length - count, into));
  if (!whole || count < 2) return false;
  std::size_t n = count;  // EOI and EOC are both FF D9; padding after them is 00 or FF
  while (n > 2 && (octet(tail[n - 1]) == 0x00 || octet(tail[n - 1]) == 0xFF)) --n;
  return octet(tail[n - 2]) == 0xFF && octet(tail[n - 1]) == 0xD9;
}

Result<std::optional<EncapsulatedIndexer::Starts>> EncapsulatedIndexer::starts_from_signatures() {
  Starts by_start;
  Starts by_both;
  bool previous_ended = true;
  for (std::uint32_t i = 0; i < index_.fragments_.size(); ++i) {
    CAIRN_TRY(const bool begins, begins_frame(i));
    if (begins) {
      by_start.push_back(i);
      if (previous_ended) by_both.push_back(i);
    }
    CAIRN_TRY(previous_ended, ends_frame(i));
  }
  Starts& best = by_start.size() == index_.declared_frames_ ? by_start : by_both;
  if (best.empty() || best.front() != 0) return std::optional<Starts>{};
  return std::optional<Starts>{std::move(best)};
}

Result<EncapsulatedIndexer::Starts> EncapsulatedIndexer::starts_from_fragments() {
  const auto count = static_cast<std::uint32_t>(index_.fragments_.size());
  const auto one_to_one = [count] {
    Starts starts(count);
    for (std::uint32_t i = 0; i < count; ++i) starts[i] = i;
    return starts;
  };
  if (count == index_.declared_frames_ || !has_signature()) return one_to_one();
  CAIRN_TRY(auto starts, starts_from_signatures());
  if (starts) {
    index_.note(IndexNote::split_by_signature);
    return std::move(*starts);
  }
  if (count < index_.declared_frames_) return one_to_one();
  return fail(Errc::malformed, "fragments without offset table cannot be told apart into frames", first_item_);
}

Result<> EncapsulatedIndexer::run() {
  CAIRN_TRYV(walk_items());
  auto& starts = index_.first_fragment_;
  const auto count = static_cast<std::uint32_t>(index_.fragments_.size());
  if (count == 0) {
    index_.note(IndexNote::frame_count_differs);
    starts = {0};
    return outcome::success();
  }
  if (syntax_.video || syntax_.coding == Coding::jpeg2000_part2) {
    starts = {0, count};  // one stream; its frames have no bytes of their own
    index_.frame_count_ = 1;
    return outcome::success();
  }
  std::optional<Starts> found = starts_from_extended();
  if (!found) found = starts_from_basic();
  if (index_.declared_frames_ == 1 && (!found || found->size() != 1)) {
    // All fragments are the frame, unless a table and every fragment it names say otherwise (writers that list each
    // fragment are known).
    bool several = found.has_value() && has_signature();
    for (std::size_t i = 0; several && i < found->size(); ++i) {
      CAIRN_TRY(several, begins_frame((*found)[i]));
    }
    if (!several) {
      found = Starts{0};
      index_.trimmed_lengths_.clear();
    }
  }
  if (!found) {
    CAIRN_TRY(found, starts_from_fragments());
  }
  if (found->size() != index_.declared_frames_) index_.note(IndexNote::frame_count_differs);
  if (!syntax_.multi_fragment && found->size() != count) index_.note(IndexNote::fragments_not_allowed);
  index_.frame_count_ = found->size();
  starts = std::move(*found);
  starts.push_back(count);
  return outcome::success();
}

}  // namespace cairn::codec
