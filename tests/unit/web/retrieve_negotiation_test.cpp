#include "engine/web/retrieve_negotiation.h"

#include <gtest/gtest.h>

namespace cairn::web {
namespace {

constexpr const char* kExplicit = "1.2.840.10008.1.2.1";
constexpr const char* kJpeg = "1.2.840.10008.1.2.4.50";

std::string form(const std::string& accept, const std::set<std::string>& stored, bool single_possible = true) {
  const auto chosen = negotiate(parse_accept(accept), stored, single_possible);
  return !chosen ? "none" : *chosen == InstanceForm::single ? "single" : "multipart";
}

TEST(Negotiation, PrefersWhatTheClientPrefers) {
  EXPECT_EQ(form("", {kExplicit}), "multipart");
  EXPECT_EQ(form("*/*", {kExplicit}), "multipart");
  EXPECT_EQ(form("application/dicom", {kExplicit}), "single");
  EXPECT_EQ(form("application/dicom, multipart/related;type=\"application/dicom\"", {kExplicit}), "single");
  EXPECT_EQ(form("application/dicom;q=0.5, multipart/related;type=\"application/dicom\"", {kExplicit}), "multipart");
  EXPECT_EQ(form("application/dicom, */*;q=0.1", {kExplicit}), "single");
}

TEST(Negotiation, SendsStoredFormToWhoeverTakesIt) {
  const std::string multipart = "multipart/related; type=\"application/dicom\"; transfer-syntax=";
  EXPECT_EQ(form(multipart + "*", {kExplicit, kJpeg}), "multipart");
  EXPECT_EQ(form(multipart + kJpeg, {kJpeg}), "multipart");
  EXPECT_EQ(form(multipart + kJpeg, {kExplicit}), "none");
  EXPECT_EQ(form(multipart + kJpeg, {kExplicit, kJpeg}), "none");
  EXPECT_EQ(form(multipart + kJpeg + ", " + multipart + kExplicit, {kExplicit, kJpeg}), "multipart");
  EXPECT_EQ(form("application/dicom; transfer-syntax=" + std::string(kJpeg), {kExplicit}), "none");
}

TEST(Negotiation, NeverSendsSeveralInstancesAsOne) {
  EXPECT_EQ(form("application/dicom", {kExplicit}, false), "none");
  EXPECT_EQ(form("application/dicom, */*;q=0.1", {kExplicit}, false), "multipart");
}

TEST(Negotiation, DoesNotOfferWhatWasNotAsked) {
  for (const char* accept : {"image/jpeg", "multipart/related; type=\"image/jpeg\"", "text/html",
                             "multipart/related;type=\"application/dicom\";q=0"}) {
    EXPECT_EQ(form(accept, {kExplicit}), "none") << accept;
  }
}

}  // namespace
}  // namespace cairn::web
