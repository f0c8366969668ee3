#include "engine/net/state_table.h"

#include <array>

namespace cairn::net {
namespace {

// clang-format off
using enum Action;
constexpr Action o = Action::none;

// PS3.8 Table 9-10.
constexpr Action kTable[19][13] = {
//          Sta1 Sta2 Sta3 Sta4 Sta5 Sta6 Sta7 Sta8 Sta9 Sta10 Sta11 Sta12 Sta13
/* Evt1  */ {AE1, o,   o,   o,   o,   o,   o,   o,   o,   o,    o,    o,    o  },
/* Evt2  */ {o,   o,   o,   AE2, o,   o,   o,   o,   o,   o,    o,    o,    o  },
/* Evt3  */ {o,   AA1, AA8, o,   AE3, AA8, AA8, AA8, AA8, AA8,  AA8,  AA8,  AA6},
/* Evt4  */ {o,   AA1, AA8, o,   AE4, AA8, AA8, AA8, AA8, AA8,  AA8,  AA8,  AA6},
/* Evt5  */ {AE5, o,   o,   o,   o,   o,   o,   o,   o,   o,    o,    o,    o  },
/* Evt6  */ {o,   AE6, AA8, o,   AA8, AA8, AA8, AA8, AA8, AA8,  AA8,  AA8,  AA7},
/* Evt7  */ {o,   o,   AE7, o,   o,   o,   o,   o,   o,   o,    o,    o,    o  },
/* Evt8  */ {o,   o,   AE8, o,   o,   o,   o,   o,   o,   o,    o,    o,    o  },
/* Evt9  */ {o,   o,   o,   o,   o,   DT1, o,   AR7, o,   o,    o,    o,    o  },
/* Evt10 */ {o,   AA1, AA8, o,   AA8, DT2, AR6, AA8, AA8, AA8,  AA8,  AA8,  AA6},
/* Evt11 */ {o,   o,   o,   o,   o,   AR1, o,   o,   o,   o,    o,    o,    o  },
/* Evt12 */ {o,   AA1, AA8, o,   AA8, AR2, AR8, AA8, AA8, AA8,  AA8,  AA8,  AA6},
/* Evt13 */ {o,   AA1, AA8, o,   AA8, AA8, AR3, AA8, AA8, AR10, AR3,  AA8,  AA6},
/* Evt14 */ {o,   o,   o,   o,   o,   o,   o,   AR4, AR9, o,    o,    AR4,  o  },
/* Evt15 */ {o,   o,   AA1, AA2, AA1, AA1, AA1, AA1, AA1, AA1,  AA1,  AA1,  o  },
/* Evt16 */ {o,   AA2, AA3, o,   AA3, AA3, AA3, AA3, AA3, AA3,  AA3,  AA3,  AA2},
/* Evt17 */ {o,   AA5, AA4, AA4, AA4, AA4, AA4, AA4, AA4, AA4,  AA4,  AA4,  AR5},
/* Evt18 */ {o,   AA2, o,   o,   o,   o,   o,   o,   o,   o,    o,    o,    AA2},
/* Evt19 */ {o,   AA1, AA8, o,   AA8, AA8, AA8, AA8, AA8, AA8,  AA8,  AA8,  AA7},
};
// clang-format on

constexpr State next_state(Action action, State from, Role role) {
  switch (action) {
    case AE1:
      return State::Sta4;
    case AE2:
      return State::Sta5;
    case AE3:
    case AE7:
    case DT1:
    case DT2:
      return State::Sta6;
    case AE5:
      return State::Sta2;
    case AE6:
      return State::Sta3;
    case AR1:
    case AR6:
      return State::Sta7;
    case AR2:
    case AR7:
      return State::Sta8;
    case AR8:
      return role == Role::requestor ? State::Sta9 : State::Sta10;
    case AR9:
      return State::Sta11;
    case AR10:
      return State::Sta12;
    case AE8:
    case AR4:
    case AA1:
    case AA6:
    case AA7:
    case AA8:
      return State::Sta13;
    case AE4:
    case AR3:
    case AR5:
    case AA2:
    case AA3:
    case AA4:
    case AA5:
      return State::Sta1;
    case none:
      break;
  }
  return from;
}

}  // namespace

Transition transition(State state, Event event, Role role) noexcept {
  const Action action = kTable[static_cast<int>(event) - 1][static_cast<int>(state) - 1];
  return {action, next_state(action, state, role)};
}

}  // namespace cairn::net
