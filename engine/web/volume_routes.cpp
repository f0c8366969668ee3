#include "engine/web/volume_routes.h"

#include "engine/dicom/tags.h"
#include "engine/web/error_response.h"
#include "engine/web/http_fields.h"
#include "engine/web/multipart.h"
#include "engine/web/resource.h"
#include "engine/web/volume_export.h"
#include "engine/web/volume_query.h"
#include "engine/web/volume_stack.h"

namespace cairn::web {
namespace {

struct Services {
  archive::Archive* archive;
  io::WorkerPool* pool;
  volumes::Service* volumes;
};

/// The text as it can stand in a Warning field's quotes.
std::string quotable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 500)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte > 0x7e || c == '"' || c == '\\' ? '?' : c;
  }
  return out;
}

void add_warnings(Response& response, const std::vector<std::string>& warnings) {
  constexpr std::size_t kMost = 16;
  for (std::size_t i = 0; i < warnings.size() && i < kMost; ++i) {
    response.headers.add("Warning", "299 cairn \"" + quotable(warnings[i]) + '"');
  }
}

/// Faults of a parameter are the client's; a series that is no volume is a fact about the series.
Response render_error(const Error& error, const Resource& path) {
  if (error == Errc::malformed || error == Errc::missing) return error_response(400, error);
  if (error == Errc::unsupported || error == Errc::limit_exceeded) {
    const std::string report = path.series.empty()
                                   ? std::string()
                                   : "reasons: /api/v1/studies/" + path.study + "/series/" + path.series + "/volume";
    return error_response(422, error, report);
  }
  return error_response(error);
}

/// The series that stands for a study. Blocking.
Result<std::string> series_of_study(archive::Archive& archive, const std::string& study, const std::string& reference) {
  if (!reference.empty()) {
    CAIRN_TRY(const auto instance, archive.instance(reference));
    if (instance.study_instance_uid != study) return fail(Errc::not_found, "volumeinputreference");
    return instance.series_instance_uid;
  }
  archive::Query query;
  query.level = archive::Level::series;
  query.study_uids = {study};
  std::string best;
  std::int64_t most = -1;
  CAIRN_TRYV(archive.find(query, [&](archive::Match&& match) {
    const auto count = match.integer(dicom::tags::NumberOfSeriesRelatedInstances).value_or(0);
    if (count > most) {
      most = count;
      best = match.text(dicom::tags::SeriesInstanceUID);
    }
    return true;
  }));
  if (best.empty()) return fail(Errc::not_found, "study");
  return best;
}

std::string timing(const volumes::RenderedImage& image) {
  const auto entry = [](const char* name, std::uint64_t us) {
    return std::string(name) + ";dur=" + std::to_string(us / 1000) + '.' + std::to_string(us % 1000 / 100);
  };
  return entry("build", image.build_us) + ", " + entry("sample", image.sample_us) + ", " +
         entry("encode", image.encode_us);
}

/// The media type that the request likes best; nullopt: none of those on offer.
std::optional<volumes::MediaType> media_of(const Request& request, bool sixteen_bits) {
  if (sixteen_bits) {
    if (!choose(accepted_by(request), {"image/png"})) return std::nullopt;
    return volumes::MediaType::png16;
  }
  const auto media = choose(accepted_by(request), {"image/jpeg", "image/png", "application/octet-stream"});
  if (!media) return std::nullopt;
  return *media == 0 ? volumes::MediaType::jpeg : *media == 1 ? volumes::MediaType::png : volumes::MediaType::raw;
}

/// Parts of a stack are of the type that Accept names, alone or as the parameter of multipart/related.
std::optional<volumes::MediaType> media_of_parts(const Request& request, bool sixteen_bits) {
  if (const auto media = media_of(request, sixteen_bits)) return media;
  for (const MediaRange& range : accepted_by(request)) {
    if (!range.matches("multipart/related")) continue;
    const std::string_view type = range.parameter("type");
    if (type == "image/png") return sixteen_bits ? volumes::MediaType::png16 : volumes::MediaType::png;
    if (sixteen_bits) continue;
    if (type == "image/jpeg" || type.empty()) return volumes::MediaType::jpeg;
    if (type == "application/octet-stream") return volumes::MediaType::raw;
  }
  return std::nullopt;
}

