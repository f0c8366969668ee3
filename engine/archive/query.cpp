#include "engine/archive/query.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "engine/dicom/tags.h"
#include "engine/store/index/attributes.h"

namespace cairn::archive {
namespace {

namespace tags = dicom::tags;
using dicom::VR;
using Uids = std::vector<std::string>;

Uids sorted(Uids list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}
bool allows(const Uids& sorted_keys, std::string_view value) {
  return sorted_keys.empty() || std::binary_search(sorted_keys.begin(), sorted_keys.end(), value);
}

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

  // Counts a match against offset and limit; `make` builds it when it is wanted.
  template <class Make>
  Result<Keep> emit(Make&& make) {
    if (passed_ < query_.offset) {
      ++passed_;
      return true;
    }
    CAIRN_TRY(Match match, make());
    ++given_;
    return each_(std::move(match)) && (query_.limit == 0 || given_ < query_.limit);
  }

  Result<> all_patients();
  Result<> studies_of_patients();
  Result<> locate();
  Result<Keep> study(const std::string& uid, const store::StudyRow& row);
  Result<Keep> patient(const store::StudyRow& row);
  Result<Keep> series(const std::string& study_uid, const store::StudyRow& study, const std::string& uid,
                      const store::SeriesRow& row);
  Result<Keep> instance(const Match& above, const std::string& uid, std::string_view serialized);

  static Result<Match> study_match(const std::string& uid, const store::StudyRow& row);
  static Result<Match> series_match(const std::string& study_uid, const store::StudyRow& study, const std::string& uid,
                                    const store::SeriesRow& row);

  const store::IndexView& view_;
  const Query& query_;
  const std::function<bool(Match&&)>& each_;
  const Uids patients_, studies_, series_, instances_;
  const bool by_location_ = !series_.empty() || !instances_.empty();
  std::map<std::string, std::set<std::string>> located_;  // studies and series that series and instance keys leave
  std::set<std::string> patients_given_;
  std::size_t passed_ = 0, given_ = 0;
};

Result<> Finder::run() {
  CAIRN_TRYV(locate());
  Uids keyed = studies_;
  if (by_location_) {
    keyed.clear();
    for (const auto& [uid, series] : located_) keyed.push_back(uid);
  }
  if (by_location_ || !studies_.empty()) {
    for (const std::string& uid : keyed) {
      CAIRN_TRY(const auto row, view_.study(uid));
      if (!row || !allows(patients_, row->patient_id)) continue;
      CAIRN_TRY(const Keep keep, study(uid, *row));
      if (!keep) break;
    }
    return outcome::success();
  }
  if (!patients_.empty()) return studies_of_patients();
  if (query_.level == Level::patient) return all_patients();
  std::optional<Error> error;
  CAIRN_TRYV(view_.each_study([&](std::string_view uid, store::StudyRow&& row) {
    const Result<Keep> keep = study(std::string(uid), row);
    if (!keep) error = keep.error();
    return keep && keep.value();
  }));
  if (error) return *error;
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

Result<> Finder::studies_of_patients() {
  for (const std::string& id : patients_) {
    std::optional<Error> error;
    bool more = true;
    CAIRN_TRYV(view_.each_study_of_patient(id, [&](std::string_view uid) {
      const auto row = view_.study(uid);
      Result<Keep> keep = true;
      if (!row) {
        keep = row.error();
      } else if (row.value()) {
        keep = study(std::string(uid), *row.value());
      }
      if (!keep) error = keep.error();
      more = keep && keep.value();
      return more && query_.level != Level::patient;  // one study tells of the patient
    }));
    if (error) return *error;
    if (!more) break;
  }
  return outcome::success();
}

Result<> Finder::all_patients() {
  std::optional<Error> error;
  CAIRN_TRYV(view_.each_patient([&](std::string_view id, store::PatientRow&&) {
    std::string first;
    const Result<> listed = view_.each_study_of_patient(id, [&](std::string_view uid) {
      first = uid;
      return false;
    });
    if (!listed) {
      error = listed.error();
      return false;
    }
    const auto row = view_.study(first);
    Result<Keep> keep = true;
    if (!row) {
      keep = row.error();
    } else if (row.value()) {
      keep = patient(*row.value());
    }
    if (!keep) error = keep.error();
    return keep && keep.value();
  }));
  if (error) return *error;
  return outcome::success();
}

Result<Finder::Keep> Finder::patient(const store::StudyRow& row) {
  if (!patients_given_.insert(row.patient_id).second) return true;
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
    return match;
  });
}

Result<Finder::Keep> Finder::study(const std::string& uid, const store::StudyRow& row) {
  if (query_.level == Level::patient) return patient(row);
  if (query_.level == Level::study) return emit([&] { return study_match(uid, row); });
  const auto wanted = located_.find(uid);
  CAIRN_TRY(const auto all, view_.series_of_study(uid));
  for (const auto& [series_uid, series_row] : all) {
    if (by_location_ && (wanted == located_.end() || !wanted->second.contains(series_uid))) continue;
    CAIRN_TRY(const Keep keep, series(uid, row, series_uid, series_row));
    if (!keep) return false;
  }
  return true;
}

Result<Finder::Keep> Finder::series(const std::string& study_uid, const store::StudyRow& study, const std::string& uid,
                                    const store::SeriesRow& row) {
  if (query_.level == Level::series) return emit([&] { return series_match(study_uid, study, uid, row); });

  CAIRN_TRY(const Match above, series_match(study_uid, study, uid, row));
  std::optional<Error> error;
  bool more = true;
  const auto visit = [&](std::string_view sop_uid, std::string_view serialized) {
    if (!allows(instances_, sop_uid)) return true;
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
    CAIRN_TRYV(view_.each_header(study_uid, uid, visit));
  }
  if (error) return *error;
  return more;
}

Result<Finder::Keep> Finder::instance(const Match& above, const std::string& uid, std::string_view serialized) {
  return emit([&]() -> Result<Match> {
    CAIRN_TRY(const dicom::Header header, dicom::Header::deserialize(as_bytes(serialized)));
    Match match = above;
    if (const auto values = store::AttributeValues::of(header)) {
      std::string encoded;
      values.value().encode(static_cast<unsigned>(store::AttributeLevel::instance), encoded);
      CAIRN_TRY(const dicom::DataSet own, store::decode_attributes(encoded));
      store::merge_attributes(match, own);
    }
    match.set_text(tags::SOPInstanceUID, VR::UI, uid);
    match.set_text(tags::AvailableTransferSyntaxUID, VR::UI, header.transfer_syntax_uid);
    return match;
  });
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

Result<Match> Finder::series_match(const std::string& study_uid, const store::StudyRow& study, const std::string& uid,
                                   const store::SeriesRow& row) {
  CAIRN_TRY(Match match, study_match(study_uid, study));
  CAIRN_TRY(const dicom::DataSet own, store::decode_attributes(row.attributes));
  store::merge_attributes(match, own);
  match.set_text(tags::SeriesInstanceUID, VR::UI, uid);
  match.set_text(tags::NumberOfSeriesRelatedInstances, VR::IS, std::to_string(row.instances));
  return match;
}

}  // namespace

Result<> find(const store::IndexView& view, const Query& query, const std::function<bool(Match&&)>& each) {
  return Finder(view, query, each).run();
}

}  // namespace cairn::archive
