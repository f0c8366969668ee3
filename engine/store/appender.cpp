#include "engine/store/appender.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <future>

#include <pthread.h>

#include "engine/core/check.h"
#include "engine/core/checksum.h"
#include "engine/core/log.h"

namespace cairn::store {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kQueueDepth = 32;
// Parts from here on are written from where they are; smaller ones are copied together into one write.
constexpr std::size_t kLargePart = 64u << 10;
constexpr std::size_t kStagingBytes = 1u << 20;
// A segment with less than this left is full.
constexpr std::uint64_t kFullSlack = 4u << 20;
// Writes that carry their own flush, at the same time: with a second, small commits wait half as long for their turn.
constexpr std::size_t kMostThrough = 2;
// With this much gathered, writing does not wait for the flush that is running.
constexpr std::size_t kGatherBytes = 128u << 10;
constexpr std::int64_t kSegmentRetryMs = 1'000;

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count();
}

Error io_error(std::int64_t result) {
  return result == -ENOSPC || result == -EDQUOT ? fail(Errc::out_of_space, "segment write")
                                                : fail(Errc::io, "segment write");
}

}  // namespace

struct Appender::Operation {
  enum class Kind { write, write_through, flush, footer };
  Kind kind = Kind::write;
  Live* live = nullptr;
  std::uint64_t token = 0;
  std::uint64_t offset = 0, end = 0;
  bool done = false;
  bool has_commit = false;
  Bytes bytes;
  io::Buffer buffer;        // what `bytes` points into: this,
  io::AlignedBytes memory;  // or this
  Clock::time_point asked;
};

struct Appender::Live {
  struct Pending {
    Settled settled;
    std::uint64_t flush_end = 0;  ///< durable when the segment is, up to here
    CommitEntry entry;
  };
  enum class Phase { open, closing, footer };

  OpenSegment segment;
  Phase phase = Phase::open;
  std::uint64_t tail = kSegmentHeaderBytes;
  std::uint64_t durable = 0;      ///< 0 until all before this segment is durable
  std::deque<Operation*> writes;  ///< under way, ascending
  std::deque<Pending> commits;    ///< placed and not durable
  std::vector<CommitEntry> entries;
  Sequence last_sequence = 0;  ///< of the last durable commit
  bool flushing = false;
  std::size_t through = 0;  ///< writes with a flush of their own under way; nothing else is then
  std::uint64_t flush_wanted = 0;
  std::size_t operations = 0;  ///< under way, all kinds

  std::uint32_t number() const { return segment.header.segment; }
  std::uint64_t durable_stated() const { return durable; }
  bool fits(std::uint64_t bytes, std::size_t new_commits) const {
    return tail + io::block_up(bytes) + footer_bytes(entries.size() + commits.size() + new_commits) <=
           segment.header.size;
  }
};

Appender::Appender(Volume& volume, ApplyQueue& applied, std::atomic<Sequence>& sequences, bool use_ring,
                   Sabotage sabotage)
    : volume_(volume),
      applied_(applied),
      sequences_(sequences),
      use_ring_(use_ring),
      sabotage_(sabotage),
      to_state_(volume.unsealed()) {}

Appender::~Appender() {
  stop();
  if (thread_.joinable()) thread_.join();
}

void Appender::start_thread() {
  std::promise<void> ready;
  thread_ = std::thread([this, &ready] {
    queue_ = volume_.files().make_queue(kQueueDepth, use_ring_);  // a ring has one issuer: this thread
    ready.set_value();
    run();
  });
  ::pthread_setname_np(thread_.native_handle(), "cairn-append");
  ready.get_future().wait();
}

void Appender::push(AppendRequest request) {
  bool closed = false;
  {
    const std::scoped_lock lock(mutex_);
    closed = closed_;
    if (!closed) inbox_.push_back(std::move(request));
  }
  if (closed) {
    if (request.commit) request.commit->done(fail(Errc::closed, "log"));
    return;
  }
  if (sleeping_.load() && sleeping_.exchange(false)) queue_->wake();
}

void Appender::stop() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  stopping_.store(true);
  if (!thread_.joinable()) return;
  if (sleeping_.exchange(false)) queue_->wake();
  thread_.join();
}

