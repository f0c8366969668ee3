// Any bytes as the identifier of a C-GET or C-MOVE, asked of a small archive: every instance that comes of it is there,
// and comes once. The first byte chooses root and encoding.
#include <cstdint>
#include <set>

#include "engine/core/check.h"
#include "engine/dimse/retrieve.h"
#include "tests/fuzz/dimse/small_archive.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn;
  if (size == 0) return 0;
  const Bytes bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  const auto bit = [&](int n) { return (data[0] >> n & 1) != 0; };
  const auto identifier = dicom::DataSet::parse(bytes, {bit(0), bit(0) && bit(1), false});
  if (!identifier) return 0;
  const auto request = dimse::RetrieveRequest::read(identifier.value(), bit(2));
  if (!request) return 0;
  const auto set = dimse::resolve(fuzz::small_archive(), request.value());
  if (!set) return 0;
  std::set<std::string> seen;
  for (const std::string& uid : set.value().instance_uids) {
    CAIRN_CHECK(seen.insert(uid).second);
    const auto instance = fuzz::small_archive().instance(uid);
    CAIRN_CHECK(instance && set.value().syntaxes.contains(instance.value().sop_class_uid));
  }
  return 0;
}
