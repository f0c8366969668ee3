// Any bytes as the identifier of a C-FIND, asked of a small archive: what is found is the same in one go and in pages,
// and each response is a data set with the keys that were asked for. The first byte chooses root, encoding and what was
// negotiated.
#include <cstdint>

#include "engine/core/check.h"
#include "engine/dicom/tags.h"
#include "engine/dimse/query.h"
#include "tests/fuzz/dimse/small_archive.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn;
  namespace tags = dicom::tags;
  if (size == 0) return 0;
  const Bytes bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  const auto bit = [&](int n) { return (data[0] >> n & 1) != 0; };
  const dicom::Encoding encoding{bit(0), bit(0) && bit(1), false};
  const auto identifier = dicom::DataSet::parse(bytes, encoding);
  if (!identifier) return 0;
  auto read =
      dimse::FindRequest::read(identifier.value(), bit(2) ? dimse::QueryRoot::patient : dimse::QueryRoot::study, bit(5));
  if (!read) return 0;
  dimse::FindRequest& request = read.value();
  request.query.combined_date_time = bit(3);
  request.query.fuzzy = bit(4);

  const auto whole = fuzz::found_by(request.query);
  for (const std::size_t page : {std::size_t{1}, std::size_t{3}}) {
    const auto paged = fuzz::found_by(request.query, page);
    CAIRN_CHECK(paged.has_value() == whole.has_value());
    CAIRN_CHECK(!whole || paged.value() == whole.value());
  }
  archive::Query query = request.query;
  query.limit = 20;
  const auto asked = fuzz::small_archive().find(query, [&](archive::Match&& match) {
    const dicom::DataSet response = request.answer(match, "CAIRN");
    CAIRN_CHECK(!response.text(tags::QueryRetrieveLevel).empty());
    const auto back = dicom::DataSet::parse(as_bytes(response.encode(encoding)), encoding);
    CAIRN_CHECK(static_cast<bool>(back));
    for (const dicom::Element& key : request.keys) CAIRN_CHECK(back.value().contains(key.tag));
    return true;
  });
  CAIRN_CHECK(asked.has_value() == whole.has_value());
  return 0;
}
