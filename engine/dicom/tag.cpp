#include "engine/dicom/tag.h"

#include <cstdio>

namespace cairn::dicom {

std::string to_string(Tag tag) {
  char text[12];
  std::snprintf(text, sizeof text, "(%04X,%04X)", unsigned{tag.group}, unsigned{tag.element});
  return text;
}

}  // namespace cairn::dicom
