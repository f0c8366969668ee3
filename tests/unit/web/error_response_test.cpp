#include "engine/web/error_response.h"

#include <cerrno>

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace cairn::web {
namespace {

TEST(ErrorResponse, NamesTheFaultAsJson) {
  const Response response = error_response(fail(Errc::malformed, "viewport", 12));
  EXPECT_EQ(response.status, 400u);
  const auto body = boost::json::parse(response.body).as_object();
  EXPECT_EQ(body.at("status"), 400);
  EXPECT_EQ(body.at("error"), "malformed");
  EXPECT_EQ(body.at("where"), "viewport");
  EXPECT_EQ(body.at("offset"), 12);
}

TEST(ErrorResponse, TellsTheClientsFaultsFromOurs) {
  EXPECT_EQ(http_status(fail(Errc::not_found, "")), 404u);
  EXPECT_EQ(http_status(fail(Errc::out_of_space, "")), 507u);
  EXPECT_EQ(http_status(fail(Errc::corrupt, "")), 500u);
  EXPECT_EQ(http_status(fail_errno(ENOENT, "")), 500u);
}

TEST(JsonString, IsValidWhateverTheBytes) {
  for (const std::string& text :
       {std::string("plain"), std::string("\"\\\n\t\x01", 5), std::string("\xff\xc0\x80\xed\xa0\x80"),
        std::string("é山\xf0\x9f\x98\x80"), std::string("cut \xe5\xb1")}) {
    std::string out;
    append_json_string(out, text);
    boost::system::error_code error;
    const auto parsed = boost::json::parse(out, error);
    ASSERT_FALSE(error) << out;
    EXPECT_TRUE(parsed.is_string());
  }
  std::string out;
  append_json_string(out, "é山\xf0\x9f\x98\x80");
  EXPECT_EQ(out, "\"é山\xf0\x9f\x98\x80\"");
}

}  // namespace
}  // namespace cairn::web
