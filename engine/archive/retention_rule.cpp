#include "engine/archive/retention_rule.h"

#include <algorithm>
#include <optional>

#include "engine/dicom/tags.h"
#include "engine/store/index/attributes.h"
#include "engine/store/index/keys.h"
#include "engine/store/index/view.h"

namespace cairn::archive {
namespace {

namespace keys = store::keys;
using std::chrono::milliseconds;
using store::Change;
using store::Sequence;

/// A change too young may be dated by a clock that was wrong: the search goes on behind it, so far.
constexpr std::size_t kPastTheYoung = 10'000;
/// Nothing was imaged digitally before; it is what devices without a clock say.
constexpr const char* kFirstDate = "19500101";

std::int64_t before(std::int64_t now_unix_ms, std::chrono::days age) {
  return now_unix_ms - milliseconds(age).count();
}

std::string date_of(std::int64_t unix_ms) {
  const std::chrono::year_month_day day(
      std::chrono::floor<std::chrono::days>(std::chrono::sys_time<milliseconds>(milliseconds(unix_ms))));
  char text[16];
  std::snprintf(text, sizeof text, "%04d%02u%02u", static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                static_cast<unsigned>(day.day()));
  return text;
}

class Search {
 public:
  Search(const store::IndexView& view, const RetentionRule& rule, std::int64_t now_unix_ms, std::size_t limit)
      : view_(view), rule_(rule), now_(now_unix_ms), limit_(limit) {}

  Result<> by_change(ExpirySearch& search);
  Result<> by_study_date();
  ExpiredFound take() { return std::move(found_); }

 private:
  bool is_of_modality(const std::string& modality) const {
    return rule_.modalities.empty() ||
           std::find(rule_.modalities.begin(), rule_.modalities.end(), modality) != rule_.modalities.end();
  }
  bool is_of_modalities(const store::StudyRow& study) const {
    if (rule_.modalities.empty()) return true;
    return !study.modalities.empty() && std::all_of(study.modalities.begin(), study.modalities.end(),
                                                    [&](const auto& one) { return is_of_modality(one.first); });
  }
  /// Adds what stands for the rule in a study; `last` null, or only what was changed last by that.
  Result<> take_in(const std::string& study_uid, const Change* last);
  Result<std::optional<std::int64_t>> time_of(Sequence sequence) const;
  void add(Expired one) {
    if (found_.expired.size() < limit_) {
      found_.expired.push_back(std::move(one));
    } else {
      found_.more = true;
    }
  }

