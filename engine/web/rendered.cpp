#include "engine/web/rendered.h"

#include <algorithm>

#include "engine/core/checksum.h"
#include "engine/dicom/tags.h"
#include "engine/web/error_response.h"
#include "engine/web/frame_negotiation.h"
#include "engine/web/frames.h"
#include "engine/web/multipart.h"
#include "engine/web/render_frame.h"
#include "engine/web/retrieve.h"

namespace cairn::web {
namespace {

namespace tags = dicom::tags;
constexpr std::pair<std::uint32_t, std::uint32_t> kThumbnailBox{128, 128};
constexpr std::size_t kRepresentativeTries = 16;

struct Form {
  PictureType type = PictureType::jpeg;
  bool multipart = false;
};

std::optional<PictureType> type_of(const MediaRange& range, bool multipart) {
  for (const PictureType type : {PictureType::jpeg, PictureType::png}) {
    if (!multipart && range.matches(media_type_of(type))) return type;
    if (!multipart || range.type == "*" || !range.matches("multipart/related")) continue;
    const std::string_view wanted = range.parameter("type");
    if (wanted.empty() || wanted == "image/*" || wanted == "*/*" || wanted == media_type_of(type)) return type;
  }
  return std::nullopt;
}

std::optional<Form> form_of(const std::vector<MediaRange>& ranges) {
  if (ranges.empty()) return Form{};
  std::optional<Form> best;
  int best_quality = 0;
  for (const MediaRange& range : ranges) {
    for (const bool multipart : {false, true}) {
      const auto type = type_of(range, multipart);
      if (!type || range.quality <= best_quality) continue;
      best = Form{*type, multipart};
      best_quality = range.quality;
    }
  }
  return best;
}

Response no_picture(const Error& error, std::string_view detail) {
  return error_response(406, error, detail);
}

std::string etag_for(const archive::Instance& instance, std::string_view rest) {
  const auto digest = digest128(as_bytes(rest));
  std::string etag = etag_of(instance);
  etag.pop_back();
  return etag + "-r" + std::to_string(load_be<std::uint64_t>(digest.data())) + '"';
}

std::uint64_t representative_frame(archive::Archive& archive, const StoredPixels& pixels) {
  if (pixels.index.frame_count() <= 1) return 1;
  const auto header = archive.header(pixels.instance->sop_instance_uid);
  if (!header) return 1;
  const auto data_set = dicom::DataSet::parse(header.value());
  const auto named = data_set ? data_set.value().integer(tags::RepresentativeFrameNumber).value_or(1) : 1;
  return named < 1 || static_cast<std::uint64_t>(named) > pixels.index.frame_count()
             ? 1
             : static_cast<std::uint64_t>(named);
}

void finish(Response& response, std::string_view etag, const RenderRequest& request) {
  if (!response.headers.contains("ETag")) response.headers.add("ETag", etag);
  if (!response.headers.contains("Cache-Control")) response.headers.add("Cache-Control", "private, no-cache");
  response.headers.add("Vary", "Accept");
  for (const std::string& warning : request.query.warnings) {
    response.headers.add("Warning", "299 cairn \"" + warning + '"');
  }
}

/// The region asked for lies within the picture.
bool fits(const RenderedQuery& query, const codec::PixelFormat& format) {
  return !query.region ||
         (query.region->column >= 0 && query.region->row >= 0 && query.region->column < std::int64_t{format.columns} &&
          query.region->row < std::int64_t{format.rows});
}

Result<Response> one_picture(const RenderServices& services, const RenderRequest& request, const StoredPixels& pixels,
                             PictureType type) {
  const std::uint64_t frame =
      request.frames.empty() ? representative_frame(*services.archive, pixels) : request.frames.front();
  const std::string etag =
      etag_for(*pixels.instance, std::to_string(frame) + std::string(media_type_of(type)) + request.query.key());
  if (!request.if_none_match.empty() && matches_etag(request.if_none_match, etag)) return unmodified(etag);
  if (frame > pixels.index.frame_count()) return fail(Errc::not_found, "frame");
  if (!fits(request.query, pixels.format)) return fail(Errc::malformed, "viewport");
  auto picture = render_frame(*services.archive, pixels, frame, request.query, type);
  if (!picture) {
    return stored_pixels_error(picture.error(),
                               "instance " + pixels.instance->sop_instance_uid + ", frame " + std::to_string(frame));
  }
  const auto& bytes = picture.value();
  Response response = Response::text(200, media_type_of(type), std::string(as_text(bytes)));
  finish(response, etag, request);
  return response;
}

/// The video as stored, with ranges, so that a player can seek.
Result<Response> video(const RenderServices& services, const RenderRequest& request, const StoredPixels& pixels) {
  const std::string_view type = media_type_of(*pixels.syntax);
  if (!choose(request.ranges, {type})) {
    return no_picture(fail(Errc::unsupported, "Accept"), "on offer: " + std::string(type));
  }
  CAIRN_TRY(const auto ranges, pixels.index.ranges(0));
  std::vector<ByteRange> pieces;
  for (const auto& range : ranges) pieces.push_back({range.offset, range.length});
  const std::string etag = etag_for(*pixels.instance, "video");
  if (!request.if_none_match.empty() && matches_etag(request.if_none_match, etag)) return unmodified(etag);
  const bool stale = !request.if_range.empty() && request.if_range != etag;
  Response response = send_ranges(*services.archive, *services.pool, services.budget, stale ? "" : request.range,
                                  pixels.instance, std::move(pieces), type, etag);
  finish(response, etag, request);
  return response;
}

/// An encapsulated document (PS3.3 §C.24.2) in its own media type. nullopt: the instance has none.
Result<std::optional<Response>> document(const RenderServices& services, const RenderRequest& request,
                                         const archive::Instance& instance) {
  CAIRN_TRY(const auto header, services.archive->header(instance.sop_instance_uid));
  CAIRN_TRY(const auto data_set, dicom::DataSet::parse(header));
  const dicom::Element* element = data_set.find(tags::EncapsulatedDocument);
  if (element == nullptr || header.was_deflated) return std::optional<Response>();
  const auto type = parse_media_type(data_set.text(tags::MIMETypeOfEncapsulatedDocument));
  const std::string name = type ? type->type + '/' + type->subtype : "application/octet-stream";
  if (!choose(request.ranges, {name})) {
    return std::optional(no_picture(fail(Errc::unsupported, "Accept"), "on offer: " + name));
  }
  const std::string etag = etag_for(instance, "document");
  if (!request.if_none_match.empty() && matches_etag(request.if_none_match, etag)) {
    return std::optional(unmodified(etag));
  }
  std::uint64_t length = element->bulk ? element->bulk->length : element->value.size();
  const auto stated = data_set.integer(tags::EncapsulatedDocumentLength).value_or(0);
  if (stated > 0 && static_cast<std::uint64_t>(stated) < length) length = static_cast<std::uint64_t>(stated);
  Response response;
  if (element->bulk) {
    const bool stale = !request.if_range.empty() && request.if_range != etag;
    response = send_ranges(*services.archive, *services.pool, services.budget, stale ? "" : request.range,
                           std::make_shared<const archive::Instance>(instance),
                           {{element->bulk->stream_offset, length}}, name, etag);
  } else {
    response = Response::text(200, name, element->value.substr(0, length));
  }
  // A document is somebody else's: it may show itself, but run nothing in this server's name.
  response.headers.add("Content-Security-Policy", "sandbox");
  finish(response, etag, request);
  return std::optional(std::move(response));
}

/// A picture of every frame of every instance, one part each. Instances and frames that have none are left out.
class PictureParts final : public BodySource {
 public:
  PictureParts(RenderServices services, RenderRequest request, std::vector<archive::Instance> instances,
               PictureType type, std::string boundary)
      : pool_(*services.pool), work_(std::make_shared<Work>()) {
    work_->services = std::move(services);
    work_->request = std::move(request);
    work_->instances = std::move(instances);
    work_->type = type;
    work_->boundary = std::move(boundary);
  }
  Task<Chunk> next() override {
    auto job = [work = work_] { return work->next(); };
    auto chunk = co_await pool_.run(io::WorkClass::interactive, std::move(job));
    co_return chunk;
  }

