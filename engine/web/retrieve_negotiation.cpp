#include "engine/web/retrieve_negotiation.h"

#include <algorithm>

namespace cairn::web {
namespace {

constexpr std::string_view kDicom = "application/dicom";

bool offers(const MediaRange& range, InstanceForm form) {
  if (form == InstanceForm::single) return range.type != "*" && range.matches(kDicom);
  if (!range.matches("multipart/related")) return false;
  const std::string_view type = range.parameter("type");
  return type.empty() || type == kDicom || type == "*/*" || type == "application/*";
}

bool accepts_syntax(const MediaRange& range, const std::string& syntax) {
  const std::string_view wanted = range.parameter("transfer-syntax");
  return wanted.empty() || wanted == "*" || wanted == syntax;
}

struct Liking {
  int quality = 0;
  std::size_t position = 0;  ///< of the first range that says so
};

/// How well a form is liked that must carry every syntax of `stored`.
Liking liking(const std::vector<MediaRange>& ranges, const std::set<std::string>& stored, InstanceForm form) {
  Liking worst{1001, 0};
  for (const std::string& syntax : stored) {
    Liking best;
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      if (!offers(ranges[i], form) || !accepts_syntax(ranges[i], syntax)) continue;
      if (ranges[i].quality > best.quality) best = {ranges[i].quality, i};
    }
    if (best.quality < worst.quality) worst = best;
  }
  return worst;
}

}  // namespace

std::optional<InstanceForm> negotiate(const std::vector<MediaRange>& ranges, const std::set<std::string>& stored,
                                      bool single_possible) {
  if (ranges.empty() || stored.empty()) return InstanceForm::multipart;
  const Liking multipart = liking(ranges, stored, InstanceForm::multipart);
  const Liking single = single_possible ? liking(ranges, stored, InstanceForm::single) : Liking{};
  if (multipart.quality == 0 && single.quality == 0) return std::nullopt;
  if (multipart.quality != single.quality) {
    return multipart.quality > single.quality ? InstanceForm::multipart : InstanceForm::single;
  }
  return multipart.position <= single.position ? InstanceForm::multipart : InstanceForm::single;
}

bool prefers_zip(const std::vector<MediaRange>& ranges) {
  int best = 0, zip = 0;
  for (const MediaRange& range : ranges) {
    best = std::max(best, range.quality);
    if (range.type == "application" && range.subtype == "zip") zip = std::max(zip, range.quality);
  }
  return zip > 0 && zip == best;
}

}  // namespace cairn::web
