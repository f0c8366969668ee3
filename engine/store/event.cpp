#include "engine/store/event.h"

#include "engine/store/fields.h"

namespace cairn::store {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint32_t kOnlyCopyToo = 1;

}  // namespace

std::string Event::encode() const {
  FieldWriter w;
  w.number(kVersion);
  w.number(static_cast<std::uint8_t>(kind));
  w.number(static_cast<std::uint8_t>(level));
  w.number(static_cast<std::uint8_t>(via));
  w.number(only_copy_too ? kOnlyCopyToo : 0u);
  w.number(sequence);
  w.number(static_cast<std::uint64_t>(time_unix_ns));
  w.number(subject);
  for (const auto* text :
       {&study_instance_uid, &series_instance_uid, &sop_instance_uid, &calling_ae, &peer_address, &reason}) {
    w.text(*text);
  }
  return w.take();
}

std::size_t Event::encoded_bytes() const {
  std::size_t bytes = 8 + 3 * 8 + 6 * 2;
  for (const auto* text :
       {&study_instance_uid, &series_instance_uid, &sop_instance_uid, &calling_ae, &peer_address, &reason}) {
    bytes += text->size();
  }
  return bytes;
}

Result<Event> Event::decode(Bytes payload) {
  FieldReader r(payload);
  Event event;
  const auto version = r.number<std::uint8_t>();
  if (!r.failed() && version != kVersion) return fail(Errc::unsupported, "event record version");
  const auto kind = r.number<std::uint8_t>();
  const auto level = r.number<std::uint8_t>();
  const auto via = r.number<std::uint8_t>();
  const auto flags = r.number<std::uint32_t>();
  event.sequence = r.number<std::uint64_t>();
  event.time_unix_ns = static_cast<std::int64_t>(r.number<std::uint64_t>());
  event.subject = r.number<std::uint64_t>();
  for (auto* text : {&event.study_instance_uid, &event.series_instance_uid, &event.sop_instance_uid, &event.calling_ae,
                     &event.peer_address, &event.reason}) {
    *text = r.text();
  }
  if (r.failed()) return fail(Errc::truncated, "event record", r.at());
  if (r.remaining() != 0) return fail(Errc::malformed, "event record length", r.at());
  if (kind < 1 || kind > 4 || kind == 3) return fail(Errc::unsupported, "event record kind", 1);
  if (level < 1 || level > 3) return fail(Errc::malformed, "event record level", 2);
  if (via < 1 || via > 3) return fail(Errc::malformed, "event record source", 3);
  if (flags > kOnlyCopyToo) return fail(Errc::malformed, "event record flags", 4);
  event.kind = static_cast<Kind>(kind);
  event.level = static_cast<Level>(level);
  event.via = static_cast<Via>(via);
  event.only_copy_too = flags != 0;
  CAIRN_TRYV(event.check());
  return event;
}

Result<> Event::check() const {
  for (const auto* text :
       {&study_instance_uid, &series_instance_uid, &sop_instance_uid, &calling_ae, &peer_address, &reason}) {
    if (text->size() > kMaxEventText) return fail(Errc::limit_exceeded, "event record text");
  }
  const bool series = level != Level::study;
  const bool instance = level == Level::instance;
  if (study_instance_uid.empty() || series_instance_uid.empty() == series || sop_instance_uid.empty() == instance) {
    return fail(Errc::malformed, "event record level and UIDs");
  }
  if ((kind == Kind::remove) != (subject == 0)) return fail(Errc::malformed, "event record subject");
  return outcome::success();
}

}  // namespace cairn::store
