#include "engine/archive/removal.h"

#include <chrono>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/core/uid.h"

namespace cairn::archive {
namespace {

std::int64_t now_unix_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void set_asked(store::Event& event, Asked asked) {
  event.time_unix_ns = now_unix_ns();
  event.via = asked.via;
  event.calling_ae = std::move(asked.calling_ae);
  event.peer_address = std::move(asked.peer_address);
  event.reason = std::move(asked.reason);
}

store::Event event_on(const store::Removal& removal, store::Event::Kind kind, Asked asked) {
  store::Event event;
  event.kind = kind;
  event.level = removal.event.level;
  event.subject = removal.event.sequence;
  event.study_instance_uid = removal.event.study_instance_uid;
  event.series_instance_uid = removal.event.series_instance_uid;
  event.sop_instance_uid = removal.event.sop_instance_uid;
  set_asked(event, std::move(asked));
  return event;
}

}  // namespace

Result<store::Event> removal_event(Target target, Asked asked, bool only_copy_too) {
  using Level = store::Event::Level;
  if (target.study_uid.empty()) return fail(Errc::missing, "Study Instance UID");
  if (target.series_uid.empty() && !target.sop_instance_uid.empty()) return fail(Errc::missing, "Series Instance UID");
  for (const std::string* uid : {&target.study_uid, &target.series_uid, &target.sop_instance_uid}) {
    if (!uid->empty() && !is_usable_uid(*uid)) return fail(Errc::malformed, "UID");
  }
  store::Event event;
  event.kind = store::Event::Kind::remove;
  event.level = target.series_uid.empty()         ? Level::study
                : target.sop_instance_uid.empty() ? Level::series
                                                  : Level::instance;
  event.only_copy_too = only_copy_too;
  event.study_instance_uid = std::move(target.study_uid);
  event.series_instance_uid = std::move(target.series_uid);
  event.sop_instance_uid = std::move(target.sop_instance_uid);
  set_asked(event, std::move(asked));
  return event;
}

store::Event restoration_event(const store::Removal& removal, Asked asked) {
  return event_on(removal, store::Event::Kind::restore, std::move(asked));
}

store::Event forgetting_event(const store::Removal& removal, Asked asked) {
  return event_on(removal, store::Event::Kind::forget, std::move(asked));
}

Task<store::Outcome> append(std::shared_ptr<store::Log> log, std::shared_ptr<store::Event> event) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  auto initiate = [executor](auto handler, std::shared_ptr<store::Log> into, std::shared_ptr<store::Event> appended) {
    struct Waiting {
      decltype(handler) resume;
      asio::any_io_executor executor;  // counts as outstanding work
    };
    const auto waiting = std::make_shared<Waiting>(
        Waiting{std::move(handler), asio::prefer(executor, asio::execution::outstanding_work.tracked)});
    const auto done = [waiting](Result<store::Outcome> outcome) {
      asio::post(waiting->executor, [waiting, outcome]() mutable {
        waiting->executor = {};
        std::move(waiting->resume)(std::move(outcome));
      });
    };
    if (const Result<> taken = into->append(std::move(appended), done); !taken) done(taken.error());
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(Result<store::Outcome>)>(
      std::move(initiate), asio::use_awaitable, std::move(log), std::move(event));
}

Removed removed_of(const store::Event& event, std::uint64_t instances, std::uint64_t bytes) {
  Removed out;
  out.sequence = event.sequence;
  out.time_unix_ns = event.time_unix_ns;
  out.target = {event.study_instance_uid, event.series_instance_uid, event.sop_instance_uid};
  out.asked = {event.calling_ae, event.peer_address, event.reason, event.via};
  out.instances = instances;
  out.bytes = bytes;
  return out;
}

bool lies_within(const store::Event& event, const Target& target) noexcept {
  const auto agrees = [](const std::string& asked, const std::string& has) { return asked.empty() || asked == has; };
  return agrees(target.study_uid, event.study_instance_uid) && agrees(target.series_uid, event.series_instance_uid) &&
         agrees(target.sop_instance_uid, event.sop_instance_uid);
}

}  // namespace cairn::archive
