#include "engine/web/retrieve_negotiation.h"

#include <algorithm>

#include "codec/transfer_syntax.h"
#include "engine/transcode/transcoder.h"

namespace cairn::web {
namespace {

constexpr std::string_view kDicom = "application/dicom";

bool offers(const MediaRange& range, InstanceForm form) {
  if (form == InstanceForm::single) return range.type != "*" && range.matches(kDicom);
  if (!range.matches("multipart/related")) return false;
  const std::string_view type = range.parameter("type");
  return type.empty() || type == kDicom || type == "*/*" || type == "application/*";
}

bool can_be_had(const std::string& stored, std::string_view wanted) {
  const auto* from = codec::find_transfer_syntax(stored);
  const auto* to = codec::find_transfer_syntax(wanted);
  return from != nullptr && to != nullptr && transcode::can_transcode(*from, *to);
}

/// The transfer syntax in which a range takes what is stored as `stored`; empty: in none.
std::string_view syntax_for(const MediaRange& range, const std::string& stored) {
  const std::string_view wanted = range.parameter("transfer-syntax");
  if (wanted.empty() || wanted == "*" || wanted == stored) return stored;
  return can_be_had(stored, wanted) ? wanted : std::string_view();
}

struct Liking {
  int quality = 0;
  std::size_t position = 0;  ///< of the first range that says so
  std::string syntax;
};

Liking liking_of(const std::vector<MediaRange>& ranges, const std::string& stored, InstanceForm form) {
  Liking best;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (!offers(ranges[i], form) || ranges[i].quality == 0) continue;
    const std::string_view syntax = syntax_for(ranges[i], stored);
    if (syntax.empty()) continue;
    const bool spares_work = ranges[i].quality == best.quality && syntax == stored && best.syntax != stored;
    if (ranges[i].quality > best.quality || spares_work) best = {ranges[i].quality, i, std::string(syntax)};
  }
  return best;
}

/// How well a form is liked that must carry every syntax of `stored`, and in what it carries them.
Liking liking(const std::vector<MediaRange>& ranges, const std::set<std::string>& stored, InstanceForm form,
              InstanceChoice& choice) {
  choice = {form, {}};
  Liking worst{1001, 0, {}};
  for (const std::string& syntax : stored) {
    const Liking best = liking_of(ranges, syntax, form);
    choice.syntaxes[syntax] = best.syntax;
    if (best.quality < worst.quality) worst = best;
  }
  return worst;
}

}  // namespace

bool InstanceChoice::as_stored() const noexcept {
  return std::all_of(syntaxes.begin(), syntaxes.end(), [](const auto& s) { return s.first == s.second; });
}

std::optional<InstanceChoice> negotiate(const std::vector<MediaRange>& ranges, const std::set<std::string>& stored,
                                        bool single_possible) {
  InstanceChoice multipart, single;
  if (ranges.empty() || stored.empty()) {
    for (const std::string& syntax : stored) multipart.syntaxes[syntax] = syntax;
    return multipart;
  }
  const Liking several = liking(ranges, stored, InstanceForm::multipart, multipart);
  const Liking one = single_possible ? liking(ranges, stored, InstanceForm::single, single) : Liking{};
  if (several.quality == 0 && one.quality == 0) return std::nullopt;
  if (several.quality != one.quality) return several.quality > one.quality ? multipart : single;
  return several.position <= one.position ? multipart : single;
}

std::string instances_on_offer(const std::set<std::string>& stored, bool single_possible) {
  std::string text = single_possible ? "on offer: application/dicom or multipart/related; type=\"application/dicom\""
                                     : "on offer: multipart/related; type=\"application/dicom\"";
  text += " with transfer-syntax *";
  for (const codec::TransferSyntax& syntax : codec::transfer_syntaxes()) {
    const std::string uid(syntax.uid);
    const bool all =
        std::all_of(stored.begin(), stored.end(), [&](const std::string& s) { return s == uid || can_be_had(s, uid); });
    if (all) text += ' ' + uid;
  }
  return text + "; application/zip";
}

const MediaRange* zip_preferred(const std::vector<MediaRange>& ranges) {
  int best = 0;
  const MediaRange* zip = nullptr;
  for (const MediaRange& range : ranges) {
    best = std::max(best, range.quality);
    if (range.type == "application" && range.subtype == "zip" && (zip == nullptr || range.quality > zip->quality)) {
      zip = &range;
    }
  }
  return zip != nullptr && zip->quality > 0 && zip->quality == best ? zip : nullptr;
}

}  // namespace cairn::web
