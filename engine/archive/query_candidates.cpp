#include "engine/archive/query_candidates.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "engine/archive/query_match.h"
#include "engine/dicom/tags.h"
#include "engine/store/index/attributes.h"
#include "engine/store/index/fold.h"
#include "engine/store/index/keys.h"
#include "engine/store/index/name_dictionary.h"

namespace cairn::archive {
namespace {

namespace keys = store::keys;
namespace tags = dicom::tags;

// Distinct names that a pattern may select; past it the query must say more.
constexpr std::size_t kMaxNames = 200'000;

const Key* key_of(const Query& query, dicom::Tag tag) {
  const auto at = std::find_if(query.keys.begin(), query.keys.end(), [&](const Key& k) {
    return k.tag == tag && !k.values.empty() && std::find(k.values.begin(), k.values.end(), "\"\"") == k.values.end();
  });
  return at == query.keys.end() ? nullptr : &*at;
}

bool has_wildcard(std::string_view text) {
  return text.find_first_of("*?") != text.npos;
}

std::vector<std::string> sorted(std::vector<std::string> list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

}  // namespace

Result<Candidates> Candidates::plan(const store::IndexView& view, const Query& query, bool by_uid,
                                    std::vector<std::string> studies) {
  Candidates out(view, query);
  if (by_uid) {
    out.kind_ = Kind::given;
    out.given_ = sorted(std::move(studies));
    return out;
  }
  if (!query.patient_ids.empty()) {
    out.kind_ = Kind::patients;
    out.given_ = sorted(query.patient_ids);
    return out;
  }
  if (out.plan_accession()) return out;
  if (query.reach == Reach::memory) return store::out_of_reach();  // the other plans look at many
  CAIRN_TRY(const bool by_name, out.plan_name());
  if (by_name) return out;
  const Key* patient = key_of(query, tags::PatientID);
  const bool one = patient != nullptr && patient->values.size() == 1;
  const std::string beginning = one ? patient->values[0].substr(0, patient->values[0].find_first_of("*?")) : "";
  if (!beginning.empty() || query.level == Level::patient) {
    out.kind_ = Kind::patients;
    out.patient_scan_ = true;
    out.patient_beginning_ = beginning;
    return out;
  }
  out.plan_dates();
  return out;
}

bool Candidates::plan_accession() {
  const Key* key = key_of(*query_, tags::AccessionNumber);
  if (key == nullptr || std::any_of(key->values.begin(), key->values.end(), has_wildcard)) return false;
  kind_ = Kind::lists;
  for (const std::string& value : sorted(key->values)) {
    const std::string prefix = keys::accession_prefix(value);
    ranges_.push_back({prefix, keys::after_prefix(prefix)});
  }
  return true;  // the key is still compared: Accession Number may have several values
}

Result<bool> Candidates::plan_name() {
  const Key* key = key_of(*query_, tags::PatientName);
  if (key == nullptr || key->values.size() != 1) return false;
  const std::string& value = key->values[0];
  if (!query_->fuzzy) {
    bool exact = false;
    const std::string beginning = name_beginning(value, exact);
    if (!beginning.empty()) {
      kind_ = Kind::lists;
      std::string prefix = keys::name_prefix(beginning);
      if (exact && beginning.size() < store::kMaxFoldedBytes) prefix.push_back('\0');
      ranges_.push_back({prefix, keys::after_prefix(prefix)});
      return true;
    }
  }
  const auto words = fuzzy_words(value);
  if (words.empty()) return false;
  // Without "=" any group may match; with it the row decides, and every name that one of the patterns fits is a
  // candidate.
  std::vector<std::string> patterns;
  std::vector<std::uint32_t> letters;
  for (std::size_t begin = 0; begin <= value.size() && patterns.size() < 3;) {
    const std::size_t end = std::min(value.find('=', begin), value.size());
    std::string folded = store::fold(std::string_view(value).substr(begin, end - begin));
    if (!folded.empty() && folded.find_first_not_of('*') != folded.npos) {
      letters.push_back(store::letters_of(folded));
      patterns.push_back(std::move(folded));
    }
    begin = end + 1;
  }
  std::uint32_t word_letters = 0;
  for (const std::string& word : words) {
    if (word.size() < 4) word_letters |= store::letters_of(word);  // these are not forgiven a letter
  }
  std::vector<std::string> names;
  CAIRN_TRYV(view_->each_name([&](std::string_view name, std::uint32_t has) {
    bool fits = name.size() + 4 > store::kMaxFoldedBytes;  // cut: the row decides
    if (query_->fuzzy) {
      fits = fits || ((word_letters & ~has) == 0 && fuzzy_name_matches(words, name));
    } else {
      for (std::size_t i = 0; i < patterns.size() && !fits; ++i) {
        fits = (letters[i] & ~has) == 0 && matches_wildcard(name, patterns[i]);
      }
    }
    if (fits) names.emplace_back(name);
    return names.size() <= kMaxNames;
  }));
  if (names.size() > kMaxNames) return fail(Errc::limit_exceeded, "names that the pattern fits");
  kind_ = Kind::lists;
  for (const std::string& name : sorted(std::move(names))) {
    std::string prefix = keys::name_prefix(name);
    prefix.push_back('\0');
    std::string end = keys::after_prefix(prefix);
    ranges_.push_back({std::move(prefix), std::move(end)});
  }
  return true;
}

// [newest, oldest] of the dates asked for, in each modality's list or in that of all studies.
void Candidates::plan_dates() {
  kind_ = Kind::by_date;
  const Key* modality = key_of(*query_, tags::ModalitiesInStudy);
  const bool by_modality =
      modality != nullptr && std::none_of(modality->values.begin(), modality->values.end(), has_wildcard);
  if (by_modality) {
    for (const std::string& value : sorted(modality->values)) list_prefixes_.push_back(keys::modality_prefix(value));
    answered_.insert(modality);
  } else {
    list_prefixes_.push_back(keys::date_prefix({}, {}).substr(0, 1));
  }
  std::string begin, end = "\xff";  // behind every date, missing ones too
  const Key* date = key_of(*query_, tags::StudyDate);
  if (date != nullptr && date->values.size() == 1) {
    if (const auto range = read_range(date->values[0], dicom::VR::DA); range) {
      const auto complement = [](std::string_view digits) { return keys::date_prefix(digits, {}).substr(1, 8); };
      if (!range.value().high.empty()) begin = complement(range.value().high);
      end = range.value().low.empty() ? std::string(":") : keys::after_prefix(complement(range.value().low));
      answered_.insert(date);
    }
  }
  for (const std::string& prefix : list_prefixes_) ranges_.push_back({prefix + begin, prefix + end});
}

/// Candidates found but not yet visited. A group begins small, for answers that are, and doubles.
class Candidates::Group {
 public:
  Group(const Candidates& of, const Visit& visit, const std::function<bool()>& wants_rows)
      : of_(of), visit_(visit), wants_rows_(wants_rows) {}

