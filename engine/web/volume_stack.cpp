#include "engine/web/volume_stack.h"

#include "engine/web/multipart.h"

namespace cairn::web {
namespace {

class StackSource final : public BodySource {
 public:
  StackSource(volumes::Service& service, volumes::RenderRequest request, PlaneStack stack, volumes::RenderedImage first,
              std::string boundary)
      : service_(service),
        request_(std::move(request)),
        stack_(stack),
        version_(first.series_version),
        ready_(std::move(first)),
        boundary_(std::move(boundary)) {}

  Task<Chunk> next() override {
    if (next_ > stack_.count) co_return Chunk{};
    Chunk chunk;
    if (next_ == stack_.count) {
      ++next_;
      chunk.push_back(piece_of(closing(boundary_)));
      co_return chunk;
    }
    if (next_ > 0) {
      request_.advance_mm = stack_.advance_mm(next_);
      CAIRN_CO_TRY(ready_, co_await service_.render(request_));
      if (ready_.series_version != version_)
        co_return fail(Errc::mismatch, "the series changed while its planes were sent");
    }
    chunk.push_back(piece_of(part_head(boundary_, next_ == 0, ready_.content_type, ready_.bytes.size(), {})));
    auto bytes = std::make_shared<std::vector<std::byte>>(std::move(ready_.bytes));
    const Bytes view(*bytes);
    chunk.push_back(Piece{view, std::move(bytes)});
    ++next_;
    co_return chunk;
  }

 private:
  volumes::Service& service_;
  volumes::RenderRequest request_;
  PlaneStack stack_;
  std::uint64_t version_;
  volumes::RenderedImage ready_;
  std::string boundary_;
  std::uint32_t next_ = 0;
};

}  // namespace

std::unique_ptr<BodySource> stack_source(volumes::Service& service, volumes::RenderRequest request, PlaneStack stack,
                                         volumes::RenderedImage first, std::string boundary) {
  return std::make_unique<StackSource>(service, std::move(request), stack, std::move(first), std::move(boundary));
}

}  // namespace cairn::web
