#include "engine/web/made_instances.h"

#include <deque>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/core/uid.h"
#include "engine/web/error_response.h"
#include "engine/web/multipart.h"
#include "engine/web/resource.h"
#include "engine/web/retrieve.h"

namespace cairn::web {
namespace {

constexpr std::size_t kAheadBytes = 4u << 20;  ///< made of one instance before it is its turn
constexpr std::size_t kMostAtOnce = 4;

class StoredMaker final : public InstanceMaker {
 public:
  StoredMaker(archive::Archive& archive, archive::Instance instance)
      : instance_(std::move(instance)), reader_(archive.open(instance_)) {}

  Result<bool> make(std::string& out, std::size_t enough) override {
    while (at_ < reader_->size() && out.size() < enough) {
      CAIRN_TRY(const auto view, reader_->view(at_));
      if (view.bytes.empty()) return fail(Errc::truncated, "stored stream", at_);
      out += as_text(view.bytes);
      at_ += view.bytes.size();
    }
    return at_ >= reader_->size();
  }
  std::string place() const override { return "instance " + instance_.sop_instance_uid; }

 private:
  archive::Instance instance_;
  std::unique_ptr<archive::StreamReader> reader_;
  std::uint64_t at_ = 0;
};

class TranscodingMaker final : public InstanceMaker {
 public:
  TranscodingMaker(std::string uid, std::unique_ptr<transcode::Transcoder> transcoder)
      : uid_(std::move(uid)), transcoder_(std::move(transcoder)) {}

  Result<bool> make(std::string& out, std::size_t enough) override {
    if (!begun_) out += transcoder_->file_meta();
    begun_ = true;
    while (out.size() < enough) {
      CAIRN_TRY(const bool more, transcoder_->next(out));
      if (!more) return true;
    }
    return false;
  }
  std::string place() const override {
    const std::uint64_t frame = transcoder_->frame();
    return "instance " + uid_ + (frame == 0 ? std::string() : ", frame " + std::to_string(frame));
  }

 private:
  std::string uid_;
  std::unique_ptr<transcode::Transcoder> transcoder_;
  bool begun_ = false;
};

/// What has been made of one before anybody asked for it.
struct Begun {
  std::unique_ptr<InstanceMaker> maker;
  std::string bytes;
  bool done = false;
};

class InstanceParts final : public BodySource {
 public:
  /// `first`: what is begun of the first one.
  InstanceParts(archive::Archive& archive, io::WorkerPool& pool, std::vector<InstanceToMake> instances, Begun first,
                std::string boundary)
      : archive_(archive),
        pool_(pool),
        instances_(std::move(instances)),
        first_(std::move(first)),
        boundary_(std::move(boundary)) {}

  Task<Chunk> next() override {
    const auto executor = co_await asio::this_coro::executor;
    const std::size_t at_once = std::min(kMostAtOnce, pool_.threads());
    while (begun_ < instances_.size() && under_way_.size() < at_once) begin(executor);
    Chunk chunk;
    if (under_way_.empty()) {
      if (!std::exchange(ended_, true)) chunk.push_back(piece_of(closing(boundary_)));
      co_return chunk;
    }
    const auto job = under_way_.front();
    while (!job->ready) {
      job->wake.expires_at(asio::steady_timer::time_point::max());
      auto waited = co_await job->wake.async_wait(asio::as_tuple(asio::use_awaitable));
      (void)waited;
    }
    if (job->error) co_return *job->error;
    std::string bytes = std::move(job->bytes);
    job->bytes = {};
    if (!std::exchange(job->headed, true)) {
      const auto length = job->done ? std::optional<std::uint64_t>(bytes.size()) : std::nullopt;
      chunk.push_back(piece_of(part_head(boundary_, !any_, job->type, length, job->location)));
      any_ = true;
    }
    if (!bytes.empty()) chunk.push_back(piece_of(std::move(bytes)));
    if (job->done) {
      under_way_.pop_front();
    } else {
      advance(job, executor);
    }
    co_return chunk;
  }

 private:
  /// `maker`, `instance` and `bytes` belong to the pool while it is not `ready`, the rest to the reactor.
  struct Job {
    explicit Job(const asio::any_io_executor& executor) : wake(executor) {}
    asio::steady_timer wake;
    InstanceToMake instance;
    std::unique_ptr<InstanceMaker> maker;
    std::string bytes, type, location;
    std::optional<Error> error;
    bool ready = false, done = false, headed = false;
  };

  void begin(const asio::any_io_executor& executor) {
    auto job = std::make_shared<Job>(executor);
    job->instance = std::move(instances_[begun_++]);
    const archive::Instance& i = job->instance.instance;
    job->type = instance_content_type(job->instance.syntax);
    job->location = Resource{i.study_instance_uid, i.series_instance_uid, i.sop_instance_uid}.path();
    under_way_.push_back(job);
    if (!first_) return advance(job, executor);
    job->maker = std::move(first_->maker);
    job->bytes = std::move(first_->bytes);
    job->done = first_->done;
    job->ready = true;
    first_.reset();
  }