  /// `name`: of the list that brought it up, when one did. False: the walk ends.
  Result<bool> add(std::string_view uid, std::string_view place, std::string_view name) {
    if (uids_.empty() && name.empty() && !wants_rows_()) return visit_(uid, place, std::nullopt);
    uids_.emplace_back(uid);
    places_.emplace_back(place);
    names_.emplace_back(name);
    return uids_.size() < size_ ? Result<bool>(true) : finish();
  }

  /// Visits those that are left.
  Result<bool> finish() {
    bool more = true;
    if (uids_.empty()) return more;
    CAIRN_TRY(auto rows, of_.view_->studies(uids_));
    for (std::size_t i = 0; i < uids_.size() && more; ++i) {
      if (!names_[i].empty() && (!rows[i] || of_.is_repeated(*rows[i], names_[i]))) continue;
      CAIRN_TRY(more, visit_(uids_[i], places_[i], std::move(rows[i])));
    }
    uids_.clear();
    places_.clear();
    names_.clear();
    size_ = std::min<std::size_t>(64, 2 * size_);
    return more;
  }

 private:
  const Candidates& of_;
  const Visit& visit_;
  const std::function<bool()>& wants_rows_;
  std::vector<std::string> uids_, places_, names_;
  std::size_t size_ = 8;
};

Result<> Candidates::walk(const std::string& from, const Visit& visit, const std::function<bool()>& wants_rows) const {
  Group group(*this, visit, wants_rows);
  switch (kind_) {
    case Kind::given:
      for (auto at = std::lower_bound(given_.begin(), given_.end(), from); at != given_.end(); ++at) {
        CAIRN_TRY(const bool more, visit(*at, *at, std::nullopt));
        if (!more) break;
      }
      return outcome::success();
    case Kind::patients:
      return walk_patients(from, visit);
    case Kind::lists:
      return walk_lists(from, group);
    case Kind::by_date:
      break;
  }
  return walk_dates(from, group);
}

Result<> Candidates::walk_patients(const std::string& from, const Visit& visit) const {
  bool more = true;
  const auto of_patient = [&](const std::string& id) -> Result<> {
    const std::string prefix = keys::patient_studies_prefix(id);
    if (keys::after_prefix(prefix) <= from) return outcome::success();
    std::vector<std::string> studies;
    CAIRN_TRYV(view_->each_study_of_patient(id, [&](std::string_view uid) {
      studies.emplace_back(uid);
      return query_->reach == Reach::disk || studies.size() <= kLittle;
    }));
    for (const std::string& uid : studies) {
      const std::string place = keys::patient_study(id, uid);
      if (place < from) continue;
      CAIRN_TRY(more, visit(uid, place, std::nullopt));
      if (!more) break;
    }
    return outcome::success();
  };
  if (!patient_scan_) {
    for (auto at = given_.begin(); at != given_.end() && more; ++at) {
      CAIRN_TRYV(of_patient(*at));
    }
    return outcome::success();
  }
  const std::string prefix = keys::patients_prefix(patient_beginning_);
  std::string begin = prefix;
  if (!from.empty()) {  // a place is 'p' PatientID 0 1 study
    const std::string patient = "P" + from.substr(1, from.rfind('\1') - 2);
    begin = std::max(begin, patient);
  }
  const auto range = view_->list(begin, keys::after_prefix(prefix));
  for (; more && range->valid(); range->next()) {
    CAIRN_TRYV(of_patient(keys::patient_id_of(range->key())));
  }
  return range->status();
}

// Of a study that several of its names bring up, the first in order counts.
bool Candidates::is_repeated(const store::StudyRow& row, std::string_view name) const {
  const std::string whole = store::attribute_text(row.attributes, tags::PatientName);
  if (whole.find('=') == whole.npos) return false;
  const auto groups = store::folded_groups(whole);
  for (const std::string& group : groups) {
    if (group >= name) return false;
    std::string key = keys::name_prefix(group);
    key.push_back('\0');
    const auto at = std::upper_bound(ranges_.begin(), ranges_.end(), key,
                                     [](const std::string& k, const Range& r) { return k < r.begin; });
    if (at != ranges_.begin() && key < std::prev(at)->end) return true;
  }
  return false;
}

Result<> Candidates::walk_lists(const std::string& from, Group& group) const {
  for (const Range& range : ranges_) {
    if (range.end <= from) continue;
    const auto list = view_->list(std::max(range.begin, from), range.end);
    for (; list->valid(); list->next()) {
      const std::string_view key = list->key();
      CAIRN_TRY(const bool more, group.add(keys::study_of_key(key), key, keys::name_of_key(key)));
      if (!more) return outcome::success();
    }
    CAIRN_TRYV(list->status());
  }
  CAIRN_TRYV(group.finish());
  return outcome::success();
}

// A place is what follows the prefix: date, time, study; the same in each modality's list.
Result<> Candidates::walk_dates(const std::string& from, Group& group) const {
  std::vector<std::unique_ptr<store::IndexView::ListRange>> lists;
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    lists.push_back(view_->list(std::max(ranges_[i].begin, list_prefixes_[i] + from), ranges_[i].end));
  }
  const auto rest = [&](std::size_t i) { return lists[i]->key().substr(list_prefixes_[i].size()); };
  std::string key = keys::date_prefix({}, {}).substr(0, 1);  // and the place that was visited last
  while (true) {
    std::optional<std::size_t> least;
    for (std::size_t i = 0; i < lists.size(); ++i) {
      if (!lists[i]->valid()) {
        CAIRN_TRYV(lists[i]->status());
        continue;
      }
      if (!least || rest(i) < rest(*least)) least = i;
    }
    if (!least) break;
    const bool repeated = rest(*least) == std::string_view(key).substr(1);
    if (!repeated) key.replace(1, key.npos, rest(*least));
    lists[*least]->next();
    if (repeated) continue;
    CAIRN_TRY(const bool more, group.add(keys::study_of_key(key), std::string_view(key).substr(1), {}));
    if (!more) return outcome::success();
  }
  CAIRN_TRYV(group.finish());
  return outcome::success();
}

}  // namespace cairn::archive
