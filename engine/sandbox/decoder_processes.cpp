#include "engine/sandbox/decoder_processes.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <ctime>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>

#include "engine/core/log.h"
#include "engine/sandbox/nursery.h"
#include "engine/sandbox/protocol.h"

namespace cairn::sandbox {
namespace {

using Clock = std::chrono::steady_clock;

/// Room that a worker has by default: a frame of 512 x 512 takes a megabyte. One that was made for more is let go after
/// its frame.
constexpr std::uint64_t kUsualRoom = 64ull << 20;
constexpr std::uint64_t kMostRoom = 8ull << 30;  // 4 bytes a sample of the largest frame that is decoded
constexpr unsigned kMostFrames = 1000;  // of one worker: what a stream did to it unseen, and what libraries leak, ends
constexpr int kAttempts = 4;            // at a frame whose processes are killed from outside
constexpr std::chrono::milliseconds kGlance{500};  // between looks at the time a frame has taken
constexpr unsigned kClockToCPU = 10;
constexpr std::chrono::milliseconds kBetweenZygotes{200};

/// Error::where outlives everything; what a worker says is kept once each, and not without end.
const char* kept_text(const std::array<char, 120>& said) {
  static std::mutex mutex;
  static std::set<std::string> kept;
  constexpr std::size_t kMost = 256;
  const std::string text(said.data(), ::strnlen(said.data(), said.size()));
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
  if (!plain) return "decoder process";
  const std::scoped_lock lock(mutex);
  if (const auto at = kept.find(text); at != kept.end()) return at->c_str();
  return kept.size() < kMost ? kept.insert(text).first->c_str() : "decoder process";
}

DecodeRequest request_of(const codec::ForeignJob& job) {
  DecodeRequest r{};
  const codec::PixelFormat& f = job.format;
  r.decoder = static_cast<std::uint32_t>(job.decoder);
  r.allow_partial = job.allow_partial ? 1 : 0;
  r.coded_bytes = job.coded.size();
  r.rows = f.rows;
  r.columns = f.columns;
  r.samples_per_pixel = f.samples_per_pixel;
  r.bits_allocated = f.bits_allocated;
  r.bits_stored = f.bits_stored;
  r.high_bit = f.high_bit;
  r.planar_configuration = f.planar_configuration;
  r.is_signed = f.is_signed ? 1 : 0;
  r.floating = f.kind == codec::SampleKind::floating ? 1 : 0;
  std::strncpy(r.photometric.data(), f.photometric.c_str(), r.photometric.size() - 1);
  return r;
}

/// Says in an error what a worker said; nothing of it is believed.
Error error_of(const DecodeReply& reply) {
  const bool known = reply.error >= 1 && reply.error <= static_cast<std::int32_t>(Errc::internal);
  return fail(known ? static_cast<Errc>(reply.error) : Errc::internal, kept_text(reply.where), reply.offset);
}

Result<codec::StreamTraits> traits_of(const DecodeReply& reply, const codec::ForeignJob& job, std::uint64_t room) {
  const std::uint64_t expected = job.decoder == codec::ForeignDecoder::deflate
                                     ? codec::most_sample_bytes(job)
                                     : codec::samples_per_frame(job.format) * reply.width_bytes;
  const bool sane = (reply.width_bytes == 1 || reply.width_bytes == 2 || reply.width_bytes == 4) &&
                    reply.precision <= reply.width_bytes * 8 && reply.stream_signed <= 1 && reply.lossy <= 1 &&
                    reply.colour <= static_cast<std::uint8_t>(codec::StreamColour::ybr) &&
                    reply.sample_bytes == expected && expected <= room;
  if (!sane) return fail(Errc::malformed, "answer of a decoder process");
  codec::StreamTraits t;
  t.width_bytes = reply.width_bytes;
  t.precision = reply.precision;
  t.stream_signed = reply.stream_signed != 0;
  t.lossy = reply.lossy != 0;
  t.colour = static_cast<codec::StreamColour>(reply.colour);
  t.oddities = reply.oddities;
  return t;
}

/// Stopped machines and groups of processes count no time on the CPU: a frame is judged by what it used.
std::optional<std::chrono::nanoseconds> cpu_used(pid_t pid) {
  clockid_t clock{};
  timespec t{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &t) != 0) return std::nullopt;
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

/// After these errors the library saw a broken stream, and what the stream did to its memory may show in later frames.
bool taints(const Error& e) {
  return e == Errc::malformed || e == Errc::truncated || e == Errc::out_of_memory || e == Errc::internal;
}

enum class End { answered, crashed, killed, timed_out };

}  // namespace

class DecoderProcesses::State : public std::enable_shared_from_this<State> {
 public:
  explicit State(const Options& options) : options_(options) {}