std::optional<Error> Appender::refusal() {
  if (failed_.load(std::memory_order_relaxed) || waits_for_segment()) return fail(Errc::io, "storage volume failed");
  if (no_space_.load(std::memory_order_relaxed)) {
    // Cleared by the appender when it gets a segment; tried again when there could be one.
    if (!volume_.has_spare() && !volume_.free_for_segment()) return fail(Errc::out_of_space, "storage reserve");
  } else if (volume_.reserve_endangered()) {
    return fail(Errc::out_of_space, "storage reserve");
  }
  return std::nullopt;
}

void Appender::run() {
  while (!finished_.load(std::memory_order_relaxed)) {
    // A round does all that can be done, so the next one waits: for a completion or for a request.
    sleeping_.store(true);
    bool block = !stopping_.load() || !operations_.empty();
    {
      const std::scoped_lock lock(mutex_);
      block = block && inbox_.empty();
    }
    if (!block) sleeping_.store(false);
    round(block);
  }
}

bool Appender::step() {
  if (finished_) return false;
  if (!queue_) queue_ = volume_.files().make_queue(kQueueDepth, use_ring_);
  return round(false);
}

bool Appender::round(bool block) {
  std::array<io::Completion, kQueueDepth> completions;
  const std::size_t count = queue_->wait(completions, block);
  if (block) sleeping_.store(false);
  bool did = count > 0;
  for (std::size_t i = 0; i < count; ++i) complete(completions[i]);
  did |= take_inbox();
  did |= place_backlog();
  if (!live_.empty()) did |= maybe_flush(*live_.front());
  did |= ask();
  // Applying comes last: the device already works on what follows.
  if (!settled_.empty()) {
    queue_->submit();
    settle(std::move(settled_));
    settled_.clear();
    did = true;
  }
  waiting_.store(backlog_.size() + gathered_.size(), std::memory_order_relaxed);

  if (!did && stopping_.load() && backlog_.empty() && gathered_.empty() && dying_.empty()) {
    {
      const std::scoped_lock lock(mutex_);
      if (!inbox_.empty()) return true;
    }
    if (live_.empty()) {
      finished_.store(true);
    } else if (live_.back()->phase == Live::Phase::open) {
      Live& last = *live_.back();
      if (live_.size() == 1 && last.tail == kSegmentHeaderBytes && last.segment.header.poisoned.empty()) {
        const std::uint32_t number = last.number();
        live_.clear();
        volume_.remove_empty(number);
      } else {
        last.phase = Live::Phase::closing;
      }
      return true;
    }
  }
  return did;
}

bool Appender::take_inbox() {
  {
    const std::scoped_lock lock(mutex_);
    taken_.swap(inbox_);
  }
  for (AppendRequest& request : taken_) backlog_.push_back(std::move(request));
  const bool some = !taken_.empty();
  taken_.clear();
  return some;
}

// ---- placing ----

bool Appender::place_backlog() {
  bool did = false;
  while (!backlog_.empty() && operations_.size() + 2 < kQueueDepth) {
    AppendRequest& request = backlog_.front();
    if (request.length < kLargePart) {
      ++request.writer->gathering;
      gathered_bytes_ += record_bytes(request.length);
      gathered_.push_back(std::move(request));
    } else {
      // Parts of one instance keep their order.
      bool placed = true;
      while (request.writer->gathering > 0 && placed) placed = operations_.size() + 2 < kQueueDepth && place_gathered();
      if (!placed || (check_writer(request) && !place_large(request))) break;
    }
    backlog_.pop_front();
    did = true;
  }
  while (!gathered_.empty() && operations_.size() + 2 < kQueueDepth) {
    const bool flush_running = !live_.empty() && (live_.front()->flushing || live_.front()->through >= kMostThrough);
    if (flush_running && gathered_bytes_ < kGatherBytes) break;
    if (!place_gathered()) break;
    did = true;
  }
  return did;
}

bool Appender::check_writer(AppendRequest& request) {
  WriterState& writer = *request.writer;
  if (!writer.failed && !lost_.empty()) {
    for (const Part& part : writer.parts) {
      const auto it = lost_.find(part.location.segment);
      if (it != lost_.end() && part.location.offset + record_bytes(part.length) > it->second) {
        writer.failed = fail(Errc::io, "segment write");
        break;
      }
    }
  }
  if (!writer.failed && request.commit && !request.commit->event) {
    InstanceRecord& record = request.commit->record;
    record.parts = writer.parts;
    if (request.length > 0) {
      record.parts.push_back({{}, static_cast<std::uint32_t>(request.length), request.crc});
    }
    if (auto checked = record.check(); !checked) writer.failed = std::move(checked).error();
  }
  if (!writer.failed) return true;
  refuse(request, Error(*writer.failed));
  return false;
}

