#include "engine/web/metadata.h"

#include <unordered_set>

#include "engine/dicom/json.h"
#include "engine/dicom/tags.h"
#include "engine/web/error_response.h"
#include "engine/web/gzip.h"
#include "engine/web/metadata_cache.h"
#include "engine/web/multipart.h"
#include "engine/web/native_model.h"
#include "engine/web/resource.h"
#include "engine/web/retrieve.h"

namespace cairn::web {
namespace {

/// JSON made in one go; a series of thousands of instances fits, and a slow reader holds no more. The first is short:
/// it is what a client waits for.
constexpr std::size_t kFirstPassBytes = 128u << 10;
constexpr std::size_t kPassBytes = 16u << 20;
constexpr std::size_t kPieceBytes = 256u << 10;

std::string bulk_prefix(const Resource& place) {
  return place.path() + "/bulkdata";
}

std::string key_of(const Resource& series) {
  return series.study + '/' + series.series;
}

Piece shared_piece(std::string text) {
  const auto keep = std::make_shared<const std::string>(std::move(text));
  return {as_bytes(*keep), keep};
}

/// Codes a series that is in the cache, unless it is done.
void code_cached(MetadataCache& cache, const std::string& key,
                 const std::shared_ptr<const MetadataCache::Series>& series) {
  if (cache.gzip_of(series)) return;
  Chunk whole{piece_of("[")};
  whole.insert(whole.end(), series->json.begin(), series->json.end());
  whole.push_back(piece_of("]\n"));
  auto coded = gzip_of(whole);
  if (coded) cache.add_gzip(key, series, std::move(coded).value());
}

struct Services {
  archive::Archive* archive;
  io::WorkerPool* pool;
  std::shared_ptr<MetadataCache> cache;
};

/// The JSON array of a study or series, in passes over the index. The index hands out headers one after another and
/// cannot be asked to go on later, and a pool thread must not wait for a slow client: so a pass ends when enough is
/// made, and the next skips what has been sent. A series that is made whole goes into the cache.
class MetadataSource final : public BodySource {
 public:
  /// `xml_boundary`: when not empty, parts of the Native DICOM Model instead of JSON.
  MetadataSource(const Services& services, std::vector<Resource> series, std::string xml_boundary)
      : pool_(*services.pool), walk_(std::make_shared<Walk>(services, std::move(series), std::move(xml_boundary))) {}

  Task<Chunk> next() override {
    if (walk_->finished) co_return Chunk{};
    auto job = [walk = walk_] { return walk->pass(); };
    auto chunk = co_await pool_.run(io::WorkClass::interactive, std::move(job));
    co_return chunk;
  }

 private:
  struct Walk {
    Walk(const Services& from, std::vector<Resource> all, std::string boundary)
        : services(from), series(std::move(all)), xml_boundary(std::move(boundary)) {}

    bool xml() const noexcept { return !xml_boundary.empty(); }

    /// One instance more at the end of `text`.
    Result<> append(std::string& text, const dicom::Header& header, const Resource& place) {
      const bool first = !any;
      any = true;
      if (!xml()) {
        if (!first_of_series) text += ",\n";
        first_of_series = false;
        return dicom::append_json(text, header, bulk_prefix(place));
      }
      std::string one;
      CAIRN_TRYV(dicom::append_json(one, header, bulk_prefix(place)));
      CAIRN_TRY(const auto document, native_model_of(one));
      text += part_head(xml_boundary, first, kDicomXml, document.size(), place.path() + "/metadata") + document;
      return outcome::success();
    }

    /// `text` as a piece of the series under way.
    void hand_out(Chunk& chunk, std::string text) {
      if (text.empty()) return;
      chunk.push_back(shared_piece(std::move(text)));
      if (xml() || series_bytes > services.cache->most_bytes()) return;
      series_bytes += chunk.back().bytes.size();
      collected.push_back(chunk.back());
    }

