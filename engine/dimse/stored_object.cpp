#include "engine/dimse/stored_object.h"

#include <algorithm>

#include "codec/transfer_syntax.h"
#include "engine/transcode/transcoder.h"

namespace cairn::dimse {
namespace {

constexpr std::uint64_t kStretchBytes = 4u << 20;
// Reads the data set from its beginning, stretch by stretch, in the stored transfer syntax or another one.
class StretchReader {
 public:
  static Result<StretchReader> open(archive::Archive& archive, const archive::Instance& instance,
                                    const std::string& transfer_syntax) {
    StretchReader made(instance.data_set_offset);
    if (transfer_syntax == instance.transfer_syntax_uid) {
      made.reader_ = archive.open(instance);
      if (!made.reader_) return fail(Errc::not_found, "stored stream");
    } else {
      const codec::TransferSyntax* target = codec::find_transfer_syntax(transfer_syntax);
      if (target == nullptr) return fail(Errc::unsupported, "transfer syntax");
      CAIRN_TRY(made.transcoder_, transcode::Transcoder::open(archive, instance, *target));
    }
    return made;
  }

  /// Of at least `bytes` unless it is the last.
  Stretch next(std::uint64_t bytes) {
    Stretch stretch;
    if (const auto read = fill(stretch, bytes); !read) stretch.error = read.error();
    return stretch;
  }

 private:
  explicit StretchReader(std::uint64_t at) : at_(at) {}

  Result<> fill(Stretch& stretch, std::uint64_t bytes) {
    if (transcoder_) {
      while (!stretch.last && stretch.recoded.size() < bytes) {
        CAIRN_TRY(const bool more, transcoder_->next(stretch.recoded));
        stretch.last = !more;
      }
      return outcome::success();
    }
    for (std::uint64_t got = 0; got < bytes && at_ < reader_->size();) {
      CAIRN_TRY(auto view, reader_->view(at_));
      if (view.bytes.empty()) return fail(Errc::corrupt, "length of the stored stream", at_);
      at_ += view.bytes.size();
      got += view.bytes.size();
      stretch.views.push_back(std::move(view));
    }
    stretch.last = at_ >= reader_->size();
    return outcome::success();
  }

  std::unique_ptr<archive::StreamReader> reader_;
  std::uint64_t at_;
  std::unique_ptr<transcode::Transcoder> transcoder_;
};

/// Reads all of it; what is small enough stays in `object.held`.
Result<> read_through(StoredObject& object, StretchReader& reader) {
  object.held = reader.next(kHeldBytes);
  if (object.held.error) return *object.held.error;
  if (object.held.last) return outcome::success();
  object.held = {};
  while (true) {
    const Stretch verified = reader.next(kStretchBytes);
    if (verified.error) return *verified.error;
    if (verified.last) return outcome::success();
  }
}

Result<> prepare_in(StoredObject& object, archive::Archive& archive, const archive::Instance& instance) {
  CAIRN_TRY(auto reader, StretchReader::open(archive, instance, object.context.transfer_syntax));
  CAIRN_TRYV(read_through(object, reader));
  if (object.held.last) return outcome::success();
  CAIRN_TRY(auto opened, StretchReader::open(archive, instance, object.context.transfer_syntax));
  const auto again = std::make_shared<StretchReader>(std::move(opened));
  object.read_stretch = [again] { return again->next(kStretchBytes); };
  return outcome::success();
}

Result<> prepare_into(StoredObject& object, archive::Archive& archive, const ContextTable& contexts) {
  CAIRN_TRY(const archive::Instance instance, archive.instance(object.sop_instance_uid));
  object.sop_class_uid = instance.sop_class_uid;
  object.bytes = instance.stream_length - std::min(instance.stream_length, instance.data_set_offset);
  CAIRN_TRY(const auto choices, contexts.choose(instance.sop_class_uid, instance.transfer_syntax_uid));
  std::optional<Error> fault;
  for (const ContextTable::Entry* context : choices) {
    object.context = *context;
    object.transcoded = context->transfer_syntax != instance.transfer_syntax_uid;
    const auto prepared = prepare_in(object, archive, instance);
    if (prepared) return outcome::success();
    object.held = {};
    if (!fault) fault = prepared.error();
    // Bytes that cannot be read are no better in another syntax.
    if (prepared.error() == Errc::corrupt || prepared.error() == Errc::io) break;
  }
  return *fault;
}

}  // namespace

StoredObject StoredObject::prepare(archive::Archive& archive, const std::string& sop_instance_uid,
                                   const ContextTable& contexts) {
  StoredObject object;
  object.sop_instance_uid = sop_instance_uid;
  if (const auto prepared = prepare_into(object, archive, contexts); !prepared) {
    object.error = prepared.error();
    object.held = {};
  }
  return object;
}

Result<> verify(archive::Archive& archive, const archive::Instance& instance) {
  const auto reader = archive.open(instance);
  if (!reader) return fail(Errc::not_found, "stored stream");
  for (std::uint64_t at = 0; at < reader->size();) {
    CAIRN_TRY(const auto view, reader->view(at));
    if (view.bytes.empty()) return fail(Errc::corrupt, "length of the stored stream", at);
    at += view.bytes.size();
  }
  return outcome::success();
}

StoredSource::StoredSource(const StoredObject& object, io::WorkerPool& pool, asio::any_io_executor executor)
    : current_(object.read_stretch ? nullptr : &object.held) {
  if (object.read_stretch) more_.emplace(pool, std::move(executor), object.read_stretch);
}

Task<net::DataSource::Piece> StoredSource::next() {
  const auto count = [](const Stretch& s) { return s.views.size() + (s.recoded.empty() ? 0 : 1); };
  while (current_ == nullptr || (index_ == count(*current_) && !current_->last)) {
    stretch_ = co_await more_->next();
    if (stretch_.error) co_return *stretch_.error;
    current_ = &stretch_;
    index_ = 0;
  }
  const std::size_t n = count(*current_);
  if (n == 0) co_return Piece{{}, true};
  const std::size_t i = index_++;
  const Bytes bytes = i < current_->views.size() ? current_->views[i].bytes : as_bytes(current_->recoded);
  co_return Piece{bytes, current_->last && index_ == n};
}

}  // namespace cairn::dimse
