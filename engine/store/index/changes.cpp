#include "engine/store/index/changes.h"

#include <algorithm>
#include <limits>

#include "engine/store/index/row_codec.h"

namespace cairn::store {
namespace {

// A text as how much of its beginning another has too, and the rest.
void put_after(std::string& out, std::string_view before, std::string_view text) {
  const auto differs = std::mismatch(before.begin(), before.end(), text.begin(), text.end());
  const auto shared = static_cast<std::size_t>(differs.second - text.begin());
  put(out, shared);
  put(out, text.substr(shared));
}

bool read_after(RowReader& in, std::string_view before, std::string& into) {
  const std::uint64_t shared = in.integer();
  const std::string_view rest = in.text();
  if (in.failed() || shared > before.size()) return false;
  into.assign(before.substr(0, static_cast<std::size_t>(shared))).append(rest);
  return true;
}

// UIDs of one sender begin alike: the first of a row lean on each other, the others on those before.
std::string_view base(std::string_view before, std::string_view above) {
  return before.empty() ? above : before;
}

constexpr std::int64_t kNs = 1'000'000, kLatest = std::numeric_limits<std::int64_t>::max() / kNs;

std::int64_t milliseconds(std::int64_t unix_ns) {
  return unix_ns / kNs - (unix_ns % kNs < 0 ? 1 : 0);
}

}  // namespace

void ChangeRow::add(const InstanceRecord& record, Outcome outcome) {
  using Kind = Change::Kind;
  const bool forgets = record.duplicate_policy == DuplicatePolicy::replace;
  const Kind kind = outcome == Outcome::stored ? Kind::stored : forgets ? Kind::replaced : Kind::replaced_kept;
  begin(kind, record.sequence, milliseconds(record.received_unix_ns), record.study_instance_uid,
        record.series_instance_uid, record.sop_instance_uid);
}

void ChangeRow::add(const Event& event) {
  const auto kind = static_cast<std::uint8_t>(Change::Kind::event) + static_cast<std::uint8_t>(event.kind);
  begin(static_cast<Change::Kind>(kind), event.sequence, milliseconds(event.time_unix_ns), event.study_instance_uid,
        event.series_instance_uid, event.sop_instance_uid);
  end(static_cast<std::uint8_t>(event.level), static_cast<std::uint8_t>(event.via), event.subject, event.reason);
}

void ChangeRow::add(const Change& change) {
  begin(change.kind, change.sequence, change.time_unix_ms, change.study_instance_uid, change.series_instance_uid,
        change.sop_instance_uid);
  if (change.is_event()) end(change.level, change.via, change.subject, change.reason);
}

void ChangeRow::begin(Change::Kind kind, Sequence sequence, std::int64_t time_unix_ms, std::string_view study,
                      std::string_view series, std::string_view sop) {
  put(encoded_, static_cast<std::uint64_t>(kind));
  put(encoded_, sequence - before_.sequence);
  put_signed(encoded_, time_unix_ms - before_.time_unix_ms);
  put_after(encoded_, before_.study_instance_uid, study);
  put_after(encoded_, base(before_.series_instance_uid, study), series);
  put_after(encoded_, base(before_.sop_instance_uid, series), sop);
  before_.sequence = sequence;
  before_.time_unix_ms = time_unix_ms;
  before_.study_instance_uid = study;
  before_.series_instance_uid = series;
  before_.sop_instance_uid = sop;
}

void ChangeRow::end(std::uint8_t level, std::uint8_t via, Sequence subject, std::string_view reason) {
  put(encoded_, level);
  put(encoded_, via);
  put(encoded_, subject);
  put(encoded_, reason);
}

void ChangeRow::clear() {
  encoded_.clear();
  before_.sequence = 0;
  before_.time_unix_ms = 0;
  for (std::string* uid : {&before_.study_instance_uid, &before_.series_instance_uid, &before_.sop_instance_uid}) {
    uid->clear();  // keeps its memory
  }
}

Result<bool> ChangeRow::read(std::string_view stored, const std::function<bool(const Change&)>& each) {
  RowReader in(stored);
  Change before;
  while (in.remaining() > 0) {
    Change change;
    const std::uint64_t kind = in.integer();
    const std::uint64_t step = in.integer();
    const std::int64_t ms = in.signed_integer();
    change.time_unix_ms = static_cast<std::int64_t>(static_cast<std::uint64_t>(before.time_unix_ms) +
                                                    static_cast<std::uint64_t>(ms));  // whatever is stored
    if (in.failed() || kind == 0 || kind > 0xff || step == 0 || step > ~before.sequence) {
      return fail(Errc::corrupt, "change row");
    }
    if (change.time_unix_ms > kLatest || change.time_unix_ms < -kLatest - 1) return fail(Errc::corrupt, "change row");
    change.kind = static_cast<Change::Kind>(kind);
    change.sequence = before.sequence + step;
    const bool whole =
        read_after(in, before.study_instance_uid, change.study_instance_uid) &&
        read_after(in, base(before.series_instance_uid, change.study_instance_uid), change.series_instance_uid) &&
        read_after(in, base(before.sop_instance_uid, change.series_instance_uid), change.sop_instance_uid);
    if (whole && change.is_event()) {
      change.level = static_cast<std::uint8_t>(in.integer());
      change.via = static_cast<std::uint8_t>(in.integer());
      change.subject = in.integer();
      change.reason = in.text();
    }
    if (!whole || in.failed()) return fail(Errc::corrupt, "change row");
    if (!each(change)) return false;
    before = std::move(change);
  }
  return true;
}

}  // namespace cairn::store
