// STOW-RS with metadata and bulk data apart: real files taken to pieces and put together again, media that come without
// a data set, and senders that lie.
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/web/multipart.h"
#include "engine/web/native_model.h"
#include "engine/web/native_model_read.h"
#include "engine/web/store.h"
#include "tests/unit/web/archive_fixture.h"
#include "tests/unit/web/multipart_parser.h"

namespace cairn::web {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using testing::Reply;
using testing::TestClient;
using testing::TestServer;

struct Part {
  std::string type, location, body;
};

std::string body_of(const std::vector<Part>& parts) {
  std::string out;
  for (const Part& part : parts)
    out += part_head("bnd", out.empty(), part.type, part.body.size(), part.location) + part.body;
  return out + closing("bnd");
}

Reply stow(std::uint16_t port, const std::vector<Part>& parts, const char* root = "application/dicom+json",
           std::string_view target = "/dicom-web/studies") {
  TestClient client(port);
  const std::string type = "multipart/related; type=\"" + std::string(root) + "\"; boundary=bnd";
  return client.request("POST", target, {{"Content-Type", type}}, body_of(parts));
}

std::size_t count(const Reply& reply, const char* tag) {
  const auto response = json::parse(reply.body);
  const auto* found = response.as_object().if_contains(tag);
  return found == nullptr ? 0 : found->at("Value").as_array().size();
}
std::int64_t first_number(const Reply& reply, const char* sequence, const char* tag) {
  return json::parse(reply.body).at(sequence).at("Value").at(0).at(tag).at("Value").at(0).to_number<std::int64_t>();
}

std::string boundary_in(const Reply& reply) {
  const std::string type(reply.headers.get("Content-Type"));
  const std::size_t at = type.find("boundary=");
  return at == std::string::npos ? "" : type.substr(at + 9);
}

/// Without what may differ: the instance's UID, its character set, where its bulk data lie, and how a number is spelled
/// (a DS has 16 characters).
void make_comparable(json::value& value) {
  if (value.is_number()) {
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", value.to_number<double>() + 0.0);
    value = text;
  }
  if (auto* array = value.if_array()) {
    for (auto& item : *array) make_comparable(item);
  }
  auto* object = value.if_object();
  if (object == nullptr) return;
  object->erase("00080018");
  object->erase("00080005");
  object->erase("BulkDataURI");
  for (auto& [key, inner] : *object) make_comparable(inner);
}

void collect_uris(const json::value& value, std::vector<std::string>& into) {
  if (const auto* array = value.if_array()) {
    for (const auto& item : *array) collect_uris(item, into);
  }
  if (const auto* object = value.if_object()) {
    for (const auto& [key, inner] : *object) {
      if (key == "BulkDataURI") {
        into.emplace_back(inner.as_string());
      } else {
        collect_uris(inner, into);
      }
    }
  }
}

class StoreApart : public testing::ArchiveFixture {
 protected:
  ServerOptions options() override {
    ServerOptions options;
    options.store.spool_directory = std::filesystem::temp_directory_path();
    return options;
  }
  std::vector<testing::Part> frames_of(const std::string& path) {
    std::vector<testing::Part> all;
    for (int frame = 1; frame <= 2000; ++frame) {
      const Reply reply = get(path + "/frames/" + std::to_string(frame), {{"Accept", "*/*"}});
      if (reply.status != 200) break;
      auto parts = testing::parse_multipart(reply.body, boundary_in(reply));
      if (!parts) break;
      all.push_back(std::move(parts->front()));
    }
    return all;
  }
};

TEST_F(StoreApart, RealFilesComeBackAsTheyWere) {
  std::size_t whole = 0, encapsulated = 0, in_xml = 0;
  for (const auto& one : post_all({"syntaxes", "modalities"})) {
    SCOPED_TRACE(one.name);
    Reply reply = get(one.path + "/metadata");
    ASSERT_EQ(reply.status, 200);
    json::value metadata = json::parse(reply.body);
    json::object& data_set = metadata.at(0).as_object();
    std::vector<std::string> uris;
    collect_uris(metadata, uris);
    const std::string uid = new_uid();
    if (!data_set.contains("00080016")) continue;
    const json::value before = metadata;
    data_set["00080018"] = json::object{{"vr", "UI"}, {"Value", json::array{uid}}};
    std::vector<Part> parts;
    bool usable = true;
    const std::string pixel_uri = one.path + "/bulkdata/7FE00010";
    std::vector<testing::Part> frames;
    for (const std::string& uri : uris) {
      if (uri == pixel_uri) {
        frames = frames_of(one.path);
        const bool coded =
            !frames.empty() && frames[0].headers["content-type"].find("octet-stream") == std::string::npos;
        if (coded) {
          for (const auto& frame : frames) parts.push_back({frame.headers.at("content-type"), uri, frame.body});
          ++encapsulated;
          continue;
        }
      }
      const Reply value = get(uri);
      if (value.status != 200) usable = false;
      parts.push_back({"application/octet-stream", uri, value.body});
    }
    // What no store could accept: odd pixel data, syntaxes whose frames cannot be told apart or are big endian.
    const bool big = one.name.find("big") != std::string::npos || one.name.find("Big") != std::string::npos;
    if (!usable || big) continue;
    const bool xml = whole % 2 == 1;
    const std::string text = json::serialize(metadata);
    const std::string document = xml ? native_model_of(json::serialize(metadata.at(0))).value() : text;
    parts.insert(parts.begin(), {xml ? "application/dicom+xml" : "application/dicom+json", "", document});
    reply = stow(server_->port(), parts, parts[0].type.c_str());
    if (reply.status != 200 && reply.status != 202) {
      // The pixels contradict the data set, or are of a coding that says nothing: named, not stored.
      EXPECT_EQ(reply.status, 409) << reply.body;
      continue;
    }
    const std::string path = one.path.substr(0, one.path.rfind('/') + 1) + uid;
    reply = get(path + "/metadata");
    ASSERT_EQ(reply.status, 200) << reply.body;
    json::value a = before, b = json::parse(reply.body);
    make_comparable(a);
    make_comparable(b);
    for (const auto& [tag, attribute] : a.at(0).as_object()) {
      // Tables of offsets are made anew; encapsulated pixel data are OB, whatever the file said.
      if (tag == "7FE00001" || tag == "7FE00002" || tag == "7FE00010") continue;
      const auto* other = b.at(0).as_object().if_contains(tag);
      ASSERT_NE(other, nullptr) << tag;
      EXPECT_EQ(attribute, *other) << tag;
    }
    EXPECT_LE(b.at(0).as_object().size(), a.at(0).as_object().size());
    if (!frames.empty()) {
      const auto again = frames_of(path);
      ASSERT_EQ(again.size(), frames.size());
      for (std::size_t i = 0; i < frames.size(); ++i) {
        // Padding is another matter where a fragment had an odd length.
        EXPECT_EQ(again[i].body.substr(0, frames[i].body.size()), frames[i].body) << i;
        EXPECT_LE(again[i].body.size(), frames[i].body.size() + 1);
      }
    }
    ++whole;
    in_xml += xml ? 1 : 0;
  }
  EXPECT_GT(whole, 60u);
  EXPECT_GT(in_xml, 30u);
  EXPECT_GT(encapsulated, 20u);
}

// --- what need not come from a file ---

json::object minimal(const std::string& instance, const char* sop_class = "1.2.840.10008.5.1.4.1.1.7") {
  const auto ui = [](std::string_view text) { return json::object{{"vr", "UI"}, {"Value", json::array{text}}}; };
  return {{"00080016", ui(sop_class)}, {"00080018", ui(instance)}, {"0020000D", ui("1.2")}, {"0020000E", ui("1.2.3")}};
}
json::object us(int value) {
  return {{"vr", "US"}, {"Value", json::array{value}}};
}
json::object bulk(const char* vr, std::string_view uri) {
  return {{"vr", vr}, {"BulkDataURI", uri}};
}

json::object grey(const std::string& instance, int rows, int columns, std::string_view uri) {
  auto d = minimal(instance);
  d["00280002"] = us(1);
  d["00280004"] = json::object{{"vr", "CS"}, {"Value", json::array{"MONOCHROME2"}}};
  d["00280010"] = us(rows);
  d["00280011"] = us(columns);
  for (const char* tag : {"00280100", "00280101"}) d[tag] = us(8);
  d["00280102"] = us(7);
  d["00280103"] = us(0);
  d["7FE00010"] = bulk("OW", uri);
  return d;
}

constexpr const char* kJson = "application/dicom+json";
constexpr const char* kOctets = "application/octet-stream";

TEST(StoreApartly, TakesNativeSamplesOfManyInstancesInAnyOrder) {
  TestServer server;
  json::array metadata;
  std::vector<Part> parts{{kJson, "", ""}};
  for (int i = 0; i < 20; ++i) {
    metadata.push_back(grey("1.2.3." + std::to_string(i + 1), 5, 7, "pixels/" + std::to_string(i)));
  }
  for (int i = 19; i >= 0; --i)
    parts.push_back({kOctets, "pixels/" + std::to_string(i), std::string(35, char('a' + i))});
  parts[0].body = json::serialize(metadata);
  const Reply reply = stow(server.port(), parts);
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(count(reply, "00081199"), 20u);
  const Reply frame = testing::get(server.port(), "/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.3/frames/1",
                                   {{"Accept", kOctets}});
  EXPECT_EQ(frame.body, std::string(35, 'c'));
}

TEST(StoreApartly, TakesOnePartForTwoInstances) {
  TestServer server;
  json::array metadata{grey("1.2.3.1", 2, 3, "same"), grey("1.2.3.2", 2, 3, "same")};
  const Reply reply = stow(server.port(), {{kJson, "", json::serialize(metadata)}, {kOctets, "same", "abcdef"}});
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(count(reply, "00081199"), 2u);
}

TEST(StoreApartly, MakesADocumentOfPDF) {
  TestServer server;
  auto d = minimal("1.2.3.1", "1.2.840.10008.5.1.4.1.1.104.1");
  d["00420011"] = bulk("OB", "doc");
  const std::string pdf = "%PDF-1.4 not much of one, and odd";
  const Reply reply =
      stow(server.port(), {{kJson, "", json::serialize(json::array{d})}, {"application/pdf", "doc", pdf}});
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Reply shown = testing::get(server.port(), "/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.1/rendered",
                                   {{"Accept", "application/pdf"}});
  EXPECT_EQ(shown.status, 200);
  EXPECT_EQ(shown.headers.get("Content-Type"), "application/pdf");
  EXPECT_EQ(shown.body, pdf);  // without the padding
}

TEST(StoreApartly, SaysOfEachInstanceWhatIsWrong) {
  TestServer server;
  auto no_uid = minimal("1.2.3.1");
  no_uid.erase("00080018");
  auto wrong_size = grey("1.2.3.2", 4, 4, "short");
  auto no_rows = grey("1.2.3.3", 4, 4, "plain");
  no_rows.erase("00280010");
  auto lost = grey("1.2.3.4", 4, 4, "never sent");
  auto elsewhere = grey("1.2.3.5", 4, 4, "file:///etc/passwd");
  auto fine = grey("1.2.3.6", 4, 4, "fine");
  auto not_a_picture = grey("1.2.3.7", 4, 4, "noise");
  json::array metadata{no_uid, wrong_size, no_rows, lost, elsewhere, fine, not_a_picture};
  const Reply reply = stow(server.port(), {{kJson, "", json::serialize(metadata)},
                                           {kOctets, "short", "abc"},
                                           {kOctets, "plain", std::string(16, 'x')},
                                           {kOctets, "nobody's", std::string(16, 'x')},
                                           {"image/jpeg", "noise", std::string(16, 'x')},
                                           {kOctets, "fine", std::string(16, 'x')}});
  EXPECT_EQ(reply.status, 202) << reply.body;
  EXPECT_EQ(count(reply, "00081199"), 1u);
  EXPECT_EQ(count(reply, "00081198"), 5u);
  EXPECT_EQ(count(reply, "0008119A"), 1u);
  for (int i : {2, 3, 4, 5, 7}) EXPECT_FALSE(server.archive.instance("1.2.3." + std::to_string(i))) << i;
  EXPECT_EQ(server.archive.open_receivers, 0);
}

TEST(StoreApartly, APartMayNotContradictItself) {
  TestServer server;
  const std::string rle = std::string("\1\0\0\0\x40\0\0\0", 8) + std::string(56, '\0') + "\1ab";
  for (const auto& [type, status] : {std::pair{"image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.80", 409},
                                     {"image/dicom-rle; transfer-syntax=1.2.840.10008.1.2.4.80", 409},
                                     {"image/dicom-rle; transfer-syntax=9.9", 409},
                                     {"image/dicom-rle; transfer-syntax=1.2.840.10008.1.2.5", 200},
                                     {"image/x-dicom-rle", 200}}) {
    const Reply reply =
        stow(server.port(), {{kJson, "", json::serialize(json::array{grey(new_uid(), 1, 2, "a")})}, {type, "a", rle}});
    EXPECT_EQ(reply.status, status) << type << reply.body;
  }
  // Words of two bytes are OW, whatever the metadata says.
  auto d = grey("1.2.3.77", 1, 2, "a");
  d["00280100"] = d["00280101"] = us(16);
  d["00280102"] = us(15);
  d["7FE00010"] = bulk("OB", "a");
  EXPECT_EQ(stow(server.port(), {{kJson, "", json::serialize(json::array{d})}, {kOctets, "a", "abcd"}}).status, 200);
  EXPECT_THAT(testing::get(server.port(), "/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.77/metadata").body,
              HasSubstr("\"7FE00010\":{\"vr\":\"OW\""));
}

TEST(StoreApartly, KeepsThePartsOfEachToThemselves) {
  TestServer server;
  // The study of the URL is checked as for DICOM parts.
  json::array metadata{grey("1.2.3.1", 1, 2, "a")};
  const Reply reply = stow(server.port(), {{kJson, "", json::serialize(metadata)}, {kOctets, "a", "ab"}}, kJson,
                           "/dicom-web/studies/9.9");
  EXPECT_EQ(reply.status, 409) << reply.body;
  EXPECT_EQ(first_number(reply, "00081198", "00081197"), 0xA900);
}

TEST(StoreApartly, WarnsOfWhatItHadToChange) {
  TestServer server;
  auto d = grey("1.2.3.1", 1, 2, "a");
  d["00281050"] = json::object{{"vr", "DS"}, {"Value", json::array{1.0 / 3}}};
  d["00100010"] = json::object{{"vr", "PN"}, {"Value", json::array{json::object{{"Alphabetic", "Müller^Jörg"}}}}};
  const Reply reply = stow(server.port(), {{kJson, "", json::serialize(json::array{d})}, {kOctets, "a", "ab"}});
  ASSERT_EQ(reply.status, 202) << reply.body;
  EXPECT_EQ(first_number(reply, "00081199", "00081196"), 0xB000);
  const Reply back = testing::get(server.port(), "/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.1/metadata");
  EXPECT_THAT(back.body, HasSubstr("Müller^Jörg"));
  EXPECT_THAT(back.body, HasSubstr("0.33333333333333"));
}

TEST(StoreApartly, SurvivesHostileMetadata) {
  TestServer server;
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += R"({"00081140":{"vr":"SQ","Value":[)";
  std::string wide = "[";
  for (int i = 0; i < 70'000; ++i) wide += i == 0 ? "{}" : ",{}";
  std::string backwards = "{";
  for (int i = 60'000; i > 8; --i) {
    char tag[48];
    std::snprintf(tag, sizeof tag, "%s\"%04X0010\":{\"vr\":\"LO\"}", backwards.size() > 1 ? "," : "", i);
    backwards += tag;
  }
  backwards += "}";
  for (const std::string& text :
       {std::string(), std::string("["), std::string("[{]"), std::string("null"), std::string("[{\"0008\":1}]"), deep,
        wide + "]", std::string("[{},]"), std::string(R"([{"00080016":{"vr":"ZZ"}}])"),
        std::string(R"([{"00280010":{"vr":"US","Value":[70000]}}])"),
        std::string(R"([{"00280010":{"vr":"US","Value":[1.5]}}])"),
        std::string(R"([{"7FE00010":{"vr":"OW","InlineBinary":"?"}}])"), std::string("[{\"x\\\""),
        "[" + backwards + "]"}) {
    const Reply reply = stow(server.port(), {{kJson, "", text}});
    EXPECT_THAT(reply.status, ::testing::AnyOf(400, 409, 413)) << text.substr(0, 60) << reply.body;
  }
  EXPECT_EQ(stow(server.port(), {{kJson, "", std::string((33u << 20), ' ')}}).status, 413);
  for (const char* xml : {"", "<a/>", "<NativeDicomModel>", "<!DOCTYPE x [<!ENTITY a \"b\">]><NativeDicomModel/>",
                          "<NativeDicomModel><DicomAttribute tag=\"00080016\" "
                          "vr=\"UI\"><Value>&a;</Value></DicomAttribute></NativeDicomModel>",
                          "<NativeDicomModel><DicomAttribute tag=\"00080016\"", "<NativeDicomModel></x>"}) {
    const Reply reply = stow(server.port(), {{"application/dicom+xml", "", xml}}, "application/dicom+xml");
    EXPECT_THAT(reply.status, ::testing::AnyOf(400, 501)) << xml << reply.body;
  }
  std::string nested = "<NativeDicomModel>";
  for (int i = 0; i < 10'000; ++i) nested += "<DicomAttribute tag=\"00081140\" vr=\"SQ\"><Item number=\"1\">";
  EXPECT_EQ(stow(server.port(), {{"application/dicom+xml", "", nested}}, "application/dicom+xml").status, 413);
}

TEST(StoreApartly, CountsTheParts) {
  TestServer server;
  std::vector<Part> parts{{kJson, "", json::serialize(json::array{grey("1.2.3.1", 1, 2, "a")})}, {kOctets, "a", "ab"}};
  parts.resize(kMaxParts + 10, {kOctets, "b", ""});
  const Reply reply = stow(server.port(), parts);
  // What was complete before is stored, and the rest is told.
  EXPECT_EQ(reply.status, 202) << reply.body.substr(0, 500);
  EXPECT_EQ(count(reply, "00081199"), 1u);
  EXPECT_EQ(first_number(reply, "0008119A", "00081197"), 0xA700);
}

TEST(StoreApartly, ABodyThatBreaksOffStoresWhatWasWhole) {
  TestServer server;
  json::array metadata{grey("1.2.3.1", 1, 2, "a"), grey("1.2.3.2", 1, 2, "b"), grey("1.2.3.3", 1, 2, "c")};
  std::string body = body_of({{kJson, "", json::serialize(metadata)}, {kOctets, "a", "ab"}, {kOctets, "b", "ab"}});
  body.resize(body.size() - std::string("\r\n--bnd--\r\n").size() - 1);
  TestClient client(server.port());
  const Reply reply =
      client.request("POST", "/dicom-web/studies",
                     {{"Content-Type", "multipart/related; type=\"application/dicom+json\"; boundary=bnd"}}, body);
  EXPECT_EQ(reply.status, 202) << reply.body;
  EXPECT_EQ(count(reply, "00081199"), 1u);
  EXPECT_EQ(count(reply, "00081198"), 2u);
  EXPECT_FALSE(server.archive.instance("1.2.3.2"));
}

TEST(StoreApartly, AFullArchiveIsSaid) {
  TestServer server;
  server.archive.full = true;
  const Reply reply = stow(
      server.port(), {{kJson, "", json::serialize(json::array{grey("1.2.3.1", 1, 2, "a")})}, {kOctets, "a", "ab"}});
  EXPECT_EQ(reply.status, 409);
  EXPECT_EQ(first_number(reply, "00081198", "00081197"), 0xA700);
}

TEST(NativeModel, GoesThereAndBack) {
  const std::string text =
      R"({"00080005":{"vr":"CS","Value":["ISO_IR 192"]},"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B^^^E","Phonetic":"ü<&>"}]},)"
      R"("00081140":{"vr":"SQ","Value":[{"00081150":{"vr":"UI","Value":["1.2"]}},{}]},"00280030":{"vr":"DS","Value":["0.5","0.25"]},)"
      R"("7FE00010":{"vr":"OW","BulkDataURI":"a?b&c"},"00420011":{"vr":"OB","InlineBinary":"AAEC"}})";
  const auto back = dicom_json_of(native_model_of(text).value());
  ASSERT_TRUE(back) << to_string(back.error());
  EXPECT_EQ(json::parse(back.value()), json::parse(text));
}

}  // namespace
}  // namespace cairn::web
