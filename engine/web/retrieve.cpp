#include "engine/web/retrieve.h"

#include "engine/web/error_response.h"
#include "engine/web/made_instances.h"
#include "engine/web/multipart.h"
#include "engine/web/retrieve_negotiation.h"
#include "engine/web/zip.h"

namespace cairn::web {
namespace {

struct Services {
  archive::Archive* archive;
  io::WorkerPool* pool;
  std::shared_ptr<StreamBudget> budget;
};

using Instances = std::vector<archive::Instance>;

Result<Instances> find_instances(archive::Archive& archive, const Resource& path) {
  if (path.instance.empty()) return archive.instances(path.study, path.series);
  Instances one;
  CAIRN_TRY(auto instance, instance_of(archive, path));
  one.push_back(std::move(instance));
  return one;
}

Response send_multipart(const Services& services, Instances instances) {
  const std::string boundary = new_boundary();
  std::vector<StreamItem> items;
  items.reserve(instances.size());
  for (archive::Instance& instance : instances) {
    const Resource place{instance.study_instance_uid, instance.series_instance_uid, instance.sop_instance_uid};
    StreamItem item;
    item.before = part_head(boundary, items.empty(), instance_content_type(instance.transfer_syntax_uid),
                            instance.stream_length, place.path());
    item.range = {0, instance.stream_length};
    item.instance = std::make_shared<const archive::Instance>(std::move(instance));
    items.push_back(std::move(item));
  }
  const std::string after = closing(boundary);
  Response response;
  response.headers.add("Content-Type", "multipart/related; type=\"application/dicom\"; boundary=" + boundary);
  response.headers.add("Cache-Control", "private, no-cache");
  response.length = length_of(items, after);
  response.source = make_stored_stream(*services.archive, *services.pool, services.budget, std::move(items), after);
  return response;
}

/// The checksums of a ZIP archive are known when the bytes have passed.
class ZipFraming final : public StreamFraming {
 public:
  explicit ZipFraming(std::vector<std::pair<std::string, std::uint64_t>> entries) : entries_(std::move(entries)) {}
  std::string before_item() override {
    auto& [name, size] = entries_[at_++];
    return writer_.begin(std::move(name), size);
  }
  void passed(Bytes bytes) override { writer_.data(bytes); }
  std::string after_item() override { return writer_.end_entry(); }
  std::string after_all() override { return writer_.finish(); }

 private:
  std::vector<std::pair<std::string, std::uint64_t>> entries_;
  std::size_t at_ = 0;
  ZipWriter writer_;
};

Response send_zip(const Services& services, const Resource& path, Instances instances) {
  std::vector<std::pair<std::string, std::uint64_t>> entries;
  std::vector<StreamItem> items;
  for (archive::Instance& instance : instances) {
    entries.emplace_back(instance.series_instance_uid + '/' + instance.sop_instance_uid + ".dcm",
                         instance.stream_length);
    const ByteRange whole{0, instance.stream_length};
    items.push_back({{}, std::make_shared<const archive::Instance>(std::move(instance)), whole});
  }
  const std::string& name = path.instance.empty() ? path.series.empty() ? path.study : path.series : path.instance;
  Response response;
  response.headers.add("Content-Type", "application/zip");
  response.headers.add("Content-Disposition", "attachment; filename=\"" + name + ".zip\"");
  response.headers.add("Cache-Control", "private, no-cache");
  response.length = ZipWriter::length_of(entries);
  response.source = make_stored_stream(*services.archive, *services.pool, services.budget, std::move(items), {},
                                       std::make_unique<ZipFraming>(std::move(entries)));
  return response;
}

Response send_single(const Services& services, const Request& request, archive::Instance instance) {
  const std::string etag = etag_of(instance);
  if (auto same = not_modified(request, etag)) return std::move(*same);
  const std::string type = instance_content_type(instance.transfer_syntax_uid);
  StreamItem item;
  item.range = {0, instance.stream_length};
  item.instance = std::make_shared<const archive::Instance>(std::move(instance));
  return send_range(*services.archive, *services.pool, services.budget, request, std::move(item), type, etag);
}

Task<Response> retrieve(Services services, Request* request) {
  CAIRN_CO_TRY(const auto path, resource_of(*request));
  if (auto page = page_instead(*request, page_path(path))) co_return std::move(*page);
  auto job = [archive = services.archive, path] { return find_instances(*archive, path); };
  auto found = co_await services.pool->run(io::WorkClass::interactive, std::move(job));
  CAIRN_CO_TRY(auto instances, std::move(found));
  if (instances.empty()) co_return fail(Errc::not_found, "instances");
  std::set<std::string> stored;
  for (const auto& instance : instances) stored.insert(instance.transfer_syntax_uid);
  const bool single_possible = !path.instance.empty();
  const auto ranges = accepted_by(*request);
  if (const MediaRange* zip = zip_preferred(ranges)) {
    const std::string_view syntax = zip->parameter("transfer-syntax");
    if (syntax.empty() || syntax == "*" || (stored.size() == 1 && *stored.begin() == syntax)) {
      co_return send_zip(services, path, std::move(instances));
    }
    co_return error_response(406, fail(Errc::unsupported, "transfer-syntax of application/zip"),
                             "on offer: *, as stored");
  }
  const auto choice = negotiate(ranges, stored, single_possible);
  if (!choice) {
    co_return error_response(406, fail(Errc::unsupported, "Accept"), instances_on_offer(stored, single_possible));
  }
  const bool single = choice->form == InstanceForm::single;
  if (choice->as_stored()) {
    if (single) co_return send_single(services, *request, std::move(instances.front()));
    co_return send_multipart(services, std::move(instances));
  }
  std::vector<InstanceToMake> wanted;
  wanted.reserve(instances.size());
  for (auto& instance : instances) {
    std::string syntax = choice->syntaxes.at(instance.transfer_syntax_uid);
    wanted.push_back({std::move(instance), std::move(syntax)});
  }
  if (single) {
    if (auto same = not_modified(*request, made_etag(wanted.front()))) co_return std::move(*same);
  }
  auto begin = [services, single, wanted = std::move(wanted)]() mutable {
    return single ? send_made(*services.archive, *services.pool, std::move(wanted.front()))
                  : send_made(*services.archive, *services.pool, std::move(wanted));
  };
  auto response = co_await services.pool->run(io::WorkClass::interactive, std::move(begin));
  co_return response;
}

}  // namespace

Result<archive::Instance> instance_of(archive::Archive& archive, const Resource& path, archive::Reach reach) {
  CAIRN_TRY(auto instance, reach == archive::Reach::memory ? archive.instance_at_hand(path.instance)
                                                           : archive.instance(path.instance));
  if (instance.study_instance_uid != path.study || instance.series_instance_uid != path.series) {
    return fail(Errc::not_found, "instance of this study and series");
  }
  return instance;
}

std::string etag_of(const archive::Instance& instance) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const std::byte b : instance.digest) {
    out += kHex[std::to_integer<unsigned>(b) >> 4];
    out += kHex[std::to_integer<unsigned>(b) & 15];
  }
  return out + '"';
}

void add_retrieve_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool,
                         std::shared_ptr<StreamBudget> budget) {
  const Services services{&archive, &pool, std::move(budget)};
  for (const char* path : {"/dicom-web/studies/{study}", "/dicom-web/studies/{study}/series/{series}",
                           "/dicom-web/studies/{study}/series/{series}/instances/{instance}"}) {
    router.add("GET", path, [services](Request& request) { return retrieve(services, &request); });
  }
}

}  // namespace cairn::web
