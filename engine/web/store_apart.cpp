#include "engine/web/store_apart.h"

#include <algorithm>
#include <deque>
#include <unordered_map>

#include "engine/dicom/json_read.h"
#include "engine/dicom/tags.h"
#include "engine/web/instance_builder.h"
#include "engine/web/native_model.h"
#include "engine/web/native_model_read.h"
#include "engine/web/resource.h"
#include "engine/web/store.h"

namespace cairn::web {
namespace {

using Event = MultipartReader::Event;
namespace tags = dicom::tags;

constexpr std::uint64_t kSpaceCheckBytes = 64u << 20;
constexpr std::uint64_t kReadBytes = 1u << 20;
constexpr std::size_t kSpoolBytes = 1u << 20;

/// A Content-Location that instances of the metadata name.
struct Value {
  std::vector<BulkPart> parts;
  std::size_t users = 0;   ///< instances that are not done
  std::size_t wanted = 1;  ///< parts, as far as the metadata says
  std::optional<Error> fault;
};

/// An instance of the metadata. Its data set is read anew when it is built: text is the smallest form of it.
struct Pending {
  std::string_view json;
  dicom::KeyAttributes key;
  std::vector<std::string> uris;
  bool done = false;
};

class Assembly {
 public:
  explicit Assembly(std::filesystem::path directory) : spool(std::move(directory)) {}

  /// The instances of a metadata part. Blocking. Errors: as json_objects(), dicom_json_of(); one of a single instance
  /// is its outcome in `failures`.
  Result<> add_metadata(std::string text, bool xml) {
    if (xml) {
      CAIRN_TRY(text, dicom_json_of(text));
    }
    texts_.push_back(std::move(text));
    CAIRN_TRY(const auto objects, dicom::json_objects(texts_.back(), kMaxParts - std::min(kMaxParts, pending.size())));
    for (const std::string_view object : objects) {
      const auto read = dicom::read_json(object);
      if (!read) {
        failures.push_back(failed_outcome({}, failure_reason_of(read.error())));
        continue;
      }
      add(object, read.value());
    }
    return outcome::success();
  }

  Value* value(const std::string& uri) {
    const auto found = values_.find(uri);
    return found == values_.end() || found->second.users == 0 ? nullptr : &found->second;
  }

  /// Instances that can be built now that no part follows at once for `uri`.
  std::vector<std::size_t> ready(const std::string& uri) {
    std::vector<std::size_t> out;
    const auto found = users_.find(uri);
    if (found == users_.end()) return out;
    for (const std::size_t i : found->second) {
      const auto& uris = pending[i].uris;
      const bool all = std::all_of(uris.begin(), uris.end(), [&](const std::string& u) {
        const Value& v = values_[u];
        return v.fault || (!v.parts.empty() && v.parts.size() >= v.wanted);
      });
      if (!pending[i].done && all) out.push_back(i);
    }
    return out;
  }

  /// Blocking.
  Result<BuiltInstance> build(std::size_t i) {
    for (const std::string& uri : pending[i].uris) {
      if (values_[uri].fault) return *values_[uri].fault;
    }
    CAIRN_TRY(auto read, dicom::read_json(pending[i].json));
    const auto parts_of = [&](const std::string& uri) -> const std::vector<BulkPart>* {
      const auto found = values_.find(uri);
      return found == values_.end() ? nullptr : &found->second.parts;
    };
    return build_instance(std::move(read), parts_of, spool);
  }

  /// Blocking.
  void finished(std::size_t i) {
    pending[i].done = true;
    for (const std::string& uri : pending[i].uris) {
      Value& v = values_[uri];
      if (--v.users > 0) continue;
      for (const BulkPart& part : v.parts) spool.release(part.extent);
      v.parts = {};
    }
  }

  Spool spool;
  std::vector<Pending> pending;
  std::vector<StoreOutcome> failures;

