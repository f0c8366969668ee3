// The preamble and File Meta Information (PS3.10 §7.1) that precede a data set received over the network.
#pragma once

#include <string>
#include <string_view>

namespace cairn::dicom {

/// What Cairn writes of itself into files and association requests (PS3.7 §D.3.3.2).
inline constexpr std::string_view kImplementationClassUID = "2.25.307540374622958403331796203207513381892";
inline constexpr std::string_view kImplementationVersionName = "CAIRN_0_1";

/// 128 zero bytes, "DICM" and group 0002 in explicit VR little endian. UIDs longer than 64 characters are cut, an AE
/// title longer than 16 too; an empty `source_ae` leaves Source Application Entity Title out.
std::string make_file_meta(std::string_view sop_class_uid, std::string_view sop_instance_uid,
                           std::string_view transfer_syntax_uid, std::string_view source_ae);

}  // namespace cairn::dicom
