// The OpenAPI document and the router say the same about /api/v1.
#include "engine/web/openapi.h"

#include <set>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "tests/unit/web/test_client.h"
#include "tests/unit/web/test_server.h"

namespace cairn::web {
namespace {

namespace json = boost::json;

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

TEST(OpenApi, DescribesEveryRouteAndNoOther) {
  std::set<std::string> described, served;
  const json::value document = json::parse(kOpenApi);
  for (const auto& path : document.at("paths").as_object()) {
    for (const auto& method : path.value().as_object())
      described.insert(upper(method.key()) + ' ' + std::string(path.key()));
  }
  ServerOptions options;
  options.operating.conformance = [](const std::vector<Route>&) { return std::string(); };
  testing::TestServer server(options, true);
  for (const Route& route : server.server().routes()) {
    if (route.path.substr(0, 8) == "/api/v1/") served.insert(route.method + ' ' + route.path);
  }
  EXPECT_EQ(described, served);
  EXPECT_FALSE(served.empty());
}

TEST(OpenApi, NamesEveryPartOfItsPathsAndResolvesItsReferences) {
  const json::value document = json::parse(kOpenApi);
  for (const auto& path : document.at("paths").as_object()) {
    for (const auto& method : path.value().as_object()) {
      std::set<std::string> named;
      if (const auto* parameters = method.value().as_object().if_contains("parameters")) {
        for (const auto& parameter : parameters->as_array())
          named.insert(std::string(parameter.at("name").as_string()));
      }
      std::string_view rest = path.key();
      for (std::size_t open; (open = rest.find('{')) != std::string_view::npos;) {
        const std::size_t close = rest.find('}');
        EXPECT_TRUE(named.count(std::string(rest.substr(open + 1, close - open - 1)))) << path.key();
        rest.remove_prefix(close + 1);
      }
    }
  }
  std::string_view rest = kOpenApi;
  const std::string_view mark = "\"$ref\": \"#";
  int references = 0;
  for (std::size_t at; (at = rest.find(mark)) != std::string_view::npos; ++references) {
    rest.remove_prefix(at + mark.size());
    boost::system::error_code error;
    EXPECT_NE(document.find_pointer(rest.substr(0, rest.find('"')), error), nullptr) << rest.substr(0, 60);
  }
  EXPECT_GT(references, 5);
}

TEST(OpenApi, IsServed) {
  testing::TestServer server;
  const auto reply = testing::get(server.port(), "/api/v1/openapi.json");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, kOpenApi);
}

}  // namespace
}  // namespace cairn::web