void Appender::refuse(AppendRequest& request, const Error& error) {
  request.writer->failed = error;
  request.buffer = {};
  if (request.commit) request.commit->done(error);
}

bool Appender::waits_for_segment() const {
  return no_segment_.load(std::memory_order_relaxed) && steady_ms() < segment_again_ms_.load(std::memory_order_relaxed);
}

Result<Appender::Live*> Appender::live_with_room(std::uint64_t bytes, std::size_t commits) {
  if (failed_.load(std::memory_order_relaxed)) return fail(Errc::io, "storage volume failed");
  if (!live_.empty() && live_.back()->phase == Live::Phase::open) {
    Live& live = *live_.back();
    if (live.fits(bytes, commits)) return &live;
    if (kSegmentHeaderBytes + io::block_up(bytes) + footer_bytes(commits) > live.segment.header.size) {
      return fail(Errc::limit_exceeded, "record longer than a segment");
    }
    live.phase = Live::Phase::closing;
  }
  // One segment at a time is being sealed; what comes meanwhile goes to one other.
  if (live_.size() >= 2) return nullptr;
  if (waits_for_segment()) return fail(Errc::io, "storage volume failed");
  auto segment = volume_.take_segment(to_state_);
  if (!segment) {
    if (segment.error() == Errc::out_of_space) {
      if (!no_space_.exchange(true)) log::warning("no space for a segment", {{"volume", volume_.id()}});
    } else {
      // Too many open files, a path that is gone for a while: nothing was written, so nothing stands against another
      // try.
      segment_again_ms_.store(steady_ms() + kSegmentRetryMs);
      if (!no_segment_.exchange(true)) {
        log::error("storage volume failed", {{"volume", volume_.id()}, {"cause", segment.error()}});
      }
    }
    return std::move(segment).error();
  }
  no_space_.store(false);
  if (no_segment_.exchange(false)) log::info("storage volume takes stores again", {{"volume", volume_.id()}});
  to_state_.clear();
  auto live = std::make_unique<Live>();
  live->segment = std::move(segment).value();
  if (live_.empty()) live->durable = kSegmentHeaderBytes;
  live_.push_back(std::move(live));
  Live& open = *live_.back();
  if (!open.fits(bytes, commits)) return fail(Errc::limit_exceeded, "record longer than a segment");
  return &open;
}

std::size_t Appender::fill_part(std::byte* at, AppendRequest& request, Live& live, std::uint64_t offset,
                                bool payload_in_place) {
  WriterState& writer = *request.writer;
  RecordHeader header;
  header.type = RecordType::part;
  header.payload_length = static_cast<std::uint32_t>(request.length);
  header.payload_crc = request.crc;
  header.part_index = static_cast<std::uint32_t>(writer.parts.size());
  header.instance_number = writer.instance_number;
  header.stream_offset = writer.stream_offset;
  header.offset = offset;
  header.durable_below = live.durable_stated();
  if (!payload_in_place) std::memcpy(at + kRecordHeaderBytes, request.buffer.data() + kPartHeadRoom, request.length);
  header.encode(at, live.segment.header.identity);
  const std::size_t used = kRecordHeaderBytes + request.length;
  const std::size_t total = header.record_bytes();
  std::memset(at + used, 0, total - used);

  writer.parts.push_back({{volume_.id(), live.number(), offset}, header.payload_length, request.crc});
  writer.stream_offset += request.length;
  return total;
}

std::size_t Appender::fill_commit(std::byte* at, std::size_t room, AppendRequest& request, Live& live,
                                  std::uint64_t offset) {
  WriterState& writer = *request.writer;
  InstanceRecord& record = request.commit->record;
  Event* const event = request.commit->event.get();
  record.sequence = sequences_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (event != nullptr) {
    event->sequence = record.sequence;
  } else {
    record.instance_number = writer.instance_number;
    record.header_crc = crc32c(as_bytes(request.commit->header.bytes));
    record.parts = std::move(writer.parts);
  }
  const std::string payload = event != nullptr ? event->encode() : record.encode();
  RecordHeader header;
  header.type = event != nullptr ? RecordType::event : RecordType::commit;
  header.payload_length = static_cast<std::uint32_t>(payload.size());
  header.payload_crc = crc32c(as_bytes(payload));
  header.part_index = static_cast<std::uint32_t>(record.parts.size());
  header.instance_number = writer.instance_number;
  header.stream_offset = event != nullptr ? event->sequence : record.stream_length;
  header.offset = offset;
  header.durable_below = live.durable_stated();
  const std::size_t total = header.record_bytes();
  CAIRN_CHECK(total <= room);
  header.encode(at, live.segment.header.identity);
  std::memcpy(at + kRecordHeaderBytes, payload.data(), payload.size());
  std::memset(at + kRecordHeaderBytes + payload.size(), 0, total - kRecordHeaderBytes - payload.size());

  Live::Pending pending;
  pending.settled.sequence = record.sequence;
  pending.settled.location = {volume_.id(), live.number(), offset};
  pending.settled.end = offset + total;
  pending.settled.request = std::move(request.commit);
  pending.entry = {offset, header.payload_length};
  live.commits.push_back(std::move(pending));
  return total;
}

