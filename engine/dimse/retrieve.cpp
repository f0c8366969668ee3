#include "engine/dimse/retrieve.h"

#include <algorithm>
#include <cstdio>
#include <unordered_set>

#include "engine/core/uid.h"
#include "engine/dicom/tags.h"
#include "engine/dimse/status.h"

namespace cairn::dimse {
namespace {

namespace tags = dicom::tags;
using archive::Level;
using dicom::CommandSet;
using dicom::VR;

constexpr std::size_t kMostKeys = 100'000;        ///< in one list
constexpr std::size_t kMostInstances = 1'000'000;  ///< of one retrieve: their UIDs are held
constexpr std::size_t kMostUIDListBytes = 65534;  ///< an explicit VR's length

/// The values of a key; a lone * is universal, as an empty one. Errors: limit_exceeded.
Result<std::vector<std::string>> values_of(const dicom::DataSet& identifier, dicom::Tag tag) {
  std::vector<std::string> values;
  const std::string text = identifier.text(tag);
  for (std::string_view rest = text;;) {
    const std::size_t end = rest.find('\\');
    std::string_view value = trim_uid(rest.substr(0, end));
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    if (value == "*") return std::vector<std::string>();
    if (!value.empty()) values.emplace_back(value);
    if (values.size() > kMostKeys) return fail(Errc::limit_exceeded, "values of a key");
    if (end == rest.npos) break;
    rest.remove_prefix(end + 1);
  }
  return values;
}

/// Of a study: does it belong to one of the patients asked for?
class PatientFilter {
 public:
  PatientFilter(archive::Archive& archive, const std::vector<std::string>& ids) : archive_(archive), ids_(ids) {}

  Result<bool> allows(const std::string& study_uid) {
    if (ids_.empty()) return true;
    if (const auto known = known_.find(study_uid); known != known_.end()) return known->second;
    archive::Query query;
    query.level = Level::study;
    query.patient_ids = ids_;
    query.study_uids = {study_uid};
    bool found = false;
    CAIRN_TRYV(archive_.find(query, [&found](archive::Match&&) {
      found = true;
      return false;
    }));
    return known_[study_uid] = found;
  }

