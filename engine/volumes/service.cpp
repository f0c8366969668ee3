#include "engine/volumes/service.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <mutex>
#include <unordered_map>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "codec/decode.h"
#include "engine/core/checksum.h"
#include "engine/core/log.h"
#include "engine/io/worker_pool.h"
#include "engine/volumes/archive_source.h"
#include "engine/volumes/cache.h"
#include "engine/volumes/render.h"
#include "engine/volumes/report.h"
#include "recon/cpu/row_kernel.h"

namespace cairn::volumes {
namespace {

constexpr std::size_t kPlans = 128;
constexpr int kRendererVersion = 1;  // in every ETag: raise when the same request gives other bytes

using SeriesPtr = std::shared_ptr<const ArchivedSeries>;
using Clock = std::chrono::steady_clock;

// What a request resolved to before any voxel is touched.
struct Prepared {
  SeriesPtr series;
  std::size_t volume = 0;
  std::string series_key, key;  // of the series (with instance restriction), and of the volume at its version
};

std::string series_key_of(const VolumeRequest& r) {
  return r.study_uid + '|' + r.series_uid + '|' + r.instance_uid;
}

std::string version_prefix(const std::string& series_key, std::uint64_t version) {
  return series_key + '|' + std::to_string(version) + '|';
}

Result<std::size_t> choose_volume(const SeriesPlan& plan, const VolumeRequest& r) {
  if (plan.assembly.volumes.empty()) return fail(Errc::unsupported, "no frame of the series can be placed in a volume");
  if (r.reference_uid.empty()) return plan.assembly.primary;
  const auto chosen = plan.volume_with(r.reference_uid, r.reference_frame);
  if (!chosen) return fail(Errc::not_found, "volumeinputreference names no frame of a volume");
  return *chosen;
}

// What a 3D request adds to the text that is digested; numbers in hexadecimal, so exactly.
std::string scene_text(const Applied& a) {
  if (!a.scene) return {};
  const SceneRequest& scene = *a.scene;
  std::string text =
      "|3D|" + std::to_string(static_cast<int>(scene.look)) + (scene.perspective ? "p" : "o") + scene.preset;
  char numbers[256];
  if (const auto& box = scene.crop) {
    std::snprintf(numbers, sizeof numbers, "|%a,%a,%a,%a,%a,%a", box->low.x, box->low.y, box->low.z, box->high.x,
                  box->high.y, box->high.z);
    text += numbers;
  }
  for (const recon::TransferPoint& p : scene.points) {
    std::snprintf(numbers, sizeof numbers, "|%a,%a,%a,%a,%a", p.value, p.red, p.green, p.blue, p.opacity);
    text += numbers;
  }
  return text;
}

std::string etag_of(const RenderRequest& r, const Prepared& p, const Applied& a) {
  char text[1024];
  const codec::Window window = a.window.value_or(codec::Window{});
  std::snprintf(text, sizeof text, "%d|%a,%a,%a|%a,%a,%a|%a,%a,%a|%u,%u|%a,%a,%d|%d,%a|%d,%a|%d,%d", kRendererVersion,
                a.camera.position_mm.x, a.camera.position_mm.y, a.camera.position_mm.z, a.camera.look_at_mm.x,
                a.camera.look_at_mm.y, a.camera.look_at_mm.z, a.camera.up.x, a.camera.up.y, a.camera.up.z,
                a.viewport.width, a.viewport.height, window.center, window.width, static_cast<int>(window.function),
                static_cast<int>(a.slab.projection), a.slab.thickness_mm, static_cast<int>(r.interpolation),
                r.advance_mm, static_cast<int>(r.media), r.quality);
  const Digest128 digest = digest128(as_bytes(p.key + '|' + text + scene_text(a)));
  std::string tag = "\"";
  for (const std::byte b : digest) {
    std::snprintf(text, sizeof text, "%02x", std::to_integer<unsigned>(b));
    tag += text;
  }
  return tag + '"';
}

std::uint64_t micros_since(Clock::time_point start) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start).count());
}

}  // namespace

struct Service::State : std::enable_shared_from_this<State> {
  State(archive::Archive& a, io::WorkerPool& p, Options o) : archive(a), pool(p), options(o), cache(o.cache_bytes) {}

  archive::Archive& archive;
  io::WorkerPool& pool;
  const Options options;
  VolumeCache cache;

  std::mutex plan_mutex;  // guards plans and plan_clock
  struct Plan {
    SeriesPtr series;
    std::uint64_t used = 0;
  };
  std::unordered_map<std::string, Plan> plans;
  std::uint64_t plan_clock = 0;

  std::mutex busy_mutex;  // guards busy: jobs of ours on the pool
  std::condition_variable idle;
  std::size_t busy = 0;

  std::atomic<std::uint64_t> pictures{0}, decoded_frames{0}, build_failures{0};  // relaxed: metrics
  Histogram build_us, render_us;

