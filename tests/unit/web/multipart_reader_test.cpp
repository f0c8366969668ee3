#include "engine/web/multipart_reader.h"

#include <random>

#include <gtest/gtest.h>

#include "engine/web/multipart.h"

namespace cairn::web {
namespace {

using Kind = MultipartReader::Event::Kind;

struct Taken {
  std::vector<std::string> bodies, types;
  std::optional<Error> error;
  bool ended = false;
};

/// Feeds `body` in pieces of at most `most` bytes (random sizes when `random` is given).
Taken take(std::string_view body, std::string_view boundary, std::size_t most, std::mt19937* random = nullptr) {
  MultipartReader reader(boundary);
  Taken out;
  while (true) {
    auto next = reader.next();
    if (!next) {
      out.error = next.error();
      return out;
    }
    auto& event = next.value();
    if (event.kind == Kind::end) {
      out.ended = true;
      return out;
    }
    if (event.kind == Kind::part) {
      out.bodies.emplace_back();
      out.types.emplace_back(event.headers.get("content-type"));
    } else if (event.kind == Kind::data) {
      out.bodies.back() += as_text(event.data);
    } else if (event.kind == Kind::need_bytes) {
      const MutableBytes room = reader.room();
      std::size_t count = std::min({most, room.size(), body.size()});
      if (random != nullptr && count > 1) count = 1 + (*random)() % count;
      std::memcpy(room.data(), body.data(), count);
      body.remove_prefix(count);
      if (count == 0) {
        reader.ended();
      } else {
        reader.filled(count);
      }
    }
  }
}

TEST(MultipartReader, GivesThePartsWhateverTheCutsAre) {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    const std::string boundary = "b-" + std::to_string(round % 7);
    const std::string pieces[] = {"\r\n", "--",      boundary, "\r\n--" + boundary,      "\r",
                                  "\n",   "\r\n--b", "x",      "\r\n--" + boundary + "-"};
    std::vector<std::string> bodies(random() % 5);
    std::string whole = round % 3 == 0 ? "a preamble\r\n" : "";
    bool first = round % 3 != 0;
    for (auto& body : bodies) {
      for (std::size_t i = random() % 12; i > 0; --i) body += pieces[random() % 9];
      body += 'y';  // a delimiter line would end it
      std::string text;
      for (std::size_t at = 0; at < body.size(); ++at) {
        text += body[at];
      }
      // What would be a delimiter line is not data.
      for (const std::string& line : {"\r\n--" + boundary + "--", "\r\n--" + boundary + "\r\n"}) {
        for (std::size_t at; (at = text.find(line)) != std::string::npos;) text.replace(at, 2, "..");
      }
      body = text;
      whole += part_head(boundary, first, "application/dicom", body.size(), {}) + body;
      first = false;
    }
    whole += bodies.empty() ? "\r\n--" + boundary + "--" : closing(boundary) + "an epilogue";
    const std::size_t most = 1 + random() % 40;
    const Taken taken = take(whole, boundary, most, &random);
    EXPECT_TRUE(taken.ended) << round;
    EXPECT_EQ(taken.bodies, bodies) << round;
    for (const auto& type : taken.types) EXPECT_EQ(type, "application/dicom");
  }
}

TEST(MultipartReader, PassesLongPartsThroughOneBuffer) {
  std::string body(3'000'000, '\r');
  for (std::size_t i = 0; i < body.size(); i += 3) body[i] = '\n';
  const std::string whole = part_head("xyz", true, "a/b", body.size(), {}) + body + closing("xyz");
  const Taken taken = take(whole, "xyz", SIZE_MAX);
  ASSERT_EQ(taken.bodies.size(), 1u);
  EXPECT_TRUE(taken.bodies[0] == body);
}

TEST(MultipartReader, TellsBodiesThatBreakOff) {
  const std::string whole = part_head("b", true, "a/b", 3, {}) + "abc" + closing("b");
  for (std::size_t length = 0; length + 4 < whole.size(); ++length) {
    const Taken taken = take(whole.substr(0, length), "b", 5);
    ASSERT_TRUE(taken.error) << length;
    EXPECT_TRUE(*taken.error == Errc::truncated) << length;
  }
  EXPECT_TRUE(take(whole, "other", 7).error);
}

TEST(MultipartReader, BoundsWhatIsNoData) {
  const auto error_of = [](const std::string& body) { return take(body, "b", 1000).error.value_or(Error{}); };
  EXPECT_TRUE(error_of(std::string(1u << 20, 'x')) == Errc::limit_exceeded);
  EXPECT_TRUE(error_of("--b\r\nA: " + std::string(1u << 20, 'x')) == Errc::limit_exceeded);
  std::string fields;
  for (int i = 0; i < 100; ++i) fields += "A: b\r\n";
  EXPECT_TRUE(error_of("--b\r\n" + fields + "\r\n") == Errc::limit_exceeded);
  EXPECT_TRUE(error_of("--b\r\nno colon\r\n\r\n") == Errc::malformed);
}

TEST(MultipartReader, TakesBlanksBehindDelimitersAndPartsWithoutHeader) {
  const Taken taken = take("--b \t\r\n\r\nabc\r\n--b--", "b", 1);
  EXPECT_TRUE(taken.ended);
  EXPECT_EQ(taken.bodies, std::vector<std::string>{"abc"});
}

TEST(MultipartReader, FindsTheBoundary) {
  EXPECT_EQ(boundary_of("multipart/related; type=\"application/dicom\"; boundary=\"a b:c\""), "a b:c");
  EXPECT_EQ(boundary_of("multipart/related; boundary=abc"), "abc");
  EXPECT_EQ(boundary_of("multipart/related; boundary=" + std::string(300, 'x')), "");
  EXPECT_EQ(boundary_of("multipart/related"), "");
  EXPECT_EQ(boundary_of("multipart/related; boundary=\"a\nb\""), "");
}

}  // namespace
}  // namespace cairn::web
