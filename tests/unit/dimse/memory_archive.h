// Test double of the archive: keeps streams in memory, fails on demand, answers find() from what a test put in.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/archive/archive.h"
#include "engine/core/check.h"

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

  // What it sees.
  std::mutex mutex;
  std::map<std::string, Kept> kept;
  archive::Query last_query;
  std::atomic<int> open_receivers{0}, most_pending{0}, pending{0};
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
    for (std::size_t i = query.offset; i < matches.size(); ++i) {
      archive::Match copy = matches[i];
      if (!each(std::move(copy))) break;
    }
    return outcome::success();
  }

  // What the DIMSE services do not ask for.
  void close() override {}
  Result<archive::Instance> instance(std::string_view) override { return fail(Errc::not_found, "instance"); }
  Result<std::vector<archive::Instance>> instances(std::string_view, std::string_view) override {
    return fail(Errc::not_found, "series");
  }
  Result<> headers(std::string_view, std::string_view,
                   const std::function<bool(std::string_view, dicom::Header&&)>&) override {
    return fail(Errc::not_found, "series");
  }
  Result<dicom::Header> header(std::string_view) override { return fail(Errc::not_found, "instance"); }
  std::uint64_t series_version(std::string_view, std::string_view) override { return 0; }
  std::unique_ptr<archive::StreamReader> open(const archive::Instance&) override { return nullptr; }
  Result<std::uint64_t> scrub(const std::function<void(const store::Fault&)>&,
                              const std::function<void(std::uint64_t, std::uint64_t)>&) override {
    return std::uint64_t{0};
  }
  archive::Stats stats() override { return {}; }
  Result<> dump_index(const std::function<void(std::string_view)>&) override { return outcome::success(); }
  store::ReplaySummary opened_with() const override { return {}; }

 private:
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
    void relieve() override {}
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
