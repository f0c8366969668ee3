// An archive in memory for the tests of the web server: real header scan, real streams in small parts, and switches for
// what goes wrong.
#pragma once

#include <atomic>
#include <map>
#include <mutex>

#include "engine/archive/archive.h"

namespace cairn::web::testing {

class FakeArchive final : public archive::Archive {
 public:
  /// Stored streams are handed out in parts of this size.
  std::size_t part_bytes = 1000;
  /// A view at or behind this offset fails as damaged.
  std::atomic<std::uint64_t> corrupt_from{UINT64_MAX};
  std::atomic<bool> volume_failed{false}, volume_full{false};
  /// receive() fails with out_of_space.
  std::atomic<bool> full{false};
  std::atomic<int> scrub_faults{0};
  std::atomic<int> open_receivers{0};
  /// When what is stored next is received.
  std::atomic<std::int64_t> received_unix_ns{0};
  store::DuplicatePolicy policy = store::DuplicatePolicy::keep;

  /// Stores a complete Part 10 stream; fails the test's CHECK when it is none.
  void put(std::string stream);

  void close() override {}
  Result<std::unique_ptr<archive::Receiver>> receive(archive::Source source, archive::Announced announced) override;
  Result<> find(const archive::Query& query, const std::function<bool(archive::Match&&)>& each) override;
  Result<archive::Instance> instance(std::string_view sop_instance_uid) override;
  Result<std::vector<archive::Instance>> instances(std::string_view study_uid, std::string_view series_uid) override;
  Result<> headers(std::string_view study_uid, std::string_view series_uid,
                   const std::function<bool(std::string_view, dicom::Header&&)>& each) override;
  Result<dicom::Header> header(std::string_view sop_instance_uid) override;
  std::uint64_t series_version(std::string_view study_uid, std::string_view series_uid) override;
  Task<archive::Removed> remove(archive::Target, archive::Asked, bool) override {
    co_return fail(Errc::unsupported, "removal");
  }
  Task<archive::Removed> restore(store::Sequence, archive::Asked) override {
    co_return fail(Errc::unsupported, "removal");
  }
  Result<> removed(const archive::Target&, const std::function<bool(archive::Removed&&)>&) override {
    return outcome::success();
  }
  std::unique_ptr<archive::StreamReader> open(const archive::Instance& instance) override;
  Result<std::uint64_t> scrub(const std::function<void(const store::Fault&)>& fault,
                              const std::function<void(std::uint64_t, std::uint64_t)>& progress) override;
  archive::Stats stats() override;
  Result<> dump_index(const std::function<void(std::string_view)>&) override { return outcome::success(); }
  store::ReplaySummary opened_with() const override { return {}; }

  struct Stored {
    archive::Instance instance;
    std::string header;  ///< serialized
    std::string stream;
  };
  Result<store::Outcome> add(Stored stored);

 private:
  std::vector<Stored> select(std::string_view study_uid, std::string_view series_uid);
  std::mutex mutex_;  // guards what follows
  std::map<std::string, Stored> stored_;
  std::map<std::string, std::uint64_t> versions_;
};

/// What an instance of the tests is made from.
struct Sample {
  std::string study = "1.2", series = "1.2.3", instance = "1.2.3.1";
  std::string patient_id = "P1", patient_name = "Doe^John", modality = "CT", description = "head";
  std::string transfer_syntax = "1.2.840.10008.1.2.1";
  int number = 1;
  std::size_t pixel_bytes = 20'000;
};

std::string data_set_of(const Sample& sample);
std::string part10_of(const Sample& sample);

}  // namespace cairn::web::testing
