#include "engine/dimse/commitment.h"

#include <set>

#include "engine/core/log.h"
#include "engine/core/uid.h"
#include "engine/dicom/tags.h"
#include "engine/dimse/status.h"
#include "engine/dimse/stored_object.h"

namespace cairn::dimse {

namespace tags = dicom::tags;
using dicom::VR;

Result<CommitmentRequest> CommitmentRequest::read(const dicom::DataSet& action_information) {
  CommitmentRequest request;
  request.transaction_uid = action_information.text(tags::TransactionUID);
  if (request.transaction_uid.empty()) return fail(Errc::missing, "Transaction UID");
  if (!is_usable_uid(request.transaction_uid)) return fail(Errc::malformed, "Transaction UID");
  const dicom::Element* sequence = action_information.find(tags::ReferencedSOPSequence);
  if (sequence == nullptr || sequence->items.empty()) return fail(Errc::missing, "Referenced SOP Sequence");
  if (sequence->items.size() > kMaxReferences) return fail(Errc::limit_exceeded, "Referenced SOP Sequence");
  std::set<std::string> seen;
  for (const dicom::DataSet& item : sequence->items) {
    Reference reference{item.text(tags::ReferencedSOPClassUID), item.text(tags::ReferencedSOPInstanceUID)};
    if (!is_usable_uid(reference.sop_class_uid)) return fail(Errc::malformed, "Referenced SOP Class UID");
    if (!is_usable_uid(reference.sop_instance_uid)) return fail(Errc::malformed, "Referenced SOP Instance UID");
    if (seen.insert(reference.sop_instance_uid + ' ' + reference.sop_class_uid).second) {
      request.references.push_back(std::move(reference));
    }
  }
  return request;
}

dicom::DataSet CommitmentResult::event_information(const CommitmentRequest& request) const {
  const auto item_of = [](const CommitmentRequest::Reference& reference) {
    dicom::DataSet item;
    item.set_text(tags::ReferencedSOPClassUID, VR::UI, reference.sop_class_uid);
    item.set_text(tags::ReferencedSOPInstanceUID, VR::UI, reference.sop_instance_uid);
    return item;
  };
  dicom::DataSet all;
  all.set_text(tags::RetrieveAETitle, VR::AE, request.our_ae);
  all.set_text(tags::TransactionUID, VR::UI, request.transaction_uid);
  if (!failed.empty()) {
    dicom::Element sequence{tags::FailedSOPSequence, VR::SQ, {}, {}, {}};
    for (const auto& [reference, reason] : failed) {
      sequence.items.push_back(item_of(reference));
      sequence.items.back().set_us(tags::FailureReason, reason);
    }
    all.set(std::move(sequence));
  }
  if (!committed.empty()) {
    dicom::Element sequence{tags::ReferencedSOPSequence, VR::SQ, {}, {}, {}};
    for (const auto& reference : committed) sequence.items.push_back(item_of(reference));
    all.set(std::move(sequence));
  }
  return all;
}

std::uint16_t check_reference(archive::Archive& archive, const CommitmentRequest::Reference& reference) {
  const auto reason = [](Status status) { return static_cast<std::uint16_t>(status); };
  const auto instance = archive.instance(reference.sop_instance_uid);
  if (!instance) {
    return reason(instance.error() == Errc::not_found ? Status::no_such_object_instance : Status::processing_failure);
  }
  if (instance.value().sop_class_uid != reference.sop_class_uid) return reason(Status::class_instance_conflict);
  if (const auto whole = verify(archive, instance.value()); !whole) {
    log::error("an instance to be committed is damaged",
               {{"instance", reference.sop_instance_uid}, {"error", whole.error()}});
    return reason(Status::processing_failure);
  }
  return 0;
}

}  // namespace cairn::dimse
