// Test double of the archive: keeps streams in memory, fails on demand, answers find() from what a test put in, and gives
// back the objects that a test put in.
#pragma once

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/archive/archive.h"
#include "engine/core/check.h"
#include "engine/dicom/meta.h"
#include "engine/dicom/tags.h"

namespace cairn::test {

class MemoryArchive : public archive::Archive {
 public:
  struct Kept {
    std::string stream;
    archive::Source source;
    archive::Announced announced;
  };

  // What a test sets before traffic.
  bool keep_streams = true;
  std::chrono::milliseconds commit_delay{0};
  std::map<std::string, Error> fail_receive, fail_received, fail_commit;  ///< by SOP Instance UID
  std::vector<archive::Match> matches;

  /// What can be retrieved; then find() answers from these. Guarded by `mutex` once there is traffic.
  struct Object {
    archive::Instance instance;
    std::string patient_id, stream;
    std::optional<Error> damage;  ///< of its second half
  };
  std::map<std::string, Object> objects;
  std::size_t part_bytes = 1u << 20;
  std::chrono::milliseconds read_delay{0};
  std::atomic<std::uint64_t> opened{0};

  Object& add(const std::string& sop_class, const std::string& uid, const std::string& syntax,
              const std::string& data_set, const std::string& series = "1.2.9.1", const std::string& study = "1.2.9",
              const std::string& patient = "P") {
    const std::lock_guard lock(mutex);
    Object& o = objects[uid];
    o.stream = dicom::make_file_meta(sop_class, uid, syntax, "TEST");
    o.instance.data_set_offset = o.stream.size();
    o.stream += data_set;
    o.instance.stream_length = o.stream.size();
    o.instance.sop_class_uid = sop_class;
    o.instance.sop_instance_uid = uid;
    o.instance.transfer_syntax_uid = syntax;
    o.instance.study_instance_uid = study;
    o.instance.series_instance_uid = series;
    o.patient_id = patient;
    return o;
  }

  // What it sees.
  std::mutex mutex;
  std::map<std::string, Kept> kept;
  archive::Query last_query;
  std::atomic<int> open_receivers{0}, most_pending{0}, pending{0}, relieved{0};
  std::atomic<std::uint64_t> commits{0}, bytes{0}, find_calls{0};

  Result<std::unique_ptr<archive::Receiver>> receive(archive::Source source, archive::Announced announced) override {
    if (const auto at = fail_receive.find(announced.sop_instance_uid); at != fail_receive.end()) return at->second;
    return std::unique_ptr<archive::Receiver>(new Receiver(*this, std::move(source), std::move(announced)));
  }
  Result<> find(const archive::Query& query, const std::function<bool(archive::Match&&)>& each) override {
    ++find_calls;
    {
      const std::lock_guard lock(mutex);
      last_query = query;
    }
    if (!objects.empty()) return find_objects(query, each);
    for (std::size_t i = query.offset; i < matches.size(); ++i) {
      archive::Match copy = matches[i];
      if (!each(std::move(copy))) break;
    }
    return outcome::success();
  }

  // What the DIMSE services do not ask for.
  void close() override {}
  Result<archive::Instance> instance(std::string_view uid) override {
    const std::lock_guard lock(mutex);
    const auto at = objects.find(std::string(uid));
    if (at == objects.end()) return fail(Errc::not_found, "instance");
    return at->second.instance;
  }
  Result<std::vector<archive::Instance>> instances(std::string_view study, std::string_view series) override {
    const std::lock_guard lock(mutex);
    std::vector<archive::Instance> found;
    for (const auto& [uid, o] : objects) {
      if (o.instance.study_instance_uid == study && o.instance.series_instance_uid == series) found.push_back(o.instance);
    }
    if (found.empty()) return fail(Errc::not_found, "series");
    return found;
  }
  Result<> headers(std::string_view, std::string_view,
                   const std::function<bool(std::string_view, dicom::Header&&)>&) override {
    return fail(Errc::not_found, "series");
  }
  Result<dicom::Header> header(std::string_view) override { return fail(Errc::not_found, "instance"); }
  std::uint64_t series_version(std::string_view, std::string_view) override { return 0; }
  Task<archive::Removed> remove(archive::Target, archive::Asked, bool) override {
    co_return fail(Errc::unsupported, "removal");
  }
  Task<archive::Removed> restore(store::Sequence, archive::Asked) override {
    co_return fail(Errc::unsupported, "removal");
  }
  Result<> removed(const archive::Target&, const std::function<bool(archive::Removed&&)>&) override {
    return outcome::success();
  }
  std::unique_ptr<archive::StreamReader> open(const archive::Instance& instance) override {
    ++opened;
    if (read_delay.count() != 0) std::this_thread::sleep_for(read_delay);
    const std::lock_guard lock(mutex);
    return std::make_unique<Reader>(objects.at(instance.sop_instance_uid), part_bytes);
  }
  Result<std::uint64_t> scrub(const std::function<void(const store::Fault&)>&,
                              const std::function<void(std::uint64_t, std::uint64_t)>&) override {
    return std::uint64_t{0};
  }
  archive::Stats stats() override { return {}; }
  Result<> dump_index(const std::function<void(std::string_view)>&) override { return outcome::success(); }
  store::ReplaySummary opened_with() const override { return {}; }

