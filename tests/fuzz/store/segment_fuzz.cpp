// A volume whose segments were changed at will: opening, replaying, reading and scrubbing never crash, and nothing that
// comes back as good differs from what was stored. The input is a list of changes: segment, place, and what is done
// there.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/core/checksum.h"
#include "engine/core/log.h"
#include "engine/io/testing/manual_file_system.h"
#include "engine/store/log_impl.h"
#include "tests/unit/store/log_fixture.h"

namespace {

using namespace cairn;
using io::testing::ManualFileSystem;
using store::LogImpl;

struct Good {
  std::string stream, header;
};

class Index final : public store::Applier {
 public:
  Result<> apply(std::span<store::Committed> batch, std::string_view) override {
    for (auto& commit : batch) commits.push_back(std::move(commit));
    return outcome::success();
  }
  std::vector<store::Committed> commits;
};

store::LogOptions options() {
  store::LogOptions o;
  o.volumes = {{0, "/v"}};
  o.segment_bytes = 256u << 10;
  o.reserve_bytes = 0;
  o.prewritten_bytes = 0;
  return o;
}

struct Base {
  std::map<std::string, Good> good;
  std::map<std::string, std::vector<std::byte>> sealed, open;  ///< files after a stop, and after a kill
};

const Base& base() {
  static const Base made = [] {
    Base b;
    log::set_level(log::Level::error);
    ManualFileSystem files(1);
    io::BufferPool pool(8u << 20, 256u << 10);
    Index index;
    auto log = LogImpl::open(options(), files, store::Threads::caller).value();
    if (!log->replay("", index) || !log->start(index)) std::abort();
    const auto settle = [&] {
      while (log->step() || files.complete_one()) {
      }
    };
    for (std::uint64_t i = 0; i < 24; ++i) {
      const auto p = store::testing::prepare("1.2." + std::to_string(i), i % 4 == 3 ? 90'000 : 200 + 100 * i, i);
      b.good[p.record.sop_instance_uid] = {p.stream, p.header.bytes};
      store::testing::store(
          *log, pool, p,
          [](Result<store::Outcome> o) {
            if (!o) std::abort();
          },
          40'000 + 10'000 * (i % 4));
      settle();
    }
    const auto snapshot = [&](auto& into) {
      const auto names = files.list("/v").value();
      for (const auto& name : names) into[name] = *files.contents("/v/" + name);
    };
    snapshot(b.open);
    log->stop();
    settle();
    if (!log->finished()) std::abort();
    snapshot(b.sealed);
    return b;
  }();
  return made;
}

[[noreturn]] void wrong(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Base& b = base();
  auto image = data[0] & 1 ? b.open : b.sealed;
  const bool keep_volume_file = (data[0] & 2) == 0;
  std::vector<std::string> names;
  for (const auto& [name, bytes] : image) {
    if (!keep_volume_file || name != "volume.cairn") names.push_back(name);
  }
  for (std::size_t at = 1; at + 6 <= size; at += 6) {
    auto& bytes = image[names[data[at] % names.size()]];
    if (bytes.empty()) continue;
    const std::size_t place =
        (std::size_t{data[at + 1]} | std::size_t{data[at + 2]} << 8 | std::size_t{data[at + 3]} << 16) % bytes.size();
    const std::uint8_t value = data[at + 5];
    switch (data[at + 4] % 5) {
      case 0:
        bytes[place] ^= static_cast<std::byte>(value);
        break;
      case 1:  // a run of one value
        for (std::size_t i = place; i < bytes.size() && i < place + std::size_t{value} * 64; ++i)
          bytes[i] = std::byte{0};
        break;
      case 2:  // a block from elsewhere
        for (std::size_t i = 0; i < 4096 && place + i < bytes.size(); ++i) {
          bytes[place / 4096 * 4096 + i % (bytes.size() - place / 4096 * 4096)] =
              bytes[(value * 4096u + i) % bytes.size()];
        }
        break;
      case 3:
        bytes.resize(place);
        break;
      default:
        bytes.resize(bytes.size() + value * 512u);
    }
  }
  ManualFileSystem files(2);
  for (auto& [name, bytes] : image) files.put("/v/" + name, std::move(bytes));
  for (int life = 0; life < 2; ++life) {  // what the first made of it, the second must find the same
    auto log = LogImpl::open(options(), files, store::Threads::caller);
    if (!log) return 0;
    Index index;
    auto replayed = log.value()->replay("", index);
    if (!replayed) return 0;
    for (const auto& commit : index.commits) {
      const auto good = b.good.find(commit.record.sop_instance_uid);
      if (good == b.good.end()) wrong("an instance that was never stored");
      if (commit.header.bytes != good->second.header) wrong("a header that was never stored");
      std::string stream;
      bool whole = true;
      for (const auto& part : commit.record.parts) {
        const auto bytes = log.value()->read(part);
        whole = whole && bytes;
        if (bytes) stream += as_text(*bytes.value());
      }
      if (whole && stream != good->second.stream) wrong("bytes that were never stored");
    }
    (void)log.value()->scrub([](const store::Fault&) {}, {});
  }
  return 0;
}
