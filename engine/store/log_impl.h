// The log put together: volumes, their appenders, the apply queue, the segment maker, the reader. For engine/store and
// its tests, which may run it without threads, step by step.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "engine/store/appender.h"
#include "engine/store/apply_queue.h"
#include "engine/store/log.h"
#include "engine/store/part_reader.h"
#include "engine/store/segment_maker.h"
#include "engine/store/volume.h"

namespace cairn::store {

enum class Threads {
  own,     ///< production
  caller,  ///< the caller steps: nothing happens between calls
};

class LogImpl final : public Log {
 public:
  static Result<std::unique_ptr<LogImpl>> open(LogOptions options, io::FileSystem& files, Threads threads,
                                               Sabotage sabotage = Sabotage::none);
  ~LogImpl() override;

  Result<> meet(std::string_view positions) override;
  Result<ReplaySummary> replay(std::string_view positions, Applier& applier) override;
  Result<> start(Applier& applier) override;
  void stop() override;
  Result<std::unique_ptr<InstanceWriter>> begin() override;
  Result<> append(std::shared_ptr<Event> event, CommitDone done) override;
  Result<PartBytes> read(const Part& part) override;
  PartBytes cached(const Part& part) override { return reader_->cached(part); }
  Result<InstanceRecord> read_commit(const Location& location) override;
  Result<std::uint64_t> scrub(const std::function<void(const Fault&)>& fault,
                              const std::function<void(std::uint64_t, std::uint64_t)>& progress) override;
  Result<> take_in_compacted(Catalogue& index) override;
  Result<> finish_compaction(Catalogue& index, bool replayed_all) override;
  Result<CompactionReport> compact(Catalogue& index, const CompactionOptions& options) override;
  std::vector<VolumeStats> stats() const override;
  Sequence applied() const override;
  Sequence last_committed() const override;

  /// Threads::caller only. One round of every appender; true when something was done.
  bool step();
  /// One piece of work of the segment maker.
  bool step_maker();
  /// After stop(): all is sealed.
  bool finished() const;

 private:
  LogImpl(LogOptions options, Threads threads, Sabotage sabotage);
  Result<> meet_volumes(const Identity& archive);
  /// Where the next instance, or event, goes. Errors: as begin().
  Result<Appender*> roomiest(bool at_reserve_too);
  static Error nothing_left(std::uint32_t id);
  Result<> none_emptied(const Positions& from);
  Result<> take_in_volumes(const Positions& from);

  const LogOptions options_;
  const Threads threads_;
  const Sabotage sabotage_;
  std::map<std::uint32_t, std::unique_ptr<Volume>> volumes_;
  std::map<std::uint32_t, Volume*> volume_map_;
  std::unique_ptr<PartReader> reader_;
  std::unique_ptr<ApplyQueue> applied_;
  std::unique_ptr<SegmentMaker> maker_;
  std::vector<std::unique_ptr<Appender>> appenders_;
  Positions positions_;
  std::set<std::uint32_t> fresh_;    ///< volumes whose directories are empty
  std::set<std::uint32_t> known_;    ///< all that the archive has ever had, these included
  std::set<std::uint32_t> unaware_;  ///< volumes that do not know all of them yet
  bool volumes_absent_ = false;
  bool recovered_ = false;
  std::optional<Fault> ahead_;  ///< an index knew of commits that are not here
  bool replayed_ = false;
  std::atomic<bool> started_{false};
  std::atomic<bool> stopped_{false};
  std::mutex compacting_;
  std::shared_ptr<UnderWay> under_way_ = std::make_shared<UnderWay>();
  std::atomic<Sequence> sequences_{0};              // relaxed: the highest given
  std::atomic<std::uint64_t> instance_numbers_{0};  // relaxed: the highest given
};

}  // namespace cairn::store
