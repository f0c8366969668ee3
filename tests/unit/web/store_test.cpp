// STOW-RS over a socket: what becomes of each part, and of bodies that lie.
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/web/multipart.h"
#include "tests/unit/web/test_client.h"
#include "tests/unit/web/test_server.h"

namespace cairn::web {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using testing::part10_of;
using testing::Reply;
using testing::TestClient;
using testing::TestServer;

constexpr const char* kType = "multipart/related; type=\"application/dicom\"; boundary=bnd";

std::string body_of(const std::vector<std::string>& parts, std::string_view type = "application/dicom") {
  std::string out;
  for (const auto& part : parts) out += part_head("bnd", out.empty(), type, part.size(), {}) + part;
  return out + closing("bnd");
}

Reply stow(TestServer& server, std::string_view body, std::string_view study = {}, TestClient::Fields fields = {}) {
  TestClient client(server.port());
  fields.emplace_back("Content-Type", kType);
  return client.request("POST", "/dicom-web/studies" + (study.empty() ? "" : '/' + std::string(study)), fields, body);
}

const json::array& items(const json::value& response, const char* tag) {
  static const json::array kNone;
  const auto* element = response.as_object().if_contains(tag);
  return element == nullptr ? kNone : element->at("Value").as_array();
}
std::string value(const json::value& item, const char* tag) {
  const auto& first = item.at(tag).at("Value").at(0);
  return first.is_string() ? std::string(first.as_string()) : std::to_string(first.to_number<std::int64_t>());
}

TEST(Store, StoresEveryPartAndNamesWhereTheyAre) {
  TestServer server;
  std::vector<std::string> parts;
  for (int i = 1; i <= 40; ++i) {
    parts.push_back(part10_of({.instance = "1.2.3." + std::to_string(i), .number = i, .pixel_bytes = 50'000}));
  }
  const Reply reply = stow(server, body_of(parts));
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.headers.get("Content-Type"), "application/dicom+json");
  const auto response = json::parse(reply.body);
  const auto& stored = items(response, "00081199");
  ASSERT_EQ(stored.size(), 40u);
  EXPECT_TRUE(items(response, "00081198").empty());
  EXPECT_THAT(value(response, "00081190"), ::testing::EndsWith("/dicom-web/studies/1.2"));
  for (int i = 1; i <= 40; ++i) {
    const auto& item = stored[static_cast<std::size_t>(i - 1)];
    EXPECT_EQ(value(item, "00081155"), "1.2.3." + std::to_string(i));
    const std::string url = value(item, "00081190");
    const Reply back =
        testing::get(server.port(), url.substr(url.find("/dicom-web")), {{"Accept", "application/dicom"}});
    EXPECT_TRUE(back.body == parts[static_cast<std::size_t>(i - 1)]);
  }
  EXPECT_EQ(server.archive.open_receivers, 0);
}

TEST(Store, SaysOfEachInstanceWhatBecameOfIt) {
  TestServer server;
  const std::string cut = part10_of({.instance = "1.2.3.2"}).substr(0, 5000);
  const Reply reply = stow(server, body_of({part10_of({}), cut, "no DICOM at all"}));
  EXPECT_EQ(reply.status, 202);
  const auto response = json::parse(reply.body);
  ASSERT_EQ(items(response, "00081199").size(), 1u);
  ASSERT_EQ(items(response, "00081198").size(), 1u);
  EXPECT_EQ(value(items(response, "00081198")[0], "00081155"), "1.2.3.2");
  EXPECT_EQ(value(items(response, "00081198")[0], "00081197"), std::to_string(0xC000));
  ASSERT_EQ(items(response, "0008119A").size(), 1u);
  EXPECT_EQ(server.archive.stats().counts.instances, 1u);
  EXPECT_EQ(stow(server, body_of({cut})).status, 409);
  EXPECT_EQ(stow(server, body_of({"x"}, "text/plain")).status, 409);
}

TEST(Store, ChecksTheStudyOfTheUrl) {
  TestServer server;
  EXPECT_EQ(stow(server, body_of({part10_of({})}), "1.2").status, 200);
  const Reply other = stow(server, body_of({part10_of({.study = "9.9", .instance = "9.9.1"})}), "1.2");
  EXPECT_EQ(other.status, 409);
  const auto response = json::parse(other.body);
  EXPECT_EQ(value(items(response, "00081198").at(0), "00081197"), std::to_string(0xA900));
  EXPECT_EQ(server.archive.stats().counts.instances, 1u);
  EXPECT_EQ(stow(server, body_of({part10_of({})}), "no-uid").status, 400);
}

TEST(Store, TellsRefusalAndAFullArchive) {
  TestServer server;
  server.archive.policy = store::DuplicatePolicy::refuse;
  EXPECT_EQ(stow(server, body_of({part10_of({})})).status, 200);
  EXPECT_EQ(stow(server, body_of({part10_of({})})).status, 200) << "the same again is no failure";
  const auto refused = json::parse(stow(server, body_of({part10_of({.number = 7})})).body);
  EXPECT_EQ(value(items(refused, "00081198").at(0), "00081197"), std::to_string(0x0111));
  server.archive.full = true;
  const Reply full = stow(server, body_of({part10_of({.instance = "1.2.3.9"})}));
  EXPECT_EQ(full.status, 409);
  EXPECT_THAT(full.body, HasSubstr(std::to_string(0xA700)));
}

TEST(Store, AnswersAsXmlToThoseWhoAsk) {
  TestServer server;
  const Reply reply = stow(server, body_of({part10_of({})}), {}, {{"Accept", "application/dicom+xml"}});
  EXPECT_EQ(reply.headers.get("Content-Type"), "application/dicom+xml");
  EXPECT_THAT(reply.body, HasSubstr("<DicomAttribute tag=\"00081199\" vr=\"SQ\" keyword=\"ReferencedSOPSequence\">"
                                    "<Item number=\"1\">"));
  EXPECT_THAT(reply.body, HasSubstr("keyword=\"ReferencedSOPInstanceUID\"><Value number=\"1\">1.2.3.1</Value>"));
  EXPECT_EQ(stow(server, body_of({part10_of({})}), {}, {{"Accept", "image/png"}}).status, 406);
}

TEST(Store, RefusesOtherBodies) {
  TestServer server;
  TestClient client(server.port());
  const auto post = [&](const char* type, std::string_view body) {
    TestClient one(server.port());
    return one.request("POST", "/dicom-web/studies", {{"Content-Type", type}}, body);
  };
  EXPECT_EQ(post("application/dicom", part10_of({})).status, 415);
  EXPECT_EQ(post("multipart/related; type=\"application/dicom\"", "x").status, 400);
  EXPECT_EQ(post("multipart/related; type=\"image/jpeg\"; boundary=b", "x").status, 415);
  EXPECT_EQ(post(kType, "").status, 400);
  EXPECT_EQ(post(kType, "--bnd--\r\n").status, 400);
  EXPECT_EQ(post(kType, "--wrong\r\n\r\nabc\r\n--wrong--").status, 400);
  EXPECT_EQ(post(kType, std::string(200'000, '-')).status, 413);
}

TEST(Store, KeepsWhatWasStoredBeforeABodyBreaksOff) {
  TestServer server;
  const std::string whole = body_of({part10_of({}), part10_of({.instance = "1.2.3.2"})});
  const Reply reply = stow(server, whole.substr(0, whole.size() - 2000));
  EXPECT_EQ(reply.status, 202);
  const auto response = json::parse(reply.body);
  EXPECT_EQ(items(response, "00081199").size(), 1u);
  EXPECT_EQ(items(response, "00081198").size() + items(response, "0008119A").size(), 1u);
  EXPECT_EQ(server.archive.stats().counts.instances, 1u);
  EXPECT_EQ(server.archive.open_receivers, 0);
}

TEST(Store, ContinuesOnlyWhatItWillTake) {
  TestServer server;
  TestClient client(server.port());
  const std::string body = body_of({part10_of({})});
  client.send("POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: " +
              std::string(kType) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  EXPECT_THAT(client.read_some(25), HasSubstr("100 Continue"));
  client.send(body);
  EXPECT_EQ(client.receive().status, 200);
  TestClient other(server.port());
  other.send(
      "POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: "
      "text/html\r\nContent-Length: 100\r\n\r\n");
  EXPECT_EQ(other.receive().status, 415);
}

}  // namespace
}  // namespace cairn::web
