// What an association may do: the acceptor's answer to an A-ASSOCIATE-RQ (PS3.8 §7.1, PS3.7 Annex D, PS3.4 §B.3).
// A pure function of the request and the configuration.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "engine/dicom/pdu.h"
#include "engine/dicom/sop_classes.h"
#include "engine/dimse/context_table.h"
#include "engine/dimse/options.h"

namespace cairn::dimse {

/// An accepted presentation context.
struct Context {
  dicom::SOPClassKind kind = dicom::SOPClassKind::storage;
  std::string abstract_syntax, transfer_syntax;
  /// Of a C-FIND (PS3.4 §C.5.1.1), as answered: ranges of a date and its time are one; names match fuzzily.
  bool combined_date_time = false, fuzzy_names = false, empty_values = false;
};

struct Agreement {
  dicom::pdu::AssociateAC acceptance;
  std::array<std::optional<Context>, 128> contexts;  ///< by (ID - 1) / 2
  unsigned window = 1;                               ///< operations that the requestor may have outstanding
  ContextTable storage_scp;                          ///< in which the requestor takes instances: it is the SCP
  std::uint32_t peer_max_length = 0;                 ///< of P-DATA-TF PDUs to the peer; 0: unlimited

  const Context* context(std::uint8_t id) const noexcept {
    const auto& entry = contexts[id / 2];
    return (id & 1) != 0 && entry ? &*entry : nullptr;
  }
};

/// Storage contexts get the proposer's first transfer syntax that we store, so that data stay as they are; the others
/// its first uncompressed one. Where the requestor wants to be the SCP of a storage class (C-GET), its contexts of that
/// class get a native syntax first, which every native instance can be given in, and then each another one.
Agreement negotiate(const dicom::pdu::AssociateRQ& request, const Options& options);

}  // namespace cairn::dimse
