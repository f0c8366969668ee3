// The DICOM upper layer protocol (PS3.8 §9) without sockets: bytes and primitives in, indications and bytes out.
//
// It runs the state table and frames PDUs; the payload of P-DATA-TF passes by it: after Indication::fragment the caller
// takes payload_remaining() bytes from wherever they are and reports them with payload_taken(). Nothing is allocated by
// an announced length: the body of other PDUs grows as its bytes arrive, up to Limits. One thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "engine/core/bytes.h"
#include "engine/core/result.h"
#include "engine/dicom/pdu.h"
#include "engine/net/state_table.h"

namespace cairn::net {

/// Longest A-ASSOCIATE-RQ or -AC: far above 128 contexts with every transfer syntax that there is.
inline constexpr std::uint32_t kMaxAssociateBytes = 256u << 10;

enum class Indication : std::uint8_t {
  more,            ///< needs more bytes
  associate_rq,    ///< associate_rq() has it; answer with accept() or reject()
  associate_ac,    ///< associate_ac() has it
  associate_rj,    ///< associate_rj() has it; the transport is to be closed
  fragment,        ///< a PDV: fragment() and payload_remaining()
  release_rq,      ///< answer with release_response()
  release_rp,      ///< released; or, in Sta12, answer with release_response()
  abort,           ///< the peer aborted: abort_received()
  provider_abort,  ///< a fault of the peer or of the transport: fault(); an A-ABORT is in output()
  refused,         ///< an A-ASSOCIATE-RQ that the provider itself rejected: fault()
  finished,        ///< close the transport
};

class UpperLayer {
 public:
  struct Limits {
    std::uint32_t associate_bytes = kMaxAssociateBytes;
    std::uint32_t p_data_bytes = 256u << 10;  ///< the maximum length that we announce
  };

  UpperLayer(Role role, Limits limits) : role_(role), limits_(limits) {}

  State state() const noexcept { return state_; }

  // Events of the transport and the timer.
  void transport_connected();  ///< Evt5, or Evt2 when associate_request() was called before
  /// Consumes from the front of `input` up to the next indication. Precondition: payload_remaining() is 0.
  Indication receive(Bytes& input);
  Indication transport_closed();
  Indication artim_expired();

  // Primitives of the local user. False when the state table has no such event in this state: nothing happens.
  bool associate_request(const dicom::pdu::AssociateRQ& request);
  bool accept(const dicom::pdu::AssociateAC& acceptance);
  bool reject(const dicom::pdu::AssociateRJ& rejection);
  bool p_data_request();  ///< may P-DATA-TF be sent now? The caller writes the PDUs.
  bool release_request();
  bool release_response();
  bool abort(dicom::pdu::Abort abort = {});

  /// A breach of the protocol above PDUs (a fragment that does not belong here): as an invalid PDU, Evt19.
  void violation(Error fault, std::uint8_t abort_reason);

  const dicom::pdu::AssociateRQ& associate_rq() const noexcept { return request_; }  ///< until accept()
  const dicom::pdu::AssociateAC& associate_ac() const noexcept { return acceptance_; }
  const dicom::pdu::AssociateRJ& associate_rj() const noexcept { return rejection_; }
  const dicom::pdu::Abort& abort_received() const noexcept { return abort_received_; }
  const dicom::pdu::PDVHeader& fragment() const noexcept { return fragment_; }
  const Error& fault() const noexcept { return fault_; }

  std::uint32_t payload_remaining() const noexcept { return payload_remaining_; }
  void payload_taken(std::size_t bytes) noexcept;
  /// True while a PDU, or the payload of a fragment, has begun and not ended.
  bool inside_pdu() const noexcept;

  /// Bytes for the peer; the caller sends and clears them.
  std::string& output() noexcept { return output_; }
  bool artim_running() const noexcept { return artim_; }
  std::uint32_t artim_starts() const noexcept { return artim_starts_; }  ///< changes at each (re)start

 private:
  /// What an action tells the local user; `more` when nothing.
  Indication apply(Event event);
  bool request(Event event);
  Indication on_header(dicom::pdu::Header header);
  Indication on_body();
  Indication on_pdv_header();
  Indication invalid(Error fault, std::uint8_t abort_reason);
  bool gather(Bytes& input, std::size_t wanted);
  void start_artim() noexcept;

  Role role_;
  Limits limits_;
  State state_ = State::Sta1;
  bool artim_ = false;
  bool abort_repeated_ = false;
  std::uint32_t artim_starts_ = 0;
  std::string output_;

  // Framing.
  std::array<std::byte, 6> header_{};  ///< of a PDU or PDV, as far as it has arrived
  std::size_t header_bytes_ = 0;
  dicom::pdu::Header pdu_;
  bool in_body_ = false;
  std::string body_;
  std::uint32_t pdu_remaining_ = 0;  ///< of a P-DATA-TF, payload_remaining_ included
  std::uint32_t payload_remaining_ = 0;
  std::uint32_t skip_ = 0;  ///< of a PDU that is ignored

  dicom::pdu::AssociateRQ request_;
  dicom::pdu::AssociateAC acceptance_;
  dicom::pdu::AssociateRJ rejection_;
  dicom::pdu::Abort abort_received_, abort_to_send_;
  dicom::pdu::PDVHeader fragment_;
  Error fault_{};
};

}  // namespace cairn::net
