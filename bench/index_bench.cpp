// How fast the index takes commits and answers: the applier's part of a store, and what a query or a viewer waits for.
// One thread. Headers are made beforehand, so that only the index is measured; RocksDB's own threads run beside.
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <random>

#include <benchmark/benchmark.h>

#include "engine/dicom/data_set.h"
#include "engine/dicom/meta.h"
#include "engine/dicom/tags.h"
#include "engine/store/index/index.h"

namespace cairn::store {
namespace {

namespace fs = std::filesystem;
namespace tags = dicom::tags;
using dicom::VR;

class Workplace {
 public:
  Workplace() {
    std::string name = (fs::temp_directory_path() / "cairn-index-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    directory_ = name;
  }
  ~Workplace() { fs::remove_all(directory_); }
  std::unique_ptr<Index> open() const {
    IndexOptions o;
    o.directory = directory_ / "index";
    o.compare = [](const InstanceRow&, const InstanceRecord&) { return Comparison::different; };
    return std::move(Index::open(std::move(o))).value();
  }

 private:
  fs::path directory_;
};

// `extra`: attributes beside those that the index reads, so that headers have the size of real ones.
Committed make(std::string study, std::string series, std::string sop, int number, int extra, Sequence sequence) {
  dicom::DataSet d;
  d.set_text(tags::SOPClassUID, VR::UI, "1.2.840.10008.5.1.4.1.1.2");
  d.set_text(tags::SOPInstanceUID, VR::UI, sop);
  d.set_text(tags::StudyDate, VR::DA, "20240229");
  d.set_text(tags::StudyTime, VR::TM, "101112.345");
  d.set_text(tags::AccessionNumber, VR::SH, "A" + std::to_string(sequence));
  d.set_text(tags::Modality, VR::CS, "CT");
  d.set_text(tags::Manufacturer, VR::LO, "Stone Age Imaging");
  d.set_text(tags::ReferringPhysicianName, VR::PN, "Smith^John");
  d.set_text(tags::StudyDescription, VR::LO, "CT abdomen with contrast");
  d.set_text(tags::SeriesDescription, VR::LO, "portal venous 1.0 B30f");
  d.set_text(tags::PatientName, VR::PN, "Doe^Jane");
  d.set_text(tags::PatientID, VR::LO, "P" + study.substr(study.size() - 6));
  d.set_text(tags::PatientBirthDate, VR::DA, "19700101");
  d.set_text(tags::PatientSex, VR::CS, "F");
  d.set_text(tags::StudyInstanceUID, VR::UI, study);
  d.set_text(tags::SeriesInstanceUID, VR::UI, series);
  d.set_text(tags::StudyID, VR::SH, "1");
  d.set_text(tags::SeriesNumber, VR::IS, "3");
  d.set_text(tags::InstanceNumber, VR::IS, std::to_string(number));
  d.set_text(tags::ImagePositionPatient, VR::DS, "-250.5\\-250.5\\" + std::to_string(number));
  d.set_us(tags::Rows, 512);
  d.set_us(tags::Columns, 512);
  for (int i = 0; i < extra; ++i) {
    d.set_text({0x0041, static_cast<std::uint16_t>(0x1000 + i)}, VR::LO, "protocol value " + std::to_string(i));
  }
  Committed c;
  c.header.encoding = {};
  c.header.transfer_syntax_uid = "1.2.840.10008.1.2.1";
  c.header.bytes = d.encode({});
  InstanceRecord& r = c.record;
  r.sequence = sequence;
  r.sop_class_uid = "1.2.840.10008.5.1.4.1.1.2";
  r.sop_instance_uid = std::move(sop);
  r.study_instance_uid = std::move(study);
  r.series_instance_uid = std::move(series);
  r.transfer_syntax_uid = c.header.transfer_syntax_uid;
  r.stream_length = c.header.bytes.size() + 524'288;
  r.data_set_offset = 380;
  r.parts = {{{0, 1, sequence * 524'288}, 524'288, 7}};
  c.location = {0, 1, sequence * 524'288 + 4096};
  return c;
}

std::string uid(std::uint64_t a, std::uint64_t b) {
  return "1.2.826.0.1.3680043.8.498." + std::to_string(a * 2654435761u % 4294967291u + 1'000'000) + "." +
         std::to_string(b);
}
std::vector<Committed> tiny_studies(std::size_t count) {
  std::vector<Committed> out;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string study = uid(i, 111111111111);
    out.push_back(make(study, study + ".1", study + ".1.1", 1, 0, i + 1));
  }
  return out;
}
std::vector<Committed> series_of(std::size_t series, std::size_t slices) {
  std::vector<Committed> out;
  for (std::size_t s = 0; s < series; ++s) {
    const std::string study = uid(s, 222222222222), name = study + ".1";
    for (std::size_t i = 0; i < slices; ++i) {
      out.push_back(make(study, name, name + "." + std::to_string(i + 1), static_cast<int>(i + 1), 60, out.size() + 1));
    }
  }
  return out;
}

// Returns the applier thread's own CPU time, which does not suffer from what else the machine does.
double apply_all(Index& index, std::vector<Committed>& commits, std::size_t batch) {
  const auto cpu = [] {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
  };
  const double begun = cpu();
  for (std::size_t i = 0; i < commits.size(); i += batch) {
    const std::span<Committed> step(commits.data() + i, std::min(batch, commits.size() - i));
    if (!index.apply(step, "positions of some forty bytes, as a log has them")) std::abort();
  }
  return (cpu() - begun) / static_cast<double>(commits.size());
}

// Arguments: instances, batch. The worst case: each its own patient, study and series.
void ApplyTinyStudies(benchmark::State& state) {
  auto commits = tiny_studies(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    state.PauseTiming();
    const Workplace place;
    auto index = place.open();
    state.ResumeTiming();
    state.counters["apply_cpu_us"] = apply_all(*index, commits, static_cast<std::size_t>(state.range(1)));
    state.PauseTiming();
    if (index->state().studies != commits.size()) std::abort();
    (void)index->close();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(ApplyTinyStudies)
    ->Args({100'000, 1})
    ->Args({100'000, 16})
    ->Args({100'000, 256})
    ->Args({400'000, 64})  // long enough for compactions, whose CPU time is in the process's
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime();

// Arguments: series of 400 slices, batch.
void ApplySeries(benchmark::State& state) {
  auto commits = series_of(static_cast<std::size_t>(state.range(0)), 400);
  for (auto _ : state) {
    state.PauseTiming();
    const Workplace place;
    auto index = place.open();
    state.ResumeTiming();
    state.counters["apply_cpu_us"] = apply_all(*index, commits, static_cast<std::size_t>(state.range(1)));
    state.PauseTiming();
    if (index->state().instances != commits.size()) std::abort();
    (void)index->close();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(commits.size()));
}
BENCHMARK(ApplySeries)
    ->Args({100, 1})
    ->Args({100, 16})
    ->Args({100, 256})
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime();

// A replay from nothing, as `cairn reindex` does it: large batches, long steps between flushes.
void Rebuild(benchmark::State& state) {
  auto commits = series_of(static_cast<std::size_t>(state.range(0)), 400);
  for (auto _ : state) {
    state.PauseTiming();
    const Workplace place;
    auto index = place.open();
    index->set_bulk(true);
    state.ResumeTiming();
    state.counters["apply_cpu_us"] = apply_all(*index, commits, 512);
    if (!index->persist()) std::abort();
    state.PauseTiming();
    (void)index->close();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(commits.size()));
}
BENCHMARK(Rebuild)->Arg(200)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime();

struct Filled {
  Workplace place;
  std::unique_ptr<Index> index;
  Filled() : index(place.open()) {
    auto commits = series_of(100, 400);
    apply_all(*index, commits, 256);
    (void)index->persist();
  }
  static Filled& get() {
    static Filled filled;
    return filled;
  }
};

void LookUpInstance(benchmark::State& state) {
  Filled& f = Filled::get();
  std::mt19937 random(1);
  for (auto _ : state) {
    const std::string name = uid(random() % 100, 222222222222) + ".1." + std::to_string(1 + random() % 400);
    const auto row = f.index->view().instance(name);
    if (!row || !row.value()) std::abort();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(LookUpInstance);

void SeriesVersion(benchmark::State& state) {
  Filled& f = Filled::get();
  std::mt19937 random(1);
  for (auto _ : state) {
    const std::string study = uid(random() % 100, 222222222222);
    if (f.index->series_version(study, study + ".1") == 0) std::abort();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(SeriesVersion);

void SeriesHeaders(benchmark::State& state) {
  Filled& f = Filled::get();
  std::mt19937 random(1);
  for (auto _ : state) {
    const std::string study = uid(random() % 100, 222222222222);
    std::size_t headers = 0;
    (void)f.index->view().each_header(study, study + ".1", [&](std::string_view, std::string_view serialized) {
      headers += dicom::Header::deserialize(as_bytes(serialized)) ? 1 : 0;
      return true;
    });
    if (headers != 400) std::abort();
  }
  state.SetItemsProcessed(state.iterations() * 400);
}
BENCHMARK(SeriesHeaders)->Unit(benchmark::kMicrosecond);

void SeriesInstances(benchmark::State& state) {
  Filled& f = Filled::get();
  std::mt19937 random(1);
  for (auto _ : state) {
    const std::string study = uid(random() % 100, 222222222222);
    std::size_t rows = 0;
    (void)f.index->view().each_instance(study, study + ".1", [&](InstanceRow&&) {
      ++rows;
      return true;
    });
    if (rows != 400) std::abort();
  }
  state.SetItemsProcessed(state.iterations() * 400);
}
BENCHMARK(SeriesInstances)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace cairn::store
