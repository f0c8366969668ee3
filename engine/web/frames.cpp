#include "engine/web/frames.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "codec/decode.h"
#include "codec/encode.h"
#include "engine/core/checksum.h"
#include "engine/web/error_response.h"
#include "engine/web/frame_negotiation.h"
#include "engine/web/multipart.h"
#include "engine/web/resource.h"
#include "engine/web/retrieve.h"

namespace cairn::web {
namespace {

using archive::Reach;

/// Of one frame; more are not put together on a reactor.
constexpr std::size_t kFewFragments = 256;

struct Services {
  archive::Archive* archive;
  io::WorkerPool* pool;
  std::shared_ptr<StreamBudget> budget;
  std::shared_ptr<PixelsCache> pixels;
};

/// What a request asks for, copied: the work goes on when the client is gone.
struct Wanted {
  Resource place;
  std::string list;
  std::vector<std::uint64_t> frames;
  std::vector<MediaRange> ranges;
  std::string if_none_match, if_range, range;
};

/// Samples of one bit, a byte each as decoded, as PS3.5 §8.1.1 packs them: the first in the lowest bit.
std::vector<std::byte> packed_bits(Bytes samples) {
  std::vector<std::byte> out((samples.size() + 7) / 8);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (samples[i] != std::byte{0}) out[i / 8] |= std::byte{1} << (i % 8);
  }
  return out;
}

/// Frames whose bytes have to be made: decoded, or copied where bits or bytes have to move. One at a time.
class MadeFrames final : public BodySource {
 public:
  MadeFrames(const Services& services, std::shared_ptr<const StoredPixels> pixels, Wanted wanted, FrameForm form,
             std::string boundary)
      : pool_(*services.pool), work_(std::make_shared<Work>()) {
    work_->archive = services.archive;
    work_->pixels = std::move(pixels);
    work_->wanted = std::move(wanted);
    work_->form = std::move(form);
    work_->boundary = std::move(boundary);
  }

  /// Makes the first one at once, blocking, so that its fault can still be told.
  Result<> begin() {
    CAIRN_TRY(first_, work_->next());
    return outcome::success();
  }

  Task<Chunk> next() override {
    if (first_) {
      Chunk chunk = std::move(*first_);
      first_.reset();
      co_return chunk;
    }
    auto job = [work = work_] { return work->next(); };
    auto chunk = co_await pool_.run(io::WorkClass::interactive, std::move(job));
    co_return chunk;
  }

 private:
  struct Work {
    archive::Archive* archive = nullptr;
    std::shared_ptr<const StoredPixels> pixels;
    Wanted wanted;
    FrameForm form;
    std::string boundary;
    std::unique_ptr<codec::ByteSource> source;
    std::size_t at = 0;

    Result<Chunk> next() {
      Chunk chunk;
      if (at > wanted.frames.size()) return chunk;
      if (at == wanted.frames.size()) {
        ++at;
        if (form.multipart) chunk.push_back(piece_of(closing(boundary)));
        return chunk;
      }
      if (!source) {
        source = open_pixels(*archive, *pixels);
      }
      CAIRN_TRY(auto bytes, pixels->index.read(*source, wanted.frames[at] - 1));
      if (form.decoded) {
        CAIRN_TRY(bytes, convert(bytes));
      }
      if (form.multipart) {
        const std::string place = wanted.place.path() + "/frames/" + std::to_string(wanted.frames[at]);
        chunk.push_back(piece_of(part_head(boundary, at == 0, form.content_type(), bytes.size(), place)));
      }
      auto owned = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
      chunk.push_back({Bytes(*owned), owned});
      ++at;
      return chunk;
    }

    Result<std::vector<std::byte>> convert(Bytes coded) const {
      codec::DecodeOptions options;
      options.name = {pixels->instance->sop_instance_uid, wanted.frames[at]};
      CAIRN_TRY(auto frame, codec::decode_frame(*pixels->syntax, pixels->format, coded, options));
      if (!form.encoded) {
        return pixels->format.bits_allocated == 1 ? packed_bits(frame.samples) : std::move(frame.samples);
      }
      const auto& target = *codec::find_transfer_syntax(form.syntax_uid);
      CAIRN_TRY(const auto encoding, codec::plan_encoding(target, codec::decoded_format(pixels->format, frame)));
      CAIRN_TRY(auto made, codec::encode_frame(encoding, frame.samples));
      made.bytes.resize(static_cast<std::size_t>(made.coded_bytes));
      return std::move(made.bytes);
    }
  };

