// Accept fields and what follows from them.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/web/media_type.h"
#include "engine/web/retrieve_negotiation.h"

using namespace cairn;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto ranges = web::parse_accept(text);
  if (ranges.size() > web::kMaxMediaRanges) std::abort();
  for (const auto& range : ranges) {
    if (range.quality < 0 || range.quality > 1000 || range.type.empty() || range.subtype.empty()) std::abort();
  }
  const auto chosen = web::choose(ranges, {"image/jpeg", "image/png"});
  if (chosen && *chosen > 1) std::abort();
  (void)web::parse_media_type(text);
  const auto choice = web::negotiate(ranges, {"1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"}, false);
  if (choice && (choice->form == web::InstanceForm::single || choice->syntaxes.size() != 2)) std::abort();
  return 0;
}
