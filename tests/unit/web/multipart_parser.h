// A strict reader of multipart bodies for tests (RFC 2046 §5.1), written from the grammar and not from our writer.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::web::testing {

struct Part {
  std::map<std::string, std::string> headers;  ///< names lower case
  std::string body;
};

/// nullopt when the body breaks the grammar.
std::optional<std::vector<Part>> parse_multipart(std::string_view body, std::string_view boundary);

}  // namespace cairn::web::testing
