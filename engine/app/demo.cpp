// `cairn demo`: sends the built-in phantom to the server that holds the data directory and prints where to look.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <iostream>
#include <map>
#include <stdexcept>

#include "engine/app/commands.h"
#include "engine/app/server_client.h"
#include "engine/demo/phantom.h"
#include "engine/dimse/client.h"
#include "engine/io/worker_pool.h"

namespace cairn::app {
namespace {

constexpr std::uint16_t kWindow = 8;
constexpr const char* kCtImageStorage = "1.2.840.10008.5.1.4.1.1.2";
constexpr const char* kExplicitLittleEndian = "1.2.840.10008.1.2.1";

/// Slices made ahead by the pool, handed out in order, each kept until its answer has come.
class SliceStream {
 public:
  SliceStream(const demo::Phantom& phantom, io::WorkerPool& pool) : phantom_(phantom), pool_(pool) {}

  std::optional<dimse::StoreObject> next() {
    while (made_.size() < 2 * kWindow && asked_ < phantom_.slices) ask();
    if (given_ == phantom_.slices) return std::nullopt;
    auto slice = made_.at(given_).get();
    made_.erase(given_);
    if (!slice) throw std::runtime_error(to_string(slice.error()));
    const std::string& kept = kept_[given_] = std::move(slice).value();
    ++given_;
    auto object = dimse::StoreObject::from_part10(as_bytes(kept));
    if (!object) throw std::runtime_error(to_string(object.error()));
    return std::move(object).value();
  }
  void answered(std::size_t index) { kept_.erase(index); }

 private:
  void ask() {
    auto task = std::make_shared<std::packaged_task<Result<std::string>()>>(
        [this, slice = asked_] { return phantom_.part10(slice); });
    made_[asked_++] = task->get_future();
    pool_.submit(io::WorkClass::background, [task] { (*task)(); });
  }

  const demo::Phantom& phantom_;
  io::WorkerPool& pool_;
  std::map<std::size_t, std::future<Result<std::string>>> made_;
  std::map<std::size_t, std::string> kept_;
  std::size_t asked_ = 0, given_ = 0;
};

asio::awaitable<int> send(const demo::Phantom& phantom, Endpoint server) {
  dimse::ClientOptions options;
  options.host = server.dicom_address;
  options.port = server.dicom_port;
  options.called_ae = server.ae_title;
  options.calling_ae = "CAIRN_DEMO";
  options.async_window = kWindow;
  options.contexts.push_back({kCtImageStorage, {kExplicitLittleEndian}});
  auto client = co_await dimse::StoreClient::open(std::move(options));
  if (!client) {
    std::cerr << "cairn: the DICOM port does not answer: " << to_string(client.error()) << '\n';
    co_return 1;
  }
  io::WorkerPool pool(std::max(1u, std::thread::hardware_concurrency()), "demo");
  SliceStream slices(phantom, pool);
  std::size_t stored = 0, failed = 0;
  const auto sent = co_await client.value()->store([&] { return slices.next(); },
                                                   [&](std::size_t index, const dicom::CommandSet& response) {
                                                     slices.answered(index);
                                                     ++(response.status == 0 ? stored : failed);
                                                   });
  if (!sent || failed != 0) {
    std::cerr << "cairn: " << stored << " of " << phantom.slices << " slices stored"
              << (sent ? "" : ": " + to_string(sent.error())) << '\n';
    co_return 1;
  }
  (void)co_await client.value()->release();
  std::cout << stored << " slices stored over C-STORE\n";
  co_return 0;
}

}  // namespace

int demo(const Config& config) {
  const auto server = Endpoint::read(config.archive.data);
  if (!server) {
    throw std::runtime_error("no server holds " + config.archive.data.string() + ": start one with `cairn serve`");
  }
  const demo::Phantom phantom;
  asio::io_context context(1);
  int status = 1;
  asio::co_spawn(context, send(phantom, *server), [&status](std::exception_ptr failure, int result) {
    if (failure) std::rethrow_exception(failure);
    status = result;
  });
  context.run();
  if (status != 0) return status;
  const std::string study = server->http_url() + "/dicom-web/studies/" + phantom.study_uid();
  const std::string series = study + "/series/" + phantom.series_uid();
  std::cout << "study      " << server->http_url() << "/studies/" << phantom.study_uid() << '\n';
  for (const auto& [name, orientation] : {std::pair{"coronal   ", 'a'}, {"sagittal  ", 'l'}, {"axial     ", 'f'}}) {
    std::cout << name << ' ' << series << "/renderedmpr?orientation=" << orientation << "&viewport=768,768\n";
  }
  std::cout << "report     " << server->http_url() << "/api/v1/studies/" << phantom.study_uid() << "/series/"
            << phantom.series_uid() << "/volume\n";
  return 0;
}

}  // namespace cairn::app
