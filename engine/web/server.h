// The web server: DICOMweb at /dicom-web, pictures of volumes, Cairn's own API at /api/v1, /healthz, /metrics, and
// plain pages at /. Start it last and drain it first: what it is given outlives it, and the reactors' io_contexts are
// run (by others) until drain() has returned.
//
//   auto server = web::Server::start({.address = "127.0.0.1", .port = 8080}, archive, &volumes, pool, reactors);
//   ... server.value()->drain(std::chrono::seconds(10));
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/web/admin.h"
#include "engine/web/operating.h"
#include "engine/web/removal.h"
#include "engine/web/site.h"
#include "engine/web/store.h"
#include "engine/web/study_state.h"

namespace cairn::archive {
class AppliedSignal;
class Retention;
}  // namespace cairn::archive

namespace cairn::volumes {
class Service;
}

namespace cairn::web {

class Listener;

/// A second listener, for HTTPS; the certificate is taken anew when its file changes.
struct HttpsOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  std::filesystem::path certificate, key;  ///< PEM; empty: no HTTPS
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;  ///< 0 takes a free one
  HttpsOptions https;
  HttpLimits limits;
  AdminOptions admin;
  StoreOptions store;
  RemovalOptions removal;
  archive::Retention* retention = nullptr;        ///< outlives the server; null: no rules
  std::size_t metadata_cache_bytes = 128u << 20;  ///< JSON of whole series
  std::chrono::seconds study_complete_after{60};  ///< without new instances; study_state.h
  AnnouncementSource announcements;               ///< of what a study is to consist of; may be null
  CrossOriginOptions cross_origin;
  OperatingOptions operating;  ///< metrics and health of parts that web does not know
};

class Server {
 public:
  /// `volumes` may be null: then there are no pictures. Errors: malformed (address), the system's (bind, listen).
  static Result<std::unique_ptr<Server>> start(ServerOptions options, archive::Archive& archive,
                                               volumes::Service* volumes, io::WorkerPool& pool,
                                               std::vector<asio::io_context*> reactors);
  ~Server();  ///< drain(0)
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const noexcept;
  std::uint16_t https_port() const noexcept;  ///< 0: there is none
  std::size_t connections() const;
  const std::vector<Route>& routes() const noexcept;

  /// Stops accepting, finishes requests within `patience`, cuts the rest. Blocks; not on a reactor. True when nothing
  /// is left running.
  bool drain(std::chrono::milliseconds patience);

 private:
  Server(std::shared_ptr<Site> site, std::shared_ptr<archive::AppliedSignal> followers,
         std::unique_ptr<Listener> listener, std::unique_ptr<Listener> https);
  std::shared_ptr<Site> site_;
  std::shared_ptr<archive::AppliedSignal> followers_;  ///< of the change feed
  std::unique_ptr<Listener> listener_, https_;
};

}  // namespace cairn::web
