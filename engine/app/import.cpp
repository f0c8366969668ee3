#include "engine/app/import.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <iomanip>
#include <mutex>
#include <ostream>
#include <thread>

namespace cairn::app {
namespace {

using Kind = ImportOutcome::Kind;
constexpr std::array kKinds{"taken", "replaced", "already there", "not DICOM", "refused", "stopped"};

class Run {
 public:
  Run(const ImportOptions& options, std::ostream& out, std::ostream& progress)
      : options_(options), out_(out), progress_(progress), journal_(options.journal),
        list_(list_import_files(options.paths)) {}

  int operator()(const ImportSinkFactory& make_sink) {
    std::vector<std::thread> threads;
    const std::size_t count = std::clamp<std::size_t>(options_.threads, 1, std::max<std::size_t>(1, list_.files.size()));
    for (std::size_t i = 0; i < count; ++i) threads.emplace_back([&] { work(*make_sink()); });
    for (auto& thread : threads) thread.join();
    return finish();
  }

 private:
  struct Total {
    std::uint64_t files = 0, bytes = 0;
  };

  void work(ImportSink& sink) {
    for (;;) {
      const std::size_t i = next_.fetch_add(1);
      if (i >= list_.files.size() || stopped_.load()) return;
      const ImportFile& file = list_.files[i];
      if (journal_.has(file.path)) {
        const std::lock_guard lock(mutex_);
        ++resumed_;
        continue;
      }
      ImportOutcome outcome = sink.store(file.path);
      if (outcome.kind == Kind::not_dicom && file.named) {
        outcome = {Kind::refused, "not a DICOM file", 0};
      }
      const std::lock_guard lock(mutex_);
      account(file, outcome);
    }
  }

  void account(const ImportFile& file, const ImportOutcome& outcome) {
    auto& total = totals_[static_cast<std::size_t>(outcome.kind)];
    ++total.files;
    total.bytes += outcome.bytes;
    if (outcome.kind == Kind::refused || outcome.kind == Kind::stopped) {
      clear_bar();
      out_ << kKinds[static_cast<std::size_t>(outcome.kind)] << ' ' << file.path.string() << ": " << outcome.why << '\n';
    }
    if (outcome.kind == Kind::stopped) {
      stopped_.store(true);
    } else if (outcome.kind != Kind::refused) {
      journal_.add(file.path);
    }
    draw_bar();
  }

  void draw_bar() {
    if (!options_.show_progress) return;
    const auto now = std::chrono::steady_clock::now();
    std::uint64_t done = resumed_, bytes = 0;
    for (const Total& total : totals_) {
      done += total.files;
      bytes += total.bytes;
    }
    if (done < list_.files.size() && now - drawn_ < std::chrono::milliseconds(100)) return;
    drawn_ = now;
    const double seconds = std::chrono::duration<double>(now - begun_).count();
    const std::size_t width = 30;
    const std::size_t filled = list_.files.empty() ? width : width * done / list_.files.size();
    progress_ << "\r[" << std::string(filled, '#') << std::string(width - filled, '.') << "] " << done << '/'
              << list_.files.size() << " files, " << std::fixed << std::setprecision(1)
              << static_cast<double>(bytes) / 1e6 << " MB, "
              << static_cast<double>(bytes) / 1e6 / std::max(seconds, 1e-3) << " MB/s " << std::flush;
    bar_shown_ = true;
  }

  void clear_bar() {
    if (bar_shown_) progress_ << '\r' << std::string(79, ' ') << '\r' << std::flush;
    bar_shown_ = false;
  }

  int finish() {
    clear_bar();
    for (const auto& path : list_.missing) out_ << "missing " << path.string() << '\n';
    const auto row = [this](const char* what, std::uint64_t files, std::uint64_t bytes) {
      out_ << std::left << std::setw(15) << what << std::right << std::setw(10) << files;
      if (bytes) out_ << std::setw(12) << std::fixed << std::setprecision(1) << static_cast<double>(bytes) / 1e6 << " MB";
      out_ << '\n';
    };
    for (std::size_t i = 0; i < kKinds.size(); ++i) {
      if (totals_[i].files || i < 5) row(kKinds[i], totals_[i].files, totals_[i].bytes);
    }
    if (!list_.missing.empty()) row("missing", list_.missing.size(), 0);
    if (resumed_) row("done before", resumed_, 0);
    const bool all_well = !stopped_.load() && list_.missing.empty() && total(Kind::refused).files == 0;
    if (!stopped_.load()) journal_.remove();
    return all_well ? 0 : 1;
  }

  const Total& total(Kind kind) const { return totals_[static_cast<std::size_t>(kind)]; }

  const ImportOptions& options_;
  std::ostream& out_;
  std::ostream& progress_;
  std::mutex mutex_;  ///< guards all below it but the atomics
  ImportJournal journal_;
  ImportList list_;
  std::array<Total, kKinds.size()> totals_{};
  std::uint64_t resumed_ = 0;
  bool bar_shown_ = false;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now(), drawn_{};
  std::atomic<std::size_t> next_{0};  ///< index of the next file to take; relaxed would do
  std::atomic<bool> stopped_{false};
};

}  // namespace

int run_import(const ImportOptions& options, const ImportSinkFactory& make_sink, std::ostream& out,
               std::ostream& progress) {
  return Run(options, out, progress)(make_sink);
}

}  // namespace cairn::app
