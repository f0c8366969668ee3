// C-GET as SCP (PS3.4 §C.4.3): the instances go to the requestor over its own association, one C-STORE after the other,
// in contexts for which it took the SCP role.
#include "engine/core/log.h"
#include "engine/dimse/collect.h"
#include "engine/dimse/discard.h"
#include "engine/dimse/retrieve_queue.h"
#include "engine/dimse/session.h"
#include "engine/dimse/status.h"

namespace cairn::dimse {

using dicom::CommandField;
using dicom::CommandSet;

namespace {
// Pending responses are for the eye: the requester stops to read each, so of a long retrieve it gets some.
constexpr std::size_t kToldOfEach = 16;
constexpr std::chrono::milliseconds kBetweenPending{50};
}  // namespace

Task<std::optional<Retrieve>> Session::begin_retrieve(const Context& context, std::uint8_t context_id,
                                                      CommandSet& request, bool patient_root) {
  std::optional<Retrieve> none;
  Collect collected(kMaxIdentifierBytes, &env_->collected_bytes);
  if (request.has_data_set()) {
    CAIRN_CO_TRYV(co_await association_->receive_data(context_id, collected));
  }
  request.data_set_type = dicom::kNoDataSet;  // read; refuse() is not to wait for it
  std::optional<Error> fault;
  if (collected.too_long()) fault = fail(Errc::limit_exceeded, "identifier");
  RetrieveRequest wanted;
  if (!fault) {
    const auto identifier =
        dicom::DataSet::parse(as_bytes(collected.bytes()), dicom::encoding_of(context.transfer_syntax));
    if (!identifier) {
      fault = identifier.error();
    } else if (auto read = RetrieveRequest::read(identifier.value(), patient_root); !read) {
      fault = read.error();
    } else {
      wanted = std::move(read).value();
    }
  }
  Retrieve retrieve;
  if (!fault) {
    retrieve.level = wanted.level;
    auto work = [archive = &env_->archive, wanted = std::move(wanted)] { return resolve(*archive, wanted); };
    auto set = co_await env_->pool.run(io::WorkClass::interactive, std::move(work));
    if (set) {
      retrieve.set = std::move(set).value();
    } else {
      fault = set.error();
    }
  }
  if (fault) {
    CAIRN_CO_TRYV(co_await refuse(context_id, request, retrieve_status(*fault), *fault));
    co_return none;
  }
  co_return std::optional<Retrieve>(std::move(retrieve));
}

void Session::end_retrieve(const char* service, const Context& context, std::uint8_t context_id,
                           const CommandSet& request, const Retrieve& retrieve, const SubOperations& operations,
                           bool cancelled, net::Clock::time_point began, const Error* lost) {
  Counters& counters = env_->counters;
  counters.sub_operations_completed.fetch_add(operations.completed(), std::memory_order_relaxed);
  counters.sub_operations_failed.fetch_add(operations.failed(), std::memory_order_relaxed);
  counters.sub_operations_warned.fetch_add(operations.warnings(), std::memory_order_relaxed);
  counters.retrieved_bytes.fetch_add(operations.bytes(), std::memory_order_relaxed);
  dicom::DataSet identifier;
  const CommandSet response = operations.final(request, cancelled, identifier);
  const double seconds = std::chrono::duration<double>(net::Clock::now() - began).count();
  log::write(operations.failed() == 0 && lost == nullptr ? log::Level::info : log::Level::warning, service,
             {{"peer", association_->peer_address()},
              {"calling", calling_ae_},
              {"destination", request.move_destination},
              {"level", retrieve.level},
              {"instances", operations.total()},
              {"completed", operations.completed()},
              {"failed", operations.failed()},
              {"warning", operations.warnings()},
              {"bytes", operations.bytes()},
              {"seconds", seconds},
              {"status", static_cast<unsigned>(response.status.value_or(0))},
              {"fault", lost != nullptr ? to_string(*lost) : operations.first_reason()}});
  if (lost != nullptr) return;
  std::string data;
  if (response.has_data_set()) data = identifier.encode(dicom::encoding_of(context.transfer_syntax));
  respond(context_id, response, as_bytes(data));
}

Task<CommandSet> Session::sub_operation_response(std::uint16_t message_id, std::uint16_t get_message_id,
                                                 bool& cancelled) {
  for (;;) {
    CAIRN_CO_TRY(auto incoming, co_await association_->next_command());
    if (incoming.release) {
      association_->respond_to_release();
      co_return fail(Errc::closed, "released during C-GET");
    }
    CAIRN_CO_TRY(CommandSet command, dicom::decode_command(as_bytes(incoming.command)));
    if (command.command == CommandField::c_store_rsp && command.message_id_being_responded_to == message_id) {
      if (command.has_data_set()) {
        Discard discard;
        CAIRN_CO_TRYV(co_await association_->receive_data(incoming.context_id, discard));
      }
      co_return command;
    }
    if (command.command == CommandField::c_cancel_rq) {
      cancelled = cancelled || command.message_id_being_responded_to == get_message_id;
      continue;
    }
    CAIRN_CO_TRY(const bool taken, co_await take_report_answer(incoming.context_id, command));
    if (taken) continue;
    if (dicom::is_response(command.command)) {
      co_return fail(Errc::malformed, "response to a request that was never made");
    }
    CAIRN_CO_TRYV(co_await refuse(incoming.context_id, command, Status::out_of_resources,
                                  fail(Errc::conflict, "another request during C-GET")));
  }
}

Task<> Session::send_instances(ObjectFeed& feed, std::uint8_t context_id, const CommandSet& request,
                               SubOperations& operations, bool& is_cancelled) {
  std::size_t told = 0;
  net::Clock::time_point last_told;
  while (!is_cancelled) {
    if (stopping_) co_return fail(Errc::cancelled, "shutting down");
    const auto object = co_await feed.next();
    if (!object) break;
    CAIRN_CO_TRY(is_cancelled, co_await cancelled(*request.message_id));
    if (is_cancelled) break;
    const StoredObject& stored = object->stored;
    if (stored.error) {
      operations.failed(stored.sop_instance_uid, to_string(*stored.error));
    } else {
      CommandSet store;
      store.command = CommandField::c_store_rq;
      store.affected_sop_class_uid = stored.sop_class_uid;
      store.affected_sop_instance_uid = stored.sop_instance_uid;
      store.message_id = ++last_message_id_;
      store.priority = request.priority.value_or(0);
      store.data_set_type = 0x0000;
      StoredSource source(stored, env_->pool, association_->executor());
      CAIRN_CO_TRYV(co_await association_->send_message(stored.context.id, dicom::encode_command(store), source));
      CAIRN_CO_TRY(const CommandSet response,
                   co_await sub_operation_response(*store.message_id, *request.message_id, is_cancelled));
      operations.answered(stored.sop_instance_uid, response, stored.bytes);
    }
    const auto now = net::Clock::now();
    if (operations.remaining() == 0 || is_cancelled) continue;
    if (told >= kToldOfEach && now - last_told < kBetweenPending) continue;
    respond(context_id, operations.pending(request));
    ++told;
    last_told = now;
  }
  co_return outcome::success();
}

Task<> Session::get(const Context& context, std::uint8_t context_id, CommandSet request) {
  const auto began = net::Clock::now();
  env_->counters.gets.fetch_add(1, std::memory_order_relaxed);
  const bool patient_root = context.abstract_syntax == dicom::uids::kPatientRootGet;
  CAIRN_CO_TRY(auto retrieve, co_await begin_retrieve(context, context_id, request, patient_root));
  if (!retrieve) co_return outcome::success();

  SubOperations operations(retrieve->set.instance_uids.size());
  ObjectFeed feed(std::make_shared<RetrieveQueue>(std::move(retrieve->set.instance_uids)), env_->archive, env_->pool,
                  association_->executor(), std::make_shared<const ContextTable>(agreement_.storage_scp));
  bool is_cancelled = false;
  const auto sent = co_await send_instances(feed, context_id, request, operations, is_cancelled);
  co_await feed.close();  // no work of the pool outlives the association
  // A cancel that came after the last instance cancelled nothing.
  end_retrieve("get", context, context_id, request, *retrieve, operations, is_cancelled && operations.remaining() != 0,
               began, sent ? nullptr : &sent.error());
  co_return sent;
}

}  // namespace cairn::dimse
