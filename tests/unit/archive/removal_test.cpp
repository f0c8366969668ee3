// Removal through the archive: durable when answered, over restarts and a new index; readers go on.
#include "engine/store/index/index.h"
#include "tests/unit/archive/archive_fixture.h"

namespace cairn::archive::test {
namespace {

class ArchiveRemovalTest : public ArchiveTest {
 protected:
  Result<Removed> remove(Target target, bool only_copy_too = true) {
    Asked asked;
    asked.calling_ae = "ADMIN";
    asked.reason = "wrong patient";
    return run(archive().remove(std::move(target), std::move(asked), only_copy_too));
  }
  std::vector<Removed> removed(const Target& within = {}) {
    std::vector<Removed> out;
    EXPECT_TRUE(archive().removed(within, [&](Removed&& r) {
      out.push_back(std::move(r));
      return true;
    }));
    return out;
  }
};

TEST_F(ArchiveRemovalTest, TheOnlyCopyGoesOnlyWhenToldSo) {
  const Sample s;
  ASSERT_TRUE(store(s));
  EXPECT_EQ(remove({s.study, "", ""}, false).error(), Errc::conflict);
  EXPECT_TRUE(archive().instance(s.sop));
  EXPECT_EQ(remove({"1.9", "", ""}).error(), Errc::not_found);
  EXPECT_EQ(remove({"", "", ""}).error(), Errc::missing);
  EXPECT_EQ(remove({s.study, "", s.sop}).error(), Errc::missing);
  EXPECT_EQ(remove({"x y", "", ""}).error(), Errc::malformed);
  EXPECT_TRUE(archive().instance(s.sop));
}

TEST_F(ArchiveRemovalTest, RemovedIsGoneAndRestoredIsBackOverRestartsAndANewIndex) {
  const Sample s;
  ASSERT_TRUE(store(s));
  const Instance before = archive().instance(s.sop).value();
  const auto reader = archive().open(before);
  const std::uint64_t version = archive().series_version(s.study, s.series);
  const auto gone = remove({s.study, s.series, ""});
  ASSERT_TRUE(gone) << to_string(gone.error());
  EXPECT_EQ(gone.value().instances, 1u);
  EXPECT_EQ(gone.value().bytes, s.stream().size());

  const auto expect_gone = [&] {
    EXPECT_EQ(archive().instance(s.sop).error(), Errc::not_found);
    EXPECT_EQ(archive().header(s.sop).error(), Errc::not_found);
    EXPECT_EQ(archive().instances(s.study, s.series).error(), Errc::not_found);
    EXPECT_EQ(archive().instances(s.study, "").error(), Errc::not_found);
    EXPECT_EQ(archive().headers(s.study, s.series, [](auto, auto&&) { return true; }).error(), Errc::not_found);
    EXPECT_EQ(archive().series_version(s.study, s.series), 0u);
    EXPECT_TRUE(find({}).empty());
    Query instances;
    instances.level = Level::instance;
    instances.instance_uids = {s.sop};
    EXPECT_TRUE(find(instances).empty());
    instances.study_uids = {s.study};
    instances.series_uids = {s.series};
    EXPECT_TRUE(find(instances).empty());
    ASSERT_EQ(removed().size(), 1u);
    EXPECT_EQ(removed({s.study, "", ""}).front().asked.reason, "wrong patient");
    EXPECT_EQ(removed().front().asked.calling_ae, "ADMIN");
    EXPECT_TRUE(removed({"1.9", "", ""}).empty());
  };
  expect_gone();
  std::string bytes(static_cast<std::size_t>(reader->size()), '\0');
  EXPECT_EQ(reader->read(0, MutableBytes(reinterpret_cast<std::byte*>(bytes.data()), bytes.size())).value(),
            bytes.size());
  EXPECT_EQ(bytes, s.stream());

  const std::string dumped = dump();
  open();
  expect_gone();
  EXPECT_EQ(dump(), dumped);
  options_.rebuild_index = true;
  open();
  options_.rebuild_index = false;
  expect_gone();
  EXPECT_EQ(dump(), dumped);
  EXPECT_TRUE(archive().opened_with().faults.empty());
  EXPECT_TRUE(archive().scrub([](const store::Fault& f) { ADD_FAILURE() << to_string(f.error); }, {}));

  EXPECT_EQ(run(archive().restore(gone.value().sequence + 100, {})).error(), Errc::not_found);
  const auto back = run(archive().restore(gone.value().sequence, {}));
  ASSERT_TRUE(back) << to_string(back.error());
  EXPECT_EQ(run(archive().restore(gone.value().sequence, {})).error(), Errc::not_found);
  EXPECT_TRUE(removed().empty());
  EXPECT_EQ(stored_stream(archive(), s.sop), s.stream());
  EXPECT_EQ(archive().instance(s.sop).value().sequence, before.sequence);
  EXPECT_GT(archive().series_version(s.study, s.series), version);
  const std::string restored = dump();
  options_.rebuild_index = true;
  open();
  EXPECT_EQ(dump(), restored);
}

}  // namespace
}  // namespace cairn::archive::test