 private:
  struct Work {
    RenderServices services;
    RenderRequest request;
    std::vector<archive::Instance> instances;
    PictureType type = PictureType::jpeg;
    std::string boundary;
    std::size_t at = 0;
    std::uint64_t frame = 0;  ///< of those of the instance, from 0
    std::shared_ptr<const StoredPixels> pixels;
    bool any = false, ended = false;

    Result<Chunk> next() {
      Chunk chunk;
      if (ended) return chunk;
      while (at < instances.size() && chunk.empty()) {
        if (!pixels) {
          auto found = services.pixels->of(instances[at]);
          if (found) pixels = std::move(found).value();
          frame = 0;
        }
        const std::uint64_t count = !pixels                  ? 0
                                    : request.frames.empty() ? pixels->index.frame_count()
                                                             : request.frames.size();
        if (frame >= count) {
          pixels.reset();
          ++at;
          continue;
        }
        const std::uint64_t number = request.frames.empty() ? frame + 1 : request.frames[frame];
        ++frame;
        auto picture = render_frame(*services.archive, *pixels, number, request.query, type);
        if (!picture) continue;
        const auto& i = instances[at];
        const Resource place{i.study_instance_uid, i.series_instance_uid, i.sop_instance_uid};
        auto bytes = std::make_shared<const std::vector<std::byte>>(std::move(picture).value());
        chunk.push_back(piece_of(part_head(boundary, !any, media_type_of(type), bytes->size(),
                                           place.path() + "/frames/" + std::to_string(number) + "/rendered")));
        chunk.push_back({Bytes(*bytes), bytes});
        any = true;
      }
      if (!chunk.empty()) return chunk;
      if (!any) return fail(Errc::unsupported, "no frame can be shown");
      ended = true;
      chunk.push_back(piece_of(closing(boundary)));
      return chunk;
    }
  };

