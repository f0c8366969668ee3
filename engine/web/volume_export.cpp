#include "engine/web/volume_export.h"

#include "engine/volumes/volume_file.h"
#include "engine/web/error_response.h"
#include "engine/web/gzip.h"
#include "engine/web/resource.h"
#include "engine/web/volume_query.h"

namespace cairn::web {
namespace {

constexpr std::uint64_t kChunkBytes = 1u << 20;

/// Keeps the volume in memory until all of it is sent.
struct Export {
  std::shared_ptr<const volumes::BuiltVolume> volume;
  volumes::VolumeFile file;
};

class FileSource final : public BodySource {
 public:
  FileSource(std::shared_ptr<const Export> exported, io::WorkerPool& pool)
      : exported_(std::move(exported)), pool_(pool) {}

  Task<Chunk> next() override {
    const volumes::VolumeFile& file = exported_->file;
    Chunk chunk;
    if (!header_sent_) {
      header_sent_ = true;
      chunk.push_back(Piece{file.header(), exported_});
      co_return chunk;
    }
    if (slice_ == file.slices()) co_return chunk;
    const auto count = static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(kChunkBytes / file.slice_bytes(), 1, file.slices() - slice_));
    auto job = [exported = exported_, first = slice_, count]() -> Result<Chunk> {
      Chunk made;
      for (std::uint32_t k = first; k < first + count; ++k) {
        auto bytes = std::make_shared<std::vector<std::byte>>(exported->file.slice(k));
        const Bytes view(*bytes);
        made.push_back(Piece{view, std::move(bytes)});
      }
      return made;
    };
    slice_ += count;
    auto made = co_await pool_.run(io::WorkClass::background, std::move(job));
    co_return made;
  }

 private:
  std::shared_ptr<const Export> exported_;
  io::WorkerPool& pool_;
  bool header_sent_ = false;
  std::uint32_t slice_ = 0;
};

Response export_error(const Error& error) {
  if (error == Errc::unsupported || error == Errc::limit_exceeded) return error_response(422, error);
  return error_response(error);
}

Task<Response> give(io::WorkerPool* pool, volumes::Service* service, Request* request, volumes::VolumeFormat format,
                    bool compressed) {
  CAIRN_CO_TRY(const auto path, resource_of(*request));
  volumes::VolumeRequest wanted;
  wanted.study_uid = path.study;
  wanted.series_uid = path.series;
  if (const std::string* reference = request->parameter("volumeinputreference")) {
    if (auto parsed = parse_volume_reference(*reference, wanted); !parsed)
      co_return error_response(400, parsed.error());
  }
  auto volume = co_await service->volume(std::move(wanted));
  if (!volume) co_return export_error(volume.error());
  auto open = [built = volume.value(), format]() -> Result<std::shared_ptr<const Export>> {
    CAIRN_TRY(auto file, volumes::VolumeFile::of(*built, format));
    return std::make_shared<const Export>(Export{built, std::move(file)});
  };
  auto opened = co_await pool->run(io::WorkClass::interactive, std::move(open));
  if (!opened) co_return export_error(opened.error());
  const std::shared_ptr<const Export> exported = std::move(opened).value();

  Response response;
  const bool nrrd = format == volumes::VolumeFormat::nrrd;
  response.headers.add("Content-Type", compressed ? "application/gzip" : "application/octet-stream");
  response.headers.add("Content-Disposition", std::string("attachment; filename=\"volume.") +
                                                  (nrrd         ? "nrrd"
                                                   : compressed ? "nii.gz"
                                                                : "nii") +
                                                  '"');
  response.headers.add("Cache-Control", "private, no-cache");
  if (!exported->file.warning().empty())
    response.headers.add("Warning", "299 cairn \"" + exported->file.warning() + '"');
  auto source = std::make_unique<FileSource>(exported, *pool);
  if (compressed) {
    response.source = gzip_source(std::move(source), *pool);
  } else {
    response.source = std::move(source);
    response.length = exported->file.size_bytes();
  }
  co_return response;
}

}  // namespace

void add_volume_export_routes(Router& router, io::WorkerPool& pool, volumes::Service& service) {
  const auto add = [&](const char* name, volumes::VolumeFormat format, bool compressed) {
    router.add("GET", std::string("/api/v1/studies/{study}/series/{series}/") + name,
               [pool = &pool, service = &service, format, compressed](Request& request) {
                 return give(pool, service, &request, format, compressed);
               });
  };
  add("volume.nrrd", volumes::VolumeFormat::nrrd, false);
  add("volume.nii", volumes::VolumeFormat::nifti, false);
  add("volume.nii.gz", volumes::VolumeFormat::nifti, true);
}

}  // namespace cairn::web
