#include "engine/volumes/archive_source.h"

#include <unordered_map>

#include "codec/transfer_syntax.h"
#include "engine/archive/stored_source.h"
#include "engine/dicom/inflate.h"

namespace cairn::volumes {
namespace {

constexpr std::uint64_t kMaxInflatedInstance = std::uint64_t{2} << 30;
constexpr int kReadAttempts = 3;

class InflatedSource final : public codec::ByteSource {
 public:
  explicit InflatedSource(std::string bytes) : bytes_(std::move(bytes)), span_(as_bytes(bytes_)) {}
  std::uint64_t size() const override { return span_.size(); }
  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override { return span_.read(offset, into); }

 private:
  std::string bytes_;
  codec::SpanSource span_;
};

Result<std::shared_ptr<const ArchivedSeries>> read_once(archive::Archive& archive, const std::string& study_uid,
                                                        const std::string& series_uid,
                                                        const std::string& instance_uid) {
  auto series = std::make_shared<ArchivedSeries>();
  series->version = archive.series_version(study_uid, series_uid);
  CAIRN_TRY(auto stored, archive.instances(study_uid, series_uid));
  std::unordered_map<std::string, archive::Instance*> by_uid;
  for (archive::Instance& i : stored) {
    if (instance_uid.empty() || i.sop_instance_uid == instance_uid) by_uid.emplace(i.sop_instance_uid, &i);
  }
  if (by_uid.empty()) return fail(Errc::not_found, "instance in this series");

  SeriesReader reader;
  Result<> added = outcome::success();
  auto add = [&](std::string_view uid, const dicom::Header& header) -> Result<> {
    const auto at = by_uid.find(std::string(uid));
    if (at == by_uid.end()) return outcome::success();
    CAIRN_TRY(const dicom::DataSet data_set, dicom::DataSet::parse(header));
    CAIRN_TRYV(reader.add(uid, at->second->transfer_syntax_uid, data_set));
    series->instances.push_back(std::move(*at->second));
    by_uid.erase(at);
    return outcome::success();
  };
  if (!instance_uid.empty()) {
    CAIRN_TRY(const dicom::Header header, archive.header(instance_uid));
    CAIRN_TRYV(add(instance_uid, header));
  } else {
    CAIRN_TRYV(archive.headers(study_uid, series_uid, [&](std::string_view uid, dicom::Header&& header) {
      added = add(uid, header);
      return added.has_value();
    }));
    CAIRN_TRYV(added);
  }
  CAIRN_TRY(auto plan, reader.finish());
  series->plan = std::move(plan);
  return series;
}

}  // namespace

Result<std::shared_ptr<const ArchivedSeries>> read_series(archive::Archive& archive, const std::string& study_uid,
                                                          const std::string& series_uid,
                                                          const std::string& instance_uid) {
  // An instance that arrives between the two reads of the index would be seen by one of them only: read again.
  Result<std::shared_ptr<const ArchivedSeries>> read = fail(Errc::not_found, "series");
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    read = read_once(archive, study_uid, series_uid, instance_uid);
    if (!read || read.value()->version == archive.series_version(study_uid, series_uid)) break;
  }
  return read;
}

Result<std::unique_ptr<codec::ByteSource>> ArchiveOpener::open(std::size_t instance) const {
  const archive::Instance& stored = series_->instances[instance];
  std::unique_ptr<archive::StreamReader> reader = archive_.open(stored);
  const codec::TransferSyntax* syntax = codec::find_transfer_syntax(stored.transfer_syntax_uid);
  if (syntax == nullptr || !syntax->deflated) {
    return std::unique_ptr<codec::ByteSource>(std::make_unique<archive::StoredSource>(std::move(reader)));
  }
  if (stored.data_set_offset > stored.stream_length || stored.stream_length > kMaxInflatedInstance) {
    return fail(Errc::limit_exceeded, "deflated instance");
  }
  std::vector<std::byte> deflated(stored.stream_length - stored.data_set_offset);
  CAIRN_TRY(const std::size_t count, reader->read(stored.data_set_offset, deflated));
  CAIRN_TRY(std::string inflated, dicom::inflate_data_set(Bytes(deflated).first(count), kMaxInflatedInstance));
  return std::unique_ptr<codec::ByteSource>(std::make_unique<InflatedSource>(std::move(inflated)));
}

}  // namespace cairn::volumes
