// Rendered resources and thumbnails (PS3.18 §10.4.1.1.3, .4): pictures of stored frames that any browser shows, video
// and documents in their own media types.
//
// A single picture stands for a study, a series (the middle instance) or a multi-frame instance (its representative
// frame, else the first); multipart/related gives a picture of every frame.
#pragma once

#include <memory>

#include "engine/archive/archive.h"
#include "engine/web/rendered_query.h"
#include "engine/web/resource.h"
#include "engine/web/router.h"
#include "engine/web/stored_pixels.h"
#include "engine/web/stored_stream.h"

namespace cairn::web {

struct RenderServices {
  archive::Archive* archive;
  io::WorkerPool* pool;
  std::shared_ptr<StreamBudget> budget;
  std::shared_ptr<PixelsCache> pixels;
};

/// What a request for a picture asks; owns all, so that the work can go on when the client is gone.
struct RenderRequest {
  Resource place;
  std::vector<std::uint64_t> frames;  ///< empty: of the instance as a whole
  std::vector<MediaRange> ranges;
  RenderedQuery query;
  std::string if_none_match, if_range, range;
};

/// Blocking: on the worker pool. The answer says 406 where no picture can be made.
Result<Response> render(const RenderServices& services, RenderRequest request);

/// Archive and pool outlive the router.
void add_rendered_routes(Router& router, RenderServices services);

}  // namespace cairn::web
