#include "engine/web/admin.h"

#include <gtest/gtest.h>

namespace cairn::web {
namespace {

Request local_post(std::initializer_list<std::pair<const char*, const char*>> fields) {
  Request request;
  request.method = "POST";
  request.peer_is_loopback = true;
  request.headers.add("Host", "localhost:8080");
  for (const auto& [name, value] : fields) request.headers.set(name, value);
  return request;
}

TEST(Admin, IsForThisMachineUnlessOpened) {
  Request request = local_post({{"Content-Type", "application/dicom"}});
  EXPECT_FALSE(refusal_of(request, false));
  request.peer_is_loopback = false;
  EXPECT_TRUE(refusal_of(request, false));
  EXPECT_FALSE(refusal_of(request, true));
}

TEST(Admin, TakesWhatAProxyPassesOnForAnotherMachines) {
  for (const char* name : {"Forwarded", "X-Forwarded-For", "x-forwarded-for"}) {
    const Request request = local_post({{"Content-Type", "application/dicom"}, {name, "127.0.0.1"}});
    EXPECT_TRUE(refusal_of(request, false)) << name;
    EXPECT_FALSE(refusal_of(request, true)) << name;
  }
}

TEST(Admin, DoesNothingForPagesOfOtherSites) {
  EXPECT_FALSE(refusal_of(local_post({}), false));
  EXPECT_FALSE(refusal_of(local_post({{"Origin", "http://localhost:8080"}, {"Sec-Fetch-Site", "same-origin"}}), false));
  EXPECT_TRUE(refusal_of(local_post({{"Origin", "http://evil.example"}}), false));
  EXPECT_TRUE(refusal_of(local_post({{"Origin", "null"}}), false));
  EXPECT_TRUE(refusal_of(local_post({{"Sec-Fetch-Site", "cross-site"}}), false));
  EXPECT_TRUE(refusal_of(local_post({{"Sec-Fetch-Site", "same-site"}}), false));
  // A foreign name that resolves to this machine is its own origin.
  EXPECT_TRUE(refusal_of(local_post({{"Host", "evil.example"}, {"Origin", "http://evil.example"}}), false));
}

TEST(Admin, RefusesContentTypesThatAFormCanSend) {
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                           "Text/Plain;charset=utf-8"}) {
    EXPECT_TRUE(refusal_of(local_post({{"Content-Type", type}}), false)) << type;
  }
  EXPECT_FALSE(refusal_of(local_post({{"Content-Type", "application/dicom"}}), false));
}

}  // namespace
}  // namespace cairn::web
