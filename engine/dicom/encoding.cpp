#include "engine/dicom/encoding.h"

namespace cairn::dicom {

Encoding encoding_of(std::string_view transfer_syntax_uid) noexcept {
  Encoding encoding;
  if (transfer_syntax_uid == "1.2.840.10008.1.2" || transfer_syntax_uid == "1.2.840.113619.5.2") {
    encoding.explicit_vr = false;
  } else if (transfer_syntax_uid == "1.2.840.10008.1.2.2") {
    encoding.big_endian = true;
  } else if (transfer_syntax_uid == "1.2.840.10008.1.2.1.99" ||   // Deflated Explicit VR Little Endian
             transfer_syntax_uid == "1.2.840.10008.1.2.4.95" ||   // JPIP Referenced Deflate
             transfer_syntax_uid == "1.2.840.10008.1.2.4.205") {  // JPIP HTJ2K Referenced Deflate
    encoding.deflated = true;
  }
  return encoding;
}

}  // namespace cairn::dicom