  void advance(const std::shared_ptr<Job>& job, const asio::any_io_executor& executor) {
    job->ready = false;
    pool_.submit(io::WorkClass::interactive, [archive = &archive_, job, executor]() mutable {
      std::optional<Error> error;
      bool done = false;
      if (!job->maker) {
        auto opened = InstanceMaker::open(*archive, std::move(job->instance.instance), job->instance.syntax);
        if (opened) {
          job->maker = std::move(opened).value();
        } else {
          error = opened.error();
        }
      }
      if (!error) {
        const auto made = job->maker->make(job->bytes, kAheadBytes);
        if (made) {
          done = made.value();
        } else {
          error = made.error();
        }
      }
      asio::post(executor, [job = std::move(job), error, done] {
        job->error = error;
        job->done = done;
        job->ready = true;
        job->wake.cancel();
      });
    });
  }

  archive::Archive& archive_;
  io::WorkerPool& pool_;
  std::vector<InstanceToMake> instances_;
  std::optional<Begun> first_;
  std::string boundary_;
  std::size_t begun_ = 0;
  std::deque<std::shared_ptr<Job>> under_way_;
  bool any_ = false, ended_ = false;
};

/// The rest of one instance.
class InstanceRest final : public BodySource {
 public:
  InstanceRest(io::WorkerPool& pool, std::unique_ptr<InstanceMaker> maker, std::string begun)
      : pool_(pool), maker_(std::move(maker)), begun_(std::move(begun)) {}

  Task<Chunk> next() override {
    Chunk chunk;
    if (!begun_.empty()) {
      chunk.push_back(piece_of(std::exchange(begun_, {})));
      co_return chunk;
    }
    if (done_) co_return chunk;
    using Made = std::pair<std::string, bool>;
    auto job = [maker = maker_]() -> Result<Made> {
      Made made;
      CAIRN_TRY(made.second, maker->make(made.first, kAheadBytes));
      return made;
    };
    auto result = co_await pool_.run(io::WorkClass::interactive, std::move(job));
    CAIRN_CO_TRY(auto made, std::move(result));
    done_ = made.second;
    if (!made.first.empty()) chunk.push_back(piece_of(std::move(made.first)));
    co_return chunk;
  }

 private:
  io::WorkerPool& pool_;
  std::shared_ptr<InstanceMaker> maker_;
  std::string begun_;
  bool done_ = false;
};

/// Begins to make one; an error response that names it where it cannot be made.
std::optional<Response> begin(archive::Archive& archive, const InstanceToMake& wanted, Begun& begun) {
  auto opened = InstanceMaker::open(archive, wanted.instance, wanted.syntax);
  if (!opened) return stored_pixels_error(opened.error(), "instance " + wanted.instance.sop_instance_uid);
  begun.maker = std::move(opened).value();
  const auto made = begun.maker->make(begun.bytes, kAheadBytes);
  if (!made) return stored_pixels_error(made.error(), begun.maker->place());
  begun.done = made.value();
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<InstanceMaker>> InstanceMaker::open(archive::Archive& archive, archive::Instance instance,
                                                           const std::string& syntax) {
  if (syntax == instance.transfer_syntax_uid) {
    return std::unique_ptr<InstanceMaker>(std::make_unique<StoredMaker>(archive, std::move(instance)));
  }
  const auto* target = codec::find_transfer_syntax(syntax);
  if (target == nullptr) return fail(Errc::unsupported, "transfer syntax");
  transcode::Options options;
  options.allow_lossy = true;
  CAIRN_TRY(auto transcoder, transcode::Transcoder::open(archive, instance, *target, options));
  return std::unique_ptr<InstanceMaker>(
      std::make_unique<TranscodingMaker>(instance.sop_instance_uid, std::move(transcoder)));
}

std::string made_etag(const InstanceToMake& wanted) {
  std::string etag = etag_of(wanted.instance);
  etag.insert(etag.size() - 1, '-' + wanted.syntax);
  return etag;
}

Response send_made(archive::Archive& archive, io::WorkerPool& pool, InstanceToMake wanted) {
  const std::string etag = made_etag(wanted);
  Begun begun;
  if (auto fault = begin(archive, wanted, begun)) return std::move(*fault);
  Response response;
  response.headers.add("Content-Type", instance_content_type(wanted.syntax));
  response.headers.add("ETag", etag);
  response.headers.add("Cache-Control", "private, no-cache");
  response.headers.add("Vary", "Accept");
  if (begun.done) {
    response.body = std::move(begun.bytes);
  } else {
    response.source = std::make_unique<InstanceRest>(pool, std::move(begun.maker), std::move(begun.bytes));
  }
  return response;
}

Response send_made(archive::Archive& archive, io::WorkerPool& pool, std::vector<InstanceToMake> wanted) {
  Begun begun;
  if (auto fault = begin(archive, wanted.front(), begun)) return std::move(*fault);
  const std::string boundary = new_boundary();
  Response response;
  response.headers.add("Content-Type", "multipart/related; type=\"application/dicom\"; boundary=" + boundary);
  response.headers.add("Cache-Control", "private, no-cache");
  response.headers.add("Vary", "Accept");
  response.source = std::make_unique<InstanceParts>(archive, pool, std::move(wanted), std::move(begun), boundary);
  return response;
}

std::string instance_content_type(const std::string& syntax) {
  std::string type = "application/dicom";
  if (is_usable_uid(syntax)) type += ";transfer-syntax=" + syntax;
  return type;
}

}  // namespace cairn::web
