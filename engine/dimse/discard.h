// A sink for data sets that nobody wants: read to the last fragment, so that the association goes on.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "engine/net/association.h"

namespace cairn::dimse {

/// Memory whose content does not matter; one per thread.
MutableBytes scratch() noexcept;

class Discard final : public net::DataSink {
 public:
  Task<MutableBytes> room() override { co_return scratch(); }
  Result<> received(std::size_t) override { return outcome::success(); }
  void relieve() override {}
};

}  // namespace cairn::dimse
