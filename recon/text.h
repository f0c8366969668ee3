// format(): printf into a std::string, for the sentences of reports. Internal to recon.
#pragma once

#include <cstdarg>
#include <string>

namespace cairn::recon {
[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);
}
