#include "engine/web/pages.h"

#include "engine/dicom/tags.h"
#include "engine/web/error_response.h"
#include "engine/web/resource.h"

namespace cairn::web {
namespace {

namespace tags = dicom::tags;
constexpr std::size_t kStudiesShown = 100;
constexpr std::size_t kSeriesShown = 200;

constexpr std::string_view kStyle =
    R"css(body{background:#14171a;color:#dde3e8;font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}
a{color:#8cc4ff}h1{font-size:1.3rem}h2{font-size:1.05rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%}th,td{padding:.35rem .6rem;text-align:left;border-bottom:1px solid #2b3138}
.planes{display:flex;flex-wrap:wrap;gap:.5rem}.planes img{background:#000;width:256px;height:256px;object-fit:contain}
.dim{color:#8b96a1}.tiles{display:flex;flex-wrap:wrap;gap:.4rem}.tiles img{background:#000;width:128px;height:128px;object-fit:contain}
.image{background:#000;max-width:100%}
)css";

std::string page(std::string_view title, std::string_view body) {
  std::string out = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>";
  out += html_escaped(title);
  out += "</title><link rel=\"stylesheet\" href=\"/style.css\"></head><body>\n";
  out += body;
  out += "</body></html>\n";
  return out;
}

Response html(std::string text) {
  Response response = Response::text(200, "text/html; charset=utf-8", std::move(text));
  response.headers.add("Content-Security-Policy",
                       "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
  response.headers.add("Referrer-Policy", "no-referrer");
  response.headers.add("X-Frame-Options", "DENY");
  response.headers.add("Cache-Control", "no-store");
  return response;
}

std::string cell(std::string_view text) {
  return "<td>" + html_escaped(text) + "</td>";
}

/// "2024-05-31" of "20240531"; anything else as it is.
std::string readable_date(const std::string& value) {
  if (value.size() != 8 || value.find_first_not_of("0123456789") != std::string::npos) return value;
  return value.substr(0, 4) + '-' + value.substr(4, 2) + '-' + value.substr(6, 2);
}

std::string study_row(const archive::Match& match) {
  const std::string uid = match.text(tags::StudyInstanceUID);
  const std::string name = readable_name(match.text(tags::PatientName));
  return "<tr><td><a href=\"/studies/" + html_escaped(uid) + "\">" + html_escaped(name.empty() ? "(no name)" : name) +
         "</a></td>" + cell(match.text(tags::PatientID)) + cell(readable_date(match.text(tags::StudyDate))) +
         cell(match.text(tags::ModalitiesInStudy)) + cell(match.text(tags::StudyDescription)) +
         cell(match.text(tags::NumberOfStudyRelatedSeries)) + cell(match.text(tags::NumberOfStudyRelatedInstances)) +
         "</tr>\n";
}

Result<std::string> studies_page(archive::Archive& archive) {
  archive::Query query;
  query.level = archive::Level::study;
  query.limit = kStudiesShown + 1;
  std::string rows;
  std::size_t count = 0;
  CAIRN_TRYV(archive.find(query, [&](archive::Match&& match) {
    if (count++ < kStudiesShown) rows += study_row(match);
    return count <= kStudiesShown;
  }));
  std::string body = "<h1>Cairn</h1>\n";
  if (count == 0) {
    body += "<p>No study is stored yet. Send one over DICOM, or run <code>cairn demo</code>.</p>\n";
  } else {
    body +=
        "<table><tr><th>Patient</th><th>ID</th><th>Date</th><th>Modalities</th><th>Description</th><th>Series</th>"
        "<th>Instances</th></tr>\n" +
        rows + "</table>\n";
    if (count > kStudiesShown) {
      body += "<p class=\"dim\">The first " + std::to_string(kStudiesShown) +
              "; all of them are at <a href=\"/dicom-web/studies\">/dicom-web/studies</a>.</p>\n";
    }
  }
  return page("Cairn", body);
}

std::string series_section(const Resource& place, const archive::Match& match) {
  const std::string base = html_escaped(place.path());
  std::string out = "<h2>" + html_escaped(match.text(tags::Modality)) + ' ' +
                    html_escaped(match.text(tags::SeriesNumber)) + ' ' +
                    html_escaped(match.text(tags::SeriesDescription)) + " <span class=\"dim\">" +
                    html_escaped(match.text(tags::NumberOfSeriesRelatedInstances)) + " instances</span></h2>\n";
  // A series that is no volume has no planes, but a picture.
  out += "<div class=\"planes\"><a href=\"" + html_escaped(page_path(place)) +
         "\"><img loading=\"lazy\" alt=\"no picture\" src=\"" + base + "/thumbnail\"></a>";
  const std::pair<const char*, const char*> views[] = {{"f", "axial"}, {"a", "coronal"}, {"l", "sagittal"}};
  for (const auto& [orientation, name] : views) {
    const std::string url = base + "/renderedmpr?orientation=" + orientation;
    out += "<a href=\"" + url + "&amp;viewport=1024,1024\"><img loading=\"lazy\" alt=\"no " + name + " plane\" src=\"" +
           url + "&amp;viewport=512,512\"></a>";
  }
  out += "</div>\n<p class=\"dim\"><a href=\"" + base + "/metadata\">metadata</a> · <a href=\"" + page_path(place) +
         "\">images</a> · <a href=\"/api/v1/studies/" + html_escaped(place.study) + "/series/" +
         html_escaped(place.series) + "/volume\">volume report</a></p>\n";
  return out;
}

Result<std::string> study_page(archive::Archive& archive, const std::string& study) {
  archive::Query query;
  query.level = archive::Level::series;
  query.study_uids = {study};
  query.limit = kSeriesShown;
  std::string head, sections;
  CAIRN_TRYV(archive.find(query, [&](archive::Match&& match) {
    if (head.empty()) {
      head = "<p><a href=\"/\">All studies</a></p><h1>" + html_escaped(readable_name(match.text(tags::PatientName))) +
             "</h1>\n<p>" + html_escaped(match.text(tags::PatientID)) + " · " +
             html_escaped(readable_date(match.text(tags::StudyDate))) + " · " +
             html_escaped(match.text(tags::StudyDescription)) + "</p>\n";
    }
    sections += series_section({study, match.text(tags::SeriesInstanceUID), {}}, match);
    return true;
  }));
  if (head.empty()) return fail(Errc::not_found, "study");
  return page("Cairn: study", head + sections);
}

Task<Response> studies(archive::Archive* archive, io::WorkerPool* pool) {
  auto job = [archive] { return studies_page(*archive); };
  auto text = co_await pool->run(io::WorkClass::interactive, std::move(job));
  CAIRN_CO_TRY(auto body, std::move(text));
  co_return html(std::move(body));
}

Task<Response> study(archive::Archive* archive, io::WorkerPool* pool, Request* request) {
  CAIRN_CO_TRY(const auto path, resource_of(*request));
  auto job = [archive, uid = path.study] { return study_page(*archive, uid); };
  auto text = co_await pool->run(io::WorkClass::interactive, std::move(job));
  CAIRN_CO_TRY(auto body, std::move(text));
  co_return html(std::move(body));
}

Task<Response> style() {
  Response response = Response::text(200, "text/css; charset=utf-8", std::string(kStyle));
  response.headers.add("Cache-Control", "max-age=3600");
  co_return response;
}

}  // namespace

Response html_page(std::string_view title, std::string_view body) {
  return html(page(title, body));
}

std::string html_escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string readable_name(std::string_view value) {
  std::string_view group = value.substr(0, value.find('='));
  if (group.empty() && !value.empty()) {  // no alphabetic representation
    value.remove_prefix(1);
    group = value.substr(0, value.find('='));
  }
  const std::size_t caret = group.find('^');
  std::string out(group.substr(0, caret));
  if (caret == std::string_view::npos) return out;
  std::string given;
  for (const char c : group.substr(caret + 1)) given += c == '^' ? ' ' : c;
  while (!given.empty() && given.back() == ' ') given.pop_back();
  return given.empty() ? out : out + ", " + given;
}

void add_page_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool) {
  router.add("GET", "/", [archive = &archive, pool = &pool](Request&) { return studies(archive, pool); });
  router.add("GET", "/studies/{study}",
             [archive = &archive, pool = &pool](Request& request) { return study(archive, pool, &request); });
  router.add("GET", "/style.css", [](Request&) { return style(); }, {0, true});
}

}  // namespace cairn::web
