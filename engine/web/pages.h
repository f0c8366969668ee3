// A few plain pages for the person who opens the server in a browser: the studies, and the planes of a study's series.
// No scripts, no foreign resources; everything from a data set is escaped.
#pragma once

#include <string>
#include <string_view>

#include "engine/archive/archive.h"
#include "engine/web/router.h"

namespace cairn::web {

/// `archive` and `pool` outlive the router.
void add_page_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool);

/// A whole page with the headers that keep it from running or loading anything foreign. `title` is escaped, `body` is
/// HTML.
Response html_page(std::string_view title, std::string_view body);

/// `text` for HTML text and quoted attribute values.
std::string html_escaped(std::string_view text);

/// A person name (PS3.5 §6.2.1.1) as people read it: "Yamada, Tarou" of "Yamada^Tarou=…".
std::string readable_name(std::string_view value);

}  // namespace cairn::web
