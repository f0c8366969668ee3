#include "engine/app/config.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

#include <toml++/toml.h>

namespace cairn::app {
namespace {

/// One table of the file: hands out values of known keys and, at the end, objects to the rest.
class Table {
 public:
  Table(const toml::table& table, std::string path, std::string_view file)
      : table_(table), path_(std::move(path)), file_(file) {}

  void read(const char* key, std::string& into) {
    if (const auto* node = take(key)) into = typed<std::string>(*node, key, "a string");
  }
  void read(const char* key, std::filesystem::path& into) {
    std::string text = into.string();
    read(key, text);
    if (text.empty()) reject(*table_.get(key), key, "must not be empty");
    into = text;
  }
  void read(const char* key, bool& into) {
    if (const auto* node = take(key)) into = typed<bool>(*node, key, "true or false");
  }
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  void read(const char* key, T& into, T least, T most) {
    const auto* node = take(key);
    if (!node) return;
    const auto value = typed<std::int64_t>(*node, key, "an integer");
    if (value < 0 || static_cast<std::uint64_t>(value) < least || static_cast<std::uint64_t>(value) > most) {
      reject(*node, key, "must be from " + std::to_string(least) + " to " + std::to_string(most));
    }
    into = static_cast<T>(value);
  }
  template <class T>
  void read(const char* key, T& into, std::initializer_list<std::pair<const char*, T>> choices) {
    const auto* node = take(key);
    if (!node) return;
    const auto value = typed<std::string>(*node, key, "a string");
    std::string names;
    for (const auto& [name, choice] : choices) {
      if (value == name) {
        into = choice;
        return;
      }
      names += names.empty() ? name : std::string(", ") + name;
    }
    reject(*node, key, "must be one of " + names);
  }
  void read(const char* key, std::vector<std::string>& into) {
    const auto* node = take(key);
    if (!node) return;
    const auto* array = node->as_array();
    if (!array) reject(*node, key, "must be an array of strings");
    into.clear();
    for (const auto& element : *array) into.push_back(typed<std::string>(element, key, "a string"));
  }
  void read(const char* key, std::vector<Network>& into) {
    std::vector<std::string> texts;
    read(key, texts);
    for (const std::string& text : texts) {
      const auto network = Network::parse(text);
      if (!network) reject(node(key), key, "has what is no address or network: " + text);
      into.push_back(network.value());
    }
  }
  /// Calls `each` with every table of the array of tables `key`.
  template <class Each>
  void tables(const char* key, Each each) {
    const auto* node = take(key);
    if (!node) return;
    const auto* array = node->as_array();
    if (!array) reject(*node, key, std::string("must be written [[") + path_ + '.' + key + "]]");
    for (const auto& element : *array) {
      const auto* table = element.as_table();
      if (!table) reject(element, key, "must be a table");
      Table inner(*table, path_ + '.' + key, file_);
      each(inner);
      inner.finish();
    }
  }
  /// Calls `read_it` with the table `key`, when it is there.
  template <class Read>
  void table(const char* key, Read read_it) {
    const auto* node = take(key);
    if (!node) return;
    const auto* found = node->as_table();
    if (!found) reject(*node, key, std::string("must be a table, [") + key + "]");
    Table inner(*found, key, file_);
    read_it(inner);
    inner.finish();
  }
  void finish() const {
    for (const auto& [key, node] : table_) {
      if (!taken_.contains(std::string(key.str()))) {
        fail_at(key.source().begin.line, "unknown key " + where(std::string(key.str()).c_str()));
      }
    }
  }
  [[noreturn]] void reject(const toml::node& node, const char* key, const std::string& why) const {
    fail_at(node.source().begin.line, where(key) + ' ' + why);
  }
  const toml::node& node(const char* key) const { return *table_.get(key); }
  bool has(const char* key) const { return table_.contains(key); }

