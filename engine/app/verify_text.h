// What `cairn verify` prints: a line per fault, a bar while it runs, a sum at the end.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

#include "engine/store/log.h"

namespace cairn::app {

/// "volume 0 segment 3 offset 4096: part: checksum mismatch (instance 1.2.3)"
std::string fault_line(const store::Fault& fault);

class VerifyText {
 public:
  VerifyText(std::ostream& out, std::ostream& bar, bool show_bar) : out_(out), bar_(bar), show_bar_(show_bar) {}

  void fault(const store::Fault& fault);
  void progress(std::uint64_t done_bytes, std::uint64_t all_bytes);
  void checked(std::uint64_t instances);
  void failed(const std::string& why);
  /// A line of the server's answer to POST /api/v1/verify.
  void server_line(std::string_view json_line);
  /// Prints the sum; the exit status.
  int finish();

 private:
  void line(const std::string& text);

  std::ostream& out_;
  std::ostream& bar_;
  bool show_bar_, bar_shown_ = false;
  std::uint64_t faults_ = 0, instances_ = 0;
  bool done_ = false;
};

}  // namespace cairn::app
