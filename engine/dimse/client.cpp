#include "engine/dimse/client.h"

#include <algorithm>
#include <unordered_map>

#include "engine/dicom/meta.h"
#include "engine/dicom/part10.h"
#include "engine/dicom/sop_classes.h"
#include "engine/dimse/collect.h"
#include "engine/net/association.h"
#include "engine/net/tcp_stream.h"

namespace cairn::dimse {

namespace pdu = dicom::pdu;
using dicom::CommandField;
using dicom::CommandSet;

namespace {

constexpr std::size_t kMaxResponseBytes = 4u << 20;

pdu::AssociateRQ request_of(const ClientOptions& options) {
  pdu::AssociateRQ request;
  request.called_ae = options.called_ae;
  request.calling_ae = options.calling_ae;
  request.application_context = dicom::uids::kApplicationContext;
  for (const auto& proposal : options.contexts) {
    const auto id = static_cast<std::uint8_t>(2 * request.contexts.size() + 1);
    request.contexts.push_back({id, proposal.abstract_syntax, proposal.transfer_syntaxes});
  }
  request.user.roles = options.roles;
  request.user.max_length = options.max_pdu_bytes;
  request.user.implementation_class_uid = dicom::kImplementationClassUID;
  request.user.implementation_version_name = dicom::kImplementationVersionName;
  if (options.async_window != 1) request.user.asynchronous_window = pdu::AsynchronousWindow{options.async_window, 1};
  return request;
}

}  // namespace

Result<StoreObject> StoreObject::from_part10(Bytes file) {
  CAIRN_TRY(const auto prefix, dicom::read_prefix(file.first(std::min(file.size(), dicom::kMaxMetaBytes))));
  StoreObject object{prefix.media_storage_sop_class_uid, prefix.media_storage_sop_instance_uid,
                     prefix.transfer_syntax_uid, file.subspan(prefix.data_set_offset)};
  if (object.sop_class_uid.empty() || object.sop_instance_uid.empty() || object.transfer_syntax_uid.empty()) {
    return fail(Errc::missing, "File Meta Information");
  }
  return object;
}

Task<std::unique_ptr<StoreClient>> StoreClient::open(ClientOptions options) {
  if (options.contexts.empty() || options.contexts.size() > pdu::kMaxPresentationContexts) {
    co_return fail(Errc::limit_exceeded, "presentation contexts");
  }
  auto connected = co_await net::connect_tcp(options.host, options.port, net::Clock::now() + options.connect);
  if (!connected && connected.error() == Errc::refused) co_return fail(Errc::closed, "nobody listens at the peer");
  CAIRN_CO_TRY(auto stream, std::move(connected));
  const net::AssociationOptions association_options{
      .max_pdu_bytes = options.max_pdu_bytes, .artim = options.answer, .idle = options.answer, .stall = options.answer};
  std::unique_ptr<StoreClient> client(new StoreClient);
  client->association_ =
      std::make_shared<net::Association>(std::move(stream), net::Role::requestor, association_options);
  auto requested = co_await client->association_->request(request_of(options));
  if (!requested && client->association_->end() == net::End::rejected) {
    const auto transient = static_cast<std::uint8_t>(pdu::AssociateRJ::Result::transient);
    const bool for_now = client->association_->rejection().result == transient;
    co_return for_now ? fail(Errc::closed, "association rejected for now") : requested.error();
  }
  CAIRN_CO_TRY(auto acceptance, std::move(requested));
  for (const pdu::NegotiatedContext& context : acceptance.contexts) {
    const std::size_t index = context.id / 2;
    if (context.result != pdu::ContextResult::acceptance || index >= options.contexts.size()) continue;
    client->contexts_.add({context.id, options.contexts[index].abstract_syntax, context.transfer_syntax});
  }
  if (options.async_window != 1 && acceptance.user.asynchronous_window) {
    // 0 is unlimited: then our own wish is the limit, or a large one when we had none either.
    const unsigned theirs = acceptance.user.asynchronous_window->invoked;
    const unsigned ours = options.async_window == 0 ? 64 : options.async_window;
    client->window_ = theirs == 0 ? ours : std::min(theirs, ours);
  }
  co_return client;
}

StoreClient::~StoreClient() {
  if (association_) association_->close();
}

bool StoreClient::accepts(std::string_view sop_class_uid, std::string_view transfer_syntax_uid) const {
  return contexts_.find(sop_class_uid, transfer_syntax_uid) != nullptr;
}

Task<CommandSet> StoreClient::next_response(std::uint8_t& context_id) {
  CAIRN_CO_TRY(auto incoming, co_await association_->next_command());
  if (incoming.release) co_return fail(Errc::closed, "released by the peer");
  context_id = incoming.context_id;
  CAIRN_CO_TRY(CommandSet response, dicom::decode_command(as_bytes(incoming.command)));
  if (!dicom::is_response(response.command) || !response.status) {
    co_return fail(Errc::malformed, "response of the peer");
  }
  co_return response;
}

Task<std::uint16_t> StoreClient::echo() {
  const auto* context = contexts_.find(dicom::uids::kVerification, {});
  if (!context) co_return fail(Errc::unsupported, "no presentation context for C-ECHO");
  CommandSet request;
  request.command = CommandField::c_echo_rq;
  request.affected_sop_class_uid = dicom::uids::kVerification;
  request.message_id = ++last_message_id_;
  association_->send_command(context->id, dicom::encode_command(request));
  std::uint8_t context_id = 0;
  CAIRN_CO_TRY(const CommandSet response, co_await next_response(context_id));
  co_return *response.status;
}

CommandSet StoreClient::store_request(const StoreObject& object) {
  CommandSet request;
  request.command = CommandField::c_store_rq;
  request.affected_sop_class_uid = object.sop_class_uid;
  request.affected_sop_instance_uid = object.sop_instance_uid;
  request.message_id = ++last_message_id_;
  request.priority = object.priority;
  request.data_set_type = 0;
  if (!object.move_originator_ae.empty()) {
    request.move_originator_ae = object.move_originator_ae;
    request.move_originator_message_id = object.move_originator_message_id;
  }
  return request;
}

Task<> StoreClient::send_store(const StoreObject& object, std::uint8_t context_id, const CommandSet& request) {
  std::string command = dicom::encode_command(request);
  if (object.source != nullptr) {
    co_return co_await association_->send_message(context_id, std::move(command), *object.source);
  }
  co_return co_await association_->send_message(context_id, std::move(command), object.data_set);
}

Task<CommandSet> StoreClient::store_one(const StoreObject& object) {
  const auto* context = contexts_.find(object.sop_class_uid, object.transfer_syntax_uid);
  if (context == nullptr) co_return fail(Errc::unsupported, "no accepted presentation context");
  const CommandSet request = store_request(object);
  CAIRN_CO_TRYV(co_await send_store(object, context->id, request));
  std::uint8_t context_id = 0;
  CAIRN_CO_TRY(CommandSet response, co_await next_response(context_id));
  if (response.message_id_being_responded_to != request.message_id) {
    co_return fail(Errc::malformed, "response to no request");
  }
  co_return response;
}

Task<> StoreClient::store(Next next, Answered answered) {
  std::unordered_map<std::uint16_t, std::size_t> outstanding;  // message ID to index
  std::size_t index = 0;
  bool more = true;
  while (more || !outstanding.empty()) {
    while (more && outstanding.size() < window_) {
      const std::optional<StoreObject> object = next();
      if (!object) {
        more = false;
        break;
      }
      const CommandSet request = store_request(*object);
      const auto* context = contexts_.find(object->sop_class_uid, object->transfer_syntax_uid);
      if (!context) {
        CommandSet refused = dicom::make_response(request, 0x0122);
        refused.error_comment = "no accepted presentation context";
        answered(index++, refused);
        continue;
      }
      outstanding[*request.message_id] = index++;
      CAIRN_CO_TRYV(co_await send_store(*object, context->id, request));
    }
    if (outstanding.empty()) continue;
    std::uint8_t context_id = 0;
    CAIRN_CO_TRY(const CommandSet response, co_await next_response(context_id));
    const auto at = outstanding.find(*response.message_id_being_responded_to);
    if (at == outstanding.end()) co_return fail(Errc::malformed, "response to no request");
    const std::size_t answered_index = at->second;
    outstanding.erase(at);
    answered(answered_index, response);
  }
  co_return outcome::success();
}

Task<std::uint16_t> StoreClient::find(std::string sop_class_uid, dicom::DataSet identifier, Matched match) {
  const auto* context = contexts_.find(sop_class_uid, {});
  if (!context) co_return fail(Errc::unsupported, "no presentation context for C-FIND");
  const dicom::Encoding encoding = dicom::encoding_of(context->transfer_syntax);
  CommandSet request;
  request.command = CommandField::c_find_rq;
  request.affected_sop_class_uid = sop_class_uid;
  request.message_id = ++last_message_id_;
  request.priority = 0;
  request.data_set_type = 0;
  const std::string keys = identifier.encode(encoding);
  CAIRN_CO_TRYV(co_await association_->send_message(context->id, dicom::encode_command(request), as_bytes(keys)));
  for (bool wanted = true;;) {
    std::uint8_t context_id = 0;
    CAIRN_CO_TRY(const CommandSet response, co_await next_response(context_id));
    Collect data(kMaxResponseBytes);
    if (response.has_data_set()) {
      CAIRN_CO_TRYV(co_await association_->receive_data(context_id, data));
      if (data.too_long()) co_return fail(Errc::limit_exceeded, "data set of a response");
    }
    if ((*response.status & 0xff00) != 0xff00) co_return *response.status;
    if (!wanted) continue;
    CAIRN_CO_TRY(auto parsed, dicom::DataSet::parse(as_bytes(data.bytes()), encoding));
    wanted = match(std::move(parsed), *response.status);
    if (wanted) continue;
    CommandSet cancel;
    cancel.command = CommandField::c_cancel_rq;
    cancel.message_id_being_responded_to = request.message_id;
    association_->send_command(context->id, dicom::encode_command(cancel));
  }
}

Task<std::uint16_t> StoreClient::report_event(std::string sop_class_uid, std::string sop_instance_uid,
                                              std::uint16_t event_type, dicom::DataSet information) {
  const auto* context = contexts_.find(sop_class_uid, {});
  if (!context) co_return fail(Errc::unsupported, "no presentation context for N-EVENT-REPORT");
  CommandSet request;
  request.command = CommandField::n_event_report_rq;
  request.affected_sop_class_uid = sop_class_uid;
  request.affected_sop_instance_uid = sop_instance_uid;
  request.message_id = ++last_message_id_;
  request.event_type_id = event_type;
  request.data_set_type = 0;
  const std::string encoded = information.encode(dicom::encoding_of(context->transfer_syntax));
  CAIRN_CO_TRYV(co_await association_->send_message(context->id, dicom::encode_command(request), as_bytes(encoded)));
  std::uint8_t context_id = 0;
  CAIRN_CO_TRY(const CommandSet response, co_await next_response(context_id));
  if (response.message_id_being_responded_to != request.message_id) {
    co_return fail(Errc::malformed, "response to no request");
  }
  if (response.has_data_set()) {
    Collect ignored(0);
    CAIRN_CO_TRYV(co_await association_->receive_data(context_id, ignored));
  }
  co_return *response.status;
}

void StoreClient::abort() {
  association_->abort();
  association_->flush();
  association_->close();
}

Task<> StoreClient::release() {
  CAIRN_CO_TRYV(co_await association_->release());
  co_return co_await association_->finish();
}

}  // namespace cairn::dimse
