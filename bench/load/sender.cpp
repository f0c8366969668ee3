#include "bench/load/sender.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include <sys/resource.h>

namespace cairn::load {
namespace {

using Clock = std::chrono::steady_clock;

double cpu_seconds() {
  rusage r{};
  ::getrusage(RUSAGE_SELF, &r);
  const auto s = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return s(r.ru_utime) + s(r.ru_stime);
}

struct Outstanding {
  std::uint16_t message_id;
  std::string sop_instance_uid;
  std::uint64_t bytes;
  Clock::time_point since, sent;
};

// The load of one association.
class Sender {
 public:
  Sender(const Corpus& corpus, const LoadOptions& options, std::uint64_t number, Association association)
      : corpus_(corpus), options_(options), number_(number), association_(std::move(association)) {
    const std::uint64_t total = corpus.size() == 0   ? options.count
                                : options.count == 0 ? corpus.size()
                                                     : std::min(options.count, corpus.size());
    const std::uint64_t n = options.associations;
    share_ = total == 0 ? UINT64_MAX : total / n + (number < total % n ? 1 : 0);
    // Files are dealt out in contiguous runs; generated objects are numbered by sender.
    base_ = corpus.size() == 0 ? options.first : number * (total / n) + std::min(number, total % n);
  }

  void run(Clock::time_point start) {
    if (auto r = loop(start); !r)
      report_.errors.push_back(to_string(r.error()));
    else if (auto released = association_.release(); !released)
      report_.errors.push_back(to_string(released.error()));
    report_.failed += outstanding_.size();
  }
  LoadReport& report() noexcept { return report_; }

 private:
  Result<> loop(Clock::time_point start) {
    const auto deadline =
        start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options_.seconds));
    const double interval = options_.rate > 0 ? options_.associations / options_.rate : 0;
    for (std::uint64_t i = 0; i < share_; ++i) {
      if (interval > 0) {
        const double due = (static_cast<double>(i) + static_cast<double>(number_) / options_.associations) * interval;
        const auto when = start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(due));
        // What is outstanding is collected before we sleep, so that latencies hold no pause of ours.
        while (!outstanding_.empty() && when > Clock::now()) {
          CAIRN_TRYV(collect());
        }
        std::this_thread::sleep_until(when);
        due_ = when;
      }
      if (options_.seconds > 0 && Clock::now() >= deadline) break;
      corpus_.make(number_, base_ + i, object_);
      if (options_.journal != nullptr) {
        CAIRN_TRYV(options_.journal->sending(object_));
      }
      // A paced store counts from when it was due: a sender held up by a slow answer does not hide the wait.
      const auto since = interval > 0 ? due_ : Clock::now();
      const std::uint16_t id = next_id_++;
      outstanding_.push_back({id, object_.sop_instance_uid, object_.size_bytes(), since, Clock::now()});
      if (auto sent = association_.send_store(object_, id); !sent) {
        if (sent.error() != Errc::unsupported) return sent.error();
        outstanding_.pop_back();
        ++report_.failed;
        note(0x0122, "no accepted presentation context");
        continue;
      }
      while (outstanding_.size() >= association_.window()) {
        CAIRN_TRYV(collect());
      }
    }
    while (!outstanding_.empty()) {
      CAIRN_TRYV(collect());
    }
    return outcome::success();
  }

  Result<> collect() {
    CAIRN_TRY(const auto response, association_.receive());
    const auto it = std::find_if(outstanding_.begin(), outstanding_.end(),
                                 [&](const Outstanding& o) { return o.message_id == response.message_id; });
    if (it == outstanding_.end()) return fail(Errc::malformed, "response to no request");
    if (options_.journal != nullptr) {
      CAIRN_TRYV(options_.journal->answered(it->sop_instance_uid, response.status));
    }
    note(response.status, response.comment);
    // Warnings (Bxxx, PS3.4 §B.2.3) mean stored.
    if (response.status == 0 || response.status >> 12 == 0xB) {
      ++report_.stored;
      report_.bytes += it->bytes;
      const auto now = Clock::now();
      report_.latencies_ms.push_back(std::chrono::duration<float, std::milli>(now - it->since).count());
      report_.service_ms.push_back(std::chrono::duration<float, std::milli>(now - it->sent).count());
    } else {
      ++report_.failed;
    }
    outstanding_.erase(it);
    return outcome::success();
  }

  void note(std::uint16_t status, const std::string& comment) {
    if (report_.statuses[status]++ == 0 && !comment.empty()) report_.errors.push_back(comment);
  }

  const Corpus& corpus_;
  const LoadOptions& options_;
  std::uint64_t number_;
  Association association_;
  std::uint64_t share_ = 0, base_ = 0;
  Object object_;
  Clock::time_point due_{};
  std::vector<Outstanding> outstanding_;
  std::uint16_t next_id_ = 1;
  LoadReport report_;
};

}  // namespace

double LoadReport::percentile(const std::vector<float>& sorted, double fraction) {
  if (sorted.empty()) return 0;
  const auto i = static_cast<std::size_t>(fraction * static_cast<double>(sorted.size()));
  return static_cast<double>(sorted[std::min(i, sorted.size() - 1)]);
}

LoadReport run_load(const Corpus& corpus, const LoadOptions& options) {
  LoadReport all;
  const auto contexts = corpus.contexts();
  std::vector<Association> silent;
  for (unsigned i = 0; i < options.idle; ++i) {
    auto a = Association::request(options.association, contexts);
    if (!a) {
      all.errors.push_back("idle association: " + to_string(a.error()));
      break;
    }
    silent.push_back(std::move(a).value());
  }
  std::vector<std::unique_ptr<Sender>> senders;
  for (unsigned i = 0; i < options.associations; ++i) {
    auto a = Association::request(options.association, contexts);
    if (!a) {
      all.errors.push_back("association: " + to_string(a.error()));
      continue;
    }
    senders.push_back(std::make_unique<Sender>(corpus, options, i, std::move(a).value()));
  }
  const double cpu = cpu_seconds();
  const auto start = Clock::now();
  std::vector<std::thread> threads;
  for (auto& s : senders) threads.emplace_back([&s, start] { s->run(start); });
  for (auto& t : threads) t.join();
  all.wall_s = std::chrono::duration<double>(Clock::now() - start).count();
  all.client_cpu_s = cpu_seconds() - cpu;
  for (auto& s : senders) {
    LoadReport& r = s->report();
    all.stored += r.stored;
    all.failed += r.failed;
    all.bytes += r.bytes;
    for (const auto& [status, n] : r.statuses) all.statuses[status] += n;
    all.latencies_ms.insert(all.latencies_ms.end(), r.latencies_ms.begin(), r.latencies_ms.end());
    all.service_ms.insert(all.service_ms.end(), r.service_ms.begin(), r.service_ms.end());
    for (auto& e : r.errors) {
      if (all.errors.size() < 16 && std::find(all.errors.begin(), all.errors.end(), e) == all.errors.end())
        all.errors.push_back(e);
    }
  }
  std::sort(all.latencies_ms.begin(), all.latencies_ms.end());
  std::sort(all.service_ms.begin(), all.service_ms.end());
  for (auto& a : silent) (void)a.release();
  return all;
}

}  // namespace cairn::load
