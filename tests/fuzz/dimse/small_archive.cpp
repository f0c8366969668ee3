#include "tests/fuzz/dimse/small_archive.h"

#include <cstdlib>
#include <filesystem>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "engine/core/check.h"
#include "engine/dicom/meta.h"
#include "engine/dicom/tags.h"

namespace cairn::fuzz {
namespace {

namespace fs = std::filesystem;
namespace tags = dicom::tags;
using dicom::VR;

constexpr std::string_view kCT = "1.2.840.10008.5.1.4.1.1.2";
constexpr std::string_view kExplicit = "1.2.840.10008.1.2.1";

struct Study {
  std::string uid, charset, name, patient, date, time, accession, modality;
  int series = 1, instances = 1;
};

const Study kStudies[] = {
    {"1.1", "", "Doe^Jane", "A1", "20240110", "101500", "X1", "CT", 2, 3},
    {"1.2", "", "DOE^John", "A2", "20240111", "230000", "X2", "MR", 1, 4},
    {"1.3", "ISO_IR 100", "M\xc3\xbcller^J\xc3\xb6rg", "A1", "20240112", "010000.123456", "X3", "CT", 1, 2},
    {"1.4", "\\ISO 2022 IR 87",
     "Yamada^Tarou=\xe5\xb1\xb1\xe7\x94\xb0^\xe5\xa4\xaa\xe9\x83\x8e=\xe3\x82\x84\xe3\x81\xbe\xe3\x81\xa0", "B*", "",
     "", "", "US", 1, 1},
    {"1.5", "ISO_IR 192", "\xce\x91\xce\xbb\xce\xad\xce\xbe\xce\xb7\xcf\x82", "", "20231231", "", "X1\\X5", "CT"},
    {"1.6", "ISO_IR 144", "\xd0\x9b\xd1\x8e\xd0\xba", "", "19991231", "235959", "", "OT", 3, 1},
};

std::string stream_of(const Study& s, int series, int instance) {
  const std::string sop = s.uid + "." + std::to_string(series) + "." + std::to_string(instance);
  dicom::DataSet d;
  d.set_text(tags::SpecificCharacterSet, VR::CS, s.charset);
  d.set_text(tags::SOPClassUID, VR::UI, kCT);
  d.set_text(tags::SOPInstanceUID, VR::UI, sop);
  d.set_text(tags::StudyDate, VR::DA, s.date);
  d.set_text(tags::StudyTime, VR::TM, s.time);
  d.set_text(tags::AccessionNumber, VR::SH, s.accession);
  d.set_text(tags::Modality, VR::CS, series == 2 ? "SR" : s.modality);
  d.set_text(tags::PatientName, VR::PN, s.name);
  d.set_text(tags::PatientID, VR::LO, s.patient);
  d.set_text(tags::StudyInstanceUID, VR::UI, s.uid);
  d.set_text(tags::SeriesInstanceUID, VR::UI, s.uid + "." + std::to_string(series));
  d.set_text(tags::SeriesNumber, VR::IS, std::to_string(series));
  d.set_text(tags::InstanceNumber, VR::IS, std::to_string(instance));
  d.set_us(tags::Rows, 16);
  dicom::DataSet item;
  item.set_character_set(d.character_set());
  item.set_text(tags::CodeValue, VR::SH, "C" + s.patient);
  item.set_text(tags::CodeMeaning, VR::LO, s.name);
  d.set({tags::ProcedureCodeSequence, VR::SQ, {}, {item}, {}});
  return dicom::make_file_meta(kCT, sop, kExplicit, "") + d.encode(dicom::encoding_of(kExplicit));
}

asio::awaitable<void> put(archive::Archive& archive, std::string stream) {
  auto receiver = archive.receive({}, {});
  CAIRN_CHECK(static_cast<bool>(receiver));
  const auto written = co_await receiver.value()->write(as_bytes(stream));
  CAIRN_CHECK(static_cast<bool>(written));
  const auto stored = co_await receiver.value()->commit();
  CAIRN_CHECK(static_cast<bool>(stored));
}

class Made {
 public:
  Made() {
    std::string name = (fs::temp_directory_path() / "cairn-fuzz-XXXXXX").string();
    CAIRN_CHECK(mkdtemp(name.data()) != nullptr);
    directory_ = name;
    archive::Options options;
    options.directory = directory_ / "data";
    options.log.segment_bytes = 16u << 20;
    options.log.reserve_bytes = 1u << 20;
    options.log.prewritten_bytes = 0;
    options.log.read_cache_bytes = 1u << 20;
    options.in_flight_bytes = 4u << 20;
    options.part_bytes = 64u << 10;
    options.index_cache_bytes = 4u << 20;
    auto opened = archive::Archive::open(std::move(options), pool_);
    CAIRN_CHECK(static_cast<bool>(opened));
    archive_ = std::move(opened).value();
    asio::io_context context;
    for (const Study& s : kStudies) {
      for (int i = 0; i < s.series * s.instances; ++i) {
        asio::co_spawn(context, put(*archive_, stream_of(s, i / s.instances + 1, i % s.instances + 1)),
                       [](std::exception_ptr e) { CAIRN_CHECK(e == nullptr); });
      }
    }
    context.run();
  }
  ~Made() {
    archive_->close();
    archive_.reset();
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }
  archive::Archive& archive() { return *archive_; }

 private:
  fs::path directory_;
  io::WorkerPool pool_{2, "fuzz"};
  std::unique_ptr<archive::Archive> archive_;
};

}  // namespace

archive::Archive& small_archive() {
  static Made made;
  return made.archive();
}

Result<std::string> found_by(archive::Query query, std::size_t page) {
  std::string out, place;
  query.place = &place;
  for (bool more = true; more;) {
    std::size_t given = 0;
    more = false;
    CAIRN_TRYV(small_archive().find(query, [&](archive::Match&& match) {
      for (const dicom::Tag tag :
           {tags::PatientID, tags::StudyInstanceUID, tags::SeriesInstanceUID, tags::SOPInstanceUID}) {
        out += match.text(tag) + "|";
      }
      out += '\n';
      more = ++given == page;
      return !more;
    }));
    if (more) query.after = place;
  }
  return out;
}

}  // namespace cairn::fuzz
