// WADO-RS frames over a socket, from real files of every transfer syntax.
#include "engine/web/frames.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codec/decode.h"
#include "engine/dicom/meta.h"
#include "engine/dicom/tags.h"
#include "engine/web/frame_negotiation.h"
#include "tests/unit/web/archive_fixture.h"
#include "tests/unit/web/multipart_parser.h"

namespace cairn::web {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using testing::Reply;

class Frames : public testing::ArchiveFixture {};

std::string boundary_in(const Reply& reply) {
  const std::string type(reply.headers.get("Content-Type"));
  return type.substr(type.find("boundary=") + 9);
}

TEST(FrameList, IsNumbersFromOne) {
  EXPECT_EQ(parse_frame_list("1,3,2").value(), (std::vector<std::uint64_t>{1, 3, 2}));
  for (const char* bad : {"", "0", "1,", ",1", "x", "1-3", "-1", "1,,2", "99999999999999999999", "1,1", "3,1,3"}) {
    EXPECT_FALSE(parse_frame_list(bad)) << bad;
  }
}

TEST_F(Frames, OfEverySyntaxComeAsStoredAndDecoded) {
  const auto stored = post_all({"syntaxes", "modalities"});
  std::size_t coded = 0, decoded = 0, refused = 0;
  for (const auto& one : stored) {
    const Reply reply = get(one.path + "/frames/1", {{"Accept", "*/*"}});
    if (reply.status != 200) {
      // No pixel data, or frames that cannot be told apart: said plainly.
      EXPECT_THAT(reply.status, ::testing::AnyOf(404, 406, 500)) << one.name << reply.body;
      EXPECT_TRUE(json::parse(reply.body).is_object());
      ++refused;
      continue;
    }
    ASSERT_TRUE(reply.whole) << one.name;
    const auto parts = testing::parse_multipart(reply.body, boundary_in(reply));
    ASSERT_TRUE(parts) << one.name;
    ASSERT_EQ(parts->size(), 1u);
    const std::string& frame = parts->front().body;
    EXPECT_EQ(parts->front().headers.at("content-length"), std::to_string(frame.size()));
    ASSERT_GT(frame.size(), 0u) << one.name;
    const std::string type = parts->front().headers.at("content-type");
    const bool moved =
        one.name.find("big") != std::string::npos || type.find("1.2.840.10008.1.2.1") != std::string::npos;
    if (one.complete && !moved) EXPECT_NE(one.file.find(frame.substr(0, 32)), std::string::npos) << one.name;
    ++coded;
    const Reply single = get(one.path + "/frames/1", {{"Accept", type}});
    EXPECT_TRUE(single.status == 200 && single.body == frame) << one.name << single.status;
    const Reply octets = get(one.path + "/frames/1", {{"Accept", "application/octet-stream"}});
    if (octets.status != 200) {
      EXPECT_THAT(octets.status, ::testing::AnyOf(406, 500)) << one.name << octets.body;
      continue;
    }
    const auto metadata = json::parse(get(one.path + "/metadata").body).at(0).as_object();
    const auto number = [&](const char* tag, std::int64_t otherwise) {
      const auto* element = metadata.if_contains(tag);
      return element == nullptr || !element->as_object().contains("Value")
                 ? otherwise
                 : element->at("Value").at(0).to_number<std::int64_t>();
    };
    const std::int64_t bits =
        number("00280010", 0) * number("00280011", 0) * number("00280002", 1) * number("00280100", 16);
    const bool subsampled =
        metadata.contains("00280004") && metadata.at("00280004").at("Value").at(0).as_string().ends_with("422");
    if (!subsampled) EXPECT_EQ(octets.body.size(), static_cast<std::size_t>((bits + 7) / 8)) << one.name;
    ++decoded;
  }
  EXPECT_GT(coded, 60u);
  EXPECT_GT(decoded, 40u);
  EXPECT_LT(refused, stored.size() / 3);
}

TEST_F(Frames, SeveralComeInTheOrderAskedFor) {
  std::size_t checked = 0;
  for (const auto& one : post_all({"modalities", "syntaxes"})) {
    const Reply both = get(one.path + "/frames/2,1");
    if (both.status == 404) continue;
    if (both.status != 200) continue;
    const auto parts = testing::parse_multipart(both.body, boundary_in(both));
    ASSERT_TRUE(parts) << one.name;
    ASSERT_EQ(parts->size(), 2u);
    for (std::size_t i = 0; i < 2; ++i) {
      const std::string number = i == 0 ? "2" : "1";
      const Reply alone = get(one.path + "/frames/" + number, {{"Accept", (*parts)[i].headers.at("content-type")}});
      EXPECT_TRUE(alone.body == (*parts)[i].body) << one.name;
      EXPECT_EQ((*parts)[i].headers.at("content-location"), one.path + "/frames/" + number);
    }
    EXPECT_EQ(get(one.path + "/frames/1000000").status, 404);
    EXPECT_EQ(get(one.path + "/frames/0").status, 400);
    ++checked;
  }
  EXPECT_GT(checked, 0u);
}

TEST_F(Frames, ComeInTheCodingThatIsAskedFor) {
  const auto stored = post_all({"volumes/ct-gantry-tilt-4/dicom"});
  ASSERT_FALSE(stored.empty());
  const std::string target = stored[0].path + "/frames/1";
  const Reply plain = get(target, {{"Accept", "application/octet-stream"}});
  const auto instance = archive_->instance(stored[0].path.substr(stored[0].path.rfind('/') + 1)).value();
  PixelsCache cache(*archive_);
  const auto pixels = cache.of(instance).value();
  for (const char* uid : {"1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90",
                          "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.5"}) {
    const auto& syntax = *codec::find_transfer_syntax(uid);
    const Reply reply = get(target, {{"Accept", std::string(media_type_of(syntax)) + "; transfer-syntax=" + uid}});
    ASSERT_EQ(reply.status, 200) << reply.body;
    EXPECT_LT(reply.body.size(), plain.body.size());
    const auto frame = codec::decode_frame(syntax, pixels->format, as_bytes(reply.body));
    ASSERT_TRUE(frame) << uid << to_string(frame.error());
    EXPECT_EQ(as_text(frame.value().samples), plain.body) << uid;
  }
  // Sixteen bits cannot be JPEG baseline: said, with the frame named.
  const Reply refused = get(target, {{"Accept", "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50"}});
  EXPECT_EQ(refused.status, 406);
  EXPECT_THAT(refused.body, HasSubstr("frame 1"));
}

TEST(BadPixels, AreNotTheFaultOfTheRequest) {
  testing::TestServer server;
  // An image whose pixel data are a JPEG 2000 stream that ends in its header.
  dicom::DataSet d;
  d.set_text(dicom::tags::SOPClassUID, dicom::VR::UI, "1.2.840.10008.5.1.4.1.1.7");
  d.set_text(dicom::tags::SOPInstanceUID, dicom::VR::UI, "1.2.3.9");
  d.set_text(dicom::tags::StudyInstanceUID, dicom::VR::UI, "1.2");
  d.set_text(dicom::tags::SeriesInstanceUID, dicom::VR::UI, "1.2.3");
  for (const auto& [tag, value] : {std::pair{dicom::tags::SamplesPerPixel, 1},
                                   {dicom::tags::Rows, 16},
                                   {dicom::tags::Columns, 16},
                                   {dicom::tags::BitsAllocated, 8},
                                   {dicom::tags::BitsStored, 8},
                                   {dicom::tags::HighBit, 7},
                                   {dicom::tags::PixelRepresentation, 0}}) {
    d.set_us(tag, static_cast<std::uint16_t>(value));
  }
  d.set_text(dicom::tags::PhotometricInterpretation, dicom::VR::CS, "MONOCHROME2");
  const std::string uid = "1.2.840.10008.1.2.4.90";
  const std::string pixels(
      "\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\0\0\0\0\xfe\xff\0\xe0\6\0\0\0"
      "\xff\x4f\xff\x51\0\x29\xfe\xff\xdd\xe0\0\0\0\0",
      42);
  server.archive.put(dicom::make_file_meta("1.2.840.10008.5.1.4.1.1.7", "1.2.3.9", uid, "") + d.encode({}) + pixels);
  const std::string path = "/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.9";
  for (const auto& [target, accept] :
       {std::pair<std::string, std::string>{path + "/frames/1", "application/octet-stream"},
        {path + "/frames/1", "image/jls"},
        {path + "/rendered", "image/png"},
        {path, "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"},
        {path, "multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2.5"}}) {
    const Reply reply = testing::get(server.port(), target, {{"Accept", accept}});
    EXPECT_EQ(reply.status, 500) << target << ' ' << accept << ' ' << reply.body;
    EXPECT_THAT(reply.body, HasSubstr("instance 1.2.3.9"));
  }
  // As it is stored it can still be had.
  EXPECT_EQ(testing::get(server.port(), path + "/frames/1", {{"Accept", "image/jp2"}}).status, 200);
  EXPECT_EQ(testing::get(server.port(), path + "/frames/2").status, 404);
}

TEST_F(Frames, AnswerRangesAndConditions) {
  const auto stored = post_all({"volumes/ct-gantry-tilt-4/dicom"});
  ASSERT_FALSE(stored.empty());
  const std::string target = stored[0].path + "/frames/1";
  const Reply whole = get(target, {{"Accept", "application/octet-stream"}});
  ASSERT_EQ(whole.status, 200) << whole.body;
  const Reply part = get(target, {{"Accept", "application/octet-stream"}, {"Range", "bytes=1000-1999"}});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.headers.get("Content-Range"), "bytes 1000-1999/" + std::to_string(whole.body.size()));
  EXPECT_TRUE(part.body == whole.body.substr(1000, 1000));
  EXPECT_EQ(get(target, {{"Accept", "application/octet-stream"}, {"Range", "bytes=99999999-"}}).status, 416);
  const std::string etag(whole.headers.get("ETag"));
  EXPECT_EQ(get(target, {{"Accept", "application/octet-stream"}, {"If-None-Match", etag}}).status, 304);
  EXPECT_EQ(get(target, {{"If-None-Match", etag}}).status, 200) << "another representation";
  const Reply refused = get(target, {{"Accept", "image/gif"}});
  EXPECT_EQ(refused.status, 406);
  EXPECT_THAT(refused.body, HasSubstr("on offer"));
  EXPECT_EQ(get(target + "?accept=application/octet-stream", {{"Accept", "image/gif"}}).status, 200);
}

}  // namespace
}  // namespace cairn::web
