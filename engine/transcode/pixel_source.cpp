#include "engine/transcode/pixel_source.h"

#include <limits>

#include "engine/archive/stored_source.h"
#include "engine/dicom/inflate.h"

namespace cairn::transcode {
namespace {

class InflatedSource final : public codec::ByteSource {
 public:
  InflatedSource(std::unique_ptr<archive::StreamReader> reader, std::uint64_t begin)
      : reader_(std::move(reader)), begin_(begin), at_(begin) {}

  std::uint64_t size() const override { return std::numeric_limits<std::int64_t>::max(); }

  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override {
    if (offset < inflater_.produced() - piece_.size()) restart();
    std::size_t done = 0;
    while (done < into.size()) {
      const std::uint64_t end = inflater_.produced(), from = end - piece_.size(), wanted = offset + done;
      if (wanted >= end) {
        CAIRN_TRY(const bool more, advance());
        if (!more) break;
        continue;
      }
      const Bytes rest = piece_.subspan(static_cast<std::size_t>(wanted - from));
      const std::size_t n = std::min(rest.size(), into.size() - done);
      std::memcpy(into.data() + done, rest.data(), n);
      done += n;
    }
    return done;
  }

 private:
  void restart() {
    inflater_ = dicom::Inflater();
    piece_ = {};
    at_ = begin_;
  }
  /// The next piece; false at the end.
  Result<bool> advance() {
    while (true) {
      piece_ = {};
      CAIRN_TRY(piece_, inflater_.next());
      if (!piece_.empty()) return true;
      if (inflater_.ended()) return false;
      CAIRN_TRY(input_, reader_->view(at_));
      if (input_.bytes.empty()) return fail(Errc::truncated, "deflated data set", at_);
      at_ += input_.bytes.size();
      inflater_.feed(input_.bytes);
    }
  }

  std::unique_ptr<archive::StreamReader> reader_;
  std::uint64_t begin_, at_;  // of the stored stream: where the data set begins, what is fed next
  archive::StreamReader::View input_;
  dicom::Inflater inflater_;
  Bytes piece_;  // the last that was inflated
};

}  // namespace

std::unique_ptr<codec::ByteSource> open_source(archive::Archive& archive, const archive::Instance& instance,
                                               bool deflated) {
  auto reader = archive.open(instance);
  if (!deflated) return std::make_unique<archive::StoredSource>(std::move(reader));
  return std::make_unique<InflatedSource>(std::move(reader), instance.data_set_offset);
}

}  // namespace cairn::transcode
