// The parts of a multipart request body, pulled from its connection.
#pragma once

#include "engine/web/multipart_reader.h"

namespace cairn::web {

class BodyParts {
 public:
  /// `body` outlives it. `most`: parts of the body.
  BodyParts(BodyStream& body, std::string_view boundary, std::size_t most)
      : body_(body), reader_(boundary), most_(most) {}

  /// The next event, never need_bytes; its data are valid until the next call. Errors: those of the body and of the
  /// reader; limit_exceeded (parts).
  Task<MultipartReader::Event> next() {
    using Kind = MultipartReader::Event::Kind;
    while (true) {
      CAIRN_CO_TRY(auto event, reader_.next());
      if (event.kind == Kind::part && ++count_ > most_) co_return fail(Errc::limit_exceeded, "parts of the body");
      if (event.kind != Kind::need_bytes) co_return event;
      CAIRN_CO_TRY(const std::size_t got, co_await body_.read(reader_.room()));
      if (got == 0) {
        reader_.ended();
      } else {
        reader_.filled(got);
      }
    }
  }

 private:
  BodyStream& body_;
  MultipartReader reader_;
  std::size_t most_;
  std::size_t count_ = 0;
};

}  // namespace cairn::web
