#include "tests/unit/web/fake_archive.h"

#include <algorithm>
#include <set>

#include "engine/core/check.h"
#include "engine/dicom/meta.h"
#include "engine/dicom/tags.h"

namespace cairn::web::testing {
namespace {

namespace tags = dicom::tags;

Result<FakeArchive::Stored> scan(std::string stream) {
  dicom::HeaderScanner scanner;
  CAIRN_TRYV(scanner.feed(as_bytes(stream)));
  CAIRN_TRYV(scanner.finish());
  FakeArchive::Stored out;
  const auto key = scanner.key();
  out.instance.sop_class_uid = key.sop_class_uid;
  out.instance.sop_instance_uid = key.sop_instance_uid;
  out.instance.study_instance_uid = key.study_instance_uid;
  out.instance.series_instance_uid = key.series_instance_uid;
  out.instance.stream_length = stream.size();
  out.instance.data_set_offset = scanner.data_set_offset();
  out.instance.pixel_data = scanner.pixel_data();
  out.instance.digest = digest128(as_bytes(stream));
  const dicom::Header header = scanner.take_header();
  out.instance.transfer_syntax_uid = header.transfer_syntax_uid;
  out.header = header.serialize();
  out.stream = std::move(stream);
  return out;
}

class FakeReceiver final : public archive::Receiver {
 public:
  explicit FakeReceiver(FakeArchive& archive) : archive_(archive), room_(4096) { ++archive_.open_receivers; }
  ~FakeReceiver() override { --archive_.open_receivers; }

  Task<std::span<std::byte>> room() override { co_return std::span<std::byte>(room_); }
  void relieve() override {}
  Result<> received(std::size_t length) override {
    stream_ += as_text(Bytes(room_).first(length));
    return scanner_.feed(Bytes(room_).first(length));
  }
  Task<> write(Bytes bytes) override {
    stream_ += as_text(bytes);
    co_return scanner_.feed(bytes);
  }
  Task<Stored> commit() override {
    CAIRN_CO_TRYV(scanner_.finish());
    CAIRN_CO_TRY(auto scanned, scan(std::move(stream_)));
    Stored out;
    out.sop_class_uid = scanned.instance.sop_class_uid;
    out.sop_instance_uid = scanned.instance.sop_instance_uid;
    out.study_instance_uid = scanned.instance.study_instance_uid;
    out.series_instance_uid = scanned.instance.series_instance_uid;
    out.bytes = scanned.instance.stream_length;
    CAIRN_CO_TRY(out.outcome, archive_.add(std::move(scanned)));
    co_return out;
  }

 private:
  FakeArchive& archive_;
  std::vector<std::byte> room_;
  std::string stream_;
  dicom::HeaderScanner scanner_;
};

class FakeReader final : public archive::StreamReader {
 public:
  FakeReader(std::string stream, std::size_t part_bytes, std::uint64_t corrupt_from)
      : stream_(std::move(stream)), part_bytes_(part_bytes), corrupt_from_(corrupt_from) {}
  std::uint64_t size() const override { return stream_.size(); }
  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override {
    if (offset >= stream_.size() || into.empty()) return std::size_t{0};
    const std::size_t length = std::min<std::size_t>(into.size(), stream_.size() - offset);
    std::memcpy(into.data(), stream_.data() + offset, length);
    return length;
  }
  Result<View> view(std::uint64_t offset) override {
    if (offset >= corrupt_from_) return fail(Errc::corrupt, "part", offset);
    if (offset >= stream_.size()) return View{};
    const std::size_t begin = offset / part_bytes_ * part_bytes_;
    const Bytes part = as_bytes(stream_).subspan(begin, std::min(part_bytes_, stream_.size() - begin));
    View view;
    view.keep = std::make_shared<const std::vector<std::byte>>(part.begin(), part.end());
    view.bytes = Bytes(*view.keep).subspan(offset - begin);
    return view;
  }