    void begin_series(Chunk& chunk) {
      begun = true;
      sent.clear();
      collected.clear();
      series_bytes = 0;
      first_of_series = true;
      version = services.archive->series_version(series[index].study, series[index].series);
      if (!xml()) chunk.push_back(piece_of(index == 0 ? "[" : ",\n"));
    }

    void end_series() {
      begun = false;
      const Resource& place = series[index++];
      if (xml() || series_bytes > services.cache->most_bytes()) return;
      if (services.archive->series_version(place.study, place.series) != version) return;  // it changed meanwhile
      services.cache->insert(key_of(place), {version, std::move(collected), series_bytes, nullptr});
      services.pool->submit(io::WorkClass::background, [cache = services.cache, key = key_of(place), at = version] {
        if (const auto kept = cache->find(key, at)) code_cached(*cache, key, kept);
      });
    }

    Result<Chunk> pass() {
      Chunk chunk;
      std::size_t bytes = 0;
      const std::size_t most = std::exchange(first_pass, false) ? kFirstPassBytes : kPassBytes;
      while (index < series.size() && bytes < most) {
        const Resource& place = series[index];
        if (!begun) {
          begin_series(chunk);
          const auto kept = xml() ? nullptr : services.cache->find(key_of(place), version);
          if (kept) {
            chunk.insert(chunk.end(), kept->json.begin(), kept->json.end());
            bytes += kept->json_bytes;
            begun = false;
            ++index;
            continue;
          }
        }
        CAIRN_TRY(const bool full, walk_series(place, chunk, bytes, most));
        if (full) break;
        end_series();
      }
      if (index == series.size()) {
        chunk.push_back(piece_of(xml() ? closing(xml_boundary) : "]\n"));
        finished = true;
      }
      return chunk;
    }

    /// True when `most` bytes are made and the series is not at its end.
    Result<bool> walk_series(const Resource& place, Chunk& chunk, std::size_t& bytes, std::size_t most) {
      std::string text;
      Result<> failure = outcome::success();
      bool full = false;
      auto each = [&](std::string_view sop_instance_uid, dicom::Header&& header) {
        if (bytes >= most) {
          full = true;
          return false;
        }
        if (!sent.insert(std::string(sop_instance_uid)).second) return true;
        if (text.capacity() < kPieceBytes) text.reserve(kPieceBytes + kPieceBytes / 8);
        const std::size_t before = text.size();
        failure = append(text, header, {place.study, place.series, std::string(sop_instance_uid)});
        if (!failure) return false;
        bytes += text.size() - before;
        if (text.size() >= kPieceBytes) {
          hand_out(chunk, std::move(text));
          text = {};
        }
        return true;
      };
      CAIRN_TRYV(services.archive->headers(place.study, place.series, each));
      if (!failure) return failure.error();
      hand_out(chunk, std::move(text));
      return full;
    }

    Services services;
    std::vector<Resource> series;
    std::string xml_boundary;
    std::size_t index = 0;
    // of series[index]
    bool begun = false, first_of_series = true;
    std::uint64_t version = 0;
    std::unordered_set<std::string> sent;
    Chunk collected;
    std::size_t series_bytes = 0;

    bool first_pass = true, any = false, finished = false;
  };

  io::WorkerPool& pool_;
  std::shared_ptr<Walk> walk_;
};

/// The pieces of a series that is in the cache.
class ReadyPieces final : public BodySource {
 public:
  explicit ReadyPieces(Chunk chunk) : chunk_(std::move(chunk)) {}
  Task<Chunk> next() override { co_return std::exchange(chunk_, {}); }

