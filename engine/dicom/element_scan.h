// The one reader of data sets (PS3.5 §7): a state machine over pieces of any size that tells a Sink what it passes.
// The ingest scan, the DataSet parser and the JSON writer are Sinks, so that what the one accepts the others read.
// Internal to engine/dicom. Bounded: nesting, header size and all lengths are checked before anything is done with
// them.
//
// A streaming Sink (kStreaming) gets the bytes that it keeps through keep() in runs, whatever the pieces; one in memory
// is given whole values, and must be fed pieces that do not cut through an element.
//
//   bool leaves_out(const ElementHeader&, bool pixels, bool piece_ends)   a value of defined length
//   Result<> hole_opened(const ElementHeader&, uint64 position, bool encapsulated, bool pixels, bool piece_ends)
//   void hole_closed(uint64 length)
//   void sequence_begins(const ElementHeader&), sequence_ends(), item_begins(), item_ends()
// streaming:
//   void keep(Bytes)  void take_back(size_t)  std::size_t kept()
//   bool value_begins(const ElementHeader&, bool top_level)   true: value_ended() is wanted, after all of it was kept
//   void value_ended()
// in memory:
//   void value(const ElementHeader&, Bytes value, bool big_endian)
// `pixels`: Pixel Data at the top level. `piece_ends`: the value would begin where the piece ends.
#pragma once

#include <algorithm>
#include <array>
#include <limits>

#include "engine/core/result.h"
#include "engine/dicom/element_header.h"
#include "engine/dicom/header_scan.h"

namespace cairn::dicom::element_detail {

template <class Sink>
class ElementScan {
 public:
  /// The sink must outlive the scan. Positions count from `origin`.
  ElementScan(Sink& sink, Encoding encoding, std::uint64_t origin) : sink_(sink), position_(origin) {
    frames_[0].encoding = encoding;
    frames_[0].encoding.deflated = false;
  }

  Result<> consume(Bytes piece);
  /// Passes over the hole in which the scan stands: `length` bytes that are not at hand.
  Result<> jump(std::uint64_t length);
  Result<> finish();

  std::uint64_t position() const noexcept { return position_; }
  /// Of the top level: as announced until the first element has been seen, then as it is.
  Encoding encoding() const noexcept { return frames_[0].encoding; }

 private:
  static constexpr std::uint64_t kNoEnd = std::numeric_limits<std::uint64_t>::max();
  enum class Phase { element, value, fragment, fragment_value, padding };
  struct Frame {
    std::uint64_t end = kNoEnd;  // of this frame or, when its own length is undefined, of the next defined one around
    bool defined = false;
    bool sequence = false;
    bool probed = false;  // its first element has been looked at
    Encoding encoding;
  };

  Result<bool> read_element();
  Result<bool> read_fragment();
  Result<bool> read_padding();
  bool pass();
  Result<> item_tag(const ElementHeader& h);
  Result<> begin_value(const ElementHeader& h);
  void value_ended();
  Result<> push(Frame frame);
  void pop();
  Result<> close_frames();
  const std::byte* gather(std::size_t size);
  void take(const std::byte* header, std::size_t size);
  bool fits(std::uint64_t length) const noexcept { return top_->end == kNoEnd || length <= top_->end - position_; }
  void flush() {
    if constexpr (Sink::kStreaming) {
      if (run_ != at_) sink_.keep(Bytes(run_, at_));
    }
    run_ = at_;
  }

  Sink& sink_;
  // Cursor in the current piece: [run_, at_) is to be kept and has not been handed to the sink.
  const std::byte* at_ = nullptr;
  const std::byte* end_ = nullptr;
  const std::byte* run_ = nullptr;

