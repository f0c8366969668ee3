#include "engine/net/state_table.h"

#include <gtest/gtest.h>

namespace cairn::net {
namespace {

State state(int n) {
  return static_cast<State>(n);
}
Event event(int n) {
  return static_cast<Event>(n);
}

TEST(StateTable, EveryPDUHasAnAnswerInEveryStateWithATransport) {
  for (const int e : {3, 4, 6, 10, 12, 13, 16, 19}) {
    for (int s = 2; s <= 13; ++s) {
      if (s == 4) continue;  // the transport is not there yet
      EXPECT_NE(transition(state(s), event(e), Role::acceptor).action, Action::none) << "Sta" << s << " Evt" << e;
    }
  }
}

TEST(StateTable, AnythingUnexpectedEndsInSta13OrSta1) {
  for (int s = 2; s <= 13; ++s) {
    if (s == 4) continue;
    const Transition invalid = transition(state(s), Event::Evt19, Role::acceptor);
    EXPECT_EQ(invalid.next, State::Sta13) << "Sta" << s;
    EXPECT_EQ(transition(state(s), Event::Evt16, Role::acceptor).next, State::Sta1) << "Sta" << s;
    EXPECT_EQ(transition(state(s), Event::Evt17, Role::acceptor).next, State::Sta1) << "Sta" << s;
  }
}

TEST(StateTable, ReleaseCollisionDependsOnWhoAskedForTheAssociation) {
  EXPECT_EQ(transition(State::Sta7, Event::Evt12, Role::requestor).next, State::Sta9);
  EXPECT_EQ(transition(State::Sta9, Event::Evt14, Role::requestor).next, State::Sta11);
  EXPECT_EQ(transition(State::Sta11, Event::Evt13, Role::requestor).next, State::Sta1);
  EXPECT_EQ(transition(State::Sta7, Event::Evt12, Role::acceptor).next, State::Sta10);
  EXPECT_EQ(transition(State::Sta10, Event::Evt13, Role::acceptor).next, State::Sta12);
  EXPECT_EQ(transition(State::Sta12, Event::Evt14, Role::acceptor).next, State::Sta13);
}

TEST(StateTable, AbortsFollowTheSourceThatTheTablePrints) {
  EXPECT_EQ(transition(State::Sta2, Event::Evt10, Role::acceptor).action, Action::AA1);
  EXPECT_EQ(transition(State::Sta6, Event::Evt6, Role::acceptor).action, Action::AA8);
  EXPECT_EQ(transition(State::Sta13, Event::Evt6, Role::acceptor).action, Action::AA7);
  EXPECT_EQ(transition(State::Sta13, Event::Evt10, Role::acceptor).action, Action::AA6);
}

TEST(StateTable, CountsOfTheCellsAreThoseOfThePrintedTable) {
  int filled = 0, aa8 = 0;
  for (int e = 1; e <= 19; ++e) {
    for (int s = 1; s <= 13; ++s) {
      const Action action = transition(state(s), event(e), Role::acceptor).action;
      filled += action != Action::none ? 1 : 0;
      aa8 += action == Action::AA8 ? 1 : 0;
    }
  }
  EXPECT_EQ(filled, 123);
  EXPECT_EQ(aa8, 54);
}

}  // namespace
}  // namespace cairn::net
