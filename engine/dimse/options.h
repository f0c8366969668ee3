// What the DIMSE server is told: the [dicom] table of the configuration file.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/dimse/remotes.h"
#include "engine/store/record.h"

namespace cairn::dimse {

struct Caller {
  std::string ae_title;                ///< "*": any
  std::vector<std::string> addresses;  ///< of IPv4 or IPv6, or networks as 10.1.0.0/16; empty: any
  store::DuplicatePolicy duplicates = store::DuplicatePolicy::keep;
};

struct Options {
  std::string address = "127.0.0.1";  ///< to listen on
  std::uint16_t port = 11112;         ///< 0: any free one, then Server::port() tells
  std::string ae_title = "CAIRN";
  /// Who may call. Empty: anybody, under any called AE title, which is allowed on a loopback address only.
  std::vector<Caller> callers;
  store::DuplicatePolicy duplicates = store::DuplicatePolicy::keep;  ///< where no caller says otherwise
  std::vector<Remote> remotes;          ///< destinations of C-MOVE; no other is served
  bool moves_outlive_requester = true;  ///< when its connection is lost; an A-ABORT always ends its moves
  std::filesystem::path commitment_journal;  ///< empty: storage commitment is not offered
  std::chrono::seconds commitment_give_up{std::chrono::hours(72)};  ///< of reporting its result
  std::chrono::milliseconds commitment_wait{1'000};  ///< for the requester to release, before it is told there
  bool accept_unknown_sop_classes = true;    ///< store private classes and those of later editions
  std::uint32_t max_associations = 1000;     ///< established at once; past them: rejected, temporary congestion
  std::uint32_t max_setups = 128;            ///< connections before or after an association; past them the oldest goes
  std::uint32_t max_pdu_bytes = 256u << 10;  ///< maximum length received that we announce
  std::uint64_t max_find_matches = 100'000;  ///< of one C-FIND, which then ends with A700; 0: no limit
  std::uint16_t async_window = 16;           ///< stores that a sender may have outstanding when it negotiates it
  std::chrono::milliseconds artim{30'000};   ///< for the association request; for the peer to close after the end
  std::chrono::milliseconds idle{600'000};   ///< between two messages
  std::chrono::milliseconds stall{60'000};   ///< without a byte inside a message
};

}  // namespace cairn::dimse
