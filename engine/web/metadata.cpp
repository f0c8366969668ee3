#include "engine/web/metadata.h"

#include <unordered_set>

#include "engine/dicom/json.h"
#include "engine/dicom/tags.h"
#include "engine/web/error_response.h"
#include "engine/web/multipart.h"
#include "engine/web/native_model.h"
#include "engine/web/resource.h"
#include "engine/web/retrieve.h"

namespace cairn::web {
namespace {

/// JSON made in one go; a series of thousands of instances fits, and a slow reader holds no more.
constexpr std::size_t kPassBytes = 16u << 20;
constexpr std::size_t kPieceBytes = 256u << 10;

std::string bulk_prefix(const Resource& place) {
  return place.path() + "/bulkdata";
}

/// The JSON array of a study or series, in passes over the index. The index hands out headers one after another and
/// cannot be asked to go on later, and a pool thread must not wait for a slow client: so a pass ends when enough is
/// made, and the next skips what has been sent.
class MetadataSource final : public BodySource {
 public:
  /// `xml_boundary`: when not empty, parts of the Native DICOM Model instead of JSON.
  MetadataSource(archive::Archive& archive, io::WorkerPool& pool, std::vector<Resource> series,
                 std::string xml_boundary)
      : pool_(pool), walk_(std::make_shared<Walk>(archive, std::move(series), std::move(xml_boundary))) {}

  Task<Chunk> next() override {
    if (walk_->finished) co_return Chunk{};
    auto job = [walk = walk_] { return walk->pass(); };
    auto chunk = co_await pool_.run(io::WorkClass::interactive, std::move(job));
    co_return chunk;
  }

 private:
  struct Walk {
    Walk(archive::Archive& from, std::vector<Resource> all, std::string boundary)
        : archive(from), series(std::move(all)), xml_boundary(std::move(boundary)) {}

    /// One instance more at the end of `text`.
    Result<> append(std::string& text, const dicom::Header& header, const Resource& place) {
      const bool first = !any;
      any = true;
      if (xml_boundary.empty()) {
        if (!first) text += ",\n";
        return dicom::append_json(text, header, bulk_prefix(place));
      }
      std::string one;
      CAIRN_TRYV(dicom::append_json(one, header, bulk_prefix(place)));
      CAIRN_TRY(const auto document, native_model_of(one));
      text += part_head(xml_boundary, first, kDicomXml, document.size(), place.path() + "/metadata") + document;
      return outcome::success();
    }

    Result<Chunk> pass() {
      Chunk chunk;
      std::string text = any || !xml_boundary.empty() ? "" : "[";
      std::size_t bytes = 0;
      while (index < series.size() && bytes < kPassBytes) {
        const Resource& place = series[index];
        Result<> failure = outcome::success();
        bool full = false;
        auto each = [&](std::string_view sop_instance_uid, dicom::Header&& header) {
          if (bytes >= kPassBytes) {
            full = true;
            return false;
          }
          if (!sent.insert(std::string(sop_instance_uid)).second) return true;
          const std::size_t before = text.size();
          failure = append(text, header, {place.study, place.series, std::string(sop_instance_uid)});
          if (!failure) return false;
          bytes += text.size() - before;
          if (text.size() >= kPieceBytes) {
            chunk.push_back(piece_of(std::move(text)));
            text.clear();
          }
          return true;
        };
        CAIRN_TRYV(archive.headers(place.study, place.series, each));
        if (!failure) return failure.error();
        if (full) break;
        sent.clear();
        ++index;
      }
      if (index == series.size()) {
        text += xml_boundary.empty() ? "]\n" : closing(xml_boundary);
        finished = true;
      }
      if (!text.empty()) chunk.push_back(piece_of(std::move(text)));
      return chunk;
    }

    archive::Archive& archive;
    std::vector<Resource> series;
    std::string xml_boundary;
    std::size_t index = 0;
    std::unordered_set<std::string> sent;  // of series[index]
    bool any = false;
    bool finished = false;
  };

