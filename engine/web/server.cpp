#include "engine/web/server.h"

#include "engine/web/frames.h"
#include "engine/web/listener.h"
#include "engine/web/metadata.h"
#include "engine/web/pages.h"
#include "engine/web/rendered.h"
#include "engine/web/retrieve.h"
#include "engine/web/search.h"
#include "engine/web/volume_routes.h"

namespace cairn::web {

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, archive::Archive& archive,
                                              volumes::Service* volumes, io::WorkerPool& pool,
                                              std::vector<asio::io_context*> reactors) {
  auto site = std::make_shared<Site>();
  site->limits = options.limits;
  site->pool = &pool;
  auto budget = std::make_shared<StreamBudget>();
  add_search_routes(site->router, archive, pool);
  add_retrieve_routes(site->router, archive, pool, budget);
  const auto pixels = std::make_shared<PixelsCache>(archive);
  add_frame_routes(site->router, archive, pool, budget, pixels);
  add_rendered_routes(site->router, {&archive, &pool, budget, pixels});
  add_metadata_routes(site->router, archive, pool);
  add_bulk_data_routes(site->router, archive, pool, budget);
  add_store_routes(site->router, archive, options.store);
  add_page_routes(site->router, archive, pool);
  add_admin_routes(site->router, archive, pool, options.admin);
  if (volumes != nullptr) add_volume_routes(site->router, archive, pool, *volumes);
  options.operating.metrics.emplace_back([budget](MetricsWriter& writer) {
    writer.gauge("cairn_http_stream_held_bytes", "Bytes of stored instances held for clients that are being sent to",
                 static_cast<double>(budget->held_bytes.load(std::memory_order_relaxed)));
  });
  add_operating_routes(*site, archive, pool, std::move(options.operating));
  CAIRN_TRY(auto listener, Listener::start(options.address, options.port, site, std::move(reactors)));
  return std::unique_ptr<Server>(new Server(std::move(site), std::move(listener)));
}

Server::Server(std::shared_ptr<Site> site, std::unique_ptr<Listener> listener)
    : site_(std::move(site)), listener_(std::move(listener)) {}
Server::~Server() = default;

std::uint16_t Server::port() const noexcept {
  return listener_->port();
}
std::size_t Server::connections() const {
  return listener_->connections();
}
const std::vector<Route>& Server::routes() const noexcept {
  return site_->router.routes();
}
bool Server::drain(std::chrono::milliseconds patience) {
  return listener_->drain(patience);
}

}  // namespace cairn::web