Task<Response> picture(Services services, Request* request, Resource path, VolumeQuery query) {
  const bool stack = query.stack.count > 0;
  const auto media = stack ? media_of_parts(*request, query.sixteen_bits) : media_of(*request, query.sixteen_bits);
  if (!media) {
    co_return error_response(
        406, fail(Errc::unsupported, "Accept"),
        "on offer: image/jpeg, image/png, application/octet-stream (float32); 16 bits as image/png");
  }
  query.render.media = *media;
  if (stack) query.render.advance_mm = query.stack.advance_mm(0);
  auto rendered = co_await services.volumes->render(query.render);
  if (!rendered) co_return render_error(rendered.error(), path);
  volumes::RenderedImage& image = rendered.value();
  Response response;
  if (!stack) {
    if (auto same = not_modified(*request, image.etag)) co_return std::move(*same);
    response = Response::text(200, image.content_type, std::string(as_text(image.bytes)));
    response.headers.add("ETag", image.etag);
  }
  response.headers.add("Cache-Control", "private, no-cache");
  response.headers.add("Vary", "Accept");
  response.headers.add("Server-Timing", timing(image));
  response.headers.add("Cairn-Plane", volumes::plane_json(image.applied, query.render.media));
  add_warnings(response, query.warnings);
  add_warnings(response, image.warnings);
  if (stack) {
    const std::string boundary = new_boundary();
    response.headers.add("Content-Type",
                         std::string("multipart/related; type=\"") + image.content_type + "\"; boundary=" + boundary);
    response.source = stack_source(*services.volumes, std::move(query.render), query.stack, std::move(image), boundary);
  }
  co_return response;
}

Task<Response> response_module(Services services, Request* request, Resource path, VolumeQuery query) {
  if (!choose(accepted_by(*request), {kDicomJson, "application/json"})) {
    co_return error_response(406, fail(Errc::unsupported, "Accept"), "on offer: application/dicom+json");
  }
  auto applied = co_await services.volumes->resolve(query.render);
  if (!applied) co_return render_error(applied.error(), path);
  std::string text = "[" + volumes::response_module_json(applied.value()) + "]\n";
  Response response = Response::text(200, kDicomJson, std::move(text));
  response.headers.add("Cache-Control", "private, no-cache");
  add_warnings(response, query.warnings);
  co_return response;
}

Task<Response> render(Services services, Request* request, bool in_3d) {
  CAIRN_CO_TRY(auto path, resource_of(*request));
  auto parsed = parse_volume_query(path, in_3d, request->parameters);
  if (!parsed) co_return error_response(400, parsed.error());
  VolumeQuery query = std::move(parsed).value();
  if (path.series.empty()) {
    auto job = [archive = services.archive, study = path.study, reference = query.render.volume.reference_uid] {
      return series_of_study(*archive, study, reference);
    };
    auto series = co_await services.pool->run(io::WorkClass::interactive, std::move(job));
    CAIRN_CO_TRY(path.series, std::move(series));
    query.render.volume.series_uid = path.series;
  }
  if (query.metadata_only) co_return co_await response_module(services, request, std::move(path), std::move(query));
  co_return co_await picture(services, request, std::move(path), std::move(query));
}

Task<Response> report(Services services, Request* request) {
  CAIRN_CO_TRY(const auto path, resource_of(*request));
  volumes::VolumeRequest wanted;
  wanted.study_uid = path.study;
  wanted.series_uid = path.series;
  CAIRN_CO_TRY(auto text, co_await services.volumes->report_json(std::move(wanted)));
  Response response = Response::text(200, "application/json", std::move(text));
  response.headers.add("Cache-Control", "private, no-cache");
  co_return response;
}

}  // namespace

void add_volume_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool, volumes::Service& service) {
  const Services services{&archive, &pool, &service};
  for (const std::string level : {"/dicom-web/studies/{study}", "/dicom-web/studies/{study}/series/{series}",
                                  "/dicom-web/studies/{study}/series/{series}/instances/{instance}"}) {
    // The standard spells its resources in both ways.
    for (const char* name : {"/renderedmpr", "/renderedMPR", "/rendered3d", "/rendered3D"}) {
      const bool in_3d = std::string_view(name).find('3') != std::string_view::npos;
      router.add("GET", level + name,
                 [services, in_3d](Request& request) { return render(services, &request, in_3d); });
    }
  }
  add_volume_export_routes(router, pool, service);
  router.add("GET", "/api/v1/studies/{study}/series/{series}/volume",
             [services](Request& request) { return report(services, &request); });
}

}  // namespace cairn::web