  const store::IndexView& view_;
  const RetentionRule& rule_;
  const std::int64_t now_;
  const std::size_t limit_;
  std::string date_;
  ExpiredFound found_;
};

Result<std::optional<std::int64_t>> Search::time_of(Sequence sequence) const {
  std::optional<std::int64_t> out;
  if (sequence == 0) return out;
  CAIRN_TRYV(view_.each_change(sequence - 1, [&](const Change& change) {
    if (change.sequence == sequence) out = change.time_unix_ms;
    return false;
  }));
  return out;
}

Result<> Search::take_in(const std::string& study_uid, const Change* last) {
  CAIRN_TRY(const auto study, view_.study(study_uid));
  if (!study) return outcome::success();
  const std::int64_t quiet_since = before(now_, kLeastQuiet);
  const auto is_quiet = [&](Sequence version, std::int64_t& changed) -> Result<bool> {
    if (last != nullptr) {
      changed = last->time_unix_ms;
      return version == last->sequence;
    }
    CAIRN_TRY(const auto time, time_of(version));
    changed = time.value_or(now_);
    return changed <= quiet_since;
  };
  std::int64_t changed = 0;
  if (rule_.level == RetentionRule::Level::study) {
    if (!is_of_modalities(*study)) return outcome::success();
    CAIRN_TRY(const bool quiet, is_quiet(study->version, changed));
    if (quiet) add({study_uid, {}, changed, date_, study->instances, study->bytes});
    return outcome::success();
  }
  CAIRN_TRY(const auto all, view_.series_of_study(study_uid));
  for (const auto& series : all) {
    if (!is_of_modality(series.row.modality)) continue;
    CAIRN_TRY(const bool quiet, is_quiet(series.row.version, changed));
    if (quiet) add({study_uid, series.series_uid, changed, date_, series.row.instances, series.row.bytes});
  }
  return outcome::success();
}

// In the order of changes what is oldest comes first, and each study or series is met where its version says that
// nothing came later. A later change of it has a later place: what was passed by need not be looked at again.
Result<> Search::by_change(ExpirySearch& search) {
  const std::int64_t old = before(now_, std::max(rule_.age, kLeastQuiet));
  const std::int64_t soon = now_ + milliseconds(kLeastQuiet).count();
  ExpirySearch passed = search;
  bool is_passed = true;  // so far
  std::int64_t latest = search.latest_unix_ms;
  std::size_t young = 0;
  std::optional<Error> error;
  CAIRN_TRYV(view_.each_change(search.from, [&](Change change) {
    if (change.time_unix_ms <= soon) {
      latest = change.time_unix_ms = std::max(latest, change.time_unix_ms);
      const bool is_old = change.time_unix_ms <= old;
      const std::size_t count = found_.expired.size();
      if (is_old) {
        if (const auto taken = take_in(change.study_instance_uid, &change); !taken) {
          error = taken.error();
          return false;
        }
      }
      if (!is_old || found_.more || found_.expired.size() > count) is_passed = false;  // until it is old, or gone
      if (!is_old && ++young >= kPastTheYoung) return false;
    }
    if (is_passed) passed = {change.sequence, latest};
    return !found_.more;
  }));
  if (error) return *error;
  search = passed;
  return outcome::success();
}

// The list by date has the newest first: it is read a month at a time, from the oldest on.
Result<> Search::by_study_date() {
  using namespace std::chrono;
  const std::string last = date_of(before(now_, std::max(rule_.age, kLeastQuiet)));
  std::string begin = kFirstDate;
  for (year_month month = year(1950) / January; begin <= last && !found_.more;) {
    month += months(1);
    std::string end = date_of(sys_time<milliseconds>(sys_days(month / 1)).time_since_epoch().count());
    // Keys descend: from the day before `end`, or the last that is old enough, down to `begin`.
    const std::string newest =
        std::min(last, date_of(sys_time<milliseconds>(sys_days(month / 1) - days(1)).time_since_epoch().count()));
    std::vector<std::pair<std::string, std::string>> dated;
    const auto range = view_.list(keys::date_prefix(newest, {}).substr(0, 9),
                                  keys::after_prefix(keys::date_prefix(begin, {}).substr(0, 9)));
    for (; range->valid(); range->next()) {
      const std::string_view key = range->key(), study = keys::study_of_key(key);
      if (study.empty() || key.size() < 9) continue;
      std::string date;
      for (const char c : key.substr(1, 8)) date.push_back(static_cast<char>('9' - (c - '0')));
      dated.emplace_back(std::move(date), std::string(study));
    }
    CAIRN_TRYV(range->status());
    for (auto one = dated.rbegin(); one != dated.rend() && !found_.more; ++one) {
      date_ = one->first;
      CAIRN_TRYV(take_in(one->second, nullptr));
    }
    begin = std::move(end);
  }
  return outcome::success();
}

}  // namespace

Result<ExpiredFound> find_expired(const store::IndexView& view, const RetentionRule& rule, std::int64_t now_unix_ms,
                                  std::size_t limit, ExpirySearch& search) {
  Search one(view, rule, now_unix_ms, limit);
  if (rule.age_of == RetentionRule::AgeOf::study_date) {
    CAIRN_TRYV(one.by_study_date());
  } else {
    CAIRN_TRYV(one.by_change(search));
  }
  return one.take();
}

}  // namespace cairn::archive
