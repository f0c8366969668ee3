#include "engine/web/image_pages.h"

#include <algorithm>

#include "engine/dicom/tags.h"
#include "engine/web/frames.h"
#include "engine/web/pages.h"
#include "engine/web/resource.h"
#include "engine/web/retrieve.h"

namespace cairn::web {
namespace {

namespace tags = dicom::tags;
constexpr std::size_t kTilesShown = 500;

std::string link(const std::string& address, std::string_view text) {
  return "<a href=\"" + html_escaped(address) + "\">" + std::string(text) + "</a>";
}

Result<Response> series_page(archive::Archive& archive, const Resource& path) {
  CAIRN_TRY(const auto instances, archive.instances(path.study, path.series));
  if (instances.empty()) return fail(Errc::not_found, "series");
  std::string body = "<p>" + link(page_path({path.study, {}, {}}), "Study") + "</p><h1>" +
                     std::to_string(instances.size()) + " instances</h1>\n<div class=\"tiles\">";
  for (std::size_t i = 0; i < std::min(instances.size(), kTilesShown); ++i) {
    const Resource place{path.study, path.series, instances[i].sop_instance_uid};
    body += "<a href=\"" + html_escaped(page_path(place)) + "\"><img loading=\"lazy\" alt=\"no picture\" src=\"" +
            html_escaped(place.path()) + "/thumbnail\"></a>";
  }
  body += "</div>\n";
  if (instances.size() > kTilesShown) {
    body += "<p class=\"dim\">The first " + std::to_string(kTilesShown) + " are shown.</p>\n";
  }
  return html_page("Cairn: series", body);
}

/// `frame` 0: the instance as a whole.
Result<Response> image_page(archive::Archive& archive, const Resource& path, std::uint64_t frame) {
  CAIRN_TRY(const auto instance, instance_of(archive, path));
  CAIRN_TRY(const auto header, archive.header(instance.sop_instance_uid));
  CAIRN_TRY(const auto data_set, dicom::DataSet::parse(header));
  const auto frames =
      static_cast<std::uint64_t>(std::max<std::int64_t>(1, data_set.integer(tags::NumberOfFrames).value_or(1)));
  if (frame > frames) return fail(Errc::not_found, "frame");
  const std::string page = page_path(path);
  const std::string source = path.path() + (frame == 0 ? std::string() : "/frames/" + std::to_string(frame));
  std::string body = "<p>" + link(page_path({path.study, {}, {}}), "Study") + " · " +
                     link(page_path({path.study, path.series, {}}), "Series");
  if (frames > 1) {
    const std::uint64_t shown = std::max<std::uint64_t>(frame, 1);
    const auto frame_link = [&](std::uint64_t number, const char* text) {
      return " · " + link(page + "/frames/" + std::to_string(number), text);
    };
    if (shown > 1) body += frame_link(shown - 1, "previous frame");
    if (shown < frames) body += frame_link(shown + 1, "next frame");
    if (frame > 0) body += " · frame " + std::to_string(frame) + " of " + std::to_string(frames);
  }
  body += "</p>\n<p><a href=\"" + html_escaped(source) +
          "/rendered\"><img class=\"image\" alt=\"there is no picture of this\" src=\"" + html_escaped(source) +
          "/rendered\"></a></p>\n<p class=\"dim\">" + link(path.path() + "?accept=application/dicom", "DICOM file") +
          " · " + link(path.path() + "/metadata", "metadata") + "</p>\n";
  return html_page("Cairn: image", body);
}

Task<Response> show(archive::Archive* archive, io::WorkerPool* pool, Request* request) {
  CAIRN_CO_TRY(const auto path, resource_of(*request));
  std::uint64_t frame = 0;
  if (const std::string& number = request->captured("frame"); !number.empty()) {
    CAIRN_CO_TRY(const auto list, parse_frame_list(number));
    if (list.size() != 1) co_return fail(Errc::malformed, "frame");
    frame = list[0];
  }
  auto job = [archive, path, frame] {
    return path.instance.empty() ? series_page(*archive, path) : image_page(*archive, path, frame);
  };
  auto answer = co_await pool->run(io::WorkClass::interactive, std::move(job));
  co_return answer;
}

}  // namespace

void add_image_page_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool) {
  const std::string series = "/studies/{study}/series/{series}", instance = series + "/instances/{instance}";
  for (const std::string& path : {series, instance, instance + "/frames/{frame}"}) {
    router.add("GET", path,
               [archive = &archive, pool = &pool](Request& request) { return show(archive, pool, &request); });
  }
}

}  // namespace cairn::web