 private:
  Chunk chunk_;
};

struct Contents {
  std::vector<Resource> series;  ///< in display order
  std::string etag;              ///< changes with any of them
  std::uint64_t version = 0;     ///< of the last one
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
    const std::uint64_t version = out.version = archive.series_version(place.study, place.series);
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

/// The whole answer of one series from the cache; nullopt when it has to be made.
std::optional<Response> from_cache(const Services& services, const Request& request, const Contents& contents) {
  if (contents.series.size() != 1) return std::nullopt;
  const auto kept = services.cache->find(key_of(contents.series.front()), contents.version);
  if (!kept) return std::nullopt;
  Response response;
  const bool coded_wanted = takes_gzip(request.headers.joined("Accept-Encoding"));
  const auto coded = coded_wanted ? services.cache->gzip_of(kept) : nullptr;
  Chunk chunk;
  if (coded) {
    chunk.push_back({as_bytes(*coded), coded});
    response.headers.add("Content-Encoding", "gzip");
    response.length = coded->size();
  } else {
    chunk.push_back(piece_of("["));
    chunk.insert(chunk.end(), kept->json.begin(), kept->json.end());
    chunk.push_back(piece_of("]\n"));
    response.length = kept->json_bytes + 3;
  }
  response.source = std::make_unique<ReadyPieces>(std::move(chunk));
  response.headers.add("ETag", coded ? "W/" + contents.etag : contents.etag);
  return response;
}

Task<Response> metadata(Services services, Request* request) {
  CAIRN_CO_TRY(const auto path, resource_of(*request));
  const auto ranges = accepted_by(*request);
  const bool json = choose(ranges, {kDicomJson, "application/json"}).has_value();
  if (!json && !takes_xml_parts(ranges)) {
    co_return error_response(406, fail(Errc::unsupported, "Accept"),
                             "on offer: application/dicom+json, multipart/related; type=\"application/dicom+xml\"");
  }
  archive::Archive* const archive = services.archive;
  const std::string boundary = json ? std::string() : new_boundary();
  Response response;
  std::string etag;
  if (path.instance.empty()) {
    auto job = [archive, path] { return contents_of(*archive, path); };
    auto result = co_await services.pool->run(io::WorkClass::interactive, std::move(job));
    CAIRN_CO_TRY(auto contents, std::move(result));
    etag = contents.etag;
    if (!json) etag.insert(etag.size() - 1, "-xml");
    if (auto same = not_modified(*request, etag)) co_return std::move(*same);
    std::optional<Response> kept;
    if (json) kept = from_cache(services, *request, contents);
    if (kept) {
      response = std::move(*kept);
    } else {
      response.source = std::make_unique<MetadataSource>(services, std::move(contents.series), boundary);
    }
  } else {
    auto lookup = [archive, path] { return instance_of(*archive, path); };
    auto result = co_await services.pool->run(io::WorkClass::interactive, std::move(lookup));
    CAIRN_CO_TRY(const auto instance, std::move(result));
    etag = etag_of(instance);
    if (!json) etag.insert(etag.size() - 1, "-xml");
    if (auto same = not_modified(*request, etag)) co_return std::move(*same);
    auto job = [archive, path, boundary] { return instance_text(*archive, path, boundary); };
    auto text = co_await services.pool->run(io::WorkClass::interactive, std::move(job));
    CAIRN_CO_TRY(response.body, std::move(text));
  }
  response.headers.add("Content-Type", json
                                           ? std::string(kDicomJson)
                                           : "multipart/related; type=\"application/dicom+xml\"; boundary=" + boundary);
  response.headers.add("Vary", "Accept");
  if (!response.headers.contains("ETag")) response.headers.add("ETag", etag);
  response.headers.add("Cache-Control", "private, no-cache");
  co_return response;
}

}  // namespace

void add_metadata_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool, std::size_t cache_bytes) {
  const Services services{&archive, &pool, std::make_shared<MetadataCache>(cache_bytes)};
  for (const char* path : {"/dicom-web/studies/{study}/metadata", "/dicom-web/studies/{study}/series/{series}/metadata",
                           "/dicom-web/studies/{study}/series/{series}/instances/{instance}/metadata"}) {
    router.add("GET", path, [services](Request& request) { return metadata(services, &request); });
  }
}

}  // namespace cairn::web