  Result<codec::ForeignImage> run(const codec::ForeignJob& job) {
    const std::uint64_t room = codec::most_sample_bytes(job), needed = whole_pages(job.coded.size()) + room;
    if (job.coded.size() > kMostRoom || room > kMostRoom || needed > kMostRoom) {
      return fail(Errc::limit_exceeded, "room of a decoder process");
    }
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      CAIRN_TRY(auto worker, acquire(whole_pages(needed)));
      std::memcpy(worker->memory.data(), job.coded.data(), job.coded.size());
      DecodeReply reply{};
      int status = 0;
      switch (converse(*worker, request_of(job), reply, status)) {
        case End::answered:
          return conclude(std::move(worker), reply, job);
        case End::crashed:
          count(&Stats::crashed);
          tell("decoder process died of a frame", job, status);
          dismiss(std::move(worker));
          return fail(Errc::malformed, "stream on which the decoder died");
        case End::timed_out:
          count(&Stats::timed_out);
          tell("decoder process took too long over a frame", job, status);
          dismiss(std::move(worker));
          return fail(Errc::limit_exceeded, "time to decode a frame");
        case End::killed:
          count(&Stats::killed);
          tell("decoder process was killed", job, status);
          dismiss(std::move(worker));
          break;
      }
    }
    return fail(Errc::closed, "decoder processes, which are being killed");
  }

  Result<> warm_up() {
    CAIRN_TRY(auto worker, acquire(kUsualRoom));
    give_back(std::move(worker));
    return outcome::success();
  }

  Stats stats() const {
    const std::scoped_lock lock(mutex_);
    Stats s = stats_;
    s.processes = total_;
    s.busy = total_ - idle_.size();
    s.waiting = waiting_;
    return s;
  }

  std::uint32_t confinement() {
    const std::scoped_lock lock(nursery_mutex_);
    return nursery_ ? nursery_->confinement() | nursery_->worker_confinement() : 0;
  }

 private:
  using Owned = std::unique_ptr<Worker>;

  void count(std::uint64_t Stats::* what) {
    const std::scoped_lock lock(mutex_);
    ++(stats_.*what);
  }

