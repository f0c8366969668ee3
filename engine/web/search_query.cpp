#include "engine/web/search_query.h"

#include <algorithm>
#include <charconv>

#include "engine/core/uid.h"

namespace cairn::web {
namespace {

/// A key that can be matched, in both spellings.
struct Key {
  std::string_view keyword, tag;
  std::vector<std::string> archive::Query::* values;
  bool is_uid;
};

constexpr Key kKeys[] = {
    {"PatientID", "00100020", &archive::Query::patient_ids, false},
    {"StudyInstanceUID", "0020000D", &archive::Query::study_uids, true},
    {"SeriesInstanceUID", "0020000E", &archive::Query::series_uids, true},
    {"SOPInstanceUID", "00080018", &archive::Query::instance_uids, true},
};

bool same_tag(std::string_view a, std::string_view b) {
  return equal_ignoring_case(a, b);
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

Result<> add_values(const Key& key, std::string_view text, std::vector<std::string>& values) {
  while (true) {
    const std::size_t end = text.find_first_of(",\\");
    const std::string_view one = text.substr(0, end);
    if (!one.empty()) {
      if (key.is_uid && !is_usable_uid(one)) return fail(Errc::malformed, key.keyword.data());
      if (values.size() == kMaxKeyValues) return fail(Errc::limit_exceeded, key.keyword.data());
      values.emplace_back(one);
    }
    if (end == std::string_view::npos) return outcome::success();
    text.remove_prefix(end + 1);
  }
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
  std::string ignored;
  for (const auto& [name, value] : parameters) {
    const Key* key = std::find_if(std::begin(kKeys), std::end(kKeys),
                                  [&](const Key& k) { return name == k.keyword || same_tag(name, k.tag); });
    if (key != std::end(kKeys)) {
      if (value == "*") continue;  // matches all
      CAIRN_TRYV(add_values(*key, value, search.query.*(key->values)));
      if (!key->is_uid && value.find_first_of("*?") != std::string::npos) {
        search.warnings.emplace_back("Wildcards in PatientID are not supported: matched literally");
      }
    } else if (name == "limit") {
      CAIRN_TRY(const auto limit, parse_count(value, "limit"));
      search.limit_is_ours = limit > kMaxMatches;
      search.limit = std::min(limit, kMaxMatches);
      if (limit == 0) search.none = true;
    } else if (name == "offset") {
      CAIRN_TRY(search.query.offset, parse_count(value, "offset"));
    } else if (name == "fuzzymatching") {
      if (value != "false") {
        search.warnings.emplace_back(
            "The fuzzymatching parameter is not supported. Only literal matching has been performed.");
      }
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

}  // namespace cairn::web