  io::WorkerPool& pool_;
  std::shared_ptr<Work> work_;
};

/// The middle first, then outwards: the instances that may stand for all.
std::vector<std::size_t> candidates(std::size_t count) {
  std::vector<std::size_t> out;
  for (std::size_t step = 0; out.size() < std::min(count, kRepresentativeTries); ++step) {
    const std::size_t half = (step + 1) / 2, middle = count / 2;
    if (step % 2 == 0 && middle + half < count) out.push_back(middle + half);
    if (step % 2 == 1 && half <= middle) out.push_back(middle - half);
  }
  return out;
}

Result<std::vector<archive::Instance>> instances_of(archive::Archive& archive, const Resource& place) {
  if (place.instance.empty()) return archive.instances(place.study, place.series);
  std::vector<archive::Instance> one;
  CAIRN_TRY(auto instance, instance_of(archive, place));
  one.push_back(std::move(instance));
  return one;
}

Task<Response> rendered(RenderServices services, Request* request, bool thumbnail) {
  RenderRequest wanted;
  CAIRN_CO_TRY(wanted.place, resource_of(*request));
  if (const std::string& list = request->captured("frames"); !list.empty()) {
    CAIRN_CO_TRY(wanted.frames, parse_frame_list(list));
  }
  CAIRN_CO_TRY(wanted.query, parse_rendered_query(request->parameters));
  if (thumbnail && !wanted.query.box) wanted.query.box = kThumbnailBox;
  wanted.ranges = accepted_by(*request);
  wanted.if_none_match = request->headers.joined("If-None-Match");
  wanted.if_range = request->headers.get("If-Range");
  wanted.range = request->headers.get("Range");
  auto job = [services, wanted = std::move(wanted)]() mutable { return render(services, std::move(wanted)); };
  auto answer = co_await services.pool->run(io::WorkClass::interactive, std::move(job));
  co_return answer;
}

}  // namespace

Result<Response> render(const RenderServices& services, RenderRequest request) {
  CAIRN_TRY(auto instances, instances_of(*services.archive, request.place));
  if (instances.empty()) return fail(Errc::not_found, "instances");
  const auto form = form_of(request.ranges);
  if (form && form->multipart) {
    const std::string boundary = new_boundary();
    Response response;
    response.headers.add("Content-Type", "multipart/related; type=\"" + std::string(media_type_of(form->type)) +
                                             "\"; boundary=" + boundary);
    response.headers.add("Cache-Control", "private, no-cache");
    response.source =
        std::make_unique<PictureParts>(services, std::move(request), std::move(instances), form->type, boundary);
    return response;
  }
  if (request.frames.size() > 1) {
    return no_picture(fail(Errc::unsupported, "Accept"),
                      "several frames are on offer as multipart/related; type=\"image/jpeg\" or \"image/png\"");
  }
  Error fault = fail(Errc::missing, "PixelData");
  std::string at_fault = request.place.instance;
  for (const std::size_t at : candidates(instances.size())) {
    auto pixels = services.pixels->of(instances[at]);
    if (!pixels) {
      fault = pixels.error();
      at_fault = instances[at].sop_instance_uid;
      if (request.frames.empty()) {
        CAIRN_TRY(auto shown, document(services, request, instances[at]));
        if (shown && !request.place.instance.empty()) return std::move(*shown);
      }
      continue;
    }
    if (pixels.value()->syntax->video) return video(services, request, *pixels.value());
    if (!form) return no_picture(fail(Errc::unsupported, "Accept"), "on offer: image/jpeg, image/png");
    return one_picture(services, request, *pixels.value(), form->type);
  }
  if (fault == Errc::missing || fault == Errc::unsupported) return no_picture(fault, "there is no picture to show");
  return stored_pixels_error(fault, "instance " + at_fault);
}

void add_rendered_routes(Router& router, RenderServices services) {
  const std::string study = "/dicom-web/studies/{study}", series = study + "/series/{series}",
                    instance = series + "/instances/{instance}", frames = instance + "/frames/{frames}";
  for (const std::string& path : {study, series, instance, frames}) {
    router.add("GET", path + "/rendered", [services](Request& request) { return rendered(services, &request, false); });
    router.add("GET", path + "/thumbnail", [services](Request& request) { return rendered(services, &request, true); });
  }
}

}  // namespace cairn::web
