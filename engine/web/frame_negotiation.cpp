#include "engine/web/frame_negotiation.h"

namespace cairn::web {
namespace {

constexpr std::string_view kOctets = "application/octet-stream";

struct Offer {
  FrameForm form;
  bool default_syntax = false;  ///< what the type means without a transfer-syntax parameter
};

/// What a media type means without a transfer-syntax parameter (Table 8.7.3-4).
bool is_default_of_its_type(std::string_view uid) {
  return uid == codec::uids::kJPEGLosslessSV1 || uid == codec::uids::kJPEGLSLossless ||
         uid == codec::uids::kJPEG2000Lossless || uid == codec::uids::kHTJ2KLossless ||
         uid == codec::uids::kRLELossless;
}

/// Best first: nothing to be done, then the least.
std::vector<Offer> offers_of(const codec::TransferSyntax& stored) {
  const std::string native(codec::uids::kExplicitVRLittleEndian);
  std::vector<Offer> offers;
  if (!stored.encapsulated) {
    // The index puts bytes in order; big-endian words are turned round by decoding.
    offers.push_back({{true, stored.big_endian_pixels, false, std::string(kOctets), native}, true});
  } else {
    const std::string_view type = media_type_of(stored);
    offers.push_back({{true, false, false, std::string(type), std::string(stored.uid)}, type != kOctets});
    if (type != kOctets) {
      offers.push_back({{true, false, false, std::string(kOctets), std::string(stored.uid)}, false});
    }
    if (stored.decodable) offers.push_back({{true, true, false, std::string(kOctets), native}, true});
  }
  for (const codec::TransferSyntax& target : codec::transfer_syntaxes()) {
    if (!stored.decodable || !target.encodable || !target.encapsulated || target.uid == stored.uid) continue;
    const std::string_view type = media_type_of(target);
    const bool only = type == media_type_of(stored) && stored.encapsulated;  // the stored one is what the type means
    offers.push_back(
        {{true, true, true, std::string(type), std::string(target.uid)}, !only && is_default_of_its_type(target.uid)});
  }
  return offers;
}

bool takes_type(const MediaRange& range, const Offer& offer, bool multipart) {
  if (!multipart) return range.type != "*" && range.matches(offer.form.media_type);
  if (range.type == "*") return true;
  if (!range.matches("multipart/related")) return false;
  const std::string_view type = range.parameter("type");
  if (type.empty() || type == "*/*") return true;
  const std::size_t star = type.find("/*");
  return star == std::string_view::npos ? type == offer.form.media_type
                                        : offer.form.media_type.substr(0, star + 1) == type.substr(0, star + 1);
}

bool takes_syntax(const MediaRange& range, const Offer& offer, bool multipart) {
  const std::string_view wanted = range.parameter("transfer-syntax");
  if (wanted == "*" || wanted == offer.form.syntax_uid) return true;
  if (!wanted.empty()) return false;
  const bool any_type = range.type == "*" || (multipart && range.parameter("type").empty());
  return any_type || offer.default_syntax;
}

}  // namespace

std::string_view media_type_of(const codec::TransferSyntax& syntax) noexcept {
  switch (syntax.coding) {
    case codec::Coding::jpeg_dct:
    case codec::Coding::jpeg_lossless:
    case codec::Coding::jpeg_exotic:
      return "image/jpeg";
    case codec::Coding::jpeg_ls:
      return "image/jls";
    case codec::Coding::jpeg2000:
      return "image/jp2";
    case codec::Coding::jpeg2000_part2:
      return "image/jpx";
    case codec::Coding::htj2k:
      return "image/jphc";
    case codec::Coding::jpeg_xl:
      return "image/jxl";
    case codec::Coding::rle:
      return "image/dicom-rle";
    case codec::Coding::video:
      return syntax.uid.starts_with("1.2.840.10008.1.2.4.100") || syntax.uid.starts_with("1.2.840.10008.1.2.4.101")
                 ? "video/mpeg2"
                 : "video/mp4";
    case codec::Coding::native:
    case codec::Coding::uncompressed:
    case codec::Coding::deflated_frame:
    case codec::Coding::referenced:
    case codec::Coding::realtime:
    case codec::Coding::opaque:
      return kOctets;
  }
  return kOctets;
}

std::string_view standard_media_type(std::string_view type) noexcept {
  // As they were called in earlier editions of PS3.18, and as clients of today still ask for them.
  static constexpr std::pair<std::string_view, std::string_view> kFormer[] = {{"image/x-jls", "image/jls"},
                                                                              {"image/dicom+jpeg-ls", "image/jls"},
                                                                              {"image/x-dicom-rle", "image/dicom-rle"},
                                                                              {"image/dicom+rle", "image/dicom-rle"},
                                                                              {"image/dicom+jpeg", "image/jpeg"},
                                                                              {"image/dicom+jp2", "image/jp2"},
                                                                              {"image/jhc", "image/jphc"},
                                                                              {"image/j2c", "image/jp2"},
                                                                              {"video/mpeg", "video/mpeg2"}};
  for (const auto& [former, now] : kFormer) {
    if (former == type) return now;
  }
  return type;
}

std::optional<FrameForm> negotiate_frames(const std::vector<MediaRange>& asked, const codec::TransferSyntax& stored,
                                          bool single_possible) {
  const auto offers = offers_of(stored);
  if (asked.empty()) return offers.front().form;
  std::vector<MediaRange> ranges = asked;
  for (MediaRange& range : ranges) {
    const std::string type = range.type + '/' + range.subtype;
    if (const std::string_view now = standard_media_type(type); now != type) {
      range.type = now.substr(0, now.find('/'));
      range.subtype = now.substr(now.find('/') + 1);
    }
    for (auto& [name, value] : range.parameters) {
      if (name == "type") value = std::string(standard_media_type(value));
    }
  }
  std::optional<FrameForm> best;
  int best_quality = 0;
  for (const MediaRange& range : ranges) {  // of equal quality the first range wins, then the first offer
    if (range.quality <= best_quality) continue;
    for (const Offer& offer : offers) {
      const bool multipart = takes_type(range, offer, true) && takes_syntax(range, offer, true);
      const bool single = single_possible && takes_type(range, offer, false) && takes_syntax(range, offer, false);
      if (!multipart && !single) continue;
      best = offer.form;
      best->multipart = multipart;
      best_quality = range.quality;
      break;
    }
  }
  return best;
}

std::string frames_on_offer(const codec::TransferSyntax& stored, bool single_possible) {
  std::string text = "on offer:";
  for (const Offer& offer : offers_of(stored)) {
    if (text.back() != ':') text += ',';
    text += " multipart/related; type=\"" + offer.form.media_type + "\"; transfer-syntax=" + offer.form.syntax_uid;
    if (single_possible) text += ", " + offer.form.content_type();
  }
  return text;
}

}  // namespace cairn::web
