#include "engine/app/compact_text.h"

#include <chrono>
#include <iostream>
#include <thread>

#include <boost/json.hpp>

#include "engine/app/server_client.h"

namespace cairn::app {
namespace {

namespace json = boost::json;

constexpr std::chrono::milliseconds kPollEvery{250};

json::object parsed(std::string_view text) {
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  return error || !value.is_object() ? json::object() : value.as_object();
}

std::int64_t number(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_int64() ? value->as_int64() : 0;
}

bool flag(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->as_bool();
}

}  // namespace

int compact_on_server(const std::string& http_url, bool survey_only) {
  ServerClient client(http_url);
  const auto before = client.get("/api/v1/compaction");
  std::string answer;
  const auto begun = client.post_for_lines(survey_only ? "/api/v1/compaction?survey=true" : "/api/v1/compaction",
                                           [&](std::string_view line) { answer += line; });
  if (!before || before.value().status != 200 || !begun || begun.value() != 202) {
    std::cerr << "cairn: "
              << (begun ? "HTTP " + std::to_string(begun.value()) + ' ' + answer : to_string(begun.error())) << '\n';
    return 1;
  }
  const std::int64_t runs = number(parsed(before.value().body), "runs");
  for (;;) {
    std::this_thread::sleep_for(kPollEvery);
    const auto reply = client.get("/api/v1/compaction");
    if (!reply || reply.value().status != 200) {
      std::cerr << "cairn: the server does not answer any more\n";
      return 1;
    }
    if (number(parsed(reply.value().body), "runs") > runs) {
      return tell_compaction(reply.value().body, std::cout, std::cerr);
    }
  }
}

int tell_compaction(std::string_view text, std::ostream& out, std::ostream& err) {
  const json::object state = parsed(text);
  const json::value* error = state.if_contains("error");
  const json::value* about = state.if_contains("last");
  if (about == nullptr || !about->is_object()) {
    err << "cairn: " << text << '\n';
    return 1;
  }
  if (error != nullptr && error->is_string() && !error->as_string().empty()) {
    err << "cairn: " << std::string(error->as_string()) << '\n';
    return 1;
  }
  const json::object& last = about->as_object();
  const auto mb = [&](const char* name) { return static_cast<double>(number(last, name)) / 1e6; };
  out << number(last, "segments") << " segments, " << mb("bytes") << " MB, of these " << mb("garbage_bytes")
      << " MB that nobody can ask for\n"
      << number(last, "compacted") << " segments compacted into " << number(last, "written") << ", "
      << mb("reclaimed_bytes") << " MB given back; of " << number(last, "let_go") << " instances the header is left\n";
  if (const auto left = number(last, "left_for_damage"); left > 0) {
    out << left << " segments stay as they are: something in them is damaged, or on its way (the log names it)\n";
  }
  if (const auto left = number(last, "left_for_space"); left > 0) {
    out << left << " segments stay as they are: there is no room for a copy of what is kept\n";
  }
  if (!flag(last, "finished")) out << "stopped before the end\n";
  return flag(last, "finished") && number(state, "faults") == 0 ? 0 : 1;
}

}  // namespace cairn::app
