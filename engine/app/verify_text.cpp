#include "engine/app/verify_text.h"

#include <algorithm>
#include <boost/json.hpp>
#include <ostream>

namespace cairn::app {
namespace {

namespace json = boost::json;

std::string sentence(std::uint64_t volume, std::uint64_t segment, std::uint64_t offset, std::string_view what,
                     std::string_view instance) {
  std::string text = "volume " + std::to_string(volume) + " segment " + std::to_string(segment) + " offset " +
                     std::to_string(offset) + ": " + std::string(what);
  if (!instance.empty()) text += " (instance " + std::string(instance) + ')';
  return text;
}

std::uint64_t number(const json::object& object, const char* key) {
  const auto* found = object.if_contains(key);
  return found && found->is_number() ? found->to_number<std::uint64_t>() : 0;
}

std::string text(const json::object& object, const char* key) {
  const auto* found = object.if_contains(key);
  return found && found->is_string() ? std::string(found->as_string()) : std::string();
}

}  // namespace

std::string fault_line(const store::Fault& fault) {
  return sentence(fault.location.volume, fault.location.segment, fault.location.offset, to_string(fault.error),
                  fault.sop_instance_uid);
}

void VerifyText::fault(const store::Fault& fault) {
  ++faults_;
  line(fault_line(fault));
}

void VerifyText::progress(std::uint64_t done_bytes, std::uint64_t all_bytes) {
  if (!show_bar_) return;
  const std::size_t width = 40;
  const std::size_t filled = all_bytes ? static_cast<std::size_t>(width * done_bytes / all_bytes) : width;
  bar_ << "\r[" << std::string(std::min(filled, width), '#') << std::string(width - std::min(filled, width), '.') << "] "
       << done_bytes / 1'000'000 << " of " << all_bytes / 1'000'000 << " MB " << std::flush;
  bar_shown_ = true;
}

void VerifyText::checked(std::uint64_t instances) {
  instances_ = instances;
  done_ = true;
}

void VerifyText::failed(const std::string& why) { line("verification stopped: " + why); }

void VerifyText::server_line(std::string_view json_line) {
  boost::system::error_code error;
  const json::value value = json::parse(json_line, error);
  if (error || !value.is_object()) return;
  const json::object& object = value.as_object();
  if (object.contains("done")) {
    faults_ += number(object, "faults_not_listed");
    if (object.at("done").is_bool() && object.at("done").as_bool()) {
      checked(number(object, "instances"));
    } else {
      failed(text(object, "error"));
    }
  } else if (object.contains("fault")) {
    ++faults_;
    line(sentence(number(object, "volume"), number(object, "segment"), number(object, "offset"),
                  text(object, "where") + ": " + text(object, "fault"), text(object, "sop_instance_uid")));
  } else if (object.contains("of_bytes")) {
    progress(number(object, "checked_bytes"), number(object, "of_bytes"));
  } else {
    failed(text(object, "error"));
  }
}

int VerifyText::finish() {
  if (done_) line(std::to_string(instances_) + " instances checked, " + std::to_string(faults_) + " faults");
  return done_ && faults_ == 0 ? 0 : 1;
}

void VerifyText::line(const std::string& text) {
  if (bar_shown_) bar_ << '\r' << std::string(79, ' ') << '\r' << std::flush;
  bar_shown_ = false;
  out_ << text << '\n';
}

}  // namespace cairn::app
