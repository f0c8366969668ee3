// What the tests of the log share: a temporary directory, an applier that remembers, instances made from a seed.
#pragma once

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/core/checksum.h"
#include "engine/io/buffer_pool.h"
#include "engine/io/file_system.h"
#include "engine/store/log.h"

namespace cairn::store::testing {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "cairn-store-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Remembers what was applied, by SOP Instance UID.
class Remembering final : public Applier {
 public:
  Result<> apply(std::span<Committed> batch, std::string_view positions) override {
    const std::scoped_lock lock(mutex);
    for (Committed& commit : batch) {
      EXPECT_GT(commit.record.sequence, last) << "out of order";
      last = commit.record.sequence;
      if (commit.event) {
        events.push_back(*commit.event);
        continue;
      }
      headers[commit.record.sop_instance_uid] = commit.header.bytes;
      locations[commit.record.sop_instance_uid] = commit.location;
      instances[commit.record.sop_instance_uid] = commit.record;
      commit.outcome = Outcome::stored;
    }
    token = positions;
    ++batches;
    if (failing) return fail(Errc::io, "test");
    return outcome::success();
  }
  std::mutex mutex;
  std::map<std::string, InstanceRecord> instances;
  std::map<std::string, std::string> headers;
  std::map<std::string, Location> locations;
  std::vector<Event> events;
  std::string token;
  Sequence last = 0;
  int batches = 0;
  bool failing = false;
};

inline void put_element(std::string& out, std::uint16_t group, std::uint16_t element, const char* vr,
                        std::string value) {
  if (value.size() % 2 != 0) value += vr == std::string_view("UI") ? '\0' : ' ';
  const bool is_long = std::string_view(vr) == "OW" || std::string_view(vr) == "OB";
  const auto number = [&](std::uint64_t v, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(v >> (8 * i) & 0xff);
  };
  number(group, 2);
  number(element, 2);
  out += vr;
  if (is_long) number(0, 2);
  number(value.size(), is_long ? 4 : 2);
  out += value;
}

/// A small but complete Part 10 stream in Explicit VR Little Endian with `pixel_bytes` of pixel data.
inline std::string part10_stream(const std::string& uid, std::size_t pixel_bytes, std::uint64_t seed) {
  std::string meta;
  put_element(meta, 2, 2, "UI", "1.2.840.10008.5.1.4.1.1.2");
  put_element(meta, 2, 3, "UI", uid);
  put_element(meta, 2, 0x10, "UI", "1.2.840.10008.1.2.1");
  std::string stream(128, '\0');
  stream += "DICM";
  std::string length;
  for (int i = 0; i < 4; ++i) length += static_cast<char>(meta.size() >> (8 * i) & 0xff);
  put_element(stream, 2, 0, "UL", length);
  stream += meta;
  put_element(stream, 8, 0x16, "UI", "1.2.840.10008.5.1.4.1.1.2");
  put_element(stream, 8, 0x18, "UI", uid);
  put_element(stream, 8, 0x60, "CS", "CT");
  put_element(stream, 0x10, 0x20, "LO", "P" + std::to_string(seed % 1000));
  put_element(stream, 0x20, 0xd, "UI", "1.2.3");
  put_element(stream, 0x20, 0xe, "UI", "1.2.3.4");
  std::string pixels(pixel_bytes, '\0');
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i + 8 <= pixels.size(); i += 8) {
    const std::uint64_t v = random();
    std::memcpy(pixels.data() + i, &v, 8);
  }
  put_element(stream, 0x7fe0, 0x10, "OW", pixels);
  return stream;
}

struct Prepared {
  std::string stream;
  InstanceRecord record;
  dicom::Header header;
};

inline Prepared prepare(const std::string& uid, std::size_t pixel_bytes, std::uint64_t seed) {
  Prepared p;
  p.stream = part10_stream(uid, pixel_bytes, seed);
  dicom::HeaderScanner scanner;
  EXPECT_TRUE(scanner.feed(as_bytes(p.stream)));
  auto finished = scanner.finish();
  EXPECT_TRUE(finished) << to_string(finished.error());
  p.record.sop_class_uid = scanner.key().sop_class_uid;
  p.record.sop_instance_uid = scanner.key().sop_instance_uid;
  p.record.study_instance_uid = scanner.key().study_instance_uid;
  p.record.series_instance_uid = scanner.key().series_instance_uid;
  p.record.transfer_syntax_uid = "1.2.840.10008.1.2.1";
  p.record.calling_ae = "TEST";
  p.record.stream_length = p.stream.size();
  p.record.data_set_offset = scanner.data_set_offset();
  p.record.pixel_data = scanner.pixel_data();
  p.record.header_extents = scanner.extents();
  p.record.digest = digest128(as_bytes(p.stream));
  p.header = scanner.take_header();
  return p;
}

/// Hands `instance` to the log in parts of `part_bytes` (0: as large as a buffer allows).
inline void store(Log& log, io::BufferPool& pool, const Prepared& instance, CommitDone done,
                  std::size_t part_bytes = 0) {
  auto writer = log.begin();
  if (!writer) return done(writer.error());
  const std::size_t room = pool.buffer_bytes() - kPartHeadRoom;
  if (part_bytes == 0 || part_bytes > room) part_bytes = room;
  std::size_t at = 0;
  for (;;) {
    std::promise<io::Buffer> promise;
    pool.acquire([&](io::Buffer buffer) { promise.set_value(std::move(buffer)); });
    io::Buffer buffer = promise.get_future().get();
    const std::size_t length = std::min(part_bytes, instance.stream.size() - at);
    std::memcpy(buffer.data() + kPartHeadRoom, instance.stream.data() + at, length);
    const std::uint32_t crc = crc32c(as_bytes(std::string_view(instance.stream).substr(at, length)));
    at += length;
    if (at < instance.stream.size()) {
      writer.value()->append(std::move(buffer), length, crc);
      continue;
    }
    writer.value()->commit(std::move(buffer), length, crc, instance.record, instance.header, std::move(done));
    return;
  }
}

inline Result<Outcome> store_and_wait(Log& log, io::BufferPool& pool, const Prepared& instance,
                                      std::size_t part_bytes = 0) {
  std::promise<Result<Outcome>> promise;
  store(log, pool, instance, [&](Result<Outcome> outcome) { promise.set_value(std::move(outcome)); }, part_bytes);
  return promise.get_future().get();
}

inline Event removal(const std::string& study) {
  Event event;
  event.study_instance_uid = study;
  event.reason = "test";
  return event;
}

inline Result<Outcome> append_and_wait(Log& log, const Event& event) {
  std::promise<Result<Outcome>> promise;
  const auto appended = log.append(std::make_shared<Event>(event),
                                   [&](Result<Outcome> outcome) { promise.set_value(std::move(outcome)); });
  if (!appended) return appended.error();
  return promise.get_future().get();
}

/// The whole stream of an instance, read back; or the first error.
inline Result<std::string> read_stream(Log& log, const InstanceRecord& record) {
  std::string stream;
  for (const Part& part : record.parts) {
    CAIRN_TRY(const auto bytes, log.read(part));
    stream += as_text(*bytes);
  }
  return stream;
}

inline LogOptions options_in(const std::filesystem::path& directory, std::uint64_t segment_bytes = 4u << 20) {
  LogOptions options;
  options.volumes = {{0, directory / "volume0"}};
  options.segment_bytes = segment_bytes;
  options.reserve_bytes = 0;
  options.prewritten_bytes = 2 * segment_bytes;
  options.read_cache_bytes = 16u << 20;
  return options;
}

}  // namespace cairn::store::testing
