#include "engine/dicom/inflate.h"

#include <algorithm>
#include <limits>
#include <vector>

#include <zlib.h>

namespace cairn::dicom {
namespace {
constexpr std::size_t kPieceBytes = 64u << 10;
}

struct Inflater::State {
  z_stream stream{};
  bool ready = false;
  bool ended = false;
  Bytes input;  // not yet given to zlib
  std::uint64_t consumed = 0;
  std::uint64_t produced = 0;
  std::vector<std::byte> piece = std::vector<std::byte>(kPieceBytes);

  State() { ready = inflateInit2(&stream, -MAX_WBITS) == Z_OK; }
  ~State() {
    if (ready) inflateEnd(&stream);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Inflater::Inflater() : state_(std::make_unique<State>()) {}
Inflater::~Inflater() = default;
Inflater::Inflater(Inflater&&) noexcept = default;
Inflater& Inflater::operator=(Inflater&&) noexcept = default;

void Inflater::feed(Bytes input) noexcept {
  state_->input = input;
}

Result<Bytes> Inflater::next() {
  State& s = *state_;
  if (!s.ready) return fail(Errc::out_of_memory, "inflate");
  if (s.ended) return Bytes();
  const std::size_t given = std::min<std::size_t>(s.input.size(), std::numeric_limits<uInt>::max());
  // zlib's interface is not const-correct; it does not write to its input.
  s.stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(s.input.data()));
  s.stream.avail_in = static_cast<uInt>(given);
  s.stream.next_out = reinterpret_cast<Bytef*>(s.piece.data());
  s.stream.avail_out = static_cast<uInt>(s.piece.size());
  const int status = ::inflate(&s.stream, Z_NO_FLUSH);
  const std::size_t used = given - s.stream.avail_in;
  const std::size_t made = s.piece.size() - s.stream.avail_out;
  s.input = s.input.subspan(used);
  s.consumed += used;
  s.produced += made;
  if (status == Z_STREAM_END) {
    s.ended = true;
  } else if (status == Z_MEM_ERROR) {
    return fail(Errc::out_of_memory, "inflate", s.consumed);
  } else if (status != Z_OK && status != Z_BUF_ERROR && made == 0) {
    // zlib repeats the error: what was inflated before it is handed out first, whatever the pieces were.
    return fail(Errc::malformed, "deflated data set", s.consumed);
  }
  if (s.produced > kMaxInflatedBytes ||
      (s.produced > kMaxRatioFreeBytes && s.produced / kMaxInflateRatio > s.consumed)) {
    return fail(Errc::limit_exceeded, "inflated size of a deflated data set", s.consumed);
  }
  return Bytes(s.piece.data(), made);
}

bool Inflater::ended() const noexcept {
  return state_->ended;
}
Bytes Inflater::rest() const noexcept {
  return state_->ended ? state_->input : Bytes();
}
std::uint64_t Inflater::produced() const noexcept {
  return state_->produced;
}

Result<std::string> inflate_data_set(Bytes deflated, std::uint64_t limit_bytes) {
  Inflater inflater;
  inflater.feed(deflated);
  std::string out;
  while (!inflater.ended()) {
    CAIRN_TRY(const Bytes piece, inflater.next());
    if (piece.empty() && !inflater.ended()) return fail(Errc::truncated, "deflated data set", deflated.size());
    if (out.size() + piece.size() > limit_bytes) {
      return fail(Errc::limit_exceeded, "inflated size of a deflated data set", out.size());
    }
    out.append(as_text(piece));
  }
  return out;
}

}  // namespace cairn::dicom
