// Prints the conformance tables of README.md from the tables that the server itself works with.
#include <cstdio>
#include <string>

#include "codec/transfer_syntax.h"
#include "engine/dicom/sop_classes.h"

namespace {

const char* fidelity_of(cairn::codec::Fidelity fidelity) {
  switch (fidelity) {
    case cairn::codec::Fidelity::lossless:
      return "lossless";
    case cairn::codec::Fidelity::lossy:
      return "lossy";
    case cairn::codec::Fidelity::either:
      return "either";
  }
  return "";
}

std::string text(std::string_view view) {
  return std::string(view);
}

}  // namespace

int main() {
  using cairn::dicom::SOPClassKind;
  std::size_t storage = 0, retired = 0;
  for (const auto& c : cairn::dicom::sop_classes()) {
    if (c.kind != SOPClassKind::storage) continue;
    ++storage;
    if (c.retired) ++retired;
  }
  std::puts("**Services as SCP**\n\n| SOP Class | UID |\n|---|---|");
  for (const auto& c : cairn::dicom::sop_classes()) {
    if (c.kind != SOPClassKind::storage) std::printf("| %s | %s |\n", text(c.name).c_str(), text(c.uid).c_str());
  }
  std::printf(
      "| Storage: %zu classes, %zu of them retired, listed in `engine/dicom/sop_classes.cpp` | "
      "1.2.840.10008.5.1.4.1.1.… |\n",
      storage, retired);
  std::puts(
      "\n**Transfer syntaxes**\n\n| UID | name | coding is | stored as received | frames decoded | frames encoded "
      "|\n|---|---|---|---|---|---|");
  for (const auto& t : cairn::codec::transfer_syntaxes()) {
    std::printf("| %s | %s%s | %s | %s | %s | %s |\n", text(t.uid).c_str(), text(t.name).c_str(),
                t.retired ? " (retired)" : "", fidelity_of(t.fidelity), t.storable ? "yes" : "no",
                t.decodable ? "yes" : "no", t.encodable ? "yes" : "no");
  }
  return 0;
}
