#include "engine/archive/query.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "engine/archive/query_candidates.h"
#include "engine/archive/query_match.h"
#include "engine/dicom/tags.h"
#include "engine/store/index/attributes.h"

namespace cairn::archive {
namespace {

namespace tags = dicom::tags;
using dicom::Tag;
using dicom::VR;
using store::AttributeLevel;
using Uids = std::vector<std::string>;
using Keys = std::vector<const Key*>;

Uids sorted(Uids list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}
bool allows(const Uids& sorted_keys, std::string_view value) {
  return sorted_keys.empty() || std::binary_search(sorted_keys.begin(), sorted_keys.end(), value);
}

// Where a query came to: a candidate and, below it, a series and an instance.
struct Place {
  std::string candidate, series, instance;

  std::string encode() const {
    std::string out;
    for (const std::string* part : {&candidate, &series, &instance}) {
      out.push_back(static_cast<char>(part->size() >> 8));
      out.push_back(static_cast<char>(part->size() & 0xff));
      out.append(*part);
    }
    return out;
  }
  static Result<Place> decode(std::string_view text) {
    Place place;
    for (std::string* part : {&place.candidate, &place.series, &place.instance}) {
      if (text.size() < 2) return fail(Errc::malformed, "place in a query");
      const std::size_t size =
          static_cast<std::size_t>(static_cast<unsigned char>(text[0])) << 8 | static_cast<unsigned char>(text[1]);
      if (size > text.size() - 2) return fail(Errc::malformed, "place in a query");
      *part = text.substr(2, size);
      text.remove_prefix(2 + size);
    }
    if (!text.empty() || place.candidate.empty()) return fail(Errc::malformed, "place in a query");
    return place;
  }
};

// Dates with their times.
constexpr std::array<std::pair<Tag, Tag>, 5> kDateTimes = {{{tags::StudyDate, tags::StudyTime},
                                                            {tags::SeriesDate, tags::SeriesTime},
                                                            {tags::AcquisitionDate, tags::AcquisitionTime},
                                                            {tags::ContentDate, tags::ContentTime},
                                                            {tags::PatientBirthDate, tags::PatientBirthTime}}};

// Two keys that are one range (PS3.4 §C.2.2.2.5.4), or a time that runs over midnight, which can mean nothing else.
struct CombinedRange {
  const Key *date = nullptr, *time = nullptr;
  Range range;

  bool matches(const dicom::DataSet& attributes) const {
    std::string at = range_digits(attributes.text(date->tag, 0), VR::DA);
    if (at.empty()) return false;
    const std::string clock = range_digits(attributes.text(time->tag, 0), VR::TM);
    at += clock.empty() ? std::string(12, '0') : clock;
    return (range.low.empty() || at >= range.low) && (range.high.empty() || at <= range.high);
  }
};

class Finder {
 public:
  Finder(const store::IndexView& view, const Query& query, const std::function<bool(Match&&)>& each)
      : view_(view),
        query_(query),
        each_(each),
        patients_(sorted(query.patient_ids)),
        studies_(sorted(query.study_uids)),
        series_(sorted(query.series_uids)),
        instances_(sorted(query.instance_uids)) {}

  Result<> run();

 private:
  using Keep = bool;  // false: stop

  /// Counts what is looked at, of so many bytes. Errors: out of reach, when it is more than a reactor should do in
  /// place.
  Result<> little(std::size_t bytes = 0) {
    if (query_.reach == Reach::disk) return outcome::success();
    if (++looked_at_in_place_ > kLittle || bytes > kLittleBytes) return store::out_of_reach();
    return outcome::success();
  }

  // Counts a match against offset and limit; `make` builds it when it is wanted.
  template <class Make>
  Result<Keep> emit(Make&& make) {
    if (passed_ < query_.offset) {
      ++passed_;
      return true;
    }
    CAIRN_TRY(Match match, make());
    ++given_;
    if (query_.place != nullptr) *query_.place = place_.encode();
    return each_(std::move(match)) && (query_.limit == 0 || given_ < query_.limit);
  }

  bool unwanted() const { return query_.keep_going && !query_.keep_going(); }

