// Bulk data of an instance: the values that its metadata names as BulkDataURI (PS3.18 §10.4.1.1.5).
#include <algorithm>
#include <charconv>

#include "engine/dicom/inflate.h"
#include "engine/web/error_response.h"
#include "engine/web/metadata.h"
#include "engine/web/multipart.h"
#include "engine/web/resource.h"
#include "engine/web/retrieve.h"

namespace cairn::web {
namespace {

constexpr std::string_view kOctets = "application/octet-stream";

struct Services {
  archive::Archive* archive;
  io::WorkerPool* pool;
  std::shared_ptr<StreamBudget> budget;
};

/// What a bulk data path names: a value that the index has, or where it lies in the stream.
struct Value {
  archive::Instance instance;
  std::optional<dicom::BulkValue> bulk;
  std::string bytes;
  bool deflated = false;
};

std::optional<std::uint32_t> number(std::string_view text, int base) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Follows "tag/item/tag/…" as dicom::append_json() writes it.
Result<const dicom::Element*> element_at(const dicom::DataSet& root, std::string_view path) {
  const dicom::DataSet* data_set = &root;
  while (true) {
    const std::size_t slash = path.find('/');
    const auto tag = number(path.substr(0, slash), 16);
    if (!tag || path.substr(0, slash).size() != 8) return fail(Errc::malformed, "bulk data path");
    const dicom::Element* element = data_set->find(dicom::tag_of(*tag));
    if (element == nullptr) return fail(Errc::not_found, "bulk data");
    if (slash == std::string_view::npos) return element;
    path.remove_prefix(slash + 1);
    const std::size_t end = path.find('/');
    const auto item = number(path.substr(0, end), 10);
    if (!item || end == std::string_view::npos) return fail(Errc::malformed, "bulk data path");
    if (*item >= element->items.size()) return fail(Errc::not_found, "bulk data");
    data_set = &element->items[*item];
    path.remove_prefix(end + 1);
  }
}

Result<Value> find_value(archive::Archive& archive, const Resource& place, const std::string& path) {
  Value value;
  CAIRN_TRY(value.instance, instance_of(archive, place));
  CAIRN_TRY(const auto header, archive.header(place.instance));
  CAIRN_TRY(const auto data_set, dicom::DataSet::parse(header));
  CAIRN_TRY(const dicom::Element* element, element_at(data_set, path));
  if (!element->items.empty()) return fail(Errc::malformed, "bulk data path ends at a sequence");
  value.bulk = element->bulk;
  value.bytes = element->value;
  value.deflated = header.was_deflated;
  if (value.bulk && !value.deflated) {
    const std::uint64_t size = value.instance.stream_length;
    if (value.bulk->stream_offset > size || value.bulk->length > size - value.bulk->stream_offset) {
      return fail(Errc::corrupt, "bulk data extent");
    }
  }
  return value;
}

/// A value of a deflated data set: inflates from the beginning and sends what lies in the range.
class InflatedRange final : public BodySource {
 public:
  InflatedRange(archive::Archive& archive, io::WorkerPool& pool, archive::Instance instance, ByteRange range)
      : pool_(pool), walk_(std::make_shared<Walk>(archive.open(instance), instance, range)) {}

  Task<Chunk> next() override {
    auto job = [walk = walk_] { return walk->next(); };
    auto chunk = co_await pool_.run(io::WorkClass::interactive, std::move(job));
    co_return chunk;
  }

 private:
  struct Walk {
    Walk(std::unique_ptr<archive::StreamReader> from, const archive::Instance& of, ByteRange wanted)
        : reader(std::move(from)), offset(of.data_set_offset), range(wanted) {}

    Result<Chunk> next() {
      Chunk chunk;
      std::string text;
      while (sent < range.length && text.size() < (1u << 20)) {
        CAIRN_TRY(const Bytes piece, inflater.next());
        if (piece.empty()) {
          if (inflater.ended()) return fail(Errc::truncated, "deflated data set", inflater.produced());
          CAIRN_TRY(input, reader->view(offset));
          if (input.bytes.empty()) return fail(Errc::truncated, "deflated data set", offset);
          offset += input.bytes.size();
          inflater.feed(input.bytes);
          continue;
        }
        const std::uint64_t end = inflater.produced(), begin = end - piece.size(), next_wanted = range.first + sent;
        if (end <= next_wanted) continue;
        const std::uint64_t from = std::max(begin, next_wanted);
        const std::uint64_t length = std::min(end - from, range.length - sent);
        text += as_text(piece.subspan(static_cast<std::size_t>(from - begin), static_cast<std::size_t>(length)));
        sent += length;
      }
      if (!text.empty()) chunk.push_back(piece_of(std::move(text)));
      return chunk;
    }