 private:
  std::string stream_;
  std::size_t part_bytes_;
  std::uint64_t corrupt_from_;
};

bool wanted(const std::vector<std::string>& values, const std::string& value) {
  return values.empty() || std::find(values.begin(), values.end(), value) != values.end();
}

}  // namespace

void FakeArchive::put(std::string stream) {
  auto scanned = scan(std::move(stream));
  CAIRN_CHECK(scanned.has_value());
  CAIRN_CHECK(add(std::move(scanned).value()).has_value());
}

Result<store::Outcome> FakeArchive::add(Stored stored) {
  const std::scoped_lock lock(mutex_);
  const std::string uid = stored.instance.sop_instance_uid;
  const auto found = stored_.find(uid);
  if (found != stored_.end()) {
    if (found->second.stream == stored.stream) return store::Outcome::identical;
    if (policy == store::DuplicatePolicy::refuse) return store::Outcome::refused;
  }
  const auto outcome = found == stored_.end() ? store::Outcome::stored : store::Outcome::replaced;
  stored.instance.received_unix_ns = received_unix_ns;
  ++versions_[stored.instance.study_instance_uid + '/' + stored.instance.series_instance_uid];
  stored_[uid] = std::move(stored);
  return outcome;
}

Result<std::unique_ptr<archive::Receiver>> FakeArchive::receive(archive::Source, archive::Announced) {
  if (full) return fail(Errc::out_of_space, "storage reserve");
  return std::unique_ptr<archive::Receiver>(std::make_unique<FakeReceiver>(*this));
}

Result<> FakeArchive::find(const archive::Query& query, const std::function<bool(archive::Match&&)>& each) {
  std::vector<archive::Match> matches;
  {
    const std::scoped_lock lock(mutex_);
    std::set<std::string> seen;
    for (const auto& [uid, stored] : stored_) {
      CAIRN_TRY(const auto header, dicom::Header::deserialize(as_bytes(stored.header)));
      CAIRN_TRY(const auto full_set, dicom::DataSet::parse(header));
      const auto& instance = stored.instance;
      if (!wanted(query.patient_ids, full_set.text(tags::PatientID)) ||
          !wanted(query.study_uids, instance.study_instance_uid) ||
          !wanted(query.series_uids, instance.series_instance_uid) || !wanted(query.instance_uids, uid)) {
        continue;
      }
      std::string key = instance.study_instance_uid;
      if (query.level != archive::Level::study) key += '/' + instance.series_instance_uid;
      if (query.level == archive::Level::instance) key += '/' + uid;
      if (!seen.insert(key).second) continue;
      archive::Match match = full_set;
      match.erase(tags::PixelData);
      if (query.level != archive::Level::instance) match.erase(tags::SOPInstanceUID);
      if (query.level == archive::Level::study) match.erase(tags::SeriesInstanceUID);
      matches.push_back(std::move(match));
    }
  }
  std::size_t given = 0;
  for (std::size_t i = query.offset; i < matches.size(); ++i) {
    if (query.limit != 0 && given++ == query.limit) break;
    if (!each(std::move(matches[i]))) break;
  }
  return outcome::success();
}

Result<archive::Instance> FakeArchive::instance(std::string_view sop_instance_uid) {
  const std::scoped_lock lock(mutex_);
  const auto found = stored_.find(std::string(sop_instance_uid));
  if (found == stored_.end()) return fail(Errc::not_found, "instance");
  return found->second.instance;
}

std::vector<FakeArchive::Stored> FakeArchive::select(std::string_view study_uid, std::string_view series_uid) {
  const std::scoped_lock lock(mutex_);
  std::vector<Stored> out;
  for (const auto& [uid, stored] : stored_) {
    if (stored.instance.study_instance_uid != study_uid) continue;
    if (!series_uid.empty() && stored.instance.series_instance_uid != series_uid) continue;
    out.push_back(stored);
  }
  return out;
}

Result<std::vector<archive::Instance>> FakeArchive::instances(std::string_view study_uid, std::string_view series_uid) {
  std::vector<archive::Instance> out;
  for (auto& stored : select(study_uid, series_uid)) out.push_back(std::move(stored.instance));
  if (out.empty()) return fail(Errc::not_found, "instances");
  return out;
}

Result<> FakeArchive::headers(std::string_view study_uid, std::string_view series_uid,
                              const std::function<bool(std::string_view, dicom::Header&&)>& each) {
  for (const auto& stored : select(study_uid, series_uid)) {
    CAIRN_TRY(auto header, dicom::Header::deserialize(as_bytes(stored.header)));
    if (!each(stored.instance.sop_instance_uid, std::move(header))) break;
  }
  return outcome::success();
}

Result<dicom::Header> FakeArchive::header(std::string_view sop_instance_uid) {
  const std::scoped_lock lock(mutex_);
  const auto found = stored_.find(std::string(sop_instance_uid));
  if (found == stored_.end()) return fail(Errc::not_found, "instance");
  return dicom::Header::deserialize(as_bytes(found->second.header));
}

std::uint64_t FakeArchive::series_version(std::string_view study_uid, std::string_view series_uid) {
  const std::scoped_lock lock(mutex_);
  const auto found = versions_.find(std::string(study_uid) + '/' + std::string(series_uid));
  return found == versions_.end() ? 0 : found->second;
}

std::unique_ptr<archive::StreamReader> FakeArchive::open(const archive::Instance& instance) {
  const std::scoped_lock lock(mutex_);
  const auto found = stored_.find(instance.sop_instance_uid);
  return std::make_unique<FakeReader>(found == stored_.end() ? std::string() : found->second.stream, part_bytes,
                                      corrupt_from);
}

Result<std::uint64_t> FakeArchive::scrub(const std::function<void(const store::Fault&)>& fault,
                                         const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  progress(50, 100);
  for (int i = 0; i < scrub_faults; ++i)
    fault({{0, 1, 4096u * static_cast<unsigned>(i)}, "1.2.3.1", fail(Errc::corrupt, "part")});
  progress(100, 100);
  const std::scoped_lock lock(mutex_);
  return stored_.size();
}

archive::Stats FakeArchive::stats() {
  archive::Stats stats;
  stats.volumes.resize(1);
  stats.volumes[0].failed = volume_failed;
  stats.volumes[0].full = volume_full;
  stats.volumes[0].free_bytes = 1u << 30;
  const std::scoped_lock lock(mutex_);
  stats.counts.instances = stored_.size();
  stats.committed = stats.applied = stats.persisted = stored_.size();
  return stats;
}

std::string data_set_of(const Sample& sample) {
  using dicom::VR;
  dicom::DataSet set;
  set.set_text(tags::SOPClassUID, VR::UI, "1.2.840.10008.5.1.4.1.1.2");
  set.set_text(tags::SOPInstanceUID, VR::UI, sample.instance);
  set.set_text(tags::StudyDate, VR::DA, "20240531");
  set.set_text(tags::Modality, VR::CS, sample.modality);
  set.set_text(tags::StudyDescription, VR::LO, sample.description);
  set.set_text(tags::PatientName, VR::PN, sample.patient_name);
  set.set_text(tags::PatientID, VR::LO, sample.patient_id);
  set.set_text(tags::StudyInstanceUID, VR::UI, sample.study);
  set.set_text(tags::SeriesInstanceUID, VR::UI, sample.series);
  set.set_text(tags::InstanceNumber, VR::IS, std::to_string(sample.number));
  dicom::Element pixels;
  pixels.tag = tags::PixelData;
  pixels.vr = VR::OW;
  pixels.value.resize(sample.pixel_bytes);
  for (std::size_t i = 0; i < pixels.value.size(); ++i)
    pixels.value[i] = static_cast<char>(i * 7 + static_cast<std::size_t>(sample.number));
  set.set(std::move(pixels));
  return set.encode(dicom::encoding_of(sample.transfer_syntax));
}

std::string part10_of(const Sample& sample) {
  return dicom::make_file_meta("1.2.840.10008.5.1.4.1.1.2", sample.instance, sample.transfer_syntax, "TEST") +
         data_set_of(sample);
}

}  // namespace cairn::web::testing