bool Appender::place_large(AppendRequest& request) {
  const std::uint64_t part_bytes = record_bytes(request.length);
  // The commit goes behind its last part, into the same write, where the buffer has room for it.
  std::uint64_t commit_bytes = 0;
  bool apart = false;
  if (request.commit) {
    commit_bytes = record_bytes(request.commit->encoded_bytes());
    apart = part_bytes + commit_bytes > request.buffer.size();
  }
  const auto found =
      live_with_room(apart ? io::block_up(part_bytes) + io::block_up(commit_bytes) : part_bytes + commit_bytes,
                     request.commit ? 1 : 0);
  if (!found) {
    refuse(request, found.error());
    return true;
  }
  if (found.value() == nullptr) return false;
  Live& live = *found.value();

  auto op = std::make_unique<Operation>();
  std::byte* const at = request.buffer.data();
  std::size_t used = fill_part(at, request, live, live.tail, true);
  const bool with_commit = request.commit && !apart;
  if (with_commit) used += fill_commit(at + used, request.buffer.size() - used, request, live, live.tail + used);
  const auto whole = static_cast<std::size_t>(io::block_up(used));
  std::memset(at + used, 0, whole - used);
  op->bytes = {at, whole};
  op->buffer = std::move(request.buffer);
  op->has_commit = with_commit;
  add_write(live, std::move(op));
  if (with_commit) live.commits.back().flush_end = live.tail;

  if (request.commit) {
    auto commit_op = std::make_unique<Operation>();
    commit_op->memory = io::AlignedBytes(commit_bytes);
    fill_commit(commit_op->memory.data(), commit_op->memory.size(), request, live, live.tail);
    commit_op->bytes = commit_op->memory.bytes();
    commit_op->has_commit = true;
    add_write(live, std::move(commit_op));
    live.commits.back().flush_end = live.tail;
  }
  return true;
}

bool Appender::place_gathered() {
  auto op = std::make_unique<Operation>();
  Live* live = nullptr;
  std::size_t used = 0;
  std::size_t commits = 0;
  while (!gathered_.empty()) {
    AppendRequest& request = gathered_.front();
    const auto take = [&] {
      --request.writer->gathering;
      gathered_bytes_ -= record_bytes(request.length);
      gathered_.pop_front();
    };
    if (!check_writer(request)) {  // the writer's segment may have been lost since
      take();
      continue;
    }
    // (An empty last part is no record.)
    const std::uint64_t part_bytes = request.length > 0 ? record_bytes(request.length) : 0;
    const std::uint64_t bytes = part_bytes + (request.commit ? record_bytes(request.commit->encoded_bytes()) : 0);
    if (bytes == 0) {
      take();
      continue;
    }
    if (live != nullptr && (used + bytes > op->memory.size() || !live->fits(used + bytes, commits + 1))) break;
    if (live == nullptr) {
      const auto found = live_with_room(bytes, request.commit ? 1 : 0);
      if (!found) {
        refuse(request, found.error());
        take();
        continue;
      }
      if (found.value() == nullptr) return false;
      live = found.value();
      if (bytes <= kStagingBytes && !staging_.empty()) {
        op->memory = std::move(staging_.back());
        staging_.pop_back();
      } else {
        op->memory = io::AlignedBytes(std::max<std::size_t>(bytes, kStagingBytes));
      }
    }
    std::byte* const at = op->memory.data();
    if (request.length > 0) used += fill_part(at + used, request, *live, live->tail + used, false);
    if (request.commit) {
      used += fill_commit(at + used, op->memory.size() - used, request, *live, live->tail + used);
      op->has_commit = true;
      ++commits;
    }
    take();
  }
  if (live == nullptr) return true;
  const auto whole = static_cast<std::size_t>(io::block_up(used));
  std::memset(op->memory.data() + used, 0, whole - used);
  op->bytes = op->memory.first(whole);
  add_write(*live, std::move(op));
  for (auto it = live->commits.rbegin(); commits > 0; ++it, --commits) it->flush_end = live->tail;
  return true;
}