    std::unique_ptr<archive::StreamReader> reader;
    std::uint64_t offset;  // in the stored stream
    ByteRange range;       // in the inflated data set
    archive::StreamReader::View input;
    dicom::Inflater inflater;
    std::uint64_t sent = 0;
  };

  io::WorkerPool& pool_;
  std::shared_ptr<Walk> walk_;
};

/// True for multipart/related; type="application/octet-stream", nullopt when neither form is acceptable.
std::optional<bool> wants_multipart(const std::vector<MediaRange>& ranges) {
  if (choose(ranges, {kOctets})) return false;
  for (const MediaRange& range : ranges) {
    const std::string_view type = range.parameter("type");
    const bool any = type.empty() || type == kOctets || type == "*/*" || type == "application/*";
    if (range.quality > 0 && any && range.matches("multipart/related")) return true;
  }
  return std::nullopt;
}

Response send_value(const Services& services, const Request& request, const Resource& place, const std::string& path,
                    Value value, bool multipart) {
  const std::string etag = etag_of(value.instance);
  if (auto same = not_modified(request, etag)) return std::move(*same);
  const std::uint64_t size = value.bulk ? value.bulk->length : value.bytes.size();
  StreamItem item;
  if (value.bulk) item.range = {value.bulk->stream_offset, value.bulk->length};
  const bool from_stream = value.bulk && !value.deflated && value.bulk->length > 0;
  if (from_stream && !multipart) {
    item.instance = std::make_shared<const archive::Instance>(std::move(value.instance));
    return send_range(*services.archive, *services.pool, services.budget, request, std::move(item), kOctets, etag);
  }
  Response response;
  response.headers.add("ETag", etag);
  response.headers.add("Cache-Control", "private, no-cache");
  const std::string boundary = new_boundary();
  std::string before, after;
  if (multipart) {
    before = part_head(boundary, true, kOctets, size, place.path() + "/bulkdata/" + path);
    after = closing(boundary);
    response.headers.add("Content-Type", "multipart/related; type=\"application/octet-stream\"; boundary=" + boundary);
  } else {
    response.headers.add("Content-Type", kOctets);
  }
  if (from_stream) {
    item.before = before;
    item.instance = std::make_shared<const archive::Instance>(std::move(value.instance));
    std::vector<StreamItem> items;
    items.push_back(std::move(item));
    response.length = length_of(items, after);
    response.source = make_stored_stream(*services.archive, *services.pool, services.budget, std::move(items), after);
  } else if (value.bulk && value.bulk->length > 0) {
    // Inflated on the way. Wrapping it would take one more source for a case that no client is known to ask for.
    if (multipart) return error_response(406, fail(Errc::unsupported, "Accept"), "on offer: application/octet-stream");
    response.length = size;
    response.source =
        std::make_unique<InflatedRange>(*services.archive, *services.pool, std::move(value.instance), item.range);
  } else {
    response.body = before + value.bytes + after;
  }
  return response;
}

Task<Response> bulk_data(Services services, Request* request) {
  CAIRN_CO_TRY(const auto place, resource_of(*request));
  const auto multipart = wants_multipart(accepted_by(*request));
  if (!multipart) {
    co_return error_response(406, fail(Errc::unsupported, "Accept"), "on offer: application/octet-stream");
  }
  const std::string path = request->captured("path");
  auto job = [archive = services.archive, place, path] { return find_value(*archive, place, path); };
  auto found = co_await services.pool->run(io::WorkClass::interactive, std::move(job));
  CAIRN_CO_TRY(auto value, std::move(found));
  co_return send_value(services, *request, place, path, std::move(value), *multipart);
}

}  // namespace

void add_bulk_data_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool,
                          std::shared_ptr<StreamBudget> budget) {
  const Services services{&archive, &pool, std::move(budget)};
  router.add("GET", "/dicom-web/studies/{study}/series/{series}/instances/{instance}/bulkdata/{path...}",
             [services](Request& request) { return bulk_data(services, &request); });
}

}  // namespace cairn::web
