#include "engine/net/upper_layer.h"

#include <algorithm>
#include <cstring>

#include "engine/core/check.h"

namespace cairn::net {

namespace pdu = dicom::pdu;

void UpperLayer::start_artim() noexcept {
  artim_ = true;
  ++artim_starts_;
}

Indication UpperLayer::apply(Event event) {
  const Transition t = transition(state_, event, role_);
  state_ = t.next;
  if (pdu_remaining_ != 0 && state_ != State::Sta6 && state_ != State::Sta7) {
    // What is left of a P-DATA-TF has no reader any more.
    skip_ = pdu_remaining_ - static_cast<std::uint32_t>(header_bytes_);
    header_bytes_ = 0;
    pdu_remaining_ = payload_remaining_ = 0;
  }
  switch (t.action) {
    case Action::none:
    case Action::AE1:
    case Action::DT1:
    case Action::AR7:
    case Action::AA6:
      return Indication::more;
    case Action::AE2:
      output_ += pdu::encode(request_);
      return Indication::more;
    case Action::AE3:
      return Indication::associate_ac;
    case Action::AE4:
      return Indication::associate_rj;
    case Action::AE5:
      start_artim();
      return Indication::more;
    case Action::AE6:
      artim_ = false;
      if ((request_.protocol_version & 1) == 0) {
        rejection_ = {1, 2, pdu::AssociateRJ::protocol_version_not_supported};
        fault_ = fail(Errc::unsupported, "protocol version");
        apply(Event::Evt8);
        return Indication::refused;
      }
      return Indication::associate_rq;
    case Action::AE7:
      output_ += pdu::encode(acceptance_);
      // An association may stay for hours; what was negotiated is the user's to keep.
      request_ = {};
      acceptance_ = {};
      return Indication::more;
    case Action::AE8:
      output_ += pdu::encode(rejection_);
      start_artim();
      return Indication::more;
    case Action::DT2:
    case Action::AR6:
      return Indication::fragment;
    case Action::AR1:
      output_ += pdu::encode_release_rq();
      return Indication::more;
    case Action::AR2:
    case Action::AR8:
      return Indication::release_rq;
    case Action::AR3:
    case Action::AR10:
      return Indication::release_rp;
    case Action::AR4:
      output_ += pdu::encode_release_rp();
      start_artim();
      return Indication::more;
    case Action::AR5:
    case Action::AA2:
    case Action::AA5:
      artim_ = false;
      return Indication::finished;
    case Action::AR9:
      output_ += pdu::encode_release_rp();
      return Indication::more;
    case Action::AA1:
      // The table has the service user's abort here; the caller is told as for a fault of the provider.
      output_ += pdu::encode(event == Event::Evt15 ? abort_to_send_ : pdu::Abort{pdu::Abort::user, 0});
      start_artim();
      return event == Event::Evt15 ? Indication::more : Indication::provider_abort;
    case Action::AA3:
      return Indication::abort;
    case Action::AA4:
      fault_ = fail(Errc::closed, "transport connection closed");
      return Indication::provider_abort;
    case Action::AA7:
      // Once: a peer that goes on sending rubbish must not fill our output.
      if (!abort_repeated_) output_ += pdu::encode(abort_to_send_);
      abort_repeated_ = true;
      return Indication::more;
    case Action::AA8:
      output_ += pdu::encode(abort_to_send_);
      start_artim();
      return Indication::provider_abort;
  }
  return Indication::more;
}

bool UpperLayer::request(Event event) {
  if (transition(state_, event, role_).action == Action::none) return false;
  apply(event);
  return true;
}

void UpperLayer::transport_connected() {
  apply(state_ == State::Sta4 ? Event::Evt2 : Event::Evt5);
}
Indication UpperLayer::transport_closed() {
  return state_ == State::Sta1 ? Indication::finished : apply(Event::Evt17);
}
Indication UpperLayer::artim_expired() {
  fault_ = fail(Errc::timeout, state_ == State::Sta2 ? "ARTIM: no A-ASSOCIATE-RQ" : "ARTIM: transport not closed");
  return apply(Event::Evt18);
}

bool UpperLayer::associate_request(const pdu::AssociateRQ& rq) {
  if (state_ != State::Sta1) return false;
  request_ = rq;
  return request(Event::Evt1);
}
bool UpperLayer::accept(const pdu::AssociateAC& acceptance) {
  acceptance_ = acceptance;
  return request(Event::Evt7);
}
bool UpperLayer::reject(const pdu::AssociateRJ& rejection) {
  rejection_ = rejection;
  return request(Event::Evt8);
}
bool UpperLayer::p_data_request() {
  return request(Event::Evt9);
}
bool UpperLayer::release_request() {
  return request(Event::Evt11);
}
bool UpperLayer::release_response() {
  return request(Event::Evt14);
}
bool UpperLayer::abort(pdu::Abort abort) {
  abort_to_send_ = abort;
  return request(Event::Evt15);
}

void UpperLayer::violation(Error fault, std::uint8_t abort_reason) {
  invalid(fault, abort_reason);
}

void UpperLayer::payload_taken(std::size_t bytes) noexcept {
  CAIRN_CHECK(bytes <= payload_remaining_);
  payload_remaining_ -= static_cast<std::uint32_t>(bytes);
  pdu_remaining_ -= static_cast<std::uint32_t>(bytes);
}

bool UpperLayer::inside_pdu() const noexcept {
  return header_bytes_ != 0 || in_body_ || pdu_remaining_ != 0 || skip_ != 0;
}

bool UpperLayer::gather(Bytes& input, std::size_t wanted) {
  const std::size_t n = std::min(wanted - header_bytes_, input.size());
  if (n != 0) std::memcpy(header_.data() + header_bytes_, input.data(), n);
  input = input.subspan(n);
  header_bytes_ += n;
  if (header_bytes_ < wanted) return false;
  header_bytes_ = 0;
  return true;
}

Indication UpperLayer::receive(Bytes& input) {
  CAIRN_CHECK(payload_remaining_ == 0);
  for (;;) {
    if (state_ == State::Sta1) return Indication::finished;
    if (skip_ != 0) {
      const auto n = static_cast<std::uint32_t>(std::min<std::size_t>(skip_, input.size()));
      input = input.subspan(n);
      skip_ -= n;
      if (skip_ != 0) return Indication::more;
    }
    Indication indication = Indication::more;
    if (in_body_) {
      const std::size_t n = std::min<std::size_t>(pdu_.length - body_.size(), input.size());
      body_ += as_text(input.first(n));
      input = input.subspan(n);
      if (body_.size() < pdu_.length) return Indication::more;
      indication = on_body();
    } else if (pdu_remaining_ != 0) {
      if (header_bytes_ == 0 && pdu_remaining_ < pdu::kPDVHeaderBytes) {
        indication = invalid(fail(Errc::truncated, "PDV header"), pdu::Abort::invalid_parameter_value);
      } else {
        if (!gather(input, pdu::kPDVHeaderBytes)) return Indication::more;
        indication = on_pdv_header();
      }
    } else {
      if (!gather(input, pdu::kHeaderBytes)) return Indication::more;
      indication = on_header(pdu::read_header(header_.data()));
    }
    if (indication != Indication::more) return indication;
  }
}

Indication UpperLayer::invalid(Error fault, std::uint8_t abort_reason) {
  fault_ = fault;
  abort_to_send_ = {pdu::Abort::provider, abort_reason};
  return apply(Event::Evt19);
}

// Decides by type, state and length alone; a body is read only where the table has use for it.
Indication UpperLayer::on_header(pdu::Header header) {
  pdu_ = header;
  skip_ = header.length;
  Event event{};
  std::uint32_t longest = 4;
  bool wanted = false;
  switch (static_cast<pdu::Type>(header.type)) {
    case pdu::Type::associate_rq:
      event = Event::Evt6, wanted = state_ == State::Sta2, longest = limits_.associate_bytes;
      break;
    case pdu::Type::associate_ac:
      event = Event::Evt3, wanted = state_ == State::Sta5, longest = limits_.associate_bytes;
      break;
    case pdu::Type::associate_rj:
      event = Event::Evt4, wanted = state_ == State::Sta5;
      break;
    case pdu::Type::p_data_tf:
      event = Event::Evt10, wanted = state_ == State::Sta6 || state_ == State::Sta7, longest = limits_.p_data_bytes;
      break;
    case pdu::Type::release_rq:
      event = Event::Evt12, wanted = true;
      break;
    case pdu::Type::release_rp:
      event = Event::Evt13, wanted = true;
      break;
    case pdu::Type::abort:
      event = Event::Evt16, wanted = true;
      break;
    default:
      return invalid(fail(Errc::malformed, "unrecognized PDU type"), pdu::Abort::unrecognized_pdu);
  }
  if (!wanted) {
    fault_ = fail(Errc::malformed, "unexpected PDU");
    abort_to_send_ = {pdu::Abort::provider, pdu::Abort::unexpected_pdu};
    return apply(event);
  }
  if (header.length > longest) {
    return invalid(fail(Errc::limit_exceeded, "PDU length"), pdu::Abort::invalid_parameter_value);
  }
  if (event == Event::Evt10) {
    if (header.length == 0)
      return invalid(fail(Errc::malformed, "empty P-DATA-TF"), pdu::Abort::invalid_parameter_value);
    skip_ = 0;
    pdu_remaining_ = header.length;
    return Indication::more;
  }
  if (longest == 4 && header.length != 4) {
    return invalid(fail(Errc::malformed, "PDU length"), pdu::Abort::invalid_parameter_value);
  }
  skip_ = 0;
  in_body_ = true;
  body_.clear();
  return Indication::more;
}

Indication UpperLayer::on_body() {
  in_body_ = false;
  const std::string body = std::move(body_);
  body_ = {};
  const auto fault_of = [this](const Error& e) { return invalid(e, pdu::Abort::invalid_parameter_value); };
  // A release or its response may have become unexpected only by state, which the table knows.
  abort_to_send_ = {pdu::Abort::provider, pdu::Abort::unexpected_pdu};
  switch (static_cast<pdu::Type>(pdu_.type)) {
    case pdu::Type::associate_rq: {
      auto decoded = pdu::decode_associate_rq(as_bytes(body));
      if (!decoded) return fault_of(decoded.error());
      request_ = std::move(decoded.value());
      return apply(Event::Evt6);
    }
    case pdu::Type::associate_ac: {
      auto decoded = pdu::decode_associate_ac(as_bytes(body));
      if (!decoded) return fault_of(decoded.error());
      acceptance_ = std::move(decoded.value());
      return apply(Event::Evt3);
    }
    case pdu::Type::associate_rj: {
      auto decoded = pdu::decode_associate_rj(as_bytes(body));
      if (!decoded) return fault_of(decoded.error());
      rejection_ = decoded.value();
      return apply(Event::Evt4);
    }
    case pdu::Type::abort: {
      auto decoded = pdu::decode_abort(as_bytes(body));
      if (!decoded) return fault_of(decoded.error());
      abort_received_ = decoded.value();
      return apply(Event::Evt16);
    }
    case pdu::Type::release_rq:
      fault_ = fail(Errc::malformed, "unexpected A-RELEASE-RQ");
      return apply(Event::Evt12);
    case pdu::Type::release_rp:
      fault_ = fail(Errc::malformed, "unexpected A-RELEASE-RP");
      return apply(Event::Evt13);
    case pdu::Type::p_data_tf:
      break;
  }
  return Indication::more;
}

Indication UpperLayer::on_pdv_header() {
  const auto decoded = pdu::read_pdv_header(header_.data());
  pdu_remaining_ -= pdu::kPDVHeaderBytes;
  if (!decoded || decoded.value().length > pdu_remaining_) {
    return invalid(decoded ? fail(Errc::malformed, "PDV longer than its PDU") : decoded.error(),
                   pdu::Abort::invalid_parameter_value);
  }
  fragment_ = decoded.value();
  payload_remaining_ = fragment_.length;
  return apply(Event::Evt10);
}

}  // namespace cairn::net