void Appender::add_write(Live& live, std::unique_ptr<Operation> op) {
  op->live = &live;
  op->offset = live.tail;
  op->end = live.tail + op->bytes.size();
  live.tail = op->end;
  appended_.fetch_add(op->bytes.size(), std::memory_order_relaxed);
  device_.fetch_add(op->bytes.size(), std::memory_order_relaxed);
  Operation& added = under_way(std::move(op));
  live.writes.push_back(&added);
  to_ask_.push_back(&added);
}

Appender::Operation& Appender::under_way(std::unique_ptr<Operation> op) {
  op->token = next_token_++;
  ++op->live->operations;
  Operation& added = *op;
  operations_.emplace(op->token, std::move(op));
  return added;
}

// ---- writing and flushing ----

std::uint64_t Appender::completed_below(const Live& live) const {
  return live.writes.empty() ? live.tail : live.writes.front()->offset;
}

bool Appender::ask() {
  if (to_ask_.empty()) return false;
  // A single write on top of what is durable, or will be by writes like it, takes its flush along: one wake-up instead
  // of two.
  Operation& first = *to_ask_.front();
  Live& live = *first.live;
  const std::uint64_t below = live.through == 0 ? live.durable : live.writes[live.through - 1]->end;
  if (to_ask_.size() == 1 && first.has_commit && &live == live_.front().get() &&
      live.writes.size() == live.through + 1 && live.through < kMostThrough && !live.flushing &&
      below == first.offset && sabotage_ == Sabotage::none) {
    first.kind = Operation::Kind::write_through;
    first.asked = Clock::now();
    ++live.through;
    queue_->write_through(*live.segment.file, first.offset, first.bytes, first.token);
  } else {
    for (Operation* op : to_ask_) queue_->write(*op->live->segment.file, op->offset, op->bytes, op->token);
  }
  to_ask_.clear();
  return true;
}

bool Appender::maybe_flush(Live& live) {
  if (live.flushing || live.through > 0 || live.phase == Live::Phase::footer) return false;
  const bool closing = live.phase == Live::Phase::closing;
  if (closing && live.durable == live.tail) {
    // Everything is durable, so the footer may say so.
    auto op = std::make_unique<Operation>();
    op->kind = Operation::Kind::footer;
    op->live = &live;

    // The footer ends the file: of a full segment as it is, else the file is cut behind it.
    const std::uint64_t at_end = live.segment.header.size - footer_bytes(live.entries.size());
    op->offset = at_end - live.tail < kFullSlack ? at_end : live.tail;
    const Trailer trailer{op->offset, live.tail, static_cast<std::uint32_t>(live.entries.size()), live.last_sequence};
    op->memory = encode_footer(live.entries, live.segment.header.identity, trailer);
    op->bytes = op->memory.bytes();
    op->end = op->offset + op->bytes.size();
    device_.fetch_add(op->bytes.size(), std::memory_order_relaxed);
    live.phase = Live::Phase::footer;
    Operation& footer = under_way(std::move(op));
    queue_->write_through(*live.segment.file, footer.offset, footer.bytes, footer.token);
    return true;
  }
  if (live.commits.empty() && !closing) return false;
  if (live.flush_wanted <= live.durable) live.flush_wanted = closing ? live.tail : live.commits.back().flush_end;
  const std::uint64_t below = completed_below(live);
  if (below < live.flush_wanted) return false;
  auto op = std::make_unique<Operation>();
  op->kind = Operation::Kind::flush;
  op->live = &live;
  op->end = below;
  op->asked = Clock::now();
  live.flushing = true;
  Operation& flush = under_way(std::move(op));
  queue_->flush(*live.segment.file, flush.token);
  return true;
}

