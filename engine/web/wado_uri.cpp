#include "engine/web/wado_uri.h"

#include <charconv>

#include "codec/transfer_syntax.h"
#include "engine/core/uid.h"
#include "engine/web/error_response.h"
#include "engine/web/frames.h"
#include "engine/web/made_instances.h"
#include "engine/web/retrieve.h"
#include "engine/web/retrieve_negotiation.h"

namespace cairn::web {
namespace {

std::string value_of(const Request& request, const char* name) {
  const std::string* value = request.parameter(name);
  return value == nullptr ? std::string() : *value;
}

Result<Resource> place_of(const Request& request) {
  if (value_of(request, "requestType") != "WADO") return fail(Errc::malformed, "requestType");
  const Resource place{value_of(request, "studyUID"), value_of(request, "seriesUID"), value_of(request, "objectUID")};
  if (!is_usable_uid(place.study)) return fail(Errc::malformed, "studyUID");
  if (!is_usable_uid(place.series)) return fail(Errc::malformed, "seriesUID");
  if (!is_usable_uid(place.instance)) return fail(Errc::malformed, "objectUID");
  return place;
}

/// The parameters of §9.1.2.2 in the words of §8.3.5.
Result<RenderedQuery> query_of(const Request& request) {
  std::vector<std::pair<std::string, std::string>> parameters;
  const std::string rows = value_of(request, "rows"), columns = value_of(request, "columns");
  if (!rows.empty() || !columns.empty()) {
    const std::string most = std::to_string(kMaxPictureEdge);
    parameters.emplace_back("viewport", (columns.empty() ? most : columns) + ',' + (rows.empty() ? most : rows));
  }
  const std::string center = value_of(request, "windowCenter"), width = value_of(request, "windowWidth");
  if (center.empty() != width.empty()) return fail(Errc::missing, center.empty() ? "windowCenter" : "windowWidth");
  if (!center.empty()) parameters.emplace_back("window", center + ',' + width);
  if (const std::string quality = value_of(request, "imageQuality"); !quality.empty()) {
    parameters.emplace_back("quality", quality);
  }
  CAIRN_TRY(auto query, parse_rendered_query(parameters));
  for (const char* name : {"region", "annotation", "presentationUID"}) {
    if (request.parameter(name) != nullptr)
      query.warnings.push_back("The " + std::string(name) + " parameter is not supported");
  }
  return query;
}

/// The instance as stored, or in the transfer syntax that was named.
Result<Response> send_instance(const RenderServices& services, const RenderRequest& wanted, const std::string& syntax) {
  CAIRN_TRY(auto instance, instance_of(*services.archive, wanted.place));
  if (!syntax.empty() && syntax != instance.transfer_syntax_uid) {
    const auto* from = codec::find_transfer_syntax(instance.transfer_syntax_uid);
    const auto* to = codec::find_transfer_syntax(syntax);
    if (from == nullptr || to == nullptr || !transcode::can_transcode(*from, *to)) {
      return error_response(406, fail(Errc::unsupported, "transferSyntax"),
                            instances_on_offer({instance.transfer_syntax_uid}, true));
    }
    InstanceToMake one{std::move(instance), syntax};
    const std::string etag = made_etag(one);
    if (!wanted.if_none_match.empty() && matches_etag(wanted.if_none_match, etag)) return unmodified(etag);
    return send_made(*services.archive, *services.pool, std::move(one));
  }
  const std::string etag = etag_of(instance);
  if (!wanted.if_none_match.empty() && matches_etag(wanted.if_none_match, etag)) return unmodified(etag);
  const ByteRange whole{0, instance.stream_length};
  const bool stale = !wanted.if_range.empty() && wanted.if_range != etag;
  return send_ranges(*services.archive, *services.pool, services.budget, stale ? "" : wanted.range,
                     std::make_shared<const archive::Instance>(std::move(instance)), {whole}, "application/dicom",
                     etag);
}

Task<Response> wado(RenderServices services, Request* request) {
  RenderRequest wanted;
  CAIRN_CO_TRY(wanted.place, place_of(*request));
  const std::string content_type = value_of(*request, "contentType");
  wanted.ranges = parse_accept(content_type.empty() ? request->headers.joined("Accept") : content_type);
  wanted.if_none_match = request->headers.joined("If-None-Match");
  wanted.if_range = request->headers.get("If-Range");
  wanted.range = request->headers.get("Range");
  const bool dicom =
      !content_type.empty() && choose(wanted.ranges, {"image/jpeg", "image/png", "application/dicom"}) == 2;
  if (dicom) {
    auto job = [services, wanted = std::move(wanted), syntax = value_of(*request, "transferSyntax")] {
      return send_instance(services, wanted, syntax);
    };
    auto answer = co_await services.pool->run(io::WorkClass::interactive, std::move(job));
    co_return answer;
  }
  if (const std::string frame = value_of(*request, "frameNumber"); !frame.empty()) {
    CAIRN_CO_TRY(wanted.frames, parse_frame_list(frame));
  }
  CAIRN_CO_TRY(wanted.query, query_of(*request));
  auto job = [services, wanted = std::move(wanted)]() mutable { return render(services, std::move(wanted)); };
  auto answer = co_await services.pool->run(io::WorkClass::interactive, std::move(job));
  co_return answer;
}

}  // namespace

void add_wado_uri_routes(Router& router, RenderServices services) {
  router.add("GET", "/wado", [services](Request& request) { return wado(services, &request); });
}

}  // namespace cairn::web