  Phase phase_ = Phase::element;
  std::uint64_t position_;
  std::uint64_t remaining_ = 0;  // of the value or fragment
  std::uint64_t hole_start_ = 0;
  std::uint64_t padding_ = 0;
  ElementHeader current_;
  bool keep_ = false;
  bool pixels_ = false;
  bool report_ = false;  // the sink wants value_ended()
  std::size_t partial_size_ = 0;
  std::array<std::byte, kLongHeader> partial_{};
  int depth_ = 0;
  std::array<Frame, 2 * kMaxNesting + 1> frames_{};
  Frame* top_ = frames_.data();
};

// `size` bytes of a header, from the piece or put together from several; nullptr when the piece ends before.
template <class Sink>
const std::byte* ElementScan<Sink>::gather(std::size_t size) {
  const auto available = static_cast<std::size_t>(end_ - at_);
  if (partial_size_ == 0 && available >= size) return at_;
  const std::size_t count = partial_size_ < size ? std::min(size - partial_size_, available) : 0;
  std::copy_n(at_, count, partial_.data() + partial_size_);
  partial_size_ += count;
  at_ += count;
  position_ += count;
  return partial_size_ >= size ? partial_.data() : nullptr;
}

// Advances over a header from gather(); what was put together has been passed already.
template <class Sink>
void ElementScan<Sink>::take(const std::byte* header, std::size_t size) {
  if (header == at_) {
    at_ += size;
    position_ += size;
  }
  partial_size_ = 0;
}

template <class Sink>
Result<> ElementScan<Sink>::push(Frame frame) {
  if (depth_ + 1 >= static_cast<int>(frames_.size())) {
    return fail(Errc::limit_exceeded, "nesting of sequences", position_);
  }
  top_ = &frames_[static_cast<std::size_t>(++depth_)];
  *top_ = frame;
  return outcome::success();
}

template <class Sink>
void ElementScan<Sink>::pop() {
  const bool sequence = top_->sequence;
  top_ = &frames_[static_cast<std::size_t>(--depth_)];
  if (sequence) {
    sink_.sequence_ends();
  } else {
    sink_.item_ends();
  }
}

template <class Sink>
Result<> ElementScan<Sink>::close_frames() {
  while (depth_ > 0 && position_ == top_->end) {
    if (!top_->defined) return fail(Errc::malformed, "sequence or item without its delimiter", position_);
    pop();
  }
  return outcome::success();
}

// An item or delimiter (PS3.5 §7.5).
template <class Sink>
Result<> ElementScan<Sink>::item_tag(const ElementHeader& h) {
  if (top_->sequence && h.tag == tags::Item) {
    const bool defined = h.length != kUndefinedLength;
    if (defined && !fits(h.length)) return fail(Errc::malformed, "item longer than its sequence", position_);
    const Encoding encoding = top_->encoding;
    CAIRN_TRYV(push({defined ? position_ + h.length : top_->end, defined, false, false, encoding}));
    sink_.item_begins();
    return outcome::success();
  }
  const bool ends = h.tag == (top_->sequence ? tags::SequenceDelimitationItem : tags::ItemDelimitationItem);
  if (!ends || depth_ == 0 || h.length != 0) return fail(Errc::malformed, "item or delimiter out of place", position_);
  if (!top_->defined) pop();  // in a defined length it is superfluous and says nothing
  return outcome::success();
}

template <class Sink>
Result<> ElementScan<Sink>::begin_value(const ElementHeader& h) {
  const Form form = form_of(h, top_->encoding);
  if (form == Form::invalid) return fail(Errc::malformed, "undefined length of a value", position_);
  const bool defined = h.length != kUndefinedLength;
  if (defined && !fits(h.length)) return fail(Errc::malformed, "value longer than its item", position_);
  if (form == Form::sequence) {
    const Encoding encoding = item_encoding(h, top_->encoding);
    CAIRN_TRYV(push({defined ? position_ + h.length : top_->end, defined, true, false, encoding}));
    sink_.sequence_begins(h);
    return outcome::success();
  }
  pixels_ = depth_ == 0 && is_pixel_data(h.tag);
  const bool fragments = form == Form::fragments;
  const bool piece_ends = at_ == end_;
  current_ = h;
  remaining_ = fragments ? 0 : h.length;
  phase_ = fragments ? Phase::fragment : Phase::value;
  keep_ = !fragments && !sink_.leaves_out(h, pixels_, piece_ends);
  if (!keep_) {
    flush();
    hole_start_ = position_;
    return sink_.hole_opened(h, position_, fragments, pixels_, piece_ends);
  }
  if constexpr (Sink::kStreaming) {
    const std::size_t kept = sink_.kept() + static_cast<std::size_t>(at_ - run_);
    if (kept > kMaxHeaderBytes || h.length > kMaxHeaderBytes - kept) {
      return fail(Errc::limit_exceeded, "size of the header", position_);
    }
    report_ = sink_.value_begins(h, depth_ == 0);
  }
  return outcome::success();
}

template <class Sink>
void ElementScan<Sink>::value_ended() {
  phase_ = Phase::element;
  if (!keep_) {
    run_ = at_;
    sink_.hole_closed(position_ - hole_start_);
  } else if constexpr (Sink::kStreaming) {
    if (report_) {
      flush();
      sink_.value_ended();
    }
  } else {
    sink_.value(current_, Bytes(at_ - current_.length, at_), top_->encoding.big_endian);
  }
}

// The readers return whether there is more to read in the piece.

template <class Sink>
Result<bool> ElementScan<Sink>::read_element() {
  if (partial_size_ == 0) {
    CAIRN_TRYV(close_frames());
  }
  const std::byte* h = gather(kShortHeader);
  if (h == nullptr) return false;
  if (!top_->probed && !top_->sequence) {
    top_->probed = true;
    top_->encoding = probe(h, top_->encoding);
  }
  const std::size_t size = header_size(h, top_->encoding);
  if (size > kShortHeader) {
    h = gather(size);
    if (h == nullptr) return false;
  }
  const ElementHeader decoded = decode_header(h, top_->encoding);
  take(h, size);
  if (position_ > top_->end) return fail(Errc::malformed, "element header past the end of its item", position_);
  if constexpr (Sink::kStreaming) {
    if (sink_.kept() + static_cast<std::size_t>(at_ - run_) > kMaxHeaderBytes) {
      return fail(Errc::limit_exceeded, "size of the header", position_);
    }
  }
  if (decoded.tag.group == 0xfffe) {
    CAIRN_TRYV(item_tag(decoded));
    return true;
  }
  if (top_->sequence) return fail(Errc::malformed, "sequence without an item", position_);
  if (depth_ == 0 && decoded.tag == Tag{} && decoded.length == 0) {
    flush();
    if constexpr (Sink::kStreaming) sink_.take_back(size);
    padding_ = size;
    phase_ = Phase::padding;
    return true;
  }
  CAIRN_TRYV(begin_value(decoded));
  return true;
}

template <class Sink>
Result<bool> ElementScan<Sink>::read_fragment() {
  const std::byte* h = gather(kShortHeader);
  run_ = at_;
  if (h == nullptr) return false;
  // Not decode_header(): what is no item may have a longer header than there are bytes at hand.
  const bool big_endian = top_->encoding.big_endian;
  ElementHeader item;
  item.tag = load_tag(h, big_endian);
  item.length = load<std::uint32_t>(h + 4, big_endian);
  take(h, kShortHeader);
  run_ = at_;
  if (position_ > top_->end) return fail(Errc::malformed, "fragments past the end of their item", position_);
  if (item.tag == tags::SequenceDelimitationItem && item.length == 0) {
    value_ended();
    return true;
  }
  if (item.tag != tags::Item || item.length == kUndefinedLength) {
    return fail(Errc::malformed, "fragment of encapsulated data", position_);
  }
  if (!fits(item.length)) return fail(Errc::malformed, "fragments past the end of their item", position_);
  remaining_ = item.length;
  phase_ = Phase::fragment_value;
  return true;
}

template <class Sink>
Result<bool> ElementScan<Sink>::read_padding() {
  const std::byte* other = std::find_if(at_, end_, [](std::byte b) { return b != std::byte{0}; });
  const auto count = static_cast<std::uint64_t>(other - at_);
  padding_ += count;
  position_ += count;
  at_ = run_ = other;
  if (padding_ > kMaxTrailingPaddingBytes) return fail(Errc::limit_exceeded, "trailing padding", position_);
  if (other != end_) return fail(Errc::malformed, "data behind trailing padding", position_);
  return false;
}

// Advances in a value or fragment; true when its end is reached.
template <class Sink>
bool ElementScan<Sink>::pass() {
  const auto available = static_cast<std::uint64_t>(end_ - at_);
  const std::uint64_t count = std::min(remaining_, available);
  at_ += count;
  position_ += count;
  remaining_ -= count;
  return remaining_ == 0;
}

template <class Sink>
Result<> ElementScan<Sink>::consume(Bytes piece) {
  at_ = run_ = piece.data();
  end_ = at_ + piece.size();
  for (bool more = true; more;) {
    switch (phase_) {
      case Phase::element: {
        CAIRN_TRY(more, read_element());
        break;
      }
      case Phase::value:
        more = pass();
        if (!keep_) run_ = at_;
        if (more) value_ended();
        break;
      case Phase::fragment: {
        CAIRN_TRY(more, read_fragment());
        break;
      }
      case Phase::fragment_value:
        more = pass();
        run_ = at_;
        if (more) phase_ = Phase::fragment;
        break;
      case Phase::padding: {
        CAIRN_TRY(more, read_padding());
        break;
      }
    }
  }
  flush();
  return outcome::success();
}

template <class Sink>
Result<> ElementScan<Sink>::jump(std::uint64_t length) {
  const bool at_value = phase_ == Phase::value && !keep_ && remaining_ == length && hole_start_ == position_;
  const bool at_fragments = phase_ == Phase::fragment && partial_size_ == 0 && hole_start_ == position_;
  if ((!at_value && !at_fragments) || !fits(length))
    return fail(Errc::corrupt, "left-out values of a header", position_);
  at_ = run_ = end_ = nullptr;
  position_ += length;
  remaining_ = 0;
  value_ended();
  return outcome::success();
}

template <class Sink>
Result<> ElementScan<Sink>::finish() {
  switch (phase_) {
    case Phase::value:
      return fail(Errc::truncated, pixels_ ? "inside Pixel Data" : "inside a value", position_);
    case Phase::fragment:
    case Phase::fragment_value:
      return fail(Errc::truncated, pixels_ ? "inside encapsulated Pixel Data" : "inside encapsulated data", position_);
    case Phase::padding:
      return outcome::success();
    case Phase::element:
      break;
  }
  if (partial_size_ == 0) {
    CAIRN_TRYV(close_frames());
  }
  if (depth_ > 0) return fail(Errc::truncated, top_->sequence ? "inside a sequence" : "inside an item", position_);
  if (partial_size_ != 0) {
    const auto end = partial_.begin() + static_cast<std::ptrdiff_t>(partial_size_);
    if (std::any_of(partial_.begin(), end, [](std::byte b) { return b != std::byte{0}; })) {
      return fail(Errc::truncated, "inside an element header", position_);
    }
    if constexpr (Sink::kStreaming) sink_.take_back(partial_size_);  // a pad byte or a few behind the last element
  }
  return outcome::success();
}

/// Feeds an index header: its bytes between the holes, and the holes. The sink's `hole` says which comes next; it is
/// the value of the element whose header ends the piece.
template <class Sink>
Result<> scan_header(const Header& header, Sink& sink) {
  ElementScan<Sink> scan(sink, header.encoding, 0);
  const Bytes bytes = as_bytes(header.bytes);
  std::size_t at = 0;
  for (const Hole& hole : header.holes) {
    if (hole.at < at || hole.at > bytes.size()) return fail(Errc::corrupt, "left-out values of a header", hole.at);
    sink.hole = &hole;
    CAIRN_TRYV(scan.consume(bytes.subspan(at, static_cast<std::size_t>(hole.at) - at)));
    if (sink.hole != nullptr) return fail(Errc::corrupt, "left-out values of a header", hole.at);
    if (hole.length != 0) {
      CAIRN_TRYV(scan.jump(hole.length));
    }
    at = static_cast<std::size_t>(hole.at);
  }
  CAIRN_TRYV(scan.consume(bytes.subspan(at)));
  return scan.finish();
}

}  // namespace cairn::dicom::element_detail
