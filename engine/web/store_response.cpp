#include "engine/web/store_response.h"

#include <algorithm>
#include <set>

#include "engine/dicom/tags.h"
#include "engine/web/resource.h"

namespace cairn::web {
namespace {

using dicom::VR;
namespace tags = dicom::tags;

void add_sequence(dicom::DataSet& data_set, dicom::Tag tag, std::vector<dicom::DataSet> items) {
  if (items.empty()) return;
  dicom::Element element;
  element.tag = tag;
  element.vr = VR::SQ;
  element.items = std::move(items);
  data_set.set(std::move(element));
}

dicom::DataSet reference_to(const StoreOutcome& outcome) {
  dicom::DataSet item;
  item.set_text(tags::ReferencedSOPClassUID, VR::UI, outcome.sop_class_uid);
  item.set_text(tags::ReferencedSOPInstanceUID, VR::UI, outcome.sop_instance_uid);
  return item;
}

}  // namespace

std::uint16_t failure_reason_of(const Error& error) noexcept {
  if (error == Errc::conflict) return failure_reason::kDuplicateInstance;
  if (error == Errc::mismatch) return failure_reason::kDataSetMismatch;
  if (error == Errc::out_of_space || error == Errc::out_of_memory || error == Errc::limit_exceeded) {
    return failure_reason::kOutOfResources;
  }
  if (error == Errc::truncated || error == Errc::malformed || error == Errc::missing || error == Errc::unsupported) {
    return failure_reason::kCannotUnderstand;
  }
  return failure_reason::kProcessingFailure;
}

unsigned status_of(const std::vector<StoreOutcome>& outcomes) noexcept {
  const auto stored = static_cast<std::size_t>(
      std::count_if(outcomes.begin(), outcomes.end(), [](const StoreOutcome& o) { return o.failure == 0; }));
  const bool warned =
      std::any_of(outcomes.begin(), outcomes.end(), [](const StoreOutcome& o) { return o.warning != 0; });
  if (stored == 0) return 409;
  return stored == outcomes.size() && !warned ? 200 : 202;
}

dicom::DataSet response_of(const std::vector<StoreOutcome>& outcomes, std::string_view base) {
  std::vector<dicom::DataSet> stored, failed, others;
  std::set<std::string> studies;
  for (const StoreOutcome& outcome : outcomes) {
    if (outcome.failure == 0) {
      const Resource place{outcome.study_instance_uid, outcome.series_instance_uid, outcome.sop_instance_uid};
      dicom::DataSet item = reference_to(outcome);
      item.set_text(tags::RetrieveURL, VR::UR, std::string(base) + place.path());
      if (outcome.warning != 0) item.set_us(tags::WarningReason, outcome.warning);
      stored.push_back(std::move(item));
      studies.insert(outcome.study_instance_uid);
    } else if (!outcome.sop_instance_uid.empty()) {
      dicom::DataSet item = reference_to(outcome);
      item.set_us(tags::FailureReason, outcome.failure);
      failed.push_back(std::move(item));
    } else {
      dicom::DataSet item;
      item.set_us(tags::FailureReason, outcome.failure);
      others.push_back(std::move(item));
    }
  }
  dicom::DataSet response;
  if (studies.size() == 1) {
    response.set_text(tags::RetrieveURL, VR::UR, std::string(base) + Resource{*studies.begin(), {}, {}}.path());
  } else {
    response.set_text(tags::RetrieveURL, VR::UR, "");
  }
  add_sequence(response, tags::FailedSOPSequence, std::move(failed));
  add_sequence(response, tags::ReferencedSOPSequence, std::move(stored));
  add_sequence(response, tags::OtherFailuresSequence, std::move(others));
  return response;
}

}  // namespace cairn::web
