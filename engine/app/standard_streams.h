// A program that is started with a standard stream closed gives its number to the first file that it opens, and what
// is meant for that stream goes into the file.
#pragma once

#include <fcntl.h>

namespace cairn::app {

/// Opens the null device in the place of what is closed. Before anything else is opened.
inline void open_standard_streams() noexcept {
  for (int number = ::open("/dev/null", O_RDWR); number >= 0 && number <= 2;) number = ::open("/dev/null", O_RDWR);
}

}  // namespace cairn::app
