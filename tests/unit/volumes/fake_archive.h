// An archive of files in memory: what the service needs of the real one, and a way to add instances while it runs.
#pragma once

#include <atomic>
#include <mutex>

#include "engine/archive/archive.h"
#include "files.h"

namespace cairn::volumes::test {

class FakeArchive final : public archive::Archive {
 public:
  void put(File file) {
    const std::lock_guard lock(mutex_);
    files_.push_back(std::make_shared<const File>(std::move(file)));
    ++version_;
  }
  std::atomic<int> opened{0};

  void close() override {}
  Result<std::unique_ptr<archive::Receiver>> receive(archive::Source, archive::Announced) override {
    return fail(Errc::unsupported, "receive");
  }
  Result<> find(const archive::Query&, const std::function<bool(archive::Match&&)>&) override {
    return outcome::success();
  }

  Result<archive::Instance> instance(std::string_view uid) override {
    for (const auto& f : snapshot()) {
      if (f->key.sop_instance_uid == uid) return instance_of(*f);
    }
    return fail(Errc::not_found, "instance");
  }
  Result<std::vector<archive::Instance>> instances(std::string_view study, std::string_view series) override {
    std::vector<archive::Instance> out;
    for (const auto& f : snapshot()) {
      if (f->key.study_instance_uid == study && f->key.series_instance_uid == series) out.push_back(instance_of(*f));
    }
    if (out.empty()) return fail(Errc::not_found, "series");
    return out;
  }
  Result<> headers(std::string_view study, std::string_view series,
                   const std::function<bool(std::string_view, dicom::Header&&)>& each) override {
    for (const auto& f : snapshot()) {
      if (f->key.study_instance_uid != study || f->key.series_instance_uid != series) continue;
      if (!each(f->key.sop_instance_uid, dicom::Header(f->header))) break;
    }
    return outcome::success();
  }
  Result<dicom::Header> header(std::string_view uid) override {
    for (const auto& f : snapshot()) {
      if (f->key.sop_instance_uid == uid) return f->header;
    }
    return fail(Errc::not_found, "instance");
  }
  std::uint64_t series_version(std::string_view study, std::string_view series) override {
    for (const auto& f : snapshot()) {
      if (f->key.study_instance_uid == study && f->key.series_instance_uid == series) return version_.load();
    }
    return 0;
  }
  Task<archive::Removed> remove(archive::Target, archive::Asked, bool) override {
    co_return fail(Errc::unsupported, "removal");
  }
  Task<archive::Removed> restore(store::Sequence, archive::Asked) override {
    co_return fail(Errc::unsupported, "removal");
  }
  Result<> removed(const archive::Target&, const std::function<bool(archive::Removed&&)>&) override {
    return outcome::success();
  }
  std::unique_ptr<archive::StreamReader> open(const archive::Instance& i) override {
    ++opened;
    for (const auto& f : snapshot()) {
      if (f->key.sop_instance_uid == i.sop_instance_uid) return std::make_unique<Reader>(f);
    }
    return nullptr;
  }
  Result<std::uint64_t> scrub(const std::function<void(const store::Fault&)>&,
                              const std::function<void(std::uint64_t, std::uint64_t)>&) override {
    return std::uint64_t{0};
  }
  archive::Stats stats() override { return {}; }
  Result<> dump_index(const std::function<void(std::string_view)>&) override { return outcome::success(); }
  store::ReplaySummary opened_with() const override { return {}; }

 private:
  class Reader final : public archive::StreamReader {
   public:
    explicit Reader(std::shared_ptr<const File> file) : file_(std::move(file)) {}
    std::uint64_t size() const override { return file_->bytes.size(); }
    Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override {
      return codec::SpanSource(as_bytes(file_->bytes)).read(offset, into);
    }
    Result<View> view(std::uint64_t offset) override { return View{nullptr, as_bytes(file_->bytes).subspan(offset)}; }

   private:
    std::shared_ptr<const File> file_;
  };

  std::vector<std::shared_ptr<const File>> snapshot() const {
    const std::lock_guard lock(mutex_);
    return files_;
  }
  static archive::Instance instance_of(const File& f) {
    archive::Instance i;
    i.sop_class_uid = f.key.sop_class_uid;
    i.sop_instance_uid = f.key.sop_instance_uid;
    i.study_instance_uid = f.key.study_instance_uid;
    i.series_instance_uid = f.key.series_instance_uid;
    i.transfer_syntax_uid = f.header.transfer_syntax_uid;
    i.stream_length = f.bytes.size();
    i.data_set_offset = f.data_set_offset;
    i.pixel_data = f.pixel_data;
    return i;
  }

  mutable std::mutex mutex_;  // guards files_
  std::vector<std::shared_ptr<const File>> files_;
  std::atomic<std::uint64_t> version_{0};
};

}  // namespace cairn::volumes::test
