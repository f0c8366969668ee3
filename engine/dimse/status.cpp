#include "engine/dimse/status.h"

#include <array>
#include <string_view>

#include "engine/dicom/tags.h"

namespace cairn::dimse {
namespace {

struct Row {
  Errc cause;
  Status store;
  Status find;
};

// clang-format off
constexpr std::array kTable = {
  Row{Errc::truncated,      Status::cannot_understand,                 Status::unable_to_process},
  Row{Errc::malformed,      Status::cannot_understand,                 Status::unable_to_process},
  Row{Errc::limit_exceeded, Status::cannot_understand,                 Status::unable_to_process},
  Row{Errc::unsupported,    Status::cannot_understand,                 Status::unable_to_process},
  Row{Errc::missing,        Status::cannot_understand,                 Status::identifier_does_not_match_sop_class},
  Row{Errc::mismatch,       Status::data_set_does_not_match_sop_class, Status::identifier_does_not_match_sop_class},
  Row{Errc::not_found,      Status::processing_failure,                Status::unable_to_process},
  Row{Errc::conflict,       Status::duplicate_sop_instance,            Status::unable_to_process},
  Row{Errc::refused,        Status::not_authorized,                    Status::not_authorized},
  Row{Errc::out_of_space,   Status::out_of_resources,                  Status::out_of_resources},
  Row{Errc::out_of_memory,  Status::out_of_resources,                  Status::out_of_resources},
};
// clang-format on

const Row* row_of(const Error& error) noexcept {
  for (const Row& row : kTable) {
    if (error == row.cause) return &row;
  }
  return nullptr;  // io, corrupt, closed, timeout and the rest: ours, not the sender's
}

struct Named {
  std::string_view keyword, name;
  dicom::Tag tag;
};
constexpr std::array kAttributes = {
    Named{"SOPClassUID", "SOP Class UID", dicom::tags::SOPClassUID},
    Named{"SOPInstanceUID", "SOP Instance UID", dicom::tags::SOPInstanceUID},
    Named{"StudyInstanceUID", "Study Instance UID", dicom::tags::StudyInstanceUID},
    Named{"SeriesInstanceUID", "Series Instance UID", dicom::tags::SeriesInstanceUID},
    Named{"PatientID", "Patient ID", dicom::tags::PatientID},
    Named{"QueryRetrieveLevel", "Query/Retrieve Level", dicom::tags::QueryRetrieveLevel},
};

}  // namespace

Status store_status(const Error& error) noexcept {
  const Row* row = row_of(error);
  return row != nullptr ? row->store : Status::processing_failure;
}

Status find_status(const Error& error) noexcept {
  const Row* row = row_of(error);
  return row != nullptr ? row->find : Status::unable_to_process;
}

Status retrieve_status(const Error& error) noexcept {
  if (error == Errc::missing || error == Errc::mismatch) return Status::identifier_does_not_match_sop_class;
  if (error == Errc::truncated || error == Errc::malformed || error == Errc::unsupported) {
    return Status::unable_to_process;
  }
  if (error == Errc::limit_exceeded) return Status::out_of_resources;
  return Status::unable_to_calculate_matches;
}

std::string error_comment(std::string_view text) {
  std::string comment(text.substr(0, 64));
  for (char& c : comment) {
    if (c == '\\' || static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return comment;
}

dicom::CommandSet failure(const dicom::CommandSet& request, Status status, const Error& error) {
  dicom::CommandSet response = dicom::make_response(request, static_cast<std::uint16_t>(status));
  const std::string_view where = error.where;
  std::string cause = error.code.message();
  // An operating system's message says nothing to a peer.
  if (error.code.category() == std::generic_category()) cause = "input/output error";
  // 64 characters are few, and where a contradiction lies takes most of them.
  if (error == Errc::mismatch) cause = "differ";
  response.error_comment = error_comment(where.empty() ? cause : std::string(where) + ": " + cause);
  for (const Named& attribute : kAttributes) {
    if (where.find(attribute.keyword) != where.npos || where.find(attribute.name) != where.npos) {
      response.offending_elements.push_back(attribute.tag);
    }
  }
  return response;
}

}  // namespace cairn::dimse