bool Appender::complete(const io::Completion& completion) {
  const auto it = operations_.find(completion.token);
  CAIRN_CHECK(it != operations_.end());
  Operation& op = *it->second;
  Live& live = *op.live;
  --live.operations;
  op.done = true;
  op.buffer = {};
  if (op.memory.size() == kStagingBytes && staging_.size() < 4) staging_.push_back(std::move(op.memory));
  op.memory = {};

  const bool dying = std::none_of(live_.begin(), live_.end(), [&](const auto& l) { return l.get() == &live; });
  if (dying) {
    if (live.operations == 0) std::erase_if(dying_, [&](const auto& l) { return l.get() == &live; });
    operations_.erase(it);
    return true;
  }
  const bool failed = completion.result < 0 || (op.kind != Operation::Kind::flush &&
                                                completion.result != static_cast<std::int64_t>(op.bytes.size()));
  if (failed) {
    log::error("segment write failed", {{"volume", volume_.id()},
                                        {"segment", live.number()},
                                        {"offset", op.offset},
                                        {"length", op.bytes.size()},
                                        {"result", completion.result}});
    if (op.kind == Operation::Kind::flush || op.kind == Operation::Kind::footer) operations_.erase(it);
    poison(io_error(completion.result));
    return true;
  }
  switch (op.kind) {
    case Operation::Kind::write:
    case Operation::Kind::write_through: {
      if (op.kind == Operation::Kind::write_through) {
        flush_us_.record(static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - op.asked).count()));
      }
      std::uint64_t end = 0;
      while (!live.writes.empty() && live.writes.front()->done) {
        const Operation& first = *live.writes.front();
        if (first.kind == Operation::Kind::write_through) {
          end = first.end;
          --live.through;
        }
        operations_.erase(first.token);
        live.writes.pop_front();
      }
      if (end > 0) flushed(live, end);
      if (sabotage_ == Sabotage::acknowledge_before_flush) flushed(live, completed_below(live));
      break;
    }
    case Operation::Kind::flush: {
      flush_us_.record(static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - op.asked).count()));
      const std::uint64_t end = op.end;
      operations_.erase(it);
      flushed(live, end);
      break;
    }
    case Operation::Kind::footer: {
      const Trailer trailer{op.offset, live.tail, static_cast<std::uint32_t>(live.entries.size()), live.last_sequence};
      operations_.erase(it);
      const std::uint64_t size = trailer.footer_offset + footer_bytes(trailer.commits);
      // Without the cut the footer is still found, by recovery's scan.
      if (size == live.segment.header.size || live.segment.file->truncate(size)) {
        volume_.set_sealed(live.number(), trailer);
      }
      live_.pop_front();
      if (!live_.empty()) live_.front()->durable = std::max(live_.front()->durable, kSegmentHeaderBytes);
      break;
    }
  }
  return true;
}

void Appender::flushed(Live& live, std::uint64_t end) {
  live.flushing = false;
  if (end <= live.durable) return;
  durable_.fetch_add(end - std::max(live.durable, kSegmentHeaderBytes), std::memory_order_relaxed);
  live.durable = end;
  std::vector<CommitEntry> entries;
  while (!live.commits.empty() && live.commits.front().flush_end <= end) {
    entries.push_back(live.commits.front().entry);
    live.last_sequence = live.commits.front().settled.sequence;
    settled_.push_back(std::move(live.commits.front().settled));
    live.commits.pop_front();
  }
  if (!entries.empty()) batch_instances_.record(entries.size());
  live.entries.insert(live.entries.end(), entries.begin(), entries.end());
  volume_.set_durable(live.number(), end, entries);
}

void Appender::poison(const Error& error) {
  std::vector<Settled> failed;
  for (auto& live : live_) {
    const std::uint64_t good_end = std::max(live->durable, kSegmentHeaderBytes);
    log::error("segment poisoned", {{"volume", volume_.id()}, {"segment", live->number()}, {"good_end", good_end}});
    to_state_.push_back({live->number(), good_end});
    lost_[live->number()] = good_end;
    volume_.set_poisoned(live->number());
    for (Live::Pending& pending : live->commits) {
      pending.settled.error = error;
      failed.push_back(std::move(pending.settled));
    }
    live->commits.clear();
    // What was not yet asked of the queue never will be.
    for (Operation* op : live->writes) {
      if (std::erase(to_ask_, op) > 0) {
        --live->operations;
        operations_.erase(op->token);
      } else if (op->done) {
        operations_.erase(op->token);
      }
    }
    live->writes.clear();
    if (live->operations > 0) dying_.push_back(std::move(live));
  }
  live_.clear();
  if (to_state_.size() > kMaxPoisoned) failed_.store(true);
  for (Settled& settled : failed) settled_.push_back(std::move(settled));
}

void Appender::settle(std::vector<Settled> batch) {
  applied_.deliver(std::move(batch));
}

}  // namespace cairn::store
