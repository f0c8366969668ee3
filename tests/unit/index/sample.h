// Instances made up for tests of the index: a Part 10 stream from a few attributes, and what the log would hand on for
// it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/dicom/data_set.h"
#include "engine/dicom/header_scan.h"
#include "engine/dicom/meta.h"
#include "engine/dicom/tags.h"
#include "engine/store/index/index.h"

namespace cairn::store::test {

namespace tags = dicom::tags;
using dicom::VR;

struct Sample {
  std::string sop = "1.2.3.4", series = "1.2.3", study = "1.2";
  std::string patient_id = "PAT1", patient_name = "Doe^Jane", modality = "CT", charset;
  std::string number = "1", series_number = "1", description = "abdomen";
  std::string transfer_syntax = "1.2.840.10008.1.2.1", source_ae;
  std::string pixels = std::string(64, 'x');
  DuplicatePolicy policy = DuplicatePolicy::keep;

  std::string stream() const {
    dicom::DataSet d;
    if (!charset.empty()) d.set_text(tags::SpecificCharacterSet, VR::CS, charset);
    d.set_text(tags::SOPClassUID, VR::UI, "1.2.840.10008.5.1.4.1.1.2");
    d.set_text(tags::SOPInstanceUID, VR::UI, sop);
    d.set_text(tags::Modality, VR::CS, modality);
    d.set_text(tags::StudyDescription, VR::LO, description);
    d.set_text(tags::PatientName, VR::PN, patient_name);
    d.set_text(tags::PatientID, VR::LO, patient_id);
    d.set_text(tags::StudyInstanceUID, VR::UI, study);
    d.set_text(tags::SeriesInstanceUID, VR::UI, series);
    if (!series_number.empty()) d.set_text(tags::SeriesNumber, VR::IS, series_number);
    if (!number.empty()) d.set_text(tags::InstanceNumber, VR::IS, number);
    d.set_us(tags::Rows, 8);
    d.set({tags::PixelData, VR::OW, pixels, {}, {}});
    return dicom::make_file_meta("1.2.840.10008.5.1.4.1.1.2", sop, transfer_syntax, source_ae) +
           d.encode(dicom::encoding_of(transfer_syntax));
  }
};

/// What the log hands to the applier for a stream.
inline Committed committed_of(const std::string& stream, Sequence sequence, DuplicatePolicy policy) {
  dicom::HeaderScanner scanner;
  EXPECT_TRUE(scanner.feed(as_bytes(stream)));
  EXPECT_TRUE(scanner.finish());
  Committed c;
  InstanceRecord& r = c.record;
  r.sequence = r.instance_number = sequence;
  r.received_unix_ns = static_cast<std::int64_t>(sequence) * 1000;
  const dicom::KeyAttributes& key = scanner.key();
  r.sop_class_uid = key.sop_class_uid;
  r.sop_instance_uid = key.sop_instance_uid;
  r.study_instance_uid = key.study_instance_uid;
  r.series_instance_uid = key.series_instance_uid;
  r.duplicate_policy = policy;
  r.stream_length = stream.size();
  r.data_set_offset = scanner.data_set_offset();
  r.pixel_data = scanner.pixel_data();
  r.digest = digest128(as_bytes(stream));
  r.parts = {{{0, 1, sequence * 4096}, static_cast<std::uint32_t>(stream.size()), crc32c(as_bytes(stream))}};
  c.location = {0, 1, sequence * 4096 + 2048};
  c.header = scanner.take_header();
  r.transfer_syntax_uid = c.header.transfer_syntax_uid;
  return c;
}

/// A log in memory, and an index on disk over it.
class IndexTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "cairn-index-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override {
    index_.reset();
    std::filesystem::remove_all(directory_);
  }

  IndexOptions options() {
    IndexOptions o;
    o.directory = directory_ / "index";
    o.cache_bytes = 8u << 20;
    o.compare = [this](const InstanceRow& stored, const InstanceRecord& newer) {
      ++compared_;
      if (unreadable_.contains(stored.sequence)) return Comparison::stored_unreadable;
      if (unreadable_.contains(newer.sequence)) return Comparison::newer_unreadable;
      const auto a = log_.at(stored.sequence).substr(stored.data_set_offset);
      const auto b = log_.at(newer.sequence).substr(newer.data_set_offset);
      return a == b ? Comparison::same : Comparison::different;
    };
    return o;
  }
  Index& open() {
    index_.reset();
    auto opened = Index::open(options());
    EXPECT_TRUE(opened) << to_string(opened.error());
    index_ = std::move(opened).value();
    return *index_;
  }
  Index& index() { return index_ ? *index_ : open(); }

  /// Commits samples as one batch and returns what became of each.
  std::vector<Outcome> store(const std::vector<Sample>& samples) {
    std::vector<Committed> batch;
    for (const Sample& s : samples) {
      log_[++last_] = s.stream();
      policies_[last_] = s.policy;
      batch.push_back(committed_of(log_[last_], last_, s.policy));
    }
    const Result<> applied = index().apply(batch, "at " + std::to_string(last_));
    EXPECT_TRUE(applied) << to_string(applied.error());
    std::vector<Outcome> outcomes;
    for (const Committed& c : batch) outcomes.push_back(c.outcome);
    return outcomes;
  }
  Outcome store(const Sample& sample) { return store(std::vector<Sample>{sample}).front(); }

  static Committed committed_of_event(const Event& event) {
    Committed c;
    c.record.sequence = event.sequence;
    c.event = std::make_shared<const Event>(event);
    return c;
  }
  Outcome apply(Event event) {
    event.sequence = ++last_;
    events_[last_] = event;
    Committed c = committed_of_event(event);
    const Result<> applied = index().apply(std::span(&c, 1), "at " + std::to_string(last_));
    EXPECT_TRUE(applied) << to_string(applied.error());
    return c.outcome;
  }
  /// Removes a study, a series of it or an instance of that.
  Outcome remove(const std::string& study, const std::string& series = {}, const std::string& sop = {}) {
    Event e;
    e.level = series.empty() ? Event::Level::study : sop.empty() ? Event::Level::series : Event::Level::instance;
    e.study_instance_uid = study;
    e.series_instance_uid = series;
    e.sop_instance_uid = sop;
    return apply(e);
  }
  Outcome restore(Sequence removal) {
    Event e = events_.at(removal);
    e.kind = Event::Kind::restore;
    e.subject = removal;
    return apply(e);
  }

  /// Hands the whole log to the index again, in batches of `size`.
  void replay(std::size_t size) {
    std::vector<Committed> batch;
    for (Sequence sequence = 1; sequence <= last_; ++sequence) {
      const auto event = events_.find(sequence);
      batch.push_back(event != events_.end() ? committed_of_event(event->second)
                                             : committed_of(log_.at(sequence), sequence, policies_[sequence]));
      if (batch.size() == size || sequence == last_) {
        ASSERT_TRUE(index().apply(batch, "at " + std::to_string(sequence)));
        batch.clear();
      }
    }
  }

  std::string dump() {
    std::string out;
    EXPECT_TRUE(index().dump([&](std::string_view line) { (out += line) += '\n'; }));
    return out;
  }
  std::vector<std::string> uids_of(std::string_view study, std::string_view series) {
    std::vector<std::string> out;
    EXPECT_TRUE(index().view().each_instance(study, series, [&](InstanceRow&& row) {
      out.push_back(row.sop_instance_uid);
      return true;
    }));
    return out;
  }

  std::filesystem::path directory_;
  std::unique_ptr<Index> index_;
  std::map<Sequence, std::string> log_;
  std::map<Sequence, Event> events_;
  std::map<Sequence, DuplicatePolicy> policies_;
  std::set<Sequence> unreadable_;
  Sequence last_ = 0;
  int compared_ = 0;
};

}  // namespace cairn::store::test
