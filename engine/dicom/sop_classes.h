// The SOP Classes that Cairn knows by name (PS3.6 Annex A): every storage class of the standard (PS3.4 §B.5 and the
// retired ones, edition 2025), and the classes of the services it offers. Negotiation and the conformance statement read
// this table. Plain constants: thread-safe, no ownership.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace cairn::dicom {

enum class SOPClassKind : std::uint8_t {
  verification,
  storage,
  query_find,
  query_move,
  query_get,
  storage_commitment,
};

struct SOPClass {
  std::string_view uid;
  std::string_view name;  ///< as in PS3.6, without "(Retired)"
  SOPClassKind kind;
  bool retired;
};

/// Ascending by UID, as numbers.
std::span<const SOPClass> sop_classes() noexcept;

/// The row of `uid` (no padding), or nullptr when it is unknown.
const SOPClass* find_sop_class(std::string_view uid) noexcept;

/// True for a class that the table lacks and that may be a storage class: a private one, or one of the standard's own
/// arc for storage that a later edition has added.
bool may_be_storage_class(std::string_view uid) noexcept;

namespace uids {
inline constexpr std::string_view kVerification = "1.2.840.10008.1.1";
inline constexpr std::string_view kCTImageStorage = "1.2.840.10008.5.1.4.1.1.2";
inline constexpr std::string_view kStorageCommitment = "1.2.840.10008.1.20.1";
inline constexpr std::string_view kStorageCommitmentInstance = "1.2.840.10008.1.20.1.1";  ///< well-known
inline constexpr std::string_view kPatientRootFind = "1.2.840.10008.5.1.4.1.2.1.1";
inline constexpr std::string_view kPatientRootMove = "1.2.840.10008.5.1.4.1.2.1.2";
inline constexpr std::string_view kPatientRootGet = "1.2.840.10008.5.1.4.1.2.1.3";
inline constexpr std::string_view kStudyRootMove = "1.2.840.10008.5.1.4.1.2.2.2";
inline constexpr std::string_view kStudyRootGet = "1.2.840.10008.5.1.4.1.2.2.3";
inline constexpr std::string_view kStudyRootFind = "1.2.840.10008.5.1.4.1.2.2.1";
inline constexpr std::string_view kApplicationContext = "1.2.840.10008.3.1.1.1";  ///< PS3.7 §A.2.1
}  // namespace uids

}  // namespace cairn::dicom
