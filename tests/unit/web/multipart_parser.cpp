#include "tests/unit/web/multipart_parser.h"

#include <cctype>

namespace cairn::web::testing {

std::optional<std::vector<Part>> parse_multipart(std::string_view body, std::string_view boundary) {
  std::vector<Part> parts;
  const std::string delimiter = "--" + std::string(boundary);
  if (body.substr(0, delimiter.size()) != delimiter) return std::nullopt;
  body.remove_prefix(delimiter.size());
  while (true) {
    if (body.substr(0, 2) == "--") {
      body.remove_prefix(2);
      if (!body.empty() && body != "\r\n") return std::nullopt;
      return parts;
    }
    if (body.substr(0, 2) != "\r\n") return std::nullopt;
    body.remove_prefix(2);
    Part part;
    while (body.substr(0, 2) != "\r\n") {
      const std::size_t end = body.find("\r\n"), colon = body.find(':');
      if (end == std::string_view::npos || colon == std::string_view::npos || colon > end) return std::nullopt;
      std::string name(body.substr(0, colon));
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      std::string_view value = body.substr(colon + 1, end - colon - 1);
      while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
      part.headers[name] = value;
      body.remove_prefix(end + 2);
    }
    body.remove_prefix(2);
    const std::size_t end = body.find("\r\n" + delimiter);
    if (end == std::string_view::npos) return std::nullopt;
    part.body = body.substr(0, end);
    body.remove_prefix(end + 2 + delimiter.size());
    parts.push_back(std::move(part));
  }
}

}  // namespace cairn::web::testing