  static void tell(std::string_view event, const codec::ForeignJob& job, int status) {
    log::error(event, {{"decoder", codec::kForeignDecoders[static_cast<std::size_t>(job.decoder)]},
                       {"instance", job.name.sop_instance_uid},
                       {"frame", job.name.frame},
                       {"signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0}});
  }

  /// A worker with so much room, idle or new.
  Result<Owned> acquire(std::uint64_t room) {
    Owned worker;
    {
      std::unique_lock lock(mutex_);
      ++waiting_;
      free_.wait(lock, [this] { return !idle_.empty() || total_ < options_.processes; });
      --waiting_;
      if (idle_.empty()) {
        ++total_;
      } else {
        worker = std::move(idle_.back());  // the one whose memory is warmest
        idle_.pop_back();
      }
    }
    if (worker && worker->memory.size() >= room) return worker;
    if (worker) end(std::move(worker));  // its place stays ours
    auto made = spawn(std::max(room, kUsualRoom));
    if (!made) leave_place();
    return made;
  }

  void give_back(Owned worker) {
    if (worker->memory.size() > kUsualRoom || worker->frames >= kMostFrames) return dismiss(std::move(worker));
    {
      const std::scoped_lock lock(mutex_);
      idle_.push_back(std::move(worker));
    }
    free_.notify_one();
  }

  void dismiss(Owned worker) {
    end(std::move(worker));
    leave_place();
  }

  void leave_place() {
    {
      const std::scoped_lock lock(mutex_);
      --total_;
    }
    free_.notify_one();
  }

  static void end(Owned worker) {
    if (worker->pid != 0) worker->nursery->reap(worker->pid);
  }

  Result<Owned> spawn(std::uint64_t room) {
    const WorkerLimits limits{options_.memory_bytes, room, options_.filter_system_calls};
    Result<Owned> made = fail(Errc::closed, "decoder processes");
    for (int attempt = 0; attempt < kAttempts && !made; ++attempt) {
      auto found = nursery();
      if (!found) return found.error();
      made = found.value()->spawn(limits);
    }
    if (!made) return made;
    count(&Stats::started);
    CAIRN_TRYV(set_patience(made.value()->channel.number(), kGlance));
    return made;
  }

  /// The zygote, started anew when it is gone.
  Result<std::shared_ptr<Nursery>> nursery() {
    const std::scoped_lock lock(nursery_mutex_);
    if (nursery_ && nursery_->alive()) return nursery_;
    if (nursery_) {
      log::error("the process that decoder processes are forked from is gone; starting another");
      nursery_.reset();
      std::this_thread::sleep_until(last_start_ + kBetweenZygotes);
    }
    last_start_ = Clock::now();
    auto started = Nursery::start();
    if (!started) {
      log::error("decoder processes cannot be started", {{"error", started.error()}});
      return started.error();
    }
    count(&Stats::zygotes_started);
    nursery_ = started.value();
    return nursery_;
  }

  /// One question and its answer, or how the worker ended. `worker.pid` is 0 afterwards where it was waited for.
  End converse(Worker& worker, const DecodeRequest& request, DecodeReply& reply, int& status) {
    const int channel = worker.channel.number();
    if (!send(channel, as_message(request))) return buried(worker, status);
    std::optional<std::chrono::nanoseconds> used_before;
    // Glances, not the clock: time in which this process was stopped too counts as one.
    for (std::chrono::milliseconds waited{0};; waited += kGlance) {
      const auto got = receive(channel, into_message(reply));
      if (got) return got.value() != 0 ? End::answered : buried(worker, status);
      if (!(got.error() == Errc::timeout)) return End::crashed;  // a message of a size that no worker sends
      const auto used = cpu_used(worker.pid);
      if (!used_before) used_before = used;
      if ((used && *used - *used_before > options_.cpu_time) || waited > options_.cpu_time * kClockToCPU) {
        return End::timed_out;
      }
    }
  }

  static End buried(Worker& worker, int& status) {
    const auto waited = worker.nursery->reap(std::exchange(worker.pid, 0));
    if (!waited) return End::killed;  // with its zygote
    status = *waited;
    return WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL ? End::crashed
           : WIFSIGNALED(status)                              ? End::killed
                                                              : End::crashed;
  }

  Result<codec::ForeignImage> conclude(Owned worker, const DecodeReply& reply, const codec::ForeignJob& job) {
    const std::uint64_t begin = whole_pages(job.coded.size());
    const auto traits = reply.error == 0 ? traits_of(reply, job, worker->memory.size() - begin) : error_of(reply);
    {
      const std::scoped_lock lock(mutex_);
      ++(traits ? stats_.decoded[static_cast<std::size_t>(job.decoder)] : stats_.refused);
    }
    ++worker->frames;
    if (!traits) {
      taints(traits.error()) ? dismiss(std::move(worker)) : give_back(std::move(worker));
      return traits.error();
    }
    codec::ForeignImage image;
    image.traits = traits.value();
    image.samples = worker->memory.subspan(begin, reply.sample_bytes);
    image.owner = std::shared_ptr<Worker>(
        worker.release(), [state = shared_from_this()](Worker* lent) { state->give_back(Owned(lent)); });
    return image;
  }

  const Options options_;
  mutable std::mutex mutex_;  ///< guards the five below
  std::condition_variable free_;
  std::vector<Owned> idle_;
  std::size_t total_ = 0;
  std::size_t waiting_ = 0;
  Stats stats_;

  std::mutex nursery_mutex_;  ///< guards the two below
  std::shared_ptr<Nursery> nursery_;
  Clock::time_point last_start_{};
};

DecoderProcesses::DecoderProcesses(std::shared_ptr<State> state) : state_(std::move(state)) {}

DecoderProcesses::~DecoderProcesses() = default;

Result<std::unique_ptr<DecoderProcesses>> DecoderProcesses::start(const Options& options) {
  auto state = std::make_shared<State>(options);
  CAIRN_TRYV(state->warm_up());
  const bool filtered = (state->confinement() & kSystemCalls) != 0;
  const bool apart = (state->confinement() & kNamespaces) != 0;
  if (!filtered && options.filter_system_calls) {
    log::warning("this system lets nobody filter system calls: decoders are held by their processes and limits only");
  }
  log::info("decoders in processes of their own", {{"processes", options.processes},
                                                   {"memory_mib", options.memory_bytes >> 20},
                                                   {"system_calls_filtered", filtered},
                                                   {"own_namespaces", apart}});
  return std::unique_ptr<DecoderProcesses>(new DecoderProcesses(std::move(state)));
}

Result<codec::ForeignImage> DecoderProcesses::run(const codec::ForeignJob& job) {
  return state_->run(job);
}

Stats DecoderProcesses::stats() const {
  return state_->stats();
}

bool DecoderProcesses::filters_system_calls() const {
  return (state_->confinement() & kSystemCalls) != 0;
}

}  // namespace cairn::sandbox