  // Held by each job on the pool, run or dropped, so that ~Service knows when none is left.
  std::shared_ptr<void> enter() {
    const std::lock_guard lock(busy_mutex);
    ++busy;
    return std::shared_ptr<void>(nullptr, [self = shared_from_this()](void*) {
      const std::lock_guard inner(self->busy_mutex);
      if (--self->busy == 0) self->idle.notify_all();
    });
  }

  SeriesPtr known_plan(const VolumeRequest& r) {
    const std::uint64_t version = archive.series_version(r.study_uid, r.series_uid);
    const std::lock_guard lock(plan_mutex);
    const auto at = plans.find(series_key_of(r));
    if (at == plans.end() || at->second.series->version != version || version == 0) return nullptr;
    at->second.used = ++plan_clock;
    return at->second.series;
  }

  void keep_plan(const std::string& key, SeriesPtr series) {
    cache.forget_older(key, version_prefix(key, series->version));
    const std::lock_guard lock(plan_mutex);
    plans[key] = {std::move(series), ++plan_clock};
    if (plans.size() <= kPlans) return;
    auto oldest = plans.begin();
    for (auto at = plans.begin(); at != plans.end(); ++at) {
      if (at->second.used < oldest->second.used) oldest = at;
    }
    plans.erase(oldest);
  }

  Result<SeriesPtr> plan(const VolumeRequest& r) {
    if (SeriesPtr known = known_plan(r)) return known;
    CAIRN_TRY(SeriesPtr series, read_series(archive, r.study_uid, r.series_uid, r.instance_uid));
    keep_plan(series_key_of(r), series);
    return series;
  }

  Result<Prepared> prepare(const VolumeRequest& r) {
    CAIRN_TRY(SeriesPtr series, plan(r));
    return prepare(r, std::move(series));
  }

  static Result<Prepared> prepare(const VolumeRequest& r, SeriesPtr series) {
    Prepared p;
    CAIRN_TRY(const std::size_t volume, choose_volume(series->plan, r));
    p.series = std::move(series);
    p.volume = volume;
    p.series_key = series_key_of(r);
    p.key = version_prefix(p.series_key, p.series->version) + std::to_string(volume);
    return p;
  }

  void build(const Prepared& p) {
    const Clock::time_point start = Clock::now();
    Result<VolumePtr> result = fail(Errc::out_of_memory, "building a volume");
    try {
      const ArchiveOpener opener(archive, p.series);
      Result<BuiltVolume> built = build_volume(p.series->plan, p.volume, opener, &pool, options.max_volume_bytes);
      if (built) {
        decoded_frames.fetch_add(built.value().decoded_frames, std::memory_order_relaxed);
        result = VolumePtr(std::make_shared<const BuiltVolume>(std::move(built.value())));
      } else {
        result = built.error();
      }
    } catch (const std::bad_alloc&) {
    }
    build_us.record(micros_since(start));
    if (!result) {
      build_failures.fetch_add(1, std::memory_order_relaxed);
      log::warning("volume build failed",
                   {{"series_key", p.series_key}, {"volume", p.volume}, {"error", result.error()}});
    }
    cache.finish(p.key, std::move(result));
  }

  void get_volume(const Prepared& p, VolumeCache::Done done) {
    const std::uint64_t bytes = voxel_bytes(p.series->plan, p.volume);
    if (bytes > options.max_volume_bytes) {
      done(fail(Errc::limit_exceeded, "volume size"));
      return;
    }
    if (!cache.get(p.key, p.series_key, bytes, std::move(done))) return;
    pool.submit(io::WorkClass::interactive, [self = shared_from_this(), p, guard = enter()] { self->build(p); });
  }

  /// Runs `work` on the pool; it may throw bad_alloc.
  template <class Work, class R = std::invoke_result_t<Work&>>
  asio::awaitable<R> on_pool(Work work) {
    auto job = [guard = enter(), work = std::move(work)]() mutable -> R {
      const std::shared_ptr<void> until_done = std::move(guard);  // the pool keeps the job until its caller has resumed
      try {
        return work();
      } catch (const std::bad_alloc&) {
        return fail(Errc::out_of_memory, "rendering");
      }
    };
    co_return co_await pool.run(io::WorkClass::interactive, std::move(job));
  }

