#include "engine/web/retrieve_negotiation.h"

#include <gtest/gtest.h>

namespace cairn::web {
namespace {

constexpr const char* kExplicit = "1.2.840.10008.1.2.1";
constexpr const char* kJpeg = "1.2.840.10008.1.2.4.50";

std::string form(const std::string& accept, const std::set<std::string>& stored, bool single_possible = true) {
  const auto chosen = negotiate(parse_accept(accept), stored, single_possible);
  if (!chosen) return "none";
  std::string text = chosen->form == InstanceForm::single ? "single" : "multipart";
  for (const auto& [from, to] : chosen->syntaxes) {
    if (from != to) text += ' ' + from.substr(from.rfind('.') + 1) + "->" + to.substr(to.rfind('.') + 1);
  }
  return text;
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
  EXPECT_EQ(form(multipart + kJpeg + ", " + multipart + kExplicit, {kExplicit, kJpeg}), "multipart");
}

TEST(Negotiation, MakesWhatIsNotStored) {
  const std::string multipart = "multipart/related; type=\"application/dicom\"; transfer-syntax=";
  EXPECT_EQ(form(multipart + kExplicit, {kExplicit, kJpeg}), "multipart 50->1");
  EXPECT_EQ(form(multipart + kJpeg, {kExplicit}), "multipart 1->50");
  EXPECT_EQ(form("application/dicom; transfer-syntax=1.2.840.10008.1.2.4.80", {kExplicit}), "single 1->80");
  // The stored form only when it is liked as much.
  EXPECT_EQ(form(multipart + kJpeg + ";q=0.5, " + multipart + kExplicit, {kJpeg}), "multipart 50->1");
  // Nobody decodes video, or writes what is unknown.
  EXPECT_EQ(form(multipart + kExplicit, {"1.2.840.10008.1.2.4.100"}), "none");
  EXPECT_EQ(form(multipart + kExplicit, {kJpeg, "1.2.840.10008.1.2.4.100"}), "none");
  EXPECT_EQ(form(multipart + "1.2.3", {kExplicit}), "none");
  EXPECT_EQ(form(multipart + "1.2.840.10008.1.2.4.100", {kExplicit}), "none");
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