  io::WorkerPool& pool_;
  std::shared_ptr<Work> work_;
  std::optional<Chunk> first_;
};

std::vector<ByteRange> web_ranges(const std::vector<codec::ByteRange>& ranges) {
  std::vector<ByteRange> out;
  for (const auto& range : ranges) out.push_back({range.offset, range.length});
  return out;
}

std::string multipart_type(const FrameForm& form, const std::string& boundary) {
  return "multipart/related; type=\"" + form.media_type + "\"; boundary=" + boundary;
}

Result<Response> send_stored(const Services& services, const Wanted& wanted, const StoredPixels& pixels,
                             const FrameForm& form, const std::string& boundary, Reach reach) {
  std::vector<StreamItem> items;
  for (const std::uint64_t frame : wanted.frames) {
    CAIRN_TRY(const auto ranges, pixels.index.ranges(frame - 1));
    if (reach == Reach::memory && ranges.size() > kFewFragments) return store::out_of_reach();
    std::uint64_t length = 0;
    for (const auto& range : ranges) length += range.length;
    std::string head = part_head(boundary, items.empty(), form.content_type(), length,
                                 wanted.place.path() + "/frames/" + std::to_string(frame));
    for (const auto& range : ranges) {
      items.push_back({std::exchange(head, {}), pixels.instance, {range.offset, range.length}});
    }
  }
  const std::string after = closing(boundary);
  Response response;
  response.length = length_of(items, after);
  if (*response.length <= kReadAtOnceBytes && !services.budget->is_used_up()) {
    CAIRN_TRY(response.source, read_stored(*services.archive, services.budget, std::move(items), after, reach));
  } else {
    response.source = make_stored_stream(*services.archive, *services.pool, services.budget, std::move(items), after);
  }
  return response;
}

/// One frame as it is.
Result<Response> send_whole(const Services& services, const StoredPixels& pixels,
                            const std::vector<codec::ByteRange>& ranges, const std::string& type,
                            const std::string& etag, Reach reach) {
  std::vector<ByteRange> pieces = web_ranges(ranges);
  std::uint64_t size = 0;
  for (const ByteRange& piece : pieces) size += piece.length;
  Response response =
      send_ranges(*services.archive, *services.pool, services.budget, {}, pixels.instance, pieces, type, etag);
  if (size <= kReadAtOnceBytes && !services.budget->is_used_up()) {
    std::vector<StreamItem> items;
    for (const ByteRange& piece : pieces) items.push_back({{}, pixels.instance, piece});
    CAIRN_TRY(response.source, read_stored(*services.archive, services.budget, std::move(items), {}, reach));
  }
  return response;
}

/// On the worker pool; with Reach::memory in place, for what is sent as stored.
Result<Response> prepare(const Services& services, const Wanted& wanted, Reach reach) {
  CAIRN_TRY(auto instance, instance_of(*services.archive, wanted.place, reach));
  const auto* syntax = codec::find_transfer_syntax(instance.transfer_syntax_uid);
  if (syntax == nullptr) return error_response(406, fail(Errc::unsupported, "TransferSyntaxUID"));
  const bool single_possible = wanted.frames.size() == 1;
  auto form = negotiate_frames(wanted.ranges, *syntax, single_possible);
  if (!form) {
    return error_response(406, fail(Errc::unsupported, "Accept"), frames_on_offer(*syntax, single_possible));
  }
  std::string etag = etag_of(instance);
  etag.pop_back();
  etag += "-f" + wanted.list + (form->multipart ? "-m" : "-s") + (form->decoded ? "d" : "") +
          (form->encoded ? form->syntax_uid : "") + '"';
  if (!wanted.if_none_match.empty() && matches_etag(wanted.if_none_match, etag)) return unmodified(etag);
  const auto found = services.pixels->of(std::move(instance), reach);
  if (!found) {
    if (store::is_out_of_reach(found.error())) return found.error();
    if (found.error() == Errc::missing) return fail(Errc::not_found, "frames: the instance has no pixel data");
    return stored_pixels_error(found.error(), "instance " + wanted.place.instance);
  }
  const auto& pixels = found.value();
  bool as_stored = !form->decoded;
  for (const std::uint64_t frame : wanted.frames) {
    if (frame > pixels->index.frame_count()) return fail(Errc::not_found, "frame");
    as_stored = as_stored && pixels->ranges_are_coded_frames(frame - 1);
  }
  if (as_stored && !form->multipart) {
    const auto where = pixels->index.ranges(wanted.frames[0] - 1);
    if (!where) {
      return stored_pixels_error(where.error(), "instance " + wanted.place.instance + ", frame " + wanted.list);
    }
    const auto& ranges = where.value();
    if (reach == Reach::memory && ranges.size() > kFewFragments) return store::out_of_reach();
    if (wanted.range.empty()) return send_whole(services, *pixels, ranges, form->content_type(), etag, reach);
    const bool stale = !wanted.if_range.empty() && wanted.if_range != etag;
    return send_ranges(*services.archive, *services.pool, services.budget, stale ? "" : wanted.range, pixels->instance,
                       web_ranges(ranges), form->content_type(), etag);
  }
  if (!as_stored && reach == Reach::memory) return store::out_of_reach();
  const std::string boundary = new_boundary();
  const std::string type = form->multipart ? multipart_type(*form, boundary) : form->content_type();
  Response response;
  if (as_stored) {
    CAIRN_TRY(response, send_stored(services, wanted, *pixels, *form, boundary, reach));
  } else {
    const std::string place = "instance " + wanted.place.instance + ", frame " + std::to_string(wanted.frames.front());
    auto made = std::make_unique<MadeFrames>(services, pixels, wanted, std::move(*form), boundary);
    if (const auto begun = made->begin(); !begun) return stored_pixels_error(begun.error(), place);
    response.source = std::move(made);
  }
  response.headers.add("Content-Type", type);
  response.headers.add("ETag", etag);
  response.headers.add("Cache-Control", "private, no-cache");
  response.headers.add("Vary", "Accept");
  return response;
}

Task<Response> frames(Services services, Request* request) {
  Wanted wanted;
  CAIRN_CO_TRY(wanted.place, resource_of(*request));
  wanted.list = request->captured("frames");
  CAIRN_CO_TRY(wanted.frames, parse_frame_list(wanted.list));
  if (wanted.frames.size() == 1) {
    if (auto page = page_instead(*request, page_path(wanted.place) + "/frames/" + wanted.list))
      co_return std::move(*page);
  }
  if (wanted.list.size() > 100)
    wanted.list = std::to_string(load_be<std::uint64_t>(digest128(as_bytes(wanted.list)).data()));
  wanted.ranges = accepted_by(*request);
  wanted.if_none_match = request->headers.joined("If-None-Match");
  wanted.if_range = request->headers.get("If-Range");
  wanted.range = request->headers.get("Range");
  constexpr std::size_t kFewFrames = 16;
  if (wanted.frames.size() <= kFewFrames) {
    auto at_once = prepare(services, wanted, Reach::memory);
    if (at_once || !store::is_out_of_reach(at_once.error())) co_return at_once;
  }
  auto job = [services, wanted = std::move(wanted)] { return prepare(services, wanted, Reach::disk); };
  auto prepared = co_await services.pool->run(io::WorkClass::interactive, std::move(job));
  co_return prepared;
}

}  // namespace

Result<std::vector<std::uint64_t>> parse_frame_list(std::string_view text) {
  std::vector<std::uint64_t> frames;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view one = text.substr(0, comma);
    std::uint64_t frame = 0;
    const auto [end, error] = std::from_chars(one.data(), one.data() + one.size(), frame);
    if (one.empty() || error != std::errc{} || end != one.data() + one.size() || frame == 0) {
      return fail(Errc::malformed, "frame list");
    }
    if (frames.size() == kMaxFramesOfARequest) return fail(Errc::limit_exceeded, "frame list");
    frames.push_back(frame);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  auto sorted = frames;
  std::sort(sorted.begin(), sorted.end());
  const bool repeats = std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
  if (repeats) return fail(Errc::malformed, "frame list: a frame twice");
  return frames;
}

void add_frame_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool,
                      std::shared_ptr<StreamBudget> budget, std::shared_ptr<PixelsCache> pixels) {
  const Services services{&archive, &pool, std::move(budget), std::move(pixels)};
  router.add("GET", "/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}",
             [services](Request& request) { return frames(services, &request); });
}

}  // namespace cairn::web