 private:
  Result<> find_objects(const archive::Query& query, const std::function<bool(archive::Match&&)>& each) {
    const auto in = [](const std::vector<std::string>& keys, const std::string& value) {
      return keys.empty() || std::find(keys.begin(), keys.end(), value) != keys.end();
    };
    std::set<std::pair<std::string, std::string>> found;
    {
      const std::lock_guard lock(mutex);
      for (const auto& [uid, o] : objects) {
        if (!in(query.patient_ids, o.patient_id) || !in(query.study_uids, o.instance.study_instance_uid) ||
            !in(query.series_uids, o.instance.series_instance_uid)) {
          continue;
        }
        found.insert({o.instance.study_instance_uid, o.instance.series_instance_uid});
      }
    }
    for (const auto& [study, series] : found) {
      archive::Match match;
      match.set_text(dicom::tags::StudyInstanceUID, dicom::VR::UI, study);
      match.set_text(dicom::tags::SeriesInstanceUID, dicom::VR::UI, series);
      if (!each(std::move(match))) break;
    }
    return outcome::success();
  }

  class Reader final : public archive::StreamReader {
   public:
    Reader(const Object& o, std::size_t bytes_of_a_part) : object_(o), part_bytes_(bytes_of_a_part) {}
    std::uint64_t size() const override { return object_.stream.size(); }
    Result<std::size_t> read(std::uint64_t, MutableBytes) override { return fail(Errc::internal, "read"); }
    Result<View> view(std::uint64_t offset) override {
      if (object_.damage && offset > size() / 2) return *object_.damage;
      const std::uint64_t end = std::min<std::uint64_t>(size(), (offset / part_bytes_ + 1) * part_bytes_);
      if (object_.damage && end > size() / 2) return *object_.damage;
      const Bytes piece = as_bytes(object_.stream).subspan(offset, end - offset);
      auto keep = std::make_shared<const std::vector<std::byte>>(piece.begin(), piece.end());
      return View{keep, Bytes(*keep)};
    }

   private:
    const Object object_;
    const std::size_t part_bytes_;
  };

  class Receiver final : public archive::Receiver {
   public:
    Receiver(MemoryArchive& a, archive::Source from, archive::Announced about)
        : archive_(a), source_(std::move(from)), announced_(std::move(about)) {
      ++archive_.open_receivers;
      const auto at = archive_.fail_received.find(announced_.sop_instance_uid);
      if (at != archive_.fail_received.end()) error_ = &at->second;
    }
    ~Receiver() override { --archive_.open_receivers; }
    Task<std::span<std::byte>> room() override {
      if (buffer_.empty()) buffer_.resize(archive_.keep_streams ? 3000 : 256u << 10);
      co_return std::span<std::byte>(buffer_);
    }
    void relieve() override { ++archive_.relieved; }
    Result<> received(std::size_t length) override {
      CAIRN_CHECK(length != 0 && length <= buffer_.size());
      if (archive_.keep_streams) stream_ += as_text({buffer_.data(), length});
      length_ += length;
      if (error_ != nullptr && length_ > 600) return *error_;
      return outcome::success();
    }
    Task<> write(Bytes more) override {
      if (archive_.keep_streams) stream_ += as_text(more);
      length_ += more.size();
      co_return outcome::success();
    }
    Task<Stored> commit() override {
      const int pending_now = ++archive_.pending;
      if (pending_now > archive_.most_pending) archive_.most_pending = pending_now;
      if (archive_.commit_delay.count() != 0) {
        asio::steady_timer timer(co_await asio::this_coro::executor, archive_.commit_delay);
        co_await timer.async_wait(asio::use_awaitable);
      }
      --archive_.pending;
      if (const auto at = archive_.fail_commit.find(announced_.sop_instance_uid); at != archive_.fail_commit.end()) {
        co_return at->second;
      }
      ++archive_.commits;
      archive_.bytes += length_;
      if (archive_.keep_streams) {
        const std::lock_guard lock(archive_.mutex);
        archive_.kept[announced_.sop_instance_uid] = {std::move(stream_), source_, announced_};
      }
      Stored result;
      result.sop_instance_uid = announced_.sop_instance_uid;
      co_return result;
    }

   private:
    MemoryArchive& archive_;
    archive::Source source_;
    archive::Announced announced_;
    std::vector<std::byte> buffer_;
    std::string stream_;
    std::uint64_t length_ = 0;
    const Error* error_ = nullptr;
  };
};

}  // namespace cairn::test
