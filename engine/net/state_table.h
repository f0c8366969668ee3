// The state machine of the DICOM upper layer protocol as PS3.8 Table 9-10 prints it: 13 states, 19 events, 28 actions.
// Pure data and one look-up.
#pragma once

#include <cstdint>

namespace cairn::net {

enum class State : std::uint8_t {
  Sta1 = 1,  ///< idle
  Sta2,      ///< transport open, awaiting A-ASSOCIATE-RQ
  Sta3,      ///< awaiting the local user's A-ASSOCIATE response
  Sta4,      ///< awaiting the transport connection
  Sta5,      ///< awaiting A-ASSOCIATE-AC or -RJ
  Sta6,      ///< association established: data transfer
  Sta7,      ///< awaiting A-RELEASE-RP
  Sta8,      ///< awaiting the local user's A-RELEASE response
  Sta9,      ///< release collision, requestor: awaiting the local user
  Sta10,     ///< release collision, acceptor: awaiting A-RELEASE-RP
  Sta11,     ///< release collision, requestor: awaiting A-RELEASE-RP
  Sta12,     ///< release collision, acceptor: awaiting the local user
  Sta13,     ///< awaiting that the peer closes the transport
};

enum class Event : std::uint8_t {
  Evt1 = 1,  ///< A-ASSOCIATE request (local user)
  Evt2,      ///< transport connection confirmed
  Evt3,      ///< A-ASSOCIATE-AC received
  Evt4,      ///< A-ASSOCIATE-RJ received
  Evt5,      ///< transport connection indication
  Evt6,      ///< A-ASSOCIATE-RQ received
  Evt7,      ///< A-ASSOCIATE response, accept (local user)
  Evt8,      ///< A-ASSOCIATE response, reject (local user)
  Evt9,      ///< P-DATA request (local user)
  Evt10,     ///< P-DATA-TF received
  Evt11,     ///< A-RELEASE request (local user)
  Evt12,     ///< A-RELEASE-RQ received
  Evt13,     ///< A-RELEASE-RP received
  Evt14,     ///< A-RELEASE response (local user)
  Evt15,     ///< A-ABORT request (local user)
  Evt16,     ///< A-ABORT received
  Evt17,     ///< transport connection closed
  Evt18,     ///< ARTIM timer expired
  Evt19,     ///< unrecognized or invalid PDU received
};

/// PS3.8 Tables 9-6 to 9-9. `none`: the table leaves the cell empty, so the event cannot happen in that state.
// clang-format off
enum class Action : std::uint8_t {
  none,
  AE1, AE2, AE3, AE4, AE5, AE6, AE7, AE8,
  DT1, DT2,
  AR1, AR2, AR3, AR4, AR5, AR6, AR7, AR8, AR9, AR10,
  AA1, AA2, AA3, AA4, AA5, AA6, AA7, AA8,
};
// clang-format on

enum class Role : std::uint8_t { requestor, acceptor };

struct Transition {
  Action action = Action::none;
  State next = State::Sta1;
};

/// The cell of the table. AE-6 gives Sta3; refusing the request at once instead is the local user's Evt8, which leads
/// to the Sta13 that AE-6 names for it.
Transition transition(State state, Event event, Role role) noexcept;

}  // namespace cairn::net
