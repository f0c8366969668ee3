#include "engine/web/search_query.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "engine/core/uid.h"
#include "engine/dicom/dictionary.h"
#include "engine/dicom/tags.h"

namespace cairn::web {
namespace {

struct UniqueKey {
  dicom::Tag tag;
  std::vector<std::string> archive::Query::* values;
};

constexpr UniqueKey kUniqueKeys[] = {
    {dicom::tags::PatientID, &archive::Query::patient_ids},
    {dicom::tags::StudyInstanceUID, &archive::Query::study_uids},
    {dicom::tags::SeriesInstanceUID, &archive::Query::series_uids},
    {dicom::tags::SOPInstanceUID, &archive::Query::instance_uids},
};

constexpr std::size_t kMaxPath = 8;
constexpr std::size_t kMaxFields = 512;

std::optional<dicom::Tag> tag_of(std::string_view name) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value, 16);
  if (name.size() == 8 && error == std::errc{} && end == name.data() + name.size()) return dicom::tag_of(value);
  return dicom::tag_of_keyword(name);
}

/// `a.b.c`; empty when a part is not known.
std::vector<dicom::Tag> path_of(std::string_view name) {
  std::vector<dicom::Tag> path;
  while (path.size() < kMaxPath) {
    const std::size_t end = name.find('.');
    const auto tag = tag_of(name.substr(0, end));
    if (!tag) return {};
    path.push_back(*tag);
    if (end == name.npos) return path;
    name.remove_prefix(end + 1);
  }
  return {};
}

/// A parameter's name as it may be repeated in a header field.
bool is_repeatable(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
           c == '-';
  });
}

Result<std::size_t> parse_count(std::string_view text, const char* where) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return fail(Errc::malformed, where);
  return value;
}

Result<> add_values(dicom::VR vr, std::string_view text, bool commas, std::vector<std::string>& values) {
  const bool is_uid = vr == dicom::VR::UI;
  while (true) {
    const std::size_t end = text.find_first_of(commas ? ",\\" : "\\");
    const std::string_view one = text.substr(0, end);
    if (!one.empty()) {
      if (is_uid && !is_usable_uid(one)) return fail(Errc::malformed, "a UID to match");
      if (values.size() == kMaxKeyValues) return fail(Errc::limit_exceeded, "values of a key");
      values.emplace_back(one);
    }
    if (end == std::string_view::npos) return outcome::success();
    text.remove_prefix(end + 1);
  }
}

bool has_wildcard(std::string_view text) {
  return text.find_first_of("*?\"") != text.npos;
}

Result<> add_key(archive::Query& query, const std::vector<dicom::Tag>& path, const std::string& value) {
  if (value.find_first_not_of('*') == value.npos) return outcome::success();  // matches all
  dicom::Tag tag = path.back();
  const dicom::VR vr = dicom::vr_of(tag);
  const auto* unique = std::find_if(std::begin(kUniqueKeys), std::end(kUniqueKeys),
                                    [&](const UniqueKey& k) { return path.size() == 1 && k.tag == tag; });
  if (unique != std::end(kUniqueKeys) && (vr == dicom::VR::UI || !has_wildcard(value))) {
    return add_values(vr, value, true, query.*(unique->values));
  }
  if (query.level == archive::Level::study && tag == dicom::tags::Modality) tag = dicom::tags::ModalitiesInStudy;
  archive::Key key{tag, vr, {}, {}};
  const bool commas = vr == dicom::VR::UI || vr == dicom::VR::CS || tag == dicom::tags::PatientID;
  CAIRN_TRYV(add_values(vr, value, commas, key.values));
  for (std::size_t i = path.size() - 1; i-- > 0;) {
    archive::Key outer{path[i], dicom::VR::SQ, {}, {}};
    outer.items.push_back(std::move(key));
    key = std::move(outer);
  }
  query.returns.push_back(path.front());
  query.keys.push_back(std::move(key));
  return outcome::success();
}

/// includefield: names with commas between, or all. False when a name is not known.
Result<bool> add_fields(archive::Query& query, std::string_view text) {
  bool known = true;
  while (true) {
    const std::size_t end = text.find(',');
    const std::string_view name = text.substr(0, end);
    const auto path = path_of(name);
    if (name == "all") {
      query.whole_header = true;
    } else if (path.empty()) {
      known = false;
    } else {
      if (query.returns.size() == kMaxFields) return fail(Errc::limit_exceeded, "includefield");
      query.returns.push_back(path.front());
    }
    if (end == text.npos) return known;
    text.remove_prefix(end + 1);
  }
}

Result<std::string> place_of(std::string_view text) {
  std::string out;
  if (text.size() % 2 != 0 || text.empty() || text.size() > 4096) return fail(Errc::malformed, "cursor");
  for (std::size_t i = 0; i < text.size(); i += 2) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + i + 2, value, 16);
    if (error != std::errc{} || end != text.data() + i + 2) return fail(Errc::malformed, "cursor");
    out.push_back(static_cast<char>(value));
  }
  return out;
}

/// The UID of the path joins the values asked for: both must hold.
void narrow(std::vector<std::string>& values, const std::string& from_path, bool& none) {
  if (from_path.empty()) return;
  if (!values.empty() && std::find(values.begin(), values.end(), from_path) == values.end()) none = true;
  values = {from_path};
}

}  // namespace

Result<Search> parse_search(archive::Level level, const Resource& path,
                            const std::vector<std::pair<std::string, std::string>>& parameters) {
  Search search;
  search.query.level = level;
  search.query.combined_date_time = true;
  std::string ignored;
  for (const auto& [name, value] : parameters) {
    if (const auto key_path = path_of(name); !key_path.empty()) {
      if (search.query.keys.size() == kMaxFields) return fail(Errc::limit_exceeded, "keys");
      CAIRN_TRYV(add_key(search.query, key_path, value));
    } else if (name == "limit") {
      CAIRN_TRY(const auto limit, parse_count(value, "limit"));
      search.limit_is_ours = limit > kMaxMatches;
      search.limit = std::min(limit, kMaxMatches);
      if (limit == 0) search.none = true;
    } else if (name == "offset") {
      CAIRN_TRY(search.query.offset, parse_count(value, "offset"));
    } else if (name == "fuzzymatching") {
      if (value != "true" && value != "false") return fail(Errc::malformed, "fuzzymatching");
      search.query.fuzzy = value == "true";
    } else if (name == "includefield") {
      CAIRN_TRY(const bool known, add_fields(search.query, value));
      if (!known) search.warnings.emplace_back("includefield: attributes that are not known were ignored");
    } else if (name == "cursor") {
      CAIRN_TRY(search.query.after, place_of(value));
    } else if (name != "accept") {
      if (!ignored.empty()) ignored += ", ";
      ignored += is_repeatable(name) ? name : "(a parameter)";
    }
  }
  if (!ignored.empty()) search.warnings.push_back("Parameters ignored: " + ignored.substr(0, 1000));
  narrow(search.query.study_uids, path.study, search.none);
  narrow(search.query.series_uids, path.series, search.none);
  search.query.limit = search.limit + 1;
  return search;
}

std::string cursor_text(std::string_view place) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : place) {
    out.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
  return out;
}

}  // namespace cairn::web