  /// True while candidates are passed over and match for certain: they need not be read.
  bool counts_only() const {
    return passed_ < query_.offset && query_.level == Level::study && patients_.empty() && study_keys_.empty() &&
           series_keys_.empty() && other_keys_.empty() && combined_.empty() && studies_.empty() && !by_location_;
  }
  void sort_keys(const Candidates& candidates);
  Result<> combine();
  Result<> locate();
  Result<Keep> candidate(std::string_view uid, std::string_view place, std::optional<store::StudyRow>&& row);
  /// `made` gets what had to be made of the row to tell.
  Result<bool> study_matches(const std::string& uid, const store::StudyRow& row, std::optional<Match>& made);
  Result<bool> some_series_matches(const std::string& study_uid, const Match& study);
  bool all_match(const Keys& keys, unsigned level, const dicom::DataSet& attributes) const;
  Result<bool> header_matches(const std::string& study_uid, const std::string& series_uid, const Keys& keys,
                              unsigned level) const;
  Result<std::string> first_matching_study(const std::string& patient_id, const std::string& matching);
  Result<Keep> patient(const std::string& uid, const store::StudyRow& row);
  Result<Keep> series_of(const std::string& uid, const store::StudyRow& row);
  Result<Keep> instances_of(const Match& above, const std::string& study_uid, const std::string& series_uid);
  Result<Keep> instance(const Match& above, const std::string& uid, std::string_view serialized);
  Result<> add_returns(Match& match, const std::string& study_uid, const std::string& series_uid) const;
  Result<std::optional<dicom::DataSet>> first_header(const std::string& study_uid, const std::string& series_uid) const;

  static Result<Match> study_match(const std::string& uid, const store::StudyRow& row);
  static Result<Match> series_match(const Match& study, const std::string& uid, const store::SeriesRow& row);

