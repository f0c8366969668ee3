#include "engine/archive/receiver.h"

#include <algorithm>
#include <cstring>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/archive/buffer_wait.h"
#include "engine/core/check.h"
#include "engine/core/uid.h"

namespace cairn::archive {
namespace {

// Sums are taken in steps that a core's cache holds; an instance within one step needs no running digest.
constexpr std::size_t kSumStepBytes = 128u << 10;
// How long a slow sender may keep a partly filled buffer when others wait for one.
constexpr auto kLongestHold = std::chrono::seconds(1);

std::int64_t now_unix_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Result<> usable(const std::string& uid, const char* name) {
  if (uid.empty()) return fail(Errc::missing, name);
  if (!is_usable_uid(uid)) return fail(Errc::malformed, name);
  return outcome::success();
}

}  // namespace

LogReceiver::LogReceiver(Source source, Announced announced, std::unique_ptr<store::InstanceWriter> writer,
                         io::BufferPool& pool, std::shared_ptr<IngestCounters> counters)
    : source_(std::move(source)),
      announced_(std::move(announced)),
      writer_(std::move(writer)),
      pool_(pool),
      counters_(std::move(counters)) {}

LogReceiver::~LogReceiver() {
  if (!committed_) counters_->failed.fetch_add(1, std::memory_order_relaxed);
}

std::size_t LogReceiver::space() const noexcept {
  return buffer_ ? buffer_.size() - store::kPartHeadRoom - filled_ : 0;
}

Task<std::span<std::byte>> LogReceiver::room() {
  CAIRN_CHECK(!committed_);
  if (space() == 0) {
    if (buffer_) hand_over();
    CAIRN_CO_TRY(buffer_, co_await acquire_buffer(pool_));
    acquired_ = std::chrono::steady_clock::now();
  }
  co_return std::span<std::byte>(buffer_.data() + store::kPartHeadRoom + filled_, space());
}

void LogReceiver::relieve() {
  if (!buffer_ || !pool_.under_pressure()) return;
  if (std::chrono::steady_clock::now() - acquired_ < kLongestHold) return;
  if (filled_ > 0) {
    hand_over();
  } else {
    buffer_ = {};
  }
}

Result<> LogReceiver::received(std::size_t length) {
  CAIRN_CHECK(length <= space());
  if (error_) return *error_;
  const Bytes piece(buffer_.data() + store::kPartHeadRoom + filled_, length);
  if (const Result<> scanned = scanner_.feed(piece); !scanned) {
    error_ = scanned.error();
    filled_ = summed_ = 0;  // what else comes is received over and over into the same memory
    return *error_;
  }
  filled_ += length;
  stream_length_ += length;
  if (filled_ - summed_ >= kSumStepBytes) sum();
  return outcome::success();
}

void LogReceiver::sum() {
  const Bytes piece(buffer_.data() + store::kPartHeadRoom + summed_, filled_ - summed_);
  crc_ = crc32c(piece, crc_);
  if (!digest_) digest_.emplace();
  digest_->update(piece);
  summed_ = filled_;
}

void LogReceiver::hand_over() {
  if (summed_ != filled_) sum();
  writer_->append(std::move(buffer_), filled_, crc_);
  buffer_ = {};
  filled_ = summed_ = 0;
  crc_ = 0;
}

Task<> LogReceiver::write(Bytes bytes) {
  while (!bytes.empty()) {
    CAIRN_CO_TRY(const std::span<std::byte> into, co_await room());
    const std::size_t length = std::min(into.size(), bytes.size());
    std::memcpy(into.data(), bytes.data(), length);
    CAIRN_CO_TRYV(received(length));
    bytes = bytes.subspan(length);
  }
  co_return outcome::success();
}

Result<> LogReceiver::check_announced(const dicom::KeyAttributes& key, std::string_view transfer_syntax) const {
  const auto differs = [](std::string_view announced, std::string_view found) {
    return !announced.empty() && trim_uid(announced) != found;
  };
  if (differs(announced_.sop_class_uid, key.sop_class_uid)) {
    return fail(Errc::mismatch, "SOP Class UID of the data set and of the request");
  }
  if (differs(announced_.sop_instance_uid, key.sop_instance_uid)) {
    return fail(Errc::mismatch, "SOP Instance UID of the data set and of the request");
  }
  if (differs(announced_.transfer_syntax_uid, transfer_syntax)) {
    return fail(Errc::mismatch, "Transfer Syntax UID of the File Meta Information and of the request");
  }
  return outcome::success();
}

Result<store::InstanceRecord> LogReceiver::make_record() {
  if (error_) return *error_;
  CAIRN_TRYV(scanner_.finish());
  const dicom::KeyAttributes& key = scanner_.key();
  CAIRN_TRYV(usable(key.sop_class_uid, "SOP Class UID"));
  CAIRN_TRYV(usable(key.sop_instance_uid, "SOP Instance UID"));
  CAIRN_TRYV(usable(key.study_instance_uid, "Study Instance UID"));
  CAIRN_TRYV(usable(key.series_instance_uid, "Series Instance UID"));
  store::InstanceRecord record;
  record.data_set_offset = scanner_.data_set_offset();
  record.pixel_data = scanner_.pixel_data();
  record.header_extents = scanner_.extents();
  header_ = scanner_.take_header();
  CAIRN_TRYV(usable(header_.transfer_syntax_uid, "Transfer Syntax UID"));
  CAIRN_TRYV(check_announced(key, header_.transfer_syntax_uid));
  record.received_unix_ns = now_unix_ns();
  record.sop_class_uid = key.sop_class_uid;
  record.sop_instance_uid = key.sop_instance_uid;
  record.study_instance_uid = key.study_instance_uid;
  record.series_instance_uid = key.series_instance_uid;
  record.transfer_syntax_uid = header_.transfer_syntax_uid;
  record.calling_ae = source_.calling_ae;
  record.called_ae = source_.called_ae;
  record.peer_address = source_.peer_address;
  record.via = source_.via;
  record.duplicate_policy = source_.duplicate_policy;
  record.stream_length = stream_length_;

  const Bytes rest(buffer_ ? buffer_.data() + store::kPartHeadRoom + summed_ : nullptr, filled_ - summed_);
  crc_ = crc32c(rest, crc_);
  if (digest_) {
    digest_->update(rest);
    record.digest = digest_->digest();
  } else {
    record.digest = digest128(rest);
  }
  return record;
}

Task<Receiver::Stored> LogReceiver::commit() {
  CAIRN_CHECK(!committed_);
  CAIRN_CO_TRY(store::InstanceRecord record, make_record());
  committed_ = true;
  Stored stored;
  stored.sop_class_uid = record.sop_class_uid;
  stored.sop_instance_uid = record.sop_instance_uid;
  stored.study_instance_uid = record.study_instance_uid;
  stored.series_instance_uid = record.series_instance_uid;
  stored.bytes = record.stream_length;

  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  auto initiate = [this, executor](auto handler, store::InstanceRecord commit_record) {
    struct Waiting {
      decltype(handler) resume;
      asio::any_io_executor executor;  // counts as outstanding work
    };
    const auto waiting = std::make_shared<Waiting>(
        Waiting{std::move(handler), asio::prefer(executor, asio::execution::outstanding_work.tracked)});
    writer_->commit(std::move(buffer_), filled_, crc_, std::move(commit_record), std::move(header_),
                    [waiting](Result<store::Outcome> outcome) {
                      asio::post(waiting->executor, [waiting, outcome]() mutable {
                        waiting->executor = {};
                        std::move(waiting->resume)(std::move(outcome));
                      });
                    });
  };
  const Result<store::Outcome> done =
      co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(Result<store::Outcome>)>(
          std::move(initiate), asio::use_awaitable, std::move(record));

  const auto count = [](std::atomic<std::uint64_t>& counter, std::uint64_t n = 1) {
    counter.fetch_add(n, std::memory_order_relaxed);
  };
  if (!done) {
    count(counters_->failed);
    co_return done.error();
  }
  stored.outcome = done.value();
  if (stored.outcome == store::Outcome::refused) {
    count(counters_->refused);
    co_return fail(Errc::conflict, "other content is stored under this SOP Instance UID");
  }
  count(counters_->instances);
  count(counters_->bytes, stored.bytes);
  if (stored.outcome == store::Outcome::identical) count(counters_->identical);
  if (stored.outcome == store::Outcome::replaced) count(counters_->replaced);
  co_return stored;
}

}  // namespace cairn::archive
