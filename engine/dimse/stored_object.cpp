#include "engine/dimse/stored_object.h"

#include <algorithm>

#include "engine/dicom/recode.h"

namespace cairn::dimse {
namespace {

constexpr std::uint64_t kStretchBytes = 4u << 20;
constexpr std::size_t kDeflatedPieceBytes = 16u << 10;  // may inflate 250 times

// Reads the data set from its beginning, stretch by stretch.
class StretchReader {
 public:
  StretchReader(archive::Archive& archive, const archive::Instance& instance, const std::string& transfer_syntax)
      : reader_(archive.open(instance)), at_(instance.data_set_offset) {
    if (transfer_syntax == instance.transfer_syntax_uid) return;
    from_ = dicom::encoding_of(instance.transfer_syntax_uid);
    recoder_.emplace(from_, dicom::encoding_of(transfer_syntax));
  }

  /// Of at least `bytes` unless it is the last.
  Stretch next(std::uint64_t bytes) {
    Stretch stretch;
    if (const auto read = fill(stretch, bytes); !read) stretch.error = read.error();
    return stretch;
  }

 private:
  Result<> fill(Stretch& stretch, std::uint64_t bytes) {
    if (!reader_) return fail(Errc::not_found, "stored stream");
    for (std::uint64_t got = 0; got < bytes && at_ < reader_->size();) {
      CAIRN_TRY(auto view, reader_->view(at_));
      if (view.bytes.empty()) return fail(Errc::corrupt, "length of the stored stream", at_);
      if (!recoder_) {
        at_ += view.bytes.size();
        got += view.bytes.size();
        stretch.views.push_back(std::move(view));
        continue;
      }
      const std::size_t n =
          from_.deflated ? std::min(view.bytes.size(), kDeflatedPieceBytes) : view.bytes.size();
      CAIRN_TRYV(recoder_->feed(view.bytes.first(n)));
      at_ += n;
      got = recoder_->out().size();
    }
    stretch.last = at_ >= reader_->size();
    if (recoder_) {
      if (stretch.last) {
        CAIRN_TRYV(recoder_->finish());
      }
      stretch.recoded = std::move(recoder_->out());
      recoder_->out().clear();
    }
    return outcome::success();
  }

  std::unique_ptr<archive::StreamReader> reader_;
  std::uint64_t at_;
  dicom::Encoding from_;
  std::optional<dicom::Recoder> recoder_;
};

Result<> prepare_into(StoredObject& object, archive::Archive& archive, const ContextTable& contexts) {
  CAIRN_TRY(const archive::Instance instance, archive.instance(object.sop_instance_uid));
  object.sop_class_uid = instance.sop_class_uid;
  object.bytes = instance.stream_length - std::min(instance.stream_length, instance.data_set_offset);
  CAIRN_TRY(const ContextTable::Entry* context, contexts.choose(instance.sop_class_uid, instance.transfer_syntax_uid));
  object.context = *context;

  StretchReader reader(archive, instance, context->transfer_syntax);
  object.held = reader.next(kHeldBytes);
  if (object.held.error) return *object.held.error;
  if (object.held.last) return outcome::success();
  for (bool more = true; more;) {
    const Stretch verified = reader.next(kStretchBytes);
    if (verified.error) return *verified.error;
    more = !verified.last;
  }
  object.held = {};
  const auto again = std::make_shared<StretchReader>(archive, instance, context->transfer_syntax);
  object.read_stretch = [again] { return again->next(kStretchBytes); };
  return outcome::success();
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
