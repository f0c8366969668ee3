// An acceptor's upper layer under arbitrary bytes in arbitrary pieces: the first byte seeds the chunking, each chunk's
// end may be followed by a primitive of the local user. Checks what must hold whatever the peer does.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "engine/net/upper_layer.h"

using namespace cairn;
using net::Indication;
using net::State;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void on(net::UpperLayer& layer, Indication indication, unsigned choice) {
  switch (indication) {
    case Indication::associate_rq: {
      require(layer.state() == State::Sta3);
      if (choice % 4 == 0) {
        layer.reject({1, 1, 7});
        require(layer.state() == State::Sta13);
        break;
      }
      dicom::pdu::AssociateAC ac;
      for (const auto& context : layer.associate_rq().contexts) {
        ac.contexts.push_back({context.id, dicom::pdu::ContextResult::acceptance, context.transfer_syntaxes.front()});
      }
      layer.accept(ac);
      require(layer.state() == State::Sta6);
      break;
    }
    case Indication::release_rq:
      layer.release_response();
      break;
    case Indication::provider_abort:
      require(layer.state() == State::Sta13 || layer.state() == State::Sta1);
      break;
    case Indication::abort:
    case Indication::finished:
      require(layer.state() == State::Sta1);
      break;
    case Indication::fragment:
      require(layer.state() == State::Sta6 || layer.state() == State::Sta7);
      break;
    default:
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::uint32_t random = data[0] * 2654435761u + 1;
  const auto next = [&random] { return random = random * 1664525u + 1013904223u, random >> 16; };
  net::UpperLayer layer(net::Role::acceptor, {.associate_bytes = net::kMaxAssociateBytes, .p_data_bytes = 4096});
  layer.transport_connected();
  Bytes input(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  std::size_t output = 0;
  while (!input.empty() && layer.state() != State::Sta1) {
    Bytes chunk = input.first(std::min<std::size_t>(input.size(), 1 + next() % 64));
    const std::size_t offered = chunk.size();
    for (bool more = true; more && layer.state() != State::Sta1;) {
      if (layer.payload_remaining() != 0) {
        const auto n = std::min<std::size_t>(layer.payload_remaining(), chunk.size());
        layer.payload_taken(n);
        chunk = chunk.subspan(n);
        if (layer.payload_remaining() != 0) break;
      }
      const Indication indication = layer.receive(chunk);
      more = indication != Indication::more;
      on(layer, indication, next());
    }
    require(layer.state() == State::Sta1 || layer.payload_remaining() != 0 || chunk.empty());
    input = input.subspan(offered - chunk.size());
    switch (next() % 64) {
      case 0:
        layer.abort();
        break;
      case 1:
        layer.release_request();
        break;
      case 2:
        layer.p_data_request();
        break;
      default:
        break;
    }
    output += layer.output().size();
    layer.output().clear();
  }
  // At most one acceptance, and a handful of short PDUs: a peer cannot make us talk.
  require(output <= net::kMaxAssociateBytes + 4096);
  if (size % 2 == 0) layer.transport_closed();
  if (size % 2 == 1 && layer.artim_running()) layer.artim_expired();
  require(layer.state() == State::Sta1 || layer.artim_running() || size % 2 == 1);
  return 0;
}