  asio::awaitable<Result<VolumePtr>> volume(Prepared p) {
    if (VolumePtr ready = cache.peek(p.key)) co_return ready;
    auto executor = co_await asio::this_coro::executor;
    auto initiate = [self = shared_from_this(), executor, p = std::move(p)](auto handler) {
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      self->get_volume(p, [shared, executor](Result<VolumePtr> result) {
        asio::post(executor,
                   [shared, result = std::move(result)]() mutable { std::move (*shared)(std::move(result)); });
      });
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(Result<VolumePtr>)>(
        std::move(initiate), asio::use_awaitable);
  }
};

Service::Service(archive::Archive& archive, io::WorkerPool& pool, Options options)
    : state_(std::make_shared<State>(archive, pool, options)) {
  codec::warm_up();
}

Service::~Service() {
  std::unique_lock lock(state_->busy_mutex);
  state_->idle.wait(lock, [&] { return state_->busy == 0; });
}

Task<RenderedImage> Service::render(RenderRequest request) {
  const std::shared_ptr<State> state = state_;
  Result<Prepared> prepared = fail(Errc::not_found, "series");
  if (SeriesPtr known = state->known_plan(request.volume)) {
    // No index read is needed: no reason to leave this thread for it.
    prepared = State::prepare(request.volume, std::move(known));
  } else {
    auto prepare = [state, volume = request.volume] { return state->prepare(volume); };
    prepared = co_await state->on_pool(std::move(prepare));
  }
  if (!prepared) co_return prepared.error();
  const Prepared p = std::move(prepared.value());

  const recon::AssembledVolume& planned = p.series->plan.assembly.volumes[p.volume];
  // Refuse a bad request before building a volume for it.
  const Result<Applied> checked = apply_defaults(request, p.series->plan, planned, p.volume, std::nullopt);
  if (!checked) co_return checked.error();

  const Clock::time_point start = Clock::now();
  const bool was_cached = state->cache.peek(p.key) != nullptr;
  const Result<VolumePtr> volume = co_await state->volume(p);
  if (!volume) co_return volume.error();
  const std::uint64_t build_us = was_cached ? 0 : micros_since(start);

  auto draw = [state, p, request = std::move(request), built = volume.value()]() -> Result<RenderedImage> {
    const Clock::time_point drawing = Clock::now();
    CAIRN_TRY(const Applied applied,
              apply_defaults(request, p.series->plan, built->assembled, p.volume, built->window));
    CAIRN_TRY(RenderedImage image, volumes::render(*built, applied, request, &state->pool));
    image.etag = etag_of(request, p, applied);
    state->render_us.record(micros_since(drawing));
    state->pictures.fetch_add(1, std::memory_order_relaxed);
    return image;
  };
  Result<RenderedImage> image = co_await state->on_pool(std::move(draw));
  if (image) {
    image.value().was_cached = was_cached;
    image.value().build_us = build_us;
    image.value().series_version = p.series->version;
  }
  co_return image;
}

Task<Applied> Service::resolve(RenderRequest request) {
  const std::shared_ptr<State> state = state_;
  auto prepare = [state, volume = request.volume] { return state->prepare(volume); };
  Result<Prepared> prepared = co_await state->on_pool(std::move(prepare));
  if (!prepared) co_return prepared.error();
  const Prepared p = std::move(prepared.value());
  const SeriesPlan& plan = p.series->plan;
  const Result<Applied> applied =
      apply_defaults(request, plan, plan.assembly.volumes[p.volume], p.volume, std::nullopt);
  const bool colour =
      plan.instances[plan.frame_of(plan.assembly.volumes[p.volume], 0).instance].format.samples_per_pixel == 3;
  if (!applied || applied.value().window || colour) co_return applied;
  const Result<VolumePtr> volume = co_await state->volume(p);
  if (!volume) co_return volume.error();
  co_return apply_defaults(request, plan, volume.value()->assembled, p.volume, volume.value()->window);
}

Task<VolumePtr> Service::volume(VolumeRequest request) {
  const std::shared_ptr<State> state = state_;
  auto prepare = [state, request = std::move(request)] { return state->prepare(request); };
  Result<Prepared> prepared = co_await state->on_pool(std::move(prepare));
  if (!prepared) co_return prepared.error();
  co_return co_await state->volume(std::move(prepared.value()));
}

Task<std::string> Service::report_json(VolumeRequest request) {
  const std::shared_ptr<State> state = state_;
  auto work = [state, request = std::move(request)]() -> Result<std::string> {
    CAIRN_TRY(const SeriesPtr series, state->plan(request));
    return volumes::report_json(series->plan, request.study_uid, request.series_uid);
  };
  co_return co_await state->on_pool(std::move(work));
}

Stats Service::stats() const {
  const VolumeCache::Usage u = state_->cache.usage();
  Stats s;
  s.cached_volumes = u.volumes;
  s.cached_bytes = u.cached_bytes;
  s.building_bytes = u.building_bytes;
  s.budget_bytes = state_->cache.budget();
  s.hits = u.hits;
  s.misses = u.misses;
  s.shared = u.shared;
  s.evicted = u.evicted;
  s.build_failures = state_->build_failures.load(std::memory_order_relaxed);
  s.pictures = state_->pictures.load(std::memory_order_relaxed);
  s.decoded_frames = state_->decoded_frames.load(std::memory_order_relaxed);
  s.build_us = state_->build_us.snapshot();
  s.render_us = state_->render_us.snapshot();
  static const std::string backend = std::string("cpu ") + recon::cpu::vector_target();
  s.backend = backend.c_str();
  return s;
}

}  // namespace cairn::volumes
