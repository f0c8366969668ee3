// Multipart bodies: whatever the cuts, the parts are the same, and no more comes out than went in.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/web/multipart_reader.h"

using namespace cairn;

namespace {

std::string parts_of(std::string_view body, std::size_t most) {
  using Kind = web::MultipartReader::Event::Kind;
  web::MultipartReader reader("b");
  std::string out;
  std::size_t data = 0;
  const std::size_t size = body.size();
  while (true) {
    auto next = reader.next();
    if (!next) return out + "|error " + to_string(next.error());
    auto& event = next.value();
    if (event.kind == Kind::end) return out + "|end";
    if (event.kind == Kind::part) {
      out += "|part";
      for (const auto& [name, value] : event.headers.fields()) out.append(name).append(":").append(value);
      out += '|';
    } else if (event.kind == Kind::data) {
      if (event.data.empty() || (data += event.data.size()) > size) std::abort();
      out += as_text(event.data);
    } else if (event.kind == Kind::need_bytes) {
      const MutableBytes room = reader.room();
      if (room.empty()) std::abort();
      const std::size_t count = std::min({most, room.size(), body.size()});
      if (count == 0) {
        reader.ended();
        continue;
      }
      std::memcpy(room.data(), body.data(), count);
      reader.filled(count);
      body.remove_prefix(count);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string whole = parts_of(text, SIZE_MAX);
  if (parts_of(text, 1) != whole || parts_of(text, 7) != whole) std::abort();
  (void)web::boundary_of(text);
  return 0;
}
