// Takes a multipart body apart as it arrives (RFC 2046 §5.1.1, PS3.18 §8.6.1.2.1), in pieces of any size and cut
// anywhere. A pure parser that holds one buffer, whatever the size of a part. One thread at a time.
//
//   while (true) {
//     CAIRN_TRY(auto event, reader.next());
//     switch (event.kind) {
//       case need_bytes: fill the front of reader.room(), then reader.filled(count), or reader.ended() at the end
//       case part:       event.headers of a new part; its data follow
//       case data:       event.data of that part, valid until the next call
//       case part_end:   the part is complete
//       case end:        the closing delimiter was there; what follows it is no part of the message
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/bytes.h"
#include "engine/core/result.h"
#include "engine/web/message.h"

namespace cairn::web {

inline constexpr std::size_t kMaxBoundaryChars = 200;  ///< RFC 2046 allows 70; some senders' are longer
inline constexpr std::size_t kMaxPartHeaderBytes = 16u << 10;
inline constexpr std::size_t kMaxPreambleBytes = 64u << 10;

class MultipartReader {
 public:
  struct Event {
    enum class Kind { need_bytes, part, data, part_end, end } kind = Kind::need_bytes;
    Headers headers;
    Bytes data;
  };

  /// Precondition: 1 to kMaxBoundaryChars characters.
  explicit MultipartReader(std::string_view boundary);

  MutableBytes room();  ///< never empty
  void filled(std::size_t count) noexcept;
  void ended() noexcept { ended_ = true; }

  /// Errors: truncated (the body ends before the closing delimiter), malformed (a part's header), limit_exceeded (the
  /// header of a part or the text before the first). After one it keeps failing with it.
  Result<Event> next();

 private:
  enum class State { preamble, header, body, end, failed };

  std::string_view held() const noexcept { return as_text(Bytes(buffer_).subspan(begin_, end_ - begin_)); }
  Event need();
  Result<Event> failed(Errc code, const char* where) noexcept;
  Result<Event> read_header();
  Result<Event> read_body();

  /// A delimiter at the front of held(): how long it is with the line end, whether it closes; nullopt: it is none;
  /// length 0: more bytes are needed to say.
  struct Delimiter {
    std::size_t length = 0;
    bool closes = false;
  };
  std::optional<Delimiter> delimiter_at(std::string_view text) const noexcept;

  std::string delimiter_;  ///< with the line break in front
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0, end_ = 0;
  State state_ = State::preamble;
  bool ended_ = false;
  std::size_t discarded_ = 0;
  Error error_{};
};

/// The value of the boundary parameter of a Content-Type; empty when there is none that can be used.
std::string boundary_of(std::string_view content_type);

}  // namespace cairn::web
