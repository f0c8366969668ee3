#include "engine/web/rendered_query.h"

#include <charconv>
#include <cstdio>

namespace cairn::web {
namespace {

/// Counts up when the picture of the same data becomes another one, so that no browser keeps the old.
constexpr int kPresentation = 2;

Result<std::int64_t> integer(std::string_view text, const char* where) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return fail(Errc::malformed, where);
  return value;
}

/// vw,vh or vw,vh,sx,sy,sw,sh; of the last four each may be empty (PS3.18 §8.3.5.1.3).
Result<> parse_viewport(std::string_view text, RenderedQuery& query) {
  std::int64_t values[6] = {0, 0, 0, 0, 0, 0};
  std::size_t count = 0;
  while (count < 6) {
    const std::size_t comma = text.find(',');
    const std::string_view one = text.substr(0, comma);
    if (!one.empty() || count < 2) {
      CAIRN_TRY(values[count], integer(one, "viewport"));
    }
    ++count;
    if (comma == std::string_view::npos) break;
    if (count == 6) return fail(Errc::malformed, "viewport");
    text.remove_prefix(comma + 1);
  }
  if (count != 2 && count != 6) return fail(Errc::malformed, "viewport");
  if (values[0] < 1 || values[1] < 1) return fail(Errc::malformed, "viewport");
  if (values[0] > kMaxPictureEdge || values[1] > kMaxPictureEdge) return fail(Errc::limit_exceeded, "viewport");
  query.box = {static_cast<std::uint32_t>(values[0]), static_cast<std::uint32_t>(values[1])};
  if (count == 2) return outcome::success();
  for (std::size_t i = 2; i < 6; ++i) {
    if (values[i] > 65535 || values[i] < -65535) return fail(Errc::limit_exceeded, "viewport");
  }
  query.region = Region{values[2], values[3], values[4], values[5]};
  return outcome::success();
}

}  // namespace

std::string RenderedQuery::key() const {
  char text[200] = "";
  std::string out = "p" + std::to_string(kPresentation);
  if (window) {
    std::snprintf(text, sizeof text, "w%.17g,%.17g,%d", window->center, window->width,
                  static_cast<int>(window->function));
    out += text;
  }
  if (box) out += "v" + std::to_string(box->first) + ',' + std::to_string(box->second);
  if (region) {
    out += "r" + std::to_string(region->column) + ',' + std::to_string(region->row) + ',' +
           std::to_string(region->columns) + ',' + std::to_string(region->rows);
  }
  return out + "q" + std::to_string(quality);
}

Result<RenderedQuery> parse_rendered_query(const std::vector<std::pair<std::string, std::string>>& parameters) {
  RenderedQuery query;
  for (const auto& [name, value] : parameters) {
    if (name == "window") {
      CAIRN_TRY(query.window, codec::parse_window(value));
      CAIRN_TRYV(codec::validate(*query.window));
    } else if (name == "viewport") {
      CAIRN_TRYV(parse_viewport(value, query));
    } else if (name == "quality") {
      CAIRN_TRY(const auto quality, integer(value, "quality"));
      if (quality < 1 || quality > 100) return fail(Errc::malformed, "quality");
      query.quality = static_cast<int>(quality);
    } else if (name == "annotation" || name == "iccprofile") {
      query.warnings.push_back("The " + name + " parameter is not supported");
    }  // accept is content negotiation; unknown ones are ignored (§8.3.5)
  }
  return query;
}

}  // namespace cairn::web
