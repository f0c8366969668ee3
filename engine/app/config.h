// The configuration file (TOML): read once at start, checked strictly. configs/cairn.toml shows every key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/core/log.h"
#include "engine/core/network.h"
#include "engine/store/record.h"

namespace cairn::app {

/// What is wrong with the configuration, with file and line.
struct ConfigError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct CallerConfig {
  std::string ae_title;
  std::vector<std::string> addresses;
  store::DuplicatePolicy duplicates = store::DuplicatePolicy::keep;
};

struct RemoteConfig {
  std::string ae_title, host;
  std::uint16_t port = 104;
  std::uint32_t max_associations = 4;
  std::uint32_t associations_per_move = 2;
  std::uint32_t connect_timeout_s = 10;
  std::uint32_t answer_timeout_s = 60;
  std::uint32_t retries = 3;
  std::uint32_t retry_wait_ms = 1000;
  std::vector<std::string> transfer_syntaxes{"1.2.840.10008.1.2.1", "1.2.840.10008.1.2"};
};

struct VolumeConfig {
  std::uint32_t id = 0;
  std::filesystem::path directory;
};

struct RetentionRuleConfig {
  std::string name;
  bool of_series = false, by_study_date = false;
  std::uint32_t age_days = 0;
  std::vector<std::string> modalities;
  std::uint64_t below_free_gib = 0, until_free_gib = 0;
  bool removes_the_only_copy = false;
};

struct Config {
  struct {
    std::filesystem::path data = "./data";
    std::uint32_t study_complete_after_s = 60;
    std::uint32_t restore_days = 30;
    std::uint64_t compaction_mib_per_s = 64;
    log::Level log_level = log::Level::info;
  } archive;
  struct {
    std::string address = "127.0.0.1";
    std::uint16_t port = 11112;
    std::string ae_title = "CAIRN";
    bool accept_unknown_sop_classes = true;
    std::uint32_t max_associations = 1000;
    std::uint32_t max_pdu_bytes = 262144;
    std::uint16_t async_window = 16;
    store::DuplicatePolicy duplicates = store::DuplicatePolicy::keep;
    std::uint32_t artim_timeout_s = 30;
    std::uint32_t idle_timeout_s = 600;
    std::uint32_t stall_timeout_s = 60;
    bool moves_outlive_requester = true;
    std::uint32_t commitment_hours = 72;
    std::uint64_t max_find_matches = 100'000;
    std::vector<CallerConfig> callers;
    std::vector<RemoteConfig> remotes;
  } dicom;
  struct {
    std::string address = "127.0.0.1";
    std::uint16_t port = 8080;
    std::uint32_t max_connections = 1000;
    std::uint32_t max_streams = 256;  ///< on one HTTP/2 connection
    bool admin_off_loopback = false;
    bool store_off_loopback = false;
    std::vector<Network> manage_from;
    std::vector<std::string> cross_origins;
    std::uint64_t metadata_cache_mib = 128;
    std::string https_address = "127.0.0.1";
    std::uint16_t https_port = 8443;
    std::string certificate, key;
  } http;
  struct {
    std::uint64_t segment_mib = 512;
    std::uint64_t reserve_mib = 1024;
    std::uint64_t prewritten_mib = 4096;
    std::uint64_t prewrite_mib_per_s = 400;
    std::uint64_t in_flight_mib = 128;
    std::uint64_t read_cache_mib = 512;
    bool ring = true;
    std::vector<VolumeConfig> volumes;
  } store;
  struct {
    std::uint32_t unpersisted_records = 30000;
    std::uint64_t unpersisted_mib = 128;
    std::uint64_t cache_mib = 256;
  } index;
  struct {
    std::uint32_t removals_per_hour = 100;
    std::vector<RetentionRuleConfig> rules;
  } retention;
  struct {
    std::uint64_t cache_mib = 2048;
  } volumes;
  struct {
    std::uint32_t threads = 0;
  } workers;
  struct {
    bool in_processes = true;
    std::uint32_t processes = 0;
    std::uint64_t memory_mib = 4096;
    std::uint32_t frame_cpu_s = 30;
  } codec;
};

/// Throws ConfigError. Relative paths in the file are relative to the working directory.
Config read_config(const std::filesystem::path& file);
/// Reads from text; `name` stands in messages.
Config parse_config(std::string_view text, std::string_view name);

}  // namespace cairn::app
