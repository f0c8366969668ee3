#include "engine/dicom/meta.h"

#include <array>

#include "engine/core/bytes.h"
#include "engine/dicom/tags.h"

namespace cairn::dicom {
namespace {

void append_u16(std::string& out, std::size_t value) {
  std::array<std::byte, 2> b;
  store_le(b.data(), static_cast<std::uint16_t>(value));
  out.append(as_text(b));
}

void append_short(std::string& out, Tag tag, std::string_view vr, std::string_view value, char padding) {
  append_u16(out, tag.group);
  append_u16(out, tag.element);
  out.append(vr);
  append_u16(out, value.size() + value.size() % 2);
  out.append(value);
  if (value.size() % 2 != 0) out.push_back(padding);
}

}  // namespace

std::string make_file_meta(std::string_view sop_class_uid, std::string_view sop_instance_uid,
                           std::string_view transfer_syntax_uid, std::string_view source_ae) {
  std::string group;
  append_u16(group, tags::FileMetaInformationVersion.group);
  append_u16(group, tags::FileMetaInformationVersion.element);
  group.append(std::string_view("OB\0\0\2\0\0\0\0\1", 10));
  append_short(group, tags::MediaStorageSOPClassUID, "UI", sop_class_uid.substr(0, 64), '\0');
  append_short(group, tags::MediaStorageSOPInstanceUID, "UI", sop_instance_uid.substr(0, 64), '\0');
  append_short(group, tags::TransferSyntaxUID, "UI", transfer_syntax_uid.substr(0, 64), '\0');
  append_short(group, tags::ImplementationClassUID, "UI", kImplementationClassUID, '\0');
  append_short(group, tags::ImplementationVersionName, "SH", kImplementationVersionName, ' ');
  if (!source_ae.empty()) {
    append_short(group, tags::SourceApplicationEntityTitle, "AE", source_ae.substr(0, 16), ' ');
  }
  std::string out(128, '\0');
  out.reserve(144 + group.size());
  out.append("DICM");
  append_u16(out, tags::FileMetaInformationGroupLength.group);
  append_u16(out, tags::FileMetaInformationGroupLength.element);
  out.append("UL");
  append_u16(out, 4);
  append_u16(out, group.size());
  append_u16(out, 0);
  out.append(group);
  return out;
}

}  // namespace cairn::dicom
