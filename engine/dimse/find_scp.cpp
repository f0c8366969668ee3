// C-FIND as SCP (PS3.4 §C.4.1). Matches are fetched on the worker pool in pages that grow, and sent page by page: no
// thread of the pool waits for a peer, memory is bounded, and a cancel is seen between responses.
#include <algorithm>
#include <chrono>

#include "engine/core/log.h"
#include "engine/dimse/collect.h"
#include "engine/dimse/query.h"
#include "engine/dimse/session.h"
#include "engine/dimse/status.h"

namespace cairn::dimse {

using dicom::CommandField;
using dicom::CommandSet;

namespace {

constexpr std::size_t kFirstPageBytes = 64u << 10;
constexpr std::size_t kLargestPageBytes = 4u << 20;
// A search that finds little is interrupted this often to see whether the peer still wants it.
constexpr std::chrono::milliseconds kLongestPage{100};

struct Page {
  std::vector<std::string> identifiers;
  std::size_t seen = 0;  ///< matches given
  std::string place;     ///< where the archive came to
  bool more = false;
  std::optional<Error> error;
};

// What a page is made from; owned by the work, which may outlive the session.
struct PageMaker {
  archive::Archive* archive;
  std::shared_ptr<const FindRequest> request;
  dicom::Encoding encoding;
  std::string retrieve_ae_title;
  std::string after;  ///< where the page before ended; else `offset` matches are passed over
  std::size_t offset;
  std::size_t page_bytes;

  Page operator()(archive::Reach reach = archive::Reach::disk) const {
    Page page;
    std::size_t bytes = 0;
    archive::Query query = request->query;
    query.after = after;
    query.offset = after.empty() ? offset : 0;
    query.place = &page.place;
    query.reach = reach;
    const auto deadline = std::chrono::steady_clock::now() + kLongestPage;
    bool late = false;
    query.keep_going = [&] { return !(late = std::chrono::steady_clock::now() >= deadline); };
    const auto found = archive->find(query, [&](archive::Match&& match) {
      ++page.seen;
      page.identifiers.push_back(request->answer(match, retrieve_ae_title).encode(encoding));
      bytes += page.identifiers.back().size() + 64;
      page.more = bytes >= page_bytes;
      return !page.more;
    });
    page.more = page.more || (late && !page.place.empty());
    if (!found) page.error = found.error();
    return page;
  }
};

}  // namespace

Task<bool> Session::cancelled(std::uint16_t message_id) {
  for (;;) {
    CAIRN_CO_TRY(const auto waiting, association_->peek_command());
    if (!waiting) co_return false;
    const auto command = dicom::decode_command(*waiting);
    if (!command) co_return false;
    const bool cancel = command.value().command == CommandField::c_cancel_rq &&
                        command.value().message_id_being_responded_to == message_id;
    if (!cancel && command.value().command != CommandField::n_event_report_rsp) co_return false;
    CAIRN_CO_TRY(const auto incoming, co_await association_->next_command());
    if (cancel) co_return true;
    CAIRN_CO_TRY(const bool taken, co_await take_report_answer(incoming.context_id, command.value()));
    if (!taken) co_return fail(Errc::malformed, "response to a request that was never made");
  }
}

Task<> Session::find(const Context& context, std::uint8_t context_id, CommandSet request) {
  env_->counters.finds.fetch_add(1, std::memory_order_relaxed);
  Collect sink(kMaxIdentifierBytes, &env_->collected_bytes);
  if (request.has_data_set()) {
    CAIRN_CO_TRYV(co_await association_->receive_data(context_id, sink));
  }
  request.data_set_type = dicom::kNoDataSet;  // read; refuse() is not to wait for it
  const dicom::Encoding encoding = dicom::encoding_of(context.transfer_syntax);
  if (sink.too_long()) {
    co_return co_await refuse(context_id, request, Status::out_of_resources, fail(Errc::limit_exceeded, "identifier"));
  }
  const auto identifier = dicom::DataSet::parse(as_bytes(sink.bytes()), encoding);
  if (!identifier) {
    co_return co_await refuse(context_id, request, find_status(identifier.error()), identifier.error());
  }
  const auto root = context.abstract_syntax == dicom::uids::kPatientRootFind ? QueryRoot::patient : QueryRoot::study;
  auto read = FindRequest::read(identifier.value(), root, context.empty_values);
  if (!read) co_return co_await refuse(context_id, request, find_status(read.error()), read.error());

  read.value().query.combined_date_time = context.combined_date_time;
  read.value().query.fuzzy = context.fuzzy_names;
  const auto shared = std::make_shared<const FindRequest>(std::move(read.value()));
  CommandSet pending = dicom::make_response(
      request,
      static_cast<std::uint16_t>(shared->unsupported_keys ? Status::pending_with_unsupported_keys : Status::pending));
  pending.data_set_type = 0x0000;
  const std::string pending_bytes = dicom::encode_command(pending);

  const std::uint64_t most = env_->options.max_find_matches;
  Status status = Status::success;
  std::uint64_t sent = 0;
  std::size_t offset = 0;
  std::string after;
  for (std::size_t page_bytes = kFirstPageBytes;; page_bytes = std::min(4 * page_bytes, kLargestPageBytes)) {
    PageMaker work{&env_->archive, shared, encoding, env_->options.ae_title, after, offset, page_bytes};
    Page page = work(archive::Reach::memory);
    if (page.error && store::is_out_of_reach(*page.error)) {
      page = co_await env_->pool.run(io::WorkClass::interactive, std::move(work));
    }
    if (page.error) co_return co_await refuse(context_id, request, find_status(*page.error), *page.error);
    for (const std::string& match : page.identifiers) {
      CAIRN_CO_TRY(const bool cancel, co_await cancelled(*request.message_id));
      if (cancel) {
        status = Status::cancelled;
        break;
      }
      if (most != 0 && sent == most) {
        co_return co_await refuse(context_id, request, Status::out_of_resources,
                                  fail(Errc::limit_exceeded, "matches: ask for less"));
      }
      ++sent;
      CAIRN_CO_TRYV(co_await association_->send_message(context_id, pending_bytes, as_bytes(match)));
      env_->counters.matches.fetch_add(1, std::memory_order_relaxed);
    }
    offset += page.seen;
    if (!page.place.empty()) after = page.place;
    if (page.more && page.identifiers.empty()) {
      CAIRN_CO_TRY(const bool cancel, co_await cancelled(*request.message_id));
      if (cancel) status = Status::cancelled;
    }
    if (!page.more || status != Status::success) break;
  }
  respond(context_id, dicom::make_response(request, static_cast<std::uint16_t>(status)));
  co_return outcome::success();
}

}  // namespace cairn::dimse
