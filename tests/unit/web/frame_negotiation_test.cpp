#include "engine/web/frame_negotiation.h"

#include <gtest/gtest.h>

namespace cairn::web {
namespace {

const codec::TransferSyntax& syntax(std::string_view uid) {
  return *codec::find_transfer_syntax(uid);
}

/// "m" or "s" (multipart, single), "d" when decoded, then the type and its transfer syntax.
std::string chosen(std::string_view accept, std::string_view stored, bool single = true) {
  const auto form = negotiate_frames(parse_accept(accept), syntax(stored), single);
  if (!form) return "none";
  return std::string(form->multipart ? "m" : "s") +
         (form->encoded   ? "e "
          : form->decoded ? "d "
                          : " ") +
         form->content_type();
}

constexpr std::string_view kJLS = "1.2.840.10008.1.2.4.80", kNative = "1.2.840.10008.1.2.1",
                           kImplicit = "1.2.840.10008.1.2";
const std::string kOctets = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1";
const std::string kStoredJLS = "image/jls; transfer-syntax=1.2.840.10008.1.2.4.80";

TEST(FrameNegotiation, SendsTheStoredFormUnlessAskedOtherwise) {
  EXPECT_EQ(chosen("", kJLS), "m " + kStoredJLS);
  EXPECT_EQ(chosen("*/*", kJLS), "m " + kStoredJLS);
  EXPECT_EQ(chosen("multipart/related", kJLS), "m " + kStoredJLS);
  EXPECT_EQ(chosen("multipart/related; type=\"image/jls\"", kJLS), "m " + kStoredJLS);
  EXPECT_EQ(chosen("multipart/related; type=\"image/*\"", kJLS), "m " + kStoredJLS);
  EXPECT_EQ(chosen("image/jls", kJLS), "s " + kStoredJLS);
  EXPECT_EQ(chosen("*/*", kImplicit), "m " + kOctets);
}

TEST(FrameNegotiation, OctetsAreSamplesUnlessTheStoredSyntaxIsNamed) {
  EXPECT_EQ(chosen("multipart/related; type=\"application/octet-stream\"", kJLS), "md " + kOctets);
  EXPECT_EQ(chosen("multipart/related; type=application/octet-stream; transfer-syntax=*", kJLS),
            "m application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.80");
  EXPECT_EQ(chosen("multipart/related; type=application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.80", kJLS),
            "m application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.80");
  EXPECT_EQ(chosen("application/octet-stream", kNative), "s " + kOctets);
  EXPECT_EQ(chosen("application/octet-stream;transfer-syntax=1.2.840.10008.1.2.1", kImplicit), "s " + kOctets);
}

TEST(FrameNegotiation, ObeysQualityAndOrder) {
  EXPECT_EQ(chosen("image/jls;q=0.5, application/octet-stream", kJLS), "sd " + kOctets);
  EXPECT_EQ(chosen("multipart/related;type=image/jls, image/jls", kJLS), "m " + kStoredJLS);
  EXPECT_EQ(chosen("image/jls, multipart/related;type=image/jls", kJLS), "s " + kStoredJLS);
  EXPECT_EQ(chosen("image/jls;q=0, */*;q=0.1", kJLS), "m " + kStoredJLS);
}

TEST(FrameNegotiation, SaysWhenNothingFits) {
  EXPECT_EQ(chosen("image/gif", kJLS), "none");
  EXPECT_EQ(chosen("image/jls", kJLS, false), "none") << "several frames need parts";
  EXPECT_EQ(chosen("multipart/related; type=\"application/octet-stream\"", "1.2.840.10008.1.2.4.102"), "none");
  EXPECT_EQ(chosen("image/jphc; transfer-syntax=1.2.840.10008.1.2.4.203", kJLS), "none") << "nobody writes it";
  EXPECT_EQ(chosen("image/jpeg", "1.2.840.10008.1.2.4.102"), "none") << "nobody decodes it";
  EXPECT_NE(frames_on_offer(syntax(kJLS), true).find(kStoredJLS), std::string::npos);
}

TEST(FrameNegotiation, UnderstandsFormerNames) {
  EXPECT_EQ(chosen("multipart/related; type=\"image/x-jls\"", kJLS), "m " + kStoredJLS);
  EXPECT_EQ(chosen("image/x-jls", kJLS), "s " + kStoredJLS);
  EXPECT_EQ(chosen("multipart/related; type=\"image/jhc\"; transfer-syntax=*", "1.2.840.10008.1.2.4.202"),
            "m image/jphc; transfer-syntax=1.2.840.10008.1.2.4.202");
}

TEST(FrameNegotiation, CodesAnewWhatIsNamed) {
  EXPECT_EQ(chosen("image/jpeg", kJLS), "se image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.70");
  EXPECT_EQ(chosen("image/jphc", kNative), "se image/jphc; transfer-syntax=1.2.840.10008.1.2.4.201");
  EXPECT_EQ(chosen("multipart/related; type=image/jphc; transfer-syntax=1.2.840.10008.1.2.4.202", kNative),
            "me image/jphc; transfer-syntax=1.2.840.10008.1.2.4.202");
  EXPECT_EQ(chosen("image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50", kNative),
            "se image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50");
  EXPECT_EQ(chosen("image/jls; transfer-syntax=1.2.840.10008.1.2.4.81", kJLS),
            "se image/jls; transfer-syntax=1.2.840.10008.1.2.4.81");
  // A type that the stored coding has means that coding.
  EXPECT_EQ(chosen("image/jpeg", "1.2.840.10008.1.2.4.50"), "s image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50");
}

TEST(FrameNegotiation, NamesTheTypeOfEverySyntax) {
  EXPECT_EQ(media_type_of(syntax("1.2.840.10008.1.2.4.50")), "image/jpeg");
  EXPECT_EQ(media_type_of(syntax("1.2.840.10008.1.2.4.70")), "image/jpeg");
  EXPECT_EQ(media_type_of(syntax("1.2.840.10008.1.2.4.90")), "image/jp2");
  EXPECT_EQ(media_type_of(syntax("1.2.840.10008.1.2.4.93")), "image/jpx");
  EXPECT_EQ(media_type_of(syntax("1.2.840.10008.1.2.4.201")), "image/jphc");
  EXPECT_EQ(media_type_of(syntax("1.2.840.10008.1.2.5")), "image/dicom-rle");
  EXPECT_EQ(media_type_of(syntax("1.2.840.10008.1.2.4.100")), "video/mpeg2");
  EXPECT_EQ(media_type_of(syntax("1.2.840.10008.1.2.4.102")), "video/mp4");
}

}  // namespace
}  // namespace cairn::web