 private:
  void add(std::string_view object, const dicom::ReadDataSet& read) {
    Pending one;
    one.json = object;
    const dicom::DataSet& d = read.data_set;
    one.key = {d.text(tags::SOPClassUID), d.text(tags::SOPInstanceUID), d.text(tags::StudyInstanceUID),
               d.text(tags::SeriesInstanceUID)};
    one.uris = read.bulk_uris;
    std::sort(one.uris.begin(), one.uris.end());
    one.uris.erase(std::unique(one.uris.begin(), one.uris.end()), one.uris.end());
    for (const std::string& uri : one.uris) {
      ++values_[uri].users;
      users_[uri].push_back(pending.size());
    }
    const dicom::Element* pixels = d.find(tags::PixelData);
    const auto frames = d.integer(tags::NumberOfFrames).value_or(1);
    if (pixels != nullptr && pixels->bulk && frames > 1) {
      frames_[read.bulk_uris[static_cast<std::size_t>(pixels->bulk->stream_offset)]] = static_cast<std::size_t>(frames);
    }
    pending.push_back(std::move(one));
  }

  std::deque<std::string> texts_;  ///< what Pending::json looks at
  std::unordered_map<std::string, Value> values_;
  std::unordered_map<std::string, std::vector<std::size_t>> users_;

 public:
  std::unordered_map<std::string, std::size_t> frames_;  ///< of the pixel data at a location, where it is several
};

/// Pictures come frame by frame; native samples and videos in one part.
bool is_a_frame(const std::string& content_type) {
  const auto type = parse_media_type(content_type);
  return type && type->type == "image";
}

class ApartStore {
 public:
  ApartStore(ApartContext context, bool xml, BodyParts* parts, Commits* commits)
      : context_(std::move(context)),
        xml_(xml),
        parts_(parts),
        commits_(commits),
        assembly_(std::make_shared<Assembly>(context_.spool_directory)) {}

  Task<> run() {
    const auto read = co_await read_body();
    // What is there is stored; what is not is told, by a body that broke off too.
    for (auto& failure : assembly_->failures) commits_->add(std::move(failure));
    for (std::size_t i = 0; i < assembly_->pending.size(); ++i) {
      if (assembly_->pending[i].done) continue;
      if (read) {
        co_await store(i);
      } else {
        commits_->add(failed_outcome(assembly_->pending[i].key, failure_reason_of(read.error())));
      }
    }
    co_return read;
  }

 private:
  Task<> read_body() {
    bool any_bulk = false;
    while (true) {
      CAIRN_CO_TRY(auto event, co_await parts_->next());
      if (event.kind == Event::Kind::end) co_return outcome::success();
      const std::string content_type(event.headers.get("Content-Type"));
      const auto type = parse_media_type(content_type);
      if (!any_bulk && type && type->matches(xml_ ? kDicomXml : kDicomJson)) {
        CAIRN_CO_TRYV(co_await read_metadata());
        continue;
      }
      any_bulk = true;
      CAIRN_CO_TRYV(co_await read_bulk(std::string(event.headers.get("Content-Location")), content_type));
    }
  }

  Task<> read_metadata() {
    std::string text;
    while (true) {
      CAIRN_CO_TRY(const auto event, co_await parts_->next());
      if (event.kind == Event::Kind::part_end) break;
      if (metadata_bytes_ + event.data.size() > kMaxMetadataBytes) co_return fail(Errc::limit_exceeded, "metadata");
      metadata_bytes_ += event.data.size();
      text.append(as_text(event.data));
    }
    auto job = [assembly = assembly_, text = std::move(text), xml = xml_]() mutable {
      return assembly->add_metadata(std::move(text), xml);
    };
    auto added = co_await context_.pool->run(io::WorkClass::interactive, std::move(job));
    co_return added;
  }

