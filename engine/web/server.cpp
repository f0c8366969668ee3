#include "engine/web/server.h"

#include <algorithm>

#include "engine/web/capabilities.h"
#include "engine/web/changes.h"
#include "engine/web/compaction.h"
#include "engine/web/frames.h"
#include "engine/web/image_pages.h"
#include "engine/web/listener.h"
#include "engine/web/metadata.h"
#include "engine/web/pages.h"
#include "engine/web/rendered.h"
#include "engine/web/retention.h"
#include "engine/web/retrieve.h"
#include "engine/web/search.h"
#include "engine/web/volume_routes.h"
#include "engine/web/wado_uri.h"

namespace cairn::web {

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, archive::Archive& archive,
                                              volumes::Service* volumes, io::WorkerPool& pool,
                                              std::vector<asio::io_context*> reactors) {
  auto site = std::make_shared<Site>();
  site->limits = options.limits;
  site->pool = &pool;
  site->cross_origin = options.cross_origin;
  auto budget = std::make_shared<StreamBudget>();
  add_search_routes(site->router, archive, pool);
  add_retrieve_routes(site->router, archive, pool, budget);
  const auto pixels = std::make_shared<PixelsCache>(archive);
  add_frame_routes(site->router, archive, pool, budget, pixels);
  add_rendered_routes(site->router, {&archive, &pool, budget, pixels});
  add_wado_uri_routes(site->router, {&archive, &pool, budget, pixels});
  add_metadata_routes(site->router, archive, pool, options.metadata_cache_bytes);
  add_bulk_data_routes(site->router, archive, pool, budget);
  add_store_routes(site->router, archive, pool, options.store);
  add_page_routes(site->router, archive, pool);
  add_image_page_routes(site->router, archive, pool);
  add_retention_routes(site->router, options.retention, pool, options.removal);
  add_compaction_routes(site->router, archive, options.removal);
  add_removal_routes(site->router, archive, pool, std::move(options.removal));
  add_study_state_routes(site->router, archive, pool, options.study_complete_after, std::move(options.announcements));
  archive::Following* const following = archive::following_of(archive);
  const auto followers = following != nullptr ? following->applied_signal(kMostFollowers)
                                              : std::make_shared<archive::AppliedSignal>(kMostFollowers);
  add_changes_routes(site->router, following, pool, followers);
  options.operating.metrics.emplace_back([followers](MetricsWriter& writer) {
    writer.gauge("cairn_changes_followers_waiting", "Clients of the change feed that wait for something to change",
                 static_cast<double>(followers->waiting()));
  });
  add_admin_routes(site->router, archive, pool, options.admin);
  if (volumes != nullptr) add_volume_routes(site->router, archive, pool, *volumes);
  options.operating.metrics.emplace_back([budget](MetricsWriter& writer) {
    writer.gauge("cairn_http_stream_held_bytes", "Bytes of stored instances held for clients that are being sent to",
                 static_cast<double>(budget->held_bytes.load(std::memory_order_relaxed)));
  });
  if (options.retention != nullptr) {
    options.operating.metrics.emplace_back(
        [retention = options.retention](MetricsWriter& writer) { write_retention_metrics(writer, *retention); });
  }
  add_operating_routes(*site, archive, pool, std::move(options.operating));
  add_capabilities_routes(*site);
  const auto connections = std::make_shared<Connections>(site->limits.connections);
  CAIRN_TRY(auto listener, Listener::start(options.address, options.port, site, connections, reactors));
  std::unique_ptr<Listener> https;
  if (!options.https.certificate.empty()) {
    CAIRN_TRY(auto tls, TlsCredentials::load(options.https.certificate, options.https.key));
    CAIRN_TRY(https, Listener::start(options.https.address, options.https.port, site, connections, std::move(reactors),
                                     std::move(tls)));
  }
  return std::unique_ptr<Server>(new Server(std::move(site), followers, std::move(listener), std::move(https)));
}

Server::Server(std::shared_ptr<Site> site, std::shared_ptr<archive::AppliedSignal> followers,
               std::unique_ptr<Listener> listener, std::unique_ptr<Listener> https)
    : site_(std::move(site)),
      followers_(std::move(followers)),
      listener_(std::move(listener)),
      https_(std::move(https)) {}
Server::~Server() {
  drain(std::chrono::milliseconds(0));
}

std::uint16_t Server::port() const noexcept {
  return listener_->port();
}
std::uint16_t Server::https_port() const noexcept {
  return https_ ? https_->port() : 0;
}
std::size_t Server::connections() const {
  return listener_->connections() + (https_ ? https_->connections() : 0);
}
const std::vector<Route>& Server::routes() const noexcept {
  return site_->router.routes();
}
bool Server::drain(std::chrono::milliseconds patience) {
  // What was fetched ahead for answers that were cut uses the archive and the reactors, which may go after this.
  constexpr std::chrono::seconds kFetches{5};
  const auto began = std::chrono::steady_clock::now();
  followers_->close();
  bool drained = listener_->drain(patience);
  if (https_) {
    const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
    drained = https_->drain(std::max(patience - spent, std::chrono::milliseconds(0))) && drained;
  }
  return site_->pool->settle(io::WorkClass::interactive, kFetches) && drained;
}

}  // namespace cairn::web
