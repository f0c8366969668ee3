#include "engine/app/import.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>

namespace cairn::app {
namespace {

namespace fs = std::filesystem;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "cairn-import-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  fs::path operator/(const fs::path& name) const { return path_ / name; }
  const fs::path& path() const { return path_; }
  fs::path file(const std::string& name, const std::string& content = "x") const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << content;
    return path_ / name;
  }

 private:
  fs::path path_;
};

fs::path test_data() {
  const char* set = std::getenv("DICOM_TEST_DATA_DIR");
  return set ? set : CAIRN_TEST_DATA_DIR;
}

/// A sink that answers by file name and counts what it is given.
struct Ledger {
  std::mutex mutex;
  std::map<std::string, int> stored;
  std::map<std::string, ImportOutcome> answers;

  ImportSinkFactory factory() {
    return [this] { return std::make_unique<Sink>(*this); };
  }
  struct Sink : ImportSink {
    explicit Sink(Ledger& l) : ledger(l) {}
    ImportOutcome store(const fs::path& file) override {
      const std::lock_guard lock(ledger.mutex);
      const std::string name = file.filename().string();
      ++ledger.stored[name];
      const auto found = ledger.answers.find(name);
      return found == ledger.answers.end() ? ImportOutcome{ImportOutcome::Kind::taken, "", 10} : found->second;
    }
    Ledger& ledger;
  };
};

TEST(ImportFiles, AFolderIsWalkedInOrderAndEachFileComesOnce) {
  const TemporaryFolder folder;
  folder.file("b/2");
  folder.file("b/1");
  folder.file("a");
  const auto list = list_import_files({folder.path(), folder / "a", folder / "gone"});
  ASSERT_EQ(list.files.size(), 3u);
  EXPECT_EQ(list.files[0].path, folder / "a");
  EXPECT_EQ(list.files[1].path, folder / "b/1");
  EXPECT_EQ(list.missing, std::vector{folder / "gone"});
}

TEST(ImportFiles, ADicomdirNamesWhatItsMediumMustHave) {
  const fs::path set = test_data() / "dicomdir/pcir-tiny";
  if (!fs::exists(set)) GTEST_SKIP() << "no test data at " << test_data();
  for (const char* name : {"DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-implicit"}) {
    const auto references = dicomdir_references(set / name);
    ASSERT_TRUE(references) << name << ' ' << to_string(references.error());
    EXPECT_EQ(references.value().size(), 31u) << name;
  }
  const auto list = list_import_files({set / "DICOMDIR"});
  EXPECT_EQ(list.files.size() + list.missing.size(), 31u);
  EXPECT_GT(list.files.size(), 0u);
  for (const auto& file : list.files) EXPECT_TRUE(file.named);
}

TEST(Import, AccountsForEveryFileAndFailsWhenOneIsRefused) {
  const TemporaryFolder folder;
  for (const char* name : {"new", "same", "notes.txt", "broken"}) folder.file(name);
  Ledger ledger;
  ledger.answers["same"] = {ImportOutcome::Kind::already_there, "", 5};
  ledger.answers["notes.txt"] = {ImportOutcome::Kind::not_dicom, "", 0};
  ledger.answers["broken"] = {ImportOutcome::Kind::refused, "Study Instance UID: missing", 0};
  std::ostringstream out, bar;
  EXPECT_EQ(run_import({{folder.path()}, {}, 3, true}, ledger.factory(), out, bar), 1);
  const std::string text = out.str();
  EXPECT_NE(text.find("refused " + (folder / "broken").string() + ": Study Instance UID: missing\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("taken                   1"), std::string::npos) << text;
  EXPECT_NE(text.find("already there           1"), std::string::npos) << text;
  EXPECT_NE(text.find("not DICOM               1"), std::string::npos) << text;
  EXPECT_NE(text.find("refused                 1"), std::string::npos) << text;
  EXPECT_NE(bar.str().find("4/4 files"), std::string::npos);
}

TEST(Import, AFileNamedByTheUserMustBeDicom) {
  const TemporaryFolder folder;
  const fs::path file = folder.file("notes.txt");
  Ledger ledger;
  ledger.answers["notes.txt"] = {ImportOutcome::Kind::not_dicom, "", 0};
  std::ostringstream out, bar;
  EXPECT_EQ(run_import({{file}, {}, 1, false}, ledger.factory(), out, bar), 1);
  EXPECT_NE(out.str().find("not a DICOM file"), std::string::npos);
}

TEST(Import, AStoppedOneGoesOnWhereItEnded) {
  const TemporaryFolder folder;
  for (const char* name : {"1", "2", "3"}) folder.file(std::string("in/") + name);
  const ImportOptions options{{folder / "in"}, folder / "journal", 1, false};
  Ledger ledger;
  ledger.answers["2"] = {ImportOutcome::Kind::stopped, "out of storage space", 0};
  std::ostringstream out, bar;
  EXPECT_EQ(run_import(options, ledger.factory(), out, bar), 1);
  EXPECT_EQ(ledger.stored["3"], 0);
  ledger.answers.clear();
  EXPECT_EQ(run_import(options, ledger.factory(), out, bar), 0);
  EXPECT_EQ(ledger.stored["1"], 1) << "was done before the stop";
  EXPECT_EQ(ledger.stored["2"], 2);
  EXPECT_EQ(ledger.stored["3"], 1);
  EXPECT_FALSE(fs::exists(folder / "journal"));
}

}  // namespace
}  // namespace cairn::app