  io::WorkerPool& pool_;
  std::shared_ptr<Walk> walk_;
};

struct Contents {
  std::vector<Resource> series;  ///< in display order
  std::string etag;              ///< changes with any of them
};

Result<Contents> contents_of(archive::Archive& archive, const Resource& path) {
  Contents out;
  if (!path.series.empty()) {
    out.series.push_back({path.study, path.series, {}});
  } else {
    archive::Query query;
    query.level = archive::Level::series;
    query.study_uids = {path.study};
    CAIRN_TRYV(archive.find(query, [&](archive::Match&& match) {
      out.series.push_back({path.study, match.text(dicom::tags::SeriesInstanceUID), {}});
      return true;
    }));
  }
  DigestStream digest;
  for (const Resource& place : out.series) {
    const std::uint64_t version = archive.series_version(place.study, place.series);
    if (version == 0) return fail(Errc::not_found, "series");
    digest.update(as_bytes(place.series + '=' + std::to_string(version) + ';'));
  }
  if (out.series.empty()) return fail(Errc::not_found, "study");
  const Digest128 value = digest.digest();
  out.etag = '"' + std::to_string(load_be<std::uint64_t>(value.data())) + '"';
  return out;
}

Result<std::string> instance_text(archive::Archive& archive, const Resource& path, const std::string& xml_boundary) {
  CAIRN_TRY(const auto header, archive.header(path.instance));
  std::string text;
  CAIRN_TRYV(dicom::append_json(text, header, bulk_prefix(path)));
  if (xml_boundary.empty()) return '[' + text + "]\n";
  CAIRN_TRY(const auto document, native_model_of(text));
  return part_head(xml_boundary, true, kDicomXml, document.size(), path.path() + "/metadata") + document +
         closing(xml_boundary);
}

bool takes_xml_parts(const std::vector<MediaRange>& ranges) {
  for (const MediaRange& range : ranges) {
    if (range.quality == 0) continue;
    if (range.matches(kDicomXml)) return true;
    if (range.matches("multipart/related") && range.parameter("type") == kDicomXml) return true;
  }
  return false;
}

Task<Response> metadata(archive::Archive* archive, io::WorkerPool* pool, Request* request) {
  CAIRN_CO_TRY(const auto path, resource_of(*request));
  const auto ranges = accepted_by(*request);
  const bool json = choose(ranges, {kDicomJson, "application/json"}).has_value();
  if (!json && !takes_xml_parts(ranges)) {
    co_return error_response(406, fail(Errc::unsupported, "Accept"),
                             "on offer: application/dicom+json, multipart/related; type=\"application/dicom+xml\"");
  }
  const std::string boundary = json ? std::string() : new_boundary();
  Response response;
  std::string etag;
  if (path.instance.empty()) {
    auto job = [archive, path] { return contents_of(*archive, path); };
    auto result = co_await pool->run(io::WorkClass::interactive, std::move(job));
    CAIRN_CO_TRY(auto contents, std::move(result));
    etag = std::move(contents.etag);
    if (!json) etag.insert(etag.size() - 1, "-xml");
    if (auto same = not_modified(*request, etag)) co_return std::move(*same);
    response.source = std::make_unique<MetadataSource>(*archive, *pool, std::move(contents.series), boundary);
  } else {
    auto lookup = [archive, path] { return instance_of(*archive, path); };
    auto result = co_await pool->run(io::WorkClass::interactive, std::move(lookup));
    CAIRN_CO_TRY(const auto instance, std::move(result));
    etag = etag_of(instance);
    if (!json) etag.insert(etag.size() - 1, "-xml");
    if (auto same = not_modified(*request, etag)) co_return std::move(*same);
    auto job = [archive, path, boundary] { return instance_text(*archive, path, boundary); };
    auto text = co_await pool->run(io::WorkClass::interactive, std::move(job));
    CAIRN_CO_TRY(response.body, std::move(text));
  }
  response.headers.add("Content-Type", json
                                           ? std::string(kDicomJson)
                                           : "multipart/related; type=\"application/dicom+xml\"; boundary=" + boundary);
  response.headers.add("Vary", "Accept");
  response.headers.add("ETag", etag);
  response.headers.add("Cache-Control", "private, no-cache");
  co_return response;
}

}  // namespace

void add_metadata_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool) {
  for (const char* path : {"/dicom-web/studies/{study}/metadata", "/dicom-web/studies/{study}/series/{series}/metadata",
                           "/dicom-web/studies/{study}/series/{series}/instances/{instance}/metadata"}) {
    router.add("GET", path,
               [archive = &archive, pool = &pool](Request& request) { return metadata(archive, pool, &request); });
  }
}

}  // namespace cairn::web