 private:
  archive::Archive& archive_;
  const std::vector<std::string>& ids_;
  std::map<std::string, bool> known_;
};

Result<> resolve_instances(archive::Archive& archive, const archive::Query& query, RetrieveSet& set) {
  PatientFilter patients(archive, query.patient_ids);
  using Uids = std::unordered_set<std::string>;
  const Uids studies(query.study_uids.begin(), query.study_uids.end());
  const Uids series(query.series_uids.begin(), query.series_uids.end());
  const auto allows = [](const Uids& keys, const std::string& uid) { return keys.empty() || keys.contains(uid); };
  Uids seen;
  for (const std::string& uid : query.instance_uids) {
    if (!seen.insert(uid).second) continue;
    const auto found = archive.instance(uid);
    if (!found) {
      if (found.error() == Errc::not_found) continue;
      return found.error();
    }
    const archive::Instance& instance = found.value();
    if (!allows(studies, instance.study_instance_uid) || !allows(series, instance.series_instance_uid)) continue;
    CAIRN_TRY(const bool allowed, patients.allows(instance.study_instance_uid));
    if (!allowed) continue;
    set.syntaxes[instance.sop_class_uid].insert(instance.transfer_syntax_uid);
    set.instance_uids.push_back(uid);
  }
  return outcome::success();
}

Result<> resolve_series(archive::Archive& archive, archive::Query query, RetrieveSet& set) {
  query.level = Level::series;
  std::vector<std::pair<std::string, std::string>> series;
  CAIRN_TRYV(archive.find(query, [&series](archive::Match&& match) {
    series.emplace_back(match.text(tags::StudyInstanceUID), match.text(tags::SeriesInstanceUID));
    return true;
  }));
  for (const auto& [study_uid, series_uid] : series) {
    auto instances = archive.instances(study_uid, series_uid);
    if (!instances) {
      if (instances.error() == Errc::not_found) continue;  // gone meanwhile
      return instances.error();
    }
    for (archive::Instance& instance : instances.value()) {
      if (set.instance_uids.size() == kMostInstances) return fail(Errc::limit_exceeded, "instances of one retrieve");
      set.syntaxes[instance.sop_class_uid].insert(std::move(instance.transfer_syntax_uid));
      set.instance_uids.push_back(std::move(instance.sop_instance_uid));
    }
  }
  return outcome::success();
}

std::uint16_t counted(std::size_t n) {
  return static_cast<std::uint16_t>(std::min<std::size_t>(n, 0xffff));
}

}  // namespace

Result<RetrieveRequest> RetrieveRequest::read(const dicom::DataSet& identifier, bool patient_root) {
  RetrieveRequest request;
  archive::Query& query = request.query;
  request.level = identifier.text(tags::QueryRetrieveLevel);
  CAIRN_TRY(query.study_uids, values_of(identifier, tags::StudyInstanceUID));
  CAIRN_TRY(query.series_uids, values_of(identifier, tags::SeriesInstanceUID));
  CAIRN_TRY(query.instance_uids, values_of(identifier, tags::SOPInstanceUID));
  if (patient_root) {
    CAIRN_TRY(query.patient_ids, values_of(identifier, tags::PatientID));
  }
  // Keys below the level say nothing (PS3.4 §C.4.2.1.4).
  if (request.level == "PATIENT" && patient_root) {
    query.level = Level::patient;
    query.study_uids.clear();
    query.series_uids.clear();
    query.instance_uids.clear();
    if (query.patient_ids.empty()) return fail(Errc::missing, "Patient ID");
  } else if (request.level == "STUDY") {
    query.level = Level::study;
    query.series_uids.clear();
    query.instance_uids.clear();
    if (query.study_uids.empty()) return fail(Errc::missing, "Study Instance UID");
  } else if (request.level == "SERIES") {
    query.level = Level::series;
    query.instance_uids.clear();
    if (query.series_uids.empty()) return fail(Errc::missing, "Series Instance UID");
  } else if (request.level == "IMAGE") {
    query.level = Level::instance;
    if (query.instance_uids.empty()) return fail(Errc::missing, "SOP Instance UID");
  } else {
    return fail(request.level.empty() ? Errc::missing : Errc::mismatch, "Query/Retrieve Level");
  }
  return request;
}

Result<RetrieveSet> resolve(archive::Archive& archive, const RetrieveRequest& request) {
  RetrieveSet set;
  if (request.query.level == Level::instance) {
    CAIRN_TRYV(resolve_instances(archive, request.query, set));
  } else {
    CAIRN_TRYV(resolve_series(archive, request.query, set));
  }
  return set;
}

void SubOperations::answered(const std::string& sop_instance_uid, const CommandSet& response, std::uint64_t bytes) {
  const std::uint16_t status = response.status.value_or(static_cast<std::uint16_t>(Status::processing_failure));
  if (status == 0 || (status & 0xf000) == 0xb000 || status == 0x0001) {
    (status == 0 ? completed_ : warning_) += 1;
    bytes_ += bytes;
    return;
  }
  char code[8];
  std::snprintf(code, sizeof code, "%04X", static_cast<unsigned>(status));
  failed(sop_instance_uid, std::string("the peer answered ") + code);
}

void SubOperations::failed(const std::string& sop_instance_uid, const std::string& reason) {
  ++failed_;
  if (reason_.empty()) reason_ = reason;
  if (failed_uids_.size() + 1 + sop_instance_uid.size() > kMostUIDListBytes) return;
  if (!failed_uids_.empty()) failed_uids_ += '\\';
  failed_uids_ += sop_instance_uid;
}

CommandSet SubOperations::pending(const CommandSet& request) const {
  CommandSet response = dicom::make_response(request, static_cast<std::uint16_t>(Status::pending));
  response.remaining = counted(remaining());
  response.completed = counted(completed_);
  response.failed = counted(failed_);
  response.warning = counted(warning_);
  return response;
}

CommandSet SubOperations::final(const CommandSet& request, bool cancelled, dicom::DataSet& identifier) const {
  CommandSet response = pending(request);
  Status status = Status::success;
  if (cancelled) {
    status = Status::cancelled;
  } else {
    response.remaining.reset();
    if (failed_ != 0) {
      status = completed_ + warning_ == 0 ? Status::unable_to_perform_sub_operations : Status::sub_operations_failed;
    } else if (warning_ != 0) {
      status = Status::sub_operations_failed;
    }
  }
  response.status = static_cast<std::uint16_t>(status);
  if (failed_ != 0) {
    response.error_comment = error_comment(reason_);
    identifier.set_text(tags::FailedSOPInstanceUIDList, VR::UI, failed_uids_);
    response.data_set_type = 0x0000;
  }
  return response;
}

}  // namespace cairn::dimse