  const store::IndexView& view_;
  const Query& query_;
  const std::function<bool(Match&&)>& each_;
  const Uids patients_, studies_, series_, instances_;
  const bool by_location_ = !series_.empty() || !instances_.empty();
  std::map<std::string, std::set<std::string>> located_;  // studies and series that series and instance keys leave
  // Keys by where their attributes are: the rows of studies and series, each instance's own, and headers for the rest.
  Keys study_keys_, series_keys_, instance_keys_, other_keys_;
  std::vector<CombinedRange> combined_;
  Place after_, place_;
  std::size_t passed_ = 0, given_ = 0, looked_at_ = 0, looked_at_in_place_ = 0;
  struct {
    std::optional<std::string> id;
    std::string first_study;
  } patient_;  // the last one looked at; his other studies mostly come next
};

constexpr unsigned kStudyLevel = 1, kSeriesLevel = 2, kInstanceLevel = 4;

unsigned level_of(Tag tag) {
  if (tag == tags::ModalitiesInStudy || tag == tags::NumberOfStudyRelatedSeries ||
      tag == tags::NumberOfStudyRelatedInstances || tag == tags::NumberOfPatientRelatedStudies) {
    return kStudyLevel;
  }
  if (tag == tags::NumberOfSeriesRelatedInstances) return kSeriesLevel;
  const auto level = store::attribute_level(tag);
  if (!level) return 0;
  switch (*level) {
    case AttributeLevel::patient:
    case AttributeLevel::study:
      return kStudyLevel;
    case AttributeLevel::series:
      return kSeriesLevel;
    default:
      return kInstanceLevel;
  }
}

Result<> Finder::run() {
  CAIRN_TRYV(check_keys(query_.keys));
  CAIRN_TRYV(combine());
  if (!query_.after.empty()) {
    CAIRN_TRY(after_, Place::decode(query_.after));
  }
  CAIRN_TRYV(locate());
  Uids keyed = studies_;
  if (by_location_) {
    keyed.clear();
    for (const auto& [uid, series] : located_) keyed.push_back(uid);
  }
  CAIRN_TRY(const Candidates candidates,
            Candidates::plan(view_, query_, by_location_ || !studies_.empty(), std::move(keyed)));
  sort_keys(candidates);
  return candidates.walk(
      after_.candidate,
      [&](std::string_view uid, std::string_view place, std::optional<store::StudyRow>&& row) {
        return candidate(uid, place, std::move(row));
      },
      [&] { return !counts_only(); });
}

void Finder::sort_keys(const Candidates& candidates) {
  for (const Key& key : query_.keys) {
    const bool combined = std::any_of(combined_.begin(), combined_.end(),
                                      [&](const CombinedRange& c) { return c.date == &key || c.time == &key; });
    if (combined || candidates.answers(key)) continue;
    const unsigned level = level_of(key.tag);
    (level == kStudyLevel                                         ? study_keys_
     : level == kSeriesLevel                                      ? series_keys_
     : level == kInstanceLevel && query_.level == Level::instance ? instance_keys_
                                                                  : other_keys_)
        .push_back(&key);
  }
}

Result<> Finder::combine() {
  for (const auto& [date_tag, time_tag] : kDateTimes) {
    CombinedRange c;
    for (const Key& key : query_.keys) {
      if (key.values.size() != 1 || key.values[0] == "\"\"") continue;
      if (key.tag == date_tag) c.date = &key;
      if (key.tag == time_tag) c.time = &key;
    }
    if (c.time == nullptr) continue;
    CAIRN_TRY(const Range time, read_range(c.time->values[0], VR::TM, true));
    const bool backward = !time.low.empty() && !time.high.empty() && time.high < time.low;
    if (c.date == nullptr || !(query_.combined_date_time || backward)) {
      if (backward) return fail(Errc::malformed, "a range that ends before it begins");
      continue;
    }
    CAIRN_TRY(const Range date, read_range(c.date->values[0], VR::DA));
    if (!date.low.empty()) c.range.low = date.low + (time.low.empty() ? std::string(12, '0') : time.low);
    if (!date.high.empty()) c.range.high = date.high + (time.high.empty() ? std::string(12, '9') : time.high);
    if (!c.range.low.empty() && !c.range.high.empty() && c.range.high < c.range.low) {
      return fail(Errc::malformed, "a range that ends before it begins");
    }
    combined_.push_back(std::move(c));
  }
  return outcome::success();
}

// Looks every UID key up once; what follows are look-ups in memory.
Result<> Finder::locate() {
  for (const std::string& uid : instances_) {
    CAIRN_TRY(const auto row, view_.instance(uid));
    if (!row || !allows(series_, row->series_instance_uid) || !allows(studies_, row->study_instance_uid)) continue;
    located_[row->study_instance_uid].insert(row->series_instance_uid);
  }
  if (!instances_.empty()) return outcome::success();
  for (const std::string& uid : series_) {
    CAIRN_TRYV(view_.each_study_of_series(uid, [&](std::string_view study_uid) {
      if (allows(studies_, study_uid)) located_[std::string(study_uid)].insert(uid);
      return true;
    }));
  }
  return outcome::success();
}

Result<Finder::Keep> Finder::candidate(std::string_view uid, std::string_view place,
                                       std::optional<store::StudyRow>&& row) {
  CAIRN_TRYV(little());
  const bool resumed = place == after_.candidate;
  if (resumed && after_.series.empty()) return true;  // the one that was given last
  if (looked_at_++ != 0 && unwanted())
    return false;  // the first is looked at always, or a slow query would stand still
  place_ = {std::string(place), {}, {}};
  const std::string study_uid(uid);
  if (counts_only()) {
    ++passed_;
    return true;
  }
  if (!row) {
    CAIRN_TRY(row, view_.study(study_uid));
  }
  bool fits = row && allows(patients_, row->patient_id);
  std::optional<Match> made;
  if (fits) {
    CAIRN_TRY(fits, study_matches(study_uid, *row, made));
  }
  Keep keep = true;
  if (fits && query_.level == Level::patient) {
    CAIRN_TRY(keep, patient(study_uid, *row));
  } else if (fits && query_.level == Level::study) {
    CAIRN_TRY(keep, emit([&]() -> Result<Match> {
                if (!made) {
                  CAIRN_TRY(made, study_match(study_uid, *row));
                }
                CAIRN_TRYV(add_returns(*made, study_uid, {}));
                return std::move(*made);
              }));
  } else if (fits) {
    CAIRN_TRY(keep, series_of(study_uid, *row));
  }
  if (keep && query_.place != nullptr) *query_.place = Place{std::string(place), {}, {}}.encode();
  return keep;
}

bool Finder::all_match(const Keys& keys, unsigned level, const dicom::DataSet& attributes) const {
  return std::all_of(keys.begin(), keys.end(),
                     [&](const Key* key) { return matches(*key, attributes, query_.fuzzy); }) &&
         std::all_of(combined_.begin(), combined_.end(),
                     [&](const CombinedRange& c) { return level_of(c.date->tag) != level || c.matches(attributes); });
}

Result<bool> Finder::study_matches(const std::string& uid, const store::StudyRow& row, std::optional<Match>& made) {
  const bool below = query_.level == Level::patient || query_.level == Level::study;
  if (study_keys_.empty() && combined_.empty() && (!below || (series_keys_.empty() && other_keys_.empty())))
    return true;
  CAIRN_TRY(made, study_match(uid, row));
  const Match& study = *made;
  if (!all_match(study_keys_, kStudyLevel, study)) return false;
  if (!below) return true;
  const bool of_series = !series_keys_.empty() || std::any_of(combined_.begin(), combined_.end(), [](const auto& c) {
    return level_of(c.date->tag) == kSeriesLevel;
  });
  if (of_series) {
    CAIRN_TRY(const bool some, some_series_matches(uid, study));
    if (!some) return false;
  }
  return header_matches(uid, {}, other_keys_, kInstanceLevel);
}

Result<bool> Finder::some_series_matches(const std::string& study_uid, const Match& study) {
  CAIRN_TRY(const auto all, view_.series_of_study(study_uid));
  for (const auto& [uid, row] : all) {
    CAIRN_TRY(const Match match, series_match(study, uid, row));
    if (all_match(series_keys_, kSeriesLevel, match)) return true;
  }
  return false;
}

// Attributes that no row has are read from the first header of the study or series: they are the same in all of them,
// or there is no telling which is meant.
Result<bool> Finder::header_matches(const std::string& study_uid, const std::string& series_uid, const Keys& keys,
                                    unsigned level) const {
  if (keys.empty()) return true;
  CAIRN_TRY(const auto header, first_header(study_uid, series_uid));
  return header && all_match(keys, level, *header);
}

Result<std::optional<dicom::DataSet>> Finder::first_header(const std::string& study_uid,
                                                           const std::string& series_uid) const {
  std::string serialized;
  CAIRN_TRYV(view_.each_header(study_uid, series_uid, [&](std::string_view, std::string_view bytes) {
    serialized = bytes;
    return false;
  }));
  if (serialized.empty()) return std::optional<dicom::DataSet>();
  if (query_.reach == Reach::memory && serialized.size() > kLittleBytes) return store::out_of_reach();
  CAIRN_TRY(const dicom::Header header, dicom::Header::deserialize(as_bytes(serialized)));
  auto parsed = dicom::DataSet::parse(header);
  if (!parsed) return std::optional<dicom::DataSet>();
  return std::optional<dicom::DataSet>(std::move(parsed).value());
}

void copy_wanted(Match& match, const dicom::DataSet& header, const std::vector<Tag>& wanted) {
  dicom::DataSet some;
  some.set_character_set(header.character_set());
  for (const Tag tag : wanted) {
    const dicom::Element* element = header.find(tag);
    if (element != nullptr && !element->bulk && !match.contains(tag)) some.set(*element);
  }
  if (!some.empty()) store::merge_attributes(match, some);
}

Result<> Finder::add_returns(Match& match, const std::string& study_uid, const std::string& series_uid) const {
  std::vector<Tag> missing;
  for (const Tag tag : query_.returns) {
    if (level_of(tag) == 0 && tag.element != 0 && !match.contains(tag)) missing.push_back(tag);
  }
  if (missing.empty()) return outcome::success();
  CAIRN_TRY(const auto header, first_header(study_uid, series_uid));
  if (header) copy_wanted(match, *header, missing);
  return outcome::success();
}

/// By UID; `matching` is one that does.
Result<std::string> Finder::first_matching_study(const std::string& patient_id, const std::string& matching) {
  Uids earlier;
  CAIRN_TRYV(view_.each_study_of_patient(patient_id, [&](std::string_view other) {
    if (other < matching) earlier.emplace_back(other);
    return true;
  }));
  for (const std::string& other : earlier) {
    const bool given =
        (studies_.empty() && !by_location_) || (by_location_ ? located_.contains(other) : allows(studies_, other));
    if (!given) continue;
    CAIRN_TRY(const auto row, view_.study(other));
    if (!row) continue;
    std::optional<Match> made;
    CAIRN_TRY(const bool fits, study_matches(other, *row, made));
    if (fits) return other;
  }
  return matching;
}

// A patient is told of by the first of his studies that matches.
Result<Finder::Keep> Finder::patient(const std::string& uid, const store::StudyRow& row) {
  if (row.patient_id != patient_.id) {
    CAIRN_TRY(patient_.first_study, first_matching_study(row.patient_id, uid));
    patient_.id = row.patient_id;
  }
  if (patient_.first_study != uid) return true;
  return emit([&]() -> Result<Match> {
    CAIRN_TRY(Match match, store::decode_attributes(row.attributes));
    const dicom::DataSet all = match;
    for (const dicom::Element& e : all.elements()) {
      const bool of_patient = e.tag.group == 0x0010 || e.tag == tags::SpecificCharacterSet;
      const bool of_study = e.tag == tags::PatientAge || e.tag == tags::PatientSize || e.tag == tags::PatientWeight ||
                            e.tag == tags::Occupation || e.tag == tags::AdditionalPatientHistory;
      if (!of_patient || of_study) match.erase(e.tag);
    }
    CAIRN_TRY(const auto counted, view_.patient(row.patient_id));
    const std::uint64_t studies = counted ? counted->studies : 0;
    match.set_text(tags::NumberOfPatientRelatedStudies, VR::IS, std::to_string(studies));
    CAIRN_TRYV(add_returns(match, uid, {}));
    return match;
  });
}

Result<Finder::Keep> Finder::series_of(const std::string& uid, const store::StudyRow& row) {
  const auto wanted = located_.find(uid);
  CAIRN_TRY(const auto all, view_.series_of_study(uid));
  CAIRN_TRY(const Match study, study_match(uid, row));
  // What is gone since it was given cannot be gone on from: then the study comes again from its beginning.
  bool skip = place_.candidate == after_.candidate &&
              std::any_of(all.begin(), all.end(), [&](const auto& s) { return s.series_uid == after_.series; });
  for (const auto& [series_uid, series_row] : all) {
    CAIRN_TRYV(little());
    const bool resumed = skip && series_uid == after_.series;
    if (skip && !resumed) continue;
    skip = false;
    if (resumed && after_.instance.empty()) continue;
    if (by_location_ && (wanted == located_.end() || !wanted->second.contains(series_uid))) continue;
    CAIRN_TRY(Match match, series_match(study, series_uid, series_row));
    if (!all_match(series_keys_, kSeriesLevel, match)) continue;
    place_.series = series_uid;
    place_.instance.clear();
    Keep keep = true;
    if (query_.level == Level::series) {
      CAIRN_TRY(const bool fits, header_matches(uid, series_uid, other_keys_, kInstanceLevel));
      if (!fits) continue;
      CAIRN_TRY(keep, emit([&]() -> Result<Match> {
                  CAIRN_TRYV(add_returns(match, uid, series_uid));
                  return std::move(match);
                }));
    } else {
      CAIRN_TRY(keep, instances_of(match, uid, series_uid));
    }
    if (!keep) return false;
  }
  return true;
}

Result<Finder::Keep> Finder::instances_of(const Match& above, const std::string& study_uid,
                                          const std::string& series_uid) {
  std::optional<Error> error;
  bool more = true;
  bool skip = !after_.instance.empty() && place_.candidate == after_.candidate && series_uid == after_.series;
  if (skip) {
    CAIRN_TRY(const auto last, view_.instance(after_.instance));
    skip = last && last->series_instance_uid == series_uid && last->study_instance_uid == study_uid;
  }
  const auto visit = [&](std::string_view sop_uid, std::string_view serialized) {
    if (skip) {
      skip = sop_uid != after_.instance;
      return true;
    }
    if (!allows(instances_, sop_uid)) return true;
    if (!place_.instance.empty() && unwanted()) {  // a long series of which little matches
      if (query_.place != nullptr) *query_.place = place_.encode();
      return more = false;
    }
    const Result<Keep> keep = instance(above, std::string(sop_uid), serialized);
    if (!keep) error = keep.error();
    more = keep && keep.value();
    return more;
  };
  if (instances_.size() == 1) {  // no need to walk a long series for one of it
    CAIRN_TRY(const auto one, view_.instance(instances_.front()));
    if (!one) return true;
    CAIRN_TRY(const std::string serialized, view_.header(*one));
    visit(one->sop_instance_uid, serialized);
  } else {
    CAIRN_TRYV(view_.each_header(study_uid, series_uid, visit));
  }
  if (error) return *error;
  return more;
}

Result<Finder::Keep> Finder::instance(const Match& above, const std::string& uid, std::string_view serialized) {
  CAIRN_TRYV(little(serialized.size()));
  place_.instance = uid;
  const bool plain = instance_keys_.empty() && other_keys_.empty() && combined_.empty();
  if (plain && passed_ < query_.offset) {
    ++passed_;
    return true;
  }
  CAIRN_TRY(const dicom::Header header, dicom::Header::deserialize(as_bytes(serialized)));
  Match match = above;
  if (const auto values = store::AttributeValues::of(header)) {
    std::string encoded;
    values.value().encode(static_cast<unsigned>(AttributeLevel::instance), encoded);
    CAIRN_TRY(const dicom::DataSet own, store::decode_attributes(encoded));
    store::merge_attributes(match, own);
  }
  match.set_text(tags::SOPInstanceUID, VR::UI, uid);
  match.set_text(tags::AvailableTransferSyntaxUID, VR::UI, header.transfer_syntax_uid);
  if (!all_match(instance_keys_, kInstanceLevel, match)) return true;
  const bool beyond = query_.whole_header || std::any_of(query_.returns.begin(), query_.returns.end(), [&](Tag tag) {
                        return tag.element != 0 && !match.contains(tag);
                      });
  if (beyond || !other_keys_.empty()) {
    if (const auto whole = dicom::DataSet::parse(header)) {
      if (!all_match(other_keys_, 0, whole.value())) return true;
      std::vector<Tag> wanted = query_.returns;
      if (query_.whole_header) {
        for (const dicom::Element& e : whole.value().elements()) wanted.push_back(e.tag);
      }
      std::erase(wanted, tags::SpecificCharacterSet);
      copy_wanted(match, whole.value(), wanted);
    } else if (!other_keys_.empty()) {
      return true;
    }
  }
  return emit([&]() -> Result<Match> { return std::move(match); });
}

Result<Match> Finder::study_match(const std::string& uid, const store::StudyRow& row) {
  CAIRN_TRY(Match match, store::decode_attributes(row.attributes));
  match.set_text(tags::StudyInstanceUID, VR::UI, uid);
  std::string modalities;
  for (const auto& [name, count] : row.modalities) modalities += (modalities.empty() ? "" : "\\") + name;
  match.set_text(tags::ModalitiesInStudy, VR::CS, modalities);
  match.set_text(tags::NumberOfStudyRelatedSeries, VR::IS, std::to_string(row.series));
  match.set_text(tags::NumberOfStudyRelatedInstances, VR::IS, std::to_string(row.instances));
  return match;
}

Result<Match> Finder::series_match(const Match& study, const std::string& uid, const store::SeriesRow& row) {
  Match match = study;
  CAIRN_TRY(const dicom::DataSet own, store::decode_attributes(row.attributes));
  store::merge_attributes(match, own);
  match.set_text(tags::SeriesInstanceUID, VR::UI, uid);
  match.set_text(tags::NumberOfSeriesRelatedInstances, VR::IS, std::to_string(row.instances));
  return match;
}

// Comparing with them is soon done, whatever they are compared with.
bool are_little(const std::vector<Key>& keys) {
  std::size_t bytes = 0;
  for (const Key& key : keys) {
    if (!key.items.empty() || key.values.size() > kLittle) return false;
    for (const std::string& value : key.values) bytes += value.size();
  }
  return keys.size() <= kLittle && bytes <= 256;
}

}  // namespace

Result<> find(const store::IndexView& view, const Query& query, const std::function<bool(Match&&)>& each) {
  if (query.reach == Reach::memory) {
    const std::size_t named =
        query.patient_ids.size() + query.study_uids.size() + query.series_uids.size() + query.instance_uids.size();
    const bool of_many = query.level == Level::instance && query.instance_uids.empty();
    if (named > kLittle || of_many || !are_little(query.keys)) return store::out_of_reach();
  }
  return Finder(view, query, each).run();
}

}  // namespace cairn::archive
