#include "engine/dicom/recode.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "engine/dicom/element_scan.h"
#include "engine/dicom/inflate.h"
#include "engine/dicom/value_context.h"

namespace cairn::dicom {
namespace {

using namespace element_detail;

// To the scan every value is left out: it skips them without a limit, and they are copied here from the piece.
class RecodeSink {
 public:
  static constexpr bool kStreaming = true;

  RecodeSink(Encoding from, Encoding to) : to_(to) { big_endian_.push_back(from.big_endian); }

  std::string out;

  /// Before each piece: the value that began in an earlier one goes on.
  void piece_begins(Bytes piece, std::uint64_t position) {
    piece_ = piece;
    position_ = position;
    copy(piece);
  }

  bool leaves_out(const ElementHeader&, bool, bool) const { return true; }
  Result<> hole_opened(const ElementHeader& h, std::uint64_t position, bool encapsulated, bool, bool) {
    if (encapsulated) return fail(Errc::unsupported, "encapsulated data in a native data set", position);
    current_ = h;
    // File Meta Information that stands in a data set would be taken for that of what is written.
    const bool meta = h.tag.group == 0x0002 && big_endian_.size() == 1;
    dropped_ = h.tag.element == 0 || meta;
    remaining_ = h.length;
    const VR vr = context_.real_vr(h);
    unit_ = big_endian_.back() != to_.big_endian ? properties(vr).unit : 1;
    noted_.clear();
    partial_.clear();
    if (!dropped_) {
      const std::uint64_t length = std::uint64_t{h.length} + h.length % 2;
      if (length >= kUndefinedLength) return fail(Errc::limit_exceeded, "length of a value", position);
      put_header(h.tag, vr, static_cast<std::uint32_t>(length));
    }
    copy(piece_.subspan(static_cast<std::size_t>(position - position_)));
    return outcome::success();
  }
  void hole_closed(std::uint64_t) {
    if (dropped_) return;
    out.append(partial_);  // an incomplete last unit
    if (current_.length % 2 != 0) {
      const VR vr = current_.vr;
      out.push_back(properties(vr).text && vr != VR::UI ? ' ' : '\0');
    }
    if (is_noted(current_.tag)) (void)context_.note(current_, as_bytes(noted_), big_endian_.back());
  }
  void sequence_begins(const ElementHeader& h) {
    // PS3.5 §6.2.2: the items of a UN sequence are little-endian whatever surrounds them.
    big_endian_.push_back(h.vr == VR::UN ? false : big_endian_.back());
    put_header(h.tag, VR::SQ, kUndefinedLength);
  }
  void sequence_ends() {
    big_endian_.pop_back();
    put_item(tags::SequenceDelimitationItem, 0);
  }
  void item_begins() {
    context_.item_begins();
    put_item(tags::Item, kUndefinedLength);
  }
  void item_ends() {
    context_.item_ends();
    put_item(tags::ItemDelimitationItem, 0);
  }

  // Element headers: they are written anew.
  void keep(Bytes) {}
  void take_back(std::size_t) {}
  std::size_t kept() const { return 0; }
  bool value_begins(const ElementHeader&, bool) { return false; }
  void value_ended() {}

 private:
  static bool is_noted(Tag tag) { return tag == tags::PixelRepresentation; }

  void copy(Bytes from) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, from.size()));
    remaining_ -= n;
    from = from.first(n);
    if (dropped_ || n == 0) return;
    if (is_noted(current_.tag) && noted_.size() < 8) noted_.append(as_text(from.first(std::min<std::size_t>(n, 8))));
    if (unit_ < 2) {
      out.append(as_text(from));
      return;
    }
    const std::size_t begin = out.size();
    out.append(partial_).append(as_text(from));
    const std::size_t rest = (out.size() - begin) % unit_;
    partial_.assign(out, out.size() - rest, rest);
    out.resize(out.size() - rest);
    for (std::size_t at = begin; at < out.size(); at += unit_) std::reverse(&out[at], &out[at] + unit_);
  }

  template <std::unsigned_integral T>
  void put(T number) {
    std::array<std::byte, sizeof(T)> b;
    to_.big_endian ? store_be(b.data(), number) : store_le(b.data(), number);
    out.append(as_text(b));
  }
  void put_item(Tag tag, std::uint32_t length) {
    put(tag.group);
    put(tag.element);
    put(length);
  }
  void put_header(Tag tag, VR vr, std::uint32_t length) {
    if (!to_.explicit_vr) return put_item(tag, length);
    if (!properties(vr).known) vr = VR::UN;
    if (length > 0xffff && !properties(vr).long_length) vr = VR::UN;  // PS3.5 §6.2.2
    put(tag.group);
    put(tag.element);
    out.push_back(static_cast<char>(static_cast<unsigned>(vr) >> 8));
    out.push_back(static_cast<char>(static_cast<unsigned>(vr) & 0xff));
    if (!properties(vr).long_length) return put(static_cast<std::uint16_t>(length));
    put(std::uint16_t{0});
    put(length);
  }

  Encoding to_;
  Bytes piece_;
  std::uint64_t position_ = 0;  // of the piece
  ElementHeader current_;
  std::uint64_t remaining_ = 0;  // of its value
  bool dropped_ = false;
  std::size_t unit_ = 1;
  std::string partial_;          // of a unit that is cut
  std::string noted_;
  std::vector<bool> big_endian_;  // of the data set and the open sequences
  ValueContext context_;
};

}  // namespace

struct Recoder::State {
  State(Encoding from, Encoding to) : sink(from, to), scan(sink, from, 0) {
    if (from.deflated) inflater.emplace();
  }
  RecodeSink sink;
  ElementScan<RecodeSink> scan;
  std::optional<Inflater> inflater;

  Result<> consume(Bytes piece) {
    sink.piece_begins(piece, scan.position());
    return scan.consume(piece);
  }
};

Recoder::Recoder(Encoding from, Encoding to) : state_(std::make_unique<State>(from, to)) {}
Recoder::~Recoder() = default;
Recoder::Recoder(Recoder&&) noexcept = default;
Recoder& Recoder::operator=(Recoder&&) noexcept = default;

Result<> Recoder::feed(Bytes piece) {
  State& s = *state_;
  if (!s.inflater) return s.consume(piece);
  s.inflater->feed(piece);
  while (!s.inflater->ended()) {
    CAIRN_TRY(const Bytes inflated, s.inflater->next());
    if (inflated.empty()) break;
    CAIRN_TRYV(s.consume(inflated));
  }
  s.inflater->feed({});  // what follows the end is padding: it was looked at when the instance came
  return outcome::success();
}

Result<> Recoder::finish() {
  State& s = *state_;
  if (s.inflater && !s.inflater->ended()) return fail(Errc::truncated, "inside the deflated data set");
  return s.scan.finish();
}

std::string& Recoder::out() noexcept {
  return state_->sink.out;
}

}  // namespace cairn::dicom