  Task<> read_bulk(std::string location, std::string content_type) {
    if (location != location_) {
      co_await store_ready();
      location_ = location;
    }
    Value* const value = location.empty() ? nullptr : assembly_->value(location);
    const std::uint64_t begin = assembly_->spool.size();
    std::uint64_t checked = 0;
    std::string held;  // a body comes in small pieces: each way to the pool takes a large one
    for (bool more = true; more;) {
      CAIRN_CO_TRY(const auto event, co_await parts_->next());
      more = event.kind != Event::Kind::part_end;
      if (value == nullptr || value->fault) continue;  // nobody's, or lost
      if (more) held.append(as_text(event.data));
      if (held.empty() || (more && held.size() < kSpoolBytes)) continue;
      if (checked == 0 || checked > kSpaceCheckBytes) {
        // The log knows how much is to stay free.
        auto probe = context_.archive->receive(context_.source, {});
        if (!probe) value->fault = probe.error();
        checked = 0;
      }
      checked += held.size();
      auto job = [assembly = assembly_, data = std::exchange(held, {})] {
        return assembly->spool.append(as_bytes(data));
      };
      auto appended = co_await context_.pool->run(io::WorkClass::interactive, std::move(job));
      if (!appended) value->fault = appended.error();
    }
    if (value == nullptr) co_return outcome::success();
    if (is_a_frame(content_type)) {
      const auto frames = assembly_->frames_.find(location);
      if (frames != assembly_->frames_.end()) value->wanted = frames->second;
    }
    value->parts.push_back({std::move(content_type), {begin, assembly_->spool.size() - begin}});
    co_return outcome::success();
  }

  asio::awaitable<void> store_ready() {
    if (location_.empty()) co_return;
    const auto ready = assembly_->ready(location_);
    for (const std::size_t i : ready) co_await store(i);
  }

  asio::awaitable<void> store(std::size_t i) {
    std::shared_ptr<KeyedReceiver> receiver;
    std::uint16_t warning = 0;
    auto fed = co_await feed(i, &receiver, &warning);
    if (fed && !context_.study.empty() && receiver->key().study_instance_uid != context_.study) {
      fed = fail(Errc::mismatch, "Study Instance UID of the URL");
    }
    if (fed) {
      co_await commits_->add(std::move(receiver), warning);
    } else {
      commits_->add(failed_outcome(assembly_->pending[i].key, failure_reason_of(fed.error())));
    }
    auto job = [assembly = assembly_, i] {
      assembly->finished(i);
      return Result<>(outcome::success());
    };
    auto finished = co_await context_.pool->run(io::WorkClass::interactive, std::move(job));
    (void)finished;
  }

  Task<> feed(std::size_t i, std::shared_ptr<KeyedReceiver>* receiver, std::uint16_t* warning) {
    auto job = [assembly = assembly_, i] { return assembly->build(i); };
    auto building = co_await context_.pool->run(io::WorkClass::interactive, std::move(job));
    CAIRN_CO_TRY(auto built, std::move(building));
    *warning = built.warning;
    CAIRN_CO_TRY(auto opened, context_.archive->receive(context_.source, {}));
    *receiver = std::make_shared<KeyedReceiver>(std::move(opened));
    for (const StreamPiece& piece : built.pieces) {
      CAIRN_CO_TRYV(co_await (*receiver)->write(as_bytes(piece.bytes)));
      for (std::uint64_t done = 0; done < piece.extent.length;) {
        const auto length = static_cast<std::size_t>(std::min(kReadBytes, piece.extent.length - done));
        auto reading = [assembly = assembly_, length,
                        at = piece.extent.offset + done]() -> Result<std::vector<std::byte>> {
          std::vector<std::byte> bytes(length);
          CAIRN_TRY(const std::size_t count, assembly->spool.read(at, bytes));
          if (count != length) return fail(Errc::io, "file for bulk data");
          return bytes;
        };
        auto got = co_await context_.pool->run(io::WorkClass::interactive, std::move(reading));
        CAIRN_CO_TRY(const auto bytes, std::move(got));
        CAIRN_CO_TRYV(co_await (*receiver)->write(bytes));
        done += length;
      }
    }
    co_return outcome::success();
  }

  ApartContext context_;
  bool xml_;
  BodyParts* parts_;
  Commits* commits_;
  std::shared_ptr<Assembly> assembly_;
  std::size_t metadata_bytes_ = 0;
  std::string location_;  ///< of the last bulk data part
};

}  // namespace

Task<> store_apart(ApartContext context, bool xml, BodyParts* parts, Commits* commits) {
  ApartStore store(std::move(context), xml, parts, commits);
  const auto read = co_await store.run();
  co_return read;
}

}  // namespace cairn::web