 private:
  const toml::node* take(const char* key) {
    taken_.insert(key);
    return table_.get(key);
  }
  template <class T>
  T typed(const toml::node& node, const char* key, const char* kind) const {
    const auto value = node.value_exact<T>();
    if (!value) reject(node, key, std::string("must be ") + kind);
    return *value;
  }
  std::string where(const char* key) const { return path_.empty() ? key : path_ + '.' + key; }
  [[noreturn]] void fail_at(toml::source_index line, const std::string& what) const {
    throw ConfigError(std::string(file_) + ':' + std::to_string(line) + ": " + what);
  }

  const toml::table& table_;
  std::string path_;
  std::string_view file_;
  std::set<std::string> taken_;
};

void read_ae_title(Table& t, std::string& title) {
  t.read("ae_title", title);
  const auto printable = [](char c) { return c >= 0x20 && c < 0x7f && c != '\\'; };
  if (title.empty() || title.size() > 16 || !std::all_of(title.begin(), title.end(), printable)) {
    t.reject(t.node("ae_title"), "ae_title", "must be 1 to 16 printable characters (PS3.5 table 6.2-1)");
  }
}

RemoteConfig read_remote(Table& t, std::string_view file) {
  RemoteConfig r;
  if (!t.has("ae_title") || !t.has("host")) {
    throw ConfigError(std::string(file) + ": every [[dicom.remote]] needs an ae_title and a host");
  }
  read_ae_title(t, r.ae_title);
  t.read("host", r.host);
  if (r.host.empty()) t.reject(t.node("host"), "host", "must not be empty");
  t.read<std::uint16_t>("port", r.port, 1, 65535);
  t.read<std::uint32_t>("max_associations", r.max_associations, 1, 256);
  t.read<std::uint32_t>("associations_per_move", r.associations_per_move, 1, 64);
  t.read<std::uint32_t>("connect_timeout_s", r.connect_timeout_s, 1, 3600);
  t.read<std::uint32_t>("answer_timeout_s", r.answer_timeout_s, 1, 3600);
  t.read<std::uint32_t>("retries", r.retries, 0, 1000);
  t.read<std::uint32_t>("retry_wait_ms", r.retry_wait_ms, 1, 600'000);
  t.read("transfer_syntaxes", r.transfer_syntaxes);
  for (const std::string& uid : r.transfer_syntaxes) {
    if (uid == "1.2.840.10008.1.2" || uid == "1.2.840.10008.1.2.1" || uid == "1.2.840.10008.1.2.2") continue;
    t.reject(t.node("transfer_syntaxes"), "transfer_syntaxes",
             "may have 1.2.840.10008.1.2, 1.2.840.10008.1.2.1 and 1.2.840.10008.1.2.2: " + uid + " is none of them");
  }
  if (r.transfer_syntaxes.empty() || r.transfer_syntaxes.size() > 3) {
    t.reject(t.node("transfer_syntaxes"), "transfer_syntaxes", "must have one to three UIDs");
  }
  return r;
}

RetentionRuleConfig read_retention_rule(Table& t, std::string_view file) {
  RetentionRuleConfig r;
  if (!t.has("name") || !t.has("age_days")) {
    throw ConfigError(std::string(file) + ": every [[retention.rule]] needs a name and age_days");
  }
  t.read("name", r.name);
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  if (r.name.empty() || r.name.size() > 64 || !std::all_of(r.name.begin(), r.name.end(), is_plain)) {
    t.reject(t.node("name"), "name", "must be 1 to 64 letters, digits, \"-\", \"_\" and \".\"");
  }
  t.read("level", r.of_series, {{"study", false}, {"series", true}});
  t.read("age_of", r.by_study_date, {{"change", false}, {"study_date", true}});
  t.read<std::uint32_t>("age_days", r.age_days, 1, 100 * 366);
  t.read("modalities", r.modalities);
  constexpr std::uint64_t kMostGib = 1u << 24;
  t.read<std::uint64_t>("below_free_gib", r.below_free_gib, 0, kMostGib);
  r.until_free_gib = r.below_free_gib;
  t.read<std::uint64_t>("until_free_gib", r.until_free_gib, 0, kMostGib);
  if (t.has("until_free_gib") && (r.below_free_gib == 0 || r.until_free_gib < r.below_free_gib)) {
    t.reject(t.node("until_free_gib"), "until_free_gib", "must not be below below_free_gib");
  }
  t.read("removes_the_only_copy", r.removes_the_only_copy);
  return r;
}

void read_policy(Table& t, store::DuplicatePolicy& policy) {
  using enum store::DuplicatePolicy;
  t.read("duplicates", policy, {{"keep", keep}, {"replace", replace}, {"refuse", refuse}});
}

Config read_tables(const toml::table& root, std::string_view name) {
  constexpr std::uint64_t kMostMib = 1u << 24;  // 16 TiB
  Config c;
  Table top(root, "", name);
  top.table("archive", [&](Table& t) {
    t.read("data", c.archive.data);
    t.read<std::uint32_t>("study_complete_after_s", c.archive.study_complete_after_s, 1, 31 * 86'400);
    t.read<std::uint32_t>("restore_days", c.archive.restore_days, 0, 36'500);
    t.read<std::uint64_t>("compaction_mib_per_s", c.archive.compaction_mib_per_s, 1, 1u << 20);
    using enum log::Level;
    t.read("log_level", c.archive.log_level,
           {{"debug", debug}, {"info", info}, {"warning", warning}, {"error", error}});
  });
  top.table("dicom", [&](Table& t) {
    auto& d = c.dicom;
    t.read("address", d.address);
    t.read<std::uint16_t>("port", d.port, 0, 65535);
    if (t.has("ae_title")) read_ae_title(t, d.ae_title);
    t.read("accept_unknown_sop_classes", d.accept_unknown_sop_classes);
    t.read<std::uint32_t>("max_associations", d.max_associations, 1, 100'000);
    t.read<std::uint32_t>("max_pdu_bytes", d.max_pdu_bytes, 4096, 16u << 20);
    t.read<std::uint16_t>("async_window", d.async_window, 1, 1024);
    read_policy(t, d.duplicates);
    t.read<std::uint32_t>("artim_timeout_s", d.artim_timeout_s, 1, 3600);
    t.read<std::uint32_t>("idle_timeout_s", d.idle_timeout_s, 1, 86'400);
    t.read<std::uint32_t>("stall_timeout_s", d.stall_timeout_s, 1, 3600);
    t.tables("caller", [&](Table& caller) {
      CallerConfig made;
      made.duplicates = d.duplicates;
      if (!caller.has("ae_title")) {
        throw ConfigError(std::string(name) + ": every [[dicom.caller]] needs an ae_title");
      }
      read_ae_title(caller, made.ae_title);
      caller.read("addresses", made.addresses);
      read_policy(caller, made.duplicates);
      d.callers.push_back(std::move(made));
    });
    t.read("moves_outlive_requester", d.moves_outlive_requester);
    t.read("commitment_hours", d.commitment_hours, 1u, 8760u);
    t.read("max_find_matches", d.max_find_matches, std::uint64_t{0}, std::uint64_t{1'000'000'000});
    t.tables("remote", [&](Table& remote) {
      RemoteConfig made = read_remote(remote, name);
      for (const RemoteConfig& other : d.remotes) {
        if (other.ae_title == made.ae_title) remote.reject(remote.node("ae_title"), "ae_title", "is used twice");
      }
      if (made.ae_title == d.ae_title) remote.reject(remote.node("ae_title"), "ae_title", "is our own");
      d.remotes.push_back(std::move(made));
    });
  });
  top.table("http", [&](Table& t) {
    t.read("address", c.http.address);
    t.read<std::uint16_t>("port", c.http.port, 0, 65535);
    t.read<std::uint32_t>("max_connections", c.http.max_connections, 1, 100'000);
    t.read<std::uint32_t>("max_streams", c.http.max_streams, 1, 10'000);
    t.read("admin_off_loopback", c.http.admin_off_loopback);
    t.read("store_off_loopback", c.http.store_off_loopback);
    t.read("manage_from", c.http.manage_from);
    t.read("cross_origins", c.http.cross_origins);
    t.read<std::uint64_t>("metadata_cache_mib", c.http.metadata_cache_mib, 0, kMostMib);
    t.read("https_address", c.http.https_address);
    t.read<std::uint16_t>("https_port", c.http.https_port, 0, 65535);
    t.read("certificate", c.http.certificate);
    t.read("key", c.http.key);
    if (c.http.certificate.empty() != c.http.key.empty()) {
      throw ConfigError(std::string(name) + ": http.certificate and http.key belong together");
    }
  });
  top.table("store", [&](Table& t) {
    auto& s = c.store;
    t.read<std::uint64_t>("segment_mib", s.segment_mib, 4, 1u << 16);
    t.read<std::uint64_t>("reserve_mib", s.reserve_mib, 0, kMostMib);
    t.read<std::uint64_t>("prewritten_mib", s.prewritten_mib, 0, kMostMib);
    t.read<std::uint64_t>("prewrite_mib_per_s", s.prewrite_mib_per_s, 1, 1u << 20);
    t.read<std::uint64_t>("in_flight_mib", s.in_flight_mib, 4, 1u << 20);
    t.read<std::uint64_t>("read_cache_mib", s.read_cache_mib, 0, kMostMib);
    t.read("io", s.ring, {{"ring", true}, {"plain", false}});
    std::set<std::uint32_t> ids;
    t.tables("volume", [&](Table& v) {
      VolumeConfig made;
      v.read<std::uint32_t>("id", made.id, 0, 65535);
      v.read("directory", made.directory);
      if (!ids.insert(made.id).second) v.reject(v.node("id"), "id", "is used twice");
      s.volumes.push_back(std::move(made));
    });
  });
  top.table("index", [&](Table& t) {
    t.read<std::uint32_t>("unpersisted_records", c.index.unpersisted_records, 100, 10'000'000);
    t.read<std::uint64_t>("unpersisted_mib", c.index.unpersisted_mib, 1, 1u << 16);
    t.read<std::uint64_t>("cache_mib", c.index.cache_mib, 8, kMostMib);
  });
  top.table("retention", [&](Table& t) {
    t.read<std::uint32_t>("removals_per_hour", c.retention.removals_per_hour, 1, 1'000'000);
    t.tables("rule", [&](Table& rule) {
      RetentionRuleConfig made = read_retention_rule(rule, name);
      for (const RetentionRuleConfig& other : c.retention.rules) {
        if (other.name == made.name) rule.reject(rule.node("name"), "name", "is used twice");
      }
      c.retention.rules.push_back(std::move(made));
    });
  });
  top.table("volumes", [&](Table& t) { t.read<std::uint64_t>("cache_mib", c.volumes.cache_mib, 16, kMostMib); });
  top.table("workers", [&](Table& t) { t.read<std::uint32_t>("threads", c.workers.threads, 0, 1024); });
  top.table("codec", [&](Table& t) {
    t.read("isolation", c.codec.in_processes, {{"processes", true}, {"none", false}});
    t.read<std::uint32_t>("processes", c.codec.processes, 0, 1024);
    t.read<std::uint64_t>("memory_mib", c.codec.memory_mib, 64, kMostMib);
    t.read<std::uint32_t>("frame_cpu_s", c.codec.frame_cpu_s, 1, 3600);
  });
  top.finish();
  return c;
}

}  // namespace

Config parse_config(std::string_view text, std::string_view name) {
  try {
    return read_tables(toml::parse(text), name);
  } catch (const toml::parse_error& e) {
    throw ConfigError(std::string(name) + ':' + std::to_string(e.source().begin.line) + ": " +
                      std::string(e.description()));
  }
}

Config read_config(const std::filesystem::path& file) {
  std::error_code ec;
  if (std::filesystem::is_directory(file, ec)) throw ConfigError(file.string() + ": is a directory");
  std::ifstream in(file, std::ios::binary);
  if (!in) throw ConfigError(file.string() + ": cannot be read");
  std::ostringstream text;
  text << in.rdbuf();
  return parse_config(text.str(), file.string());
}

}  // namespace cairn::app
