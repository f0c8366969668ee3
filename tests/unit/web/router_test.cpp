#include "engine/web/router.h"

#include <gtest/gtest.h>

namespace cairn::web {
namespace {

Router make_router() {
  Router router;
  const Handler none = [](Request&) -> Task<Response> { co_return Response{}; };
  for (const char* path : {"/", "/studies", "/studies/{study}", "/studies/{study}/metadata", "/studies/special",
                           "/bulk/{uid}/{path...}"}) {
    router.add("GET", path, none);
  }
  router.add("POST", "/studies", none);
  return router;
}

std::string found(const Router& router, const char* method, const std::vector<std::string>& segments) {
  const auto result = router.find(method, segments);
  if (result.route == nullptr) return result.allowed.empty() ? "unknown" : "not allowed";
  std::string out = result.route->method + ' ' + result.route->path;
  for (const auto& [name, value] : result.captures) out += ' ' + std::string(name) + '=' + value;
  return out;
}

TEST(Router, FindsTheMostSpecificTemplateAndCapturesItsParts) {
  const Router router = make_router();
  EXPECT_EQ(found(router, "GET", {}), "GET /");
  EXPECT_EQ(found(router, "GET", {"studies"}), "GET /studies");
  EXPECT_EQ(found(router, "GET", {"studies", "1.2"}), "GET /studies/{study} study=1.2");
  EXPECT_EQ(found(router, "GET", {"studies", "special"}), "GET /studies/special");
  EXPECT_EQ(found(router, "GET", {"studies", "1.2", "metadata"}), "GET /studies/{study}/metadata study=1.2");
  EXPECT_EQ(found(router, "GET", {"bulk", "1", "a", "0", "b"}), "GET /bulk/{uid}/{path...} uid=1 path=a/0/b");
}

TEST(Router, AnswersHeadByGet) {
  EXPECT_EQ(found(make_router(), "HEAD", {"studies"}), "GET /studies");
}

TEST(Router, TellsUnknownPathsFromMethodsThatAreNotAllowed) {
  const Router router = make_router();
  EXPECT_EQ(found(router, "GET", {"nothing"}), "unknown");
  EXPECT_EQ(found(router, "GET", {"studies", "1.2", "metadata", "x"}), "unknown");
  EXPECT_EQ(found(router, "GET", {"studies", ""}), "unknown");
  EXPECT_EQ(found(router, "GET", {"bulk", "1"}), "unknown");
  EXPECT_EQ(found(router, "DELETE", {"studies"}), "not allowed");
  const auto allowed = router.find("DELETE", {"studies"}).allowed;
  EXPECT_NE(std::find(allowed.begin(), allowed.end(), "GET"), allowed.end());
  EXPECT_NE(std::find(allowed.begin(), allowed.end(), "POST"), allowed.end());
  EXPECT_NE(std::find(allowed.begin(), allowed.end(), "HEAD"), allowed.end());
}

}  // namespace
}  // namespace cairn::web
