#include "engine/app/config.h"

#include <gtest/gtest.h>

namespace cairn::app {
namespace {

std::string error_of(std::string_view text) {
  try {
    parse_config(text, "c.toml");
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "";
}

TEST(Config, TheShippedFileHasTheBuiltInDefaults) {
  const Config shipped = read_config(std::string(CAIRN_SOURCE_DIR) + "/configs/cairn.toml");
  const Config built_in;
  EXPECT_EQ(shipped.archive.data, built_in.archive.data);
  EXPECT_EQ(shipped.archive.study_complete_after_s, built_in.archive.study_complete_after_s);
  EXPECT_EQ(shipped.dicom.port, built_in.dicom.port);
  EXPECT_EQ(shipped.dicom.ae_title, built_in.dicom.ae_title);
  EXPECT_EQ(shipped.dicom.accept_unknown_sop_classes, built_in.dicom.accept_unknown_sop_classes);
  EXPECT_EQ(shipped.dicom.max_associations, built_in.dicom.max_associations);
  EXPECT_EQ(shipped.dicom.max_pdu_bytes, built_in.dicom.max_pdu_bytes);
  EXPECT_EQ(shipped.dicom.async_window, built_in.dicom.async_window);
  EXPECT_EQ(shipped.dicom.artim_timeout_s, built_in.dicom.artim_timeout_s);
  EXPECT_EQ(shipped.dicom.idle_timeout_s, built_in.dicom.idle_timeout_s);
  EXPECT_EQ(shipped.dicom.stall_timeout_s, built_in.dicom.stall_timeout_s);
  EXPECT_TRUE(shipped.dicom.callers.empty());
  EXPECT_TRUE(shipped.dicom.remotes.empty());
  EXPECT_EQ(shipped.dicom.moves_outlive_requester, built_in.dicom.moves_outlive_requester);
  EXPECT_EQ(shipped.http.port, built_in.http.port);
  EXPECT_TRUE(shipped.http.manage_from.empty());
  EXPECT_EQ(shipped.http.max_connections, built_in.http.max_connections);
  EXPECT_EQ(shipped.http.max_streams, built_in.http.max_streams);
  EXPECT_EQ(shipped.store.segment_mib, built_in.store.segment_mib);
  EXPECT_EQ(shipped.store.reserve_mib, built_in.store.reserve_mib);
  EXPECT_EQ(shipped.store.prewritten_mib, built_in.store.prewritten_mib);
  EXPECT_EQ(shipped.store.prewrite_mib_per_s, built_in.store.prewrite_mib_per_s);
  EXPECT_EQ(shipped.store.in_flight_mib, built_in.store.in_flight_mib);
  EXPECT_EQ(shipped.store.read_cache_mib, built_in.store.read_cache_mib);
  EXPECT_EQ(shipped.index.unpersisted_records, built_in.index.unpersisted_records);
  EXPECT_EQ(shipped.index.unpersisted_mib, built_in.index.unpersisted_mib);
  EXPECT_EQ(shipped.index.cache_mib, built_in.index.cache_mib);
  EXPECT_EQ(shipped.retention.removals_per_hour, built_in.retention.removals_per_hour);
  EXPECT_TRUE(shipped.retention.rules.empty());
  EXPECT_EQ(shipped.volumes.cache_mib, built_in.volumes.cache_mib);
  EXPECT_EQ(shipped.workers.threads, built_in.workers.threads);
  EXPECT_EQ(shipped.codec.in_processes, built_in.codec.in_processes);
  EXPECT_EQ(shipped.codec.processes, built_in.codec.processes);
  EXPECT_EQ(shipped.codec.memory_mib, built_in.codec.memory_mib);
  EXPECT_EQ(shipped.codec.frame_cpu_s, built_in.codec.frame_cpu_s);
}

TEST(Config, AnUnknownKeyIsNamedWithItsLine) {
  EXPECT_EQ(error_of("[dicom]\nport = 104\nprot = 1\n"), "c.toml:3: unknown key dicom.prot");
  EXPECT_EQ(error_of("[dicmo]\nport = 104\n"), "c.toml:1: unknown key dicmo");
}

TEST(Config, ABadValueIsNamedWithItsLine) {
  EXPECT_EQ(error_of("[dicom]\n\nport = 70000\n"), "c.toml:3: dicom.port must be from 0 to 65535");
  EXPECT_EQ(error_of("[dicom]\nport = \"104\"\n"), "c.toml:2: dicom.port must be an integer");
  EXPECT_EQ(error_of("[http]\nport = 1\nmanage_from = [\"10.0.0.0/8\", \"10.0.0.0/33\"]\n"),
            "c.toml:3: http.manage_from has what is no address or network: 10.0.0.0/33");
  EXPECT_EQ(error_of("[archive]\nstudy_complete_after_s = 0\n"),
            "c.toml:2: archive.study_complete_after_s must be from 1 to 2678400");
  EXPECT_EQ(error_of("[dicom]\nae_title = \"SEVENTEEN_LETTERS\"\n"),
            "c.toml:2: dicom.ae_title must be 1 to 16 printable characters (PS3.5 table 6.2-1)");
  EXPECT_EQ(error_of("[dicom]\nduplicates = \"merge\"\n"),
            "c.toml:2: dicom.duplicates must be one of keep, replace, refuse");
  EXPECT_EQ(error_of("[store]\nio = true\n"), "c.toml:2: store.io must be a string");
  EXPECT_EQ(error_of("[[store.volume]]\nid = 1\ndirectory = \"a\"\n[[store.volume]]\nid = 1\ndirectory = \"b\"\n"),
            "c.toml:5: store.volume.id is used twice");
  EXPECT_NE(error_of("[dicom\n"), "");
}

TEST(Config, RemotesHaveDefaultsAndAreChecked) {
  const Config c = parse_config(
      "[[dicom.remote]]\nae_title = \"WS1\"\nhost = \"ws1\"\n[[dicom.remote]]\nae_title = \"WS2\"\n"
      "host = \"10.0.0.1\"\nport = 11113\nretries = 0\ntransfer_syntaxes = [\"1.2.840.10008.1.2\"]\n",
      "c.toml");
  ASSERT_EQ(c.dicom.remotes.size(), 2u);
  EXPECT_EQ(c.dicom.remotes[0].port, 104);
  EXPECT_EQ(c.dicom.remotes[0].retries, 3u);
  EXPECT_EQ(c.dicom.remotes[0].transfer_syntaxes.size(), 2u);
  EXPECT_EQ(c.dicom.remotes[1].retries, 0u);
  const std::string remote = "[[dicom.remote]]\nae_title = \"WS1\"\nhost = \"ws1\"\n";
  EXPECT_EQ(error_of(remote + remote), "c.toml:5: dicom.remote.ae_title is used twice");
  EXPECT_EQ(error_of("[[dicom.remote]]\nae_title = \"CAIRN\"\nhost = \"a\"\n"), "c.toml:2: dicom.remote.ae_title is our own");
  EXPECT_NE(error_of(remote + "transfer_syntaxes = [\"1.2.840.10008.1.2.4.70\"]\n").find("c.toml:4:"), std::string::npos);
  EXPECT_NE(error_of("[[dicom.remote]]\nae_title = \"WS1\"\n"), "");
}

TEST(Config, RetentionRulesRemoveNothingThatTheyDoNotNameInPlainWords) {
  const std::string rule = "[[retention.rule]]\nname = \"old\"\nage_days = 30\n";
  const Config c = parse_config(rule, "c.toml");
  ASSERT_EQ(c.retention.rules.size(), 1u);
  EXPECT_FALSE(c.retention.rules[0].removes_the_only_copy);
  EXPECT_FALSE(c.retention.rules[0].of_series);
  EXPECT_FALSE(c.retention.rules[0].by_study_date);
  EXPECT_EQ(c.retention.rules[0].below_free_gib, 0u);
  EXPECT_EQ(parse_config(rule + "below_free_gib = 7\n", "c.toml").retention.rules[0].until_free_gib, 7u);
  EXPECT_EQ(error_of(rule + rule), "c.toml:5: retention.rule.name is used twice");
  EXPECT_EQ(error_of(rule + "below_free_gib = 2\nuntil_free_gib = 1\n"),
            "c.toml:5: retention.rule.until_free_gib must not be below below_free_gib");
  EXPECT_EQ(error_of("[[retention.rule]]\nname = \"a\"\nage_days = 0\n"),
            "c.toml:3: retention.rule.age_days must be from 1 to 36600");
  EXPECT_NE(error_of("[[retention.rule]]\nname = \"a\"\n"), "");
  EXPECT_NE(error_of("[[retention.rule]]\nname = \"a b\"\nage_days = 1\n"), "");
}

TEST(Config, CallersInheritTheDuplicatePolicy) {
  const Config c = parse_config(
      "[dicom]\nduplicates = \"refuse\"\n[[dicom.caller]]\nae_title = \"CT1\"\naddresses = [\"10.0.0.0/8\"]\n"
      "[[dicom.caller]]\nae_title = \"MR1\"\nduplicates = \"replace\"\n",
      "c.toml");
  ASSERT_EQ(c.dicom.callers.size(), 2u);
  EXPECT_EQ(c.dicom.callers[0].duplicates, store::DuplicatePolicy::refuse);
  EXPECT_EQ(c.dicom.callers[0].addresses, std::vector<std::string>{"10.0.0.0/8"});
  EXPECT_EQ(c.dicom.callers[1].duplicates, store::DuplicatePolicy::replace);
}

}  // namespace
}  // namespace cairn::app
