// Several parallel planes in one answer: multipart/related, one part a plane, drawn while it is sent.
#pragma once

#include "engine/volumes/service.h"
#include "engine/web/message.h"

namespace cairn::web {

inline constexpr std::uint32_t kMaxStackPlanes = 4096;

/// `count` planes, `step_mm` apart along the view, away from the camera; their middle lies at the look-at point.
struct PlaneStack {
  std::uint32_t count = 0;  ///< 0: a single picture, no stack
  double step_mm = 0;

  double advance_mm(std::uint32_t index) const { return (index - (count - 1) / 2.0) * step_mm; }
};

/// The planes after the first, which is at hand in `first`. When the series changes while the stack is sent, it ends
/// with an error: planes of two states are never mixed. `service` outlives it.
std::unique_ptr<BodySource> stack_source(volumes::Service& service, volumes::RenderRequest request, PlaneStack stack,
                                         volumes::RenderedImage first, std::string boundary);

}  // namespace cairn::web
