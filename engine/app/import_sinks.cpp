#include "engine/app/import_sinks.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <vector>

#include "engine/archive/file_feed.h"

namespace cairn::app {
namespace {

namespace json = boost::json;
using Kind = ImportOutcome::Kind;

Kind kind_of(store::Outcome outcome) {
  switch (outcome) {
    case store::Outcome::identical: return Kind::already_there;
    case store::Outcome::replaced: return Kind::replaced;
    case store::Outcome::refused: return Kind::refused;
    case store::Outcome::stored: break;
  }
  return Kind::taken;
}

ImportOutcome failed(const Error& error) {
  const bool stop = error == Errc::out_of_space || error == Errc::io || error == Errc::closed;
  return {stop ? Kind::stopped : Kind::refused, to_string(error), 0};
}

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

class ArchiveSink final : public ImportSink {
 public:
  explicit ArchiveSink(archive::Archive& archive) : archive_(archive), piece_(1u << 20) {}

  ImportOutcome store(const std::filesystem::path& file) override {
    const std::unique_ptr<std::FILE, FileCloser> in(std::fopen(file.c_str(), "rb"));
    if (!in) return {Kind::refused, "the file cannot be read", 0};
    ImportOutcome outcome;
    asio::co_spawn(context_, feed(in.get(), outcome), [](std::exception_ptr failure) {
      if (failure) std::rethrow_exception(failure);
    });
    context_.restart();
    context_.run();
    return outcome;
  }

 private:
  asio::awaitable<void> feed(std::FILE* in, ImportOutcome& outcome) {
    archive::Source source;
    source.calling_ae = "IMPORT";
    source.via = store::Via::import;
    auto receiver = archive_.receive(std::move(source), {});
    if (!receiver) {
      outcome = failed(receiver.error());
      co_return;
    }
    archive::FileFeed file(*receiver.value());
    for (std::size_t n; (n = std::fread(piece_.data(), 1, piece_.size(), in)) > 0;) {
      const auto written = co_await file.write(Bytes(piece_).first(n));
      if (!written) {
        outcome = refused_or_not_dicom(written.error());
        co_return;
      }
    }
    if (std::ferror(in)) {
      outcome = {Kind::refused, "the file cannot be read to its end", 0};
      co_return;
    }
    const auto finished = co_await file.finish();
    if (!finished) {
      outcome = refused_or_not_dicom(finished.error());
      co_return;
    }
    const auto stored = co_await receiver.value()->commit();
    if (!stored) {
      outcome = failed(stored.error());
      co_return;
    }
    outcome = {kind_of(stored.value().outcome), "", stored.value().bytes};
  }

  static ImportOutcome refused_or_not_dicom(const Error& error) {
    if (archive::FileFeed::is_not_an_instance(error)) return {Kind::not_dicom, to_string(error), 0};
    return failed(error);
  }

  archive::Archive& archive_;
  std::vector<std::byte> piece_;
  asio::io_context context_{1};
};

class ServerSink final : public ImportSink {
 public:
  explicit ServerSink(const std::string& url) : client_(url) {}

  ImportOutcome store(const std::filesystem::path& file) override {
    const auto reply = client_.post_file("/api/v1/instances", file);
    if (!reply) return failed(reply.error());
    boost::system::error_code error;
    const json::value body = json::parse(reply.value().body, error);
    const auto text = [&](const char* key) -> std::string {
      if (error || !body.is_object()) return {};
      const auto* found = body.as_object().if_contains(key);
      return found && found->is_string() ? std::string(found->as_string()) : std::string();
    };
    const long status = reply.value().status;
    if (status == 200 || status == 201) {
      std::uint64_t bytes = 0;
      if (const auto* found = body.as_object().if_contains("bytes"); found && found->is_number()) {
        bytes = found->to_number<std::uint64_t>();
      }
      const std::string outcome = text("outcome");
      if (outcome == "identical") return {Kind::already_there, "", bytes};
      if (outcome == "replaced") return {Kind::replaced, "", bytes};
      return {Kind::taken, "", bytes};
    }
    std::string why = text("where");
    if (!why.empty()) why += ": ";
    why += text("error");
    if (status == 415) return {Kind::not_dicom, why, 0};
    return {status >= 500 ? Kind::stopped : Kind::refused, why.empty() ? "HTTP " + std::to_string(status) : why, 0};
  }

 private:
  ServerClient client_;
};

}  // namespace

ImportSinkFactory archive_sinks(archive::Archive& archive) {
  return [&archive] { return std::make_unique<ArchiveSink>(archive); };
}

ImportSinkFactory server_sinks(const Endpoint& server) {
  return [url = server.http_url()] { return std::make_unique<ServerSink>(url); };
}

}  // namespace cairn::app
