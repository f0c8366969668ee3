// `cairn compact`, beside a running server and in words.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>

namespace cairn::app {

/// Has the server compact, waits for the end, and tells of it. Returns the exit status.
int compact_on_server(const std::string& http_url, bool survey_only);
/// Tells what GET /api/v1/compaction answers. Returns the exit status: 0 when it finished and met no damage.
int tell_compaction(std::string_view json, std::ostream& out, std::ostream& err);

}  // namespace cairn::app
