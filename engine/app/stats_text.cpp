#include "engine/app/stats_text.h"

#include <boost/json.hpp>
#include <utility>
#include <vector>

namespace cairn::app {
namespace {

namespace json = boost::json;
using Rows = std::vector<std::pair<std::string, std::string>>;

void flatten(const std::string& name, const json::value& value, Rows& rows) {
  const std::string prefix = name.empty() ? name : name + '.';
  if (value.is_object()) {
    for (const auto& [key, inner] : value.as_object()) flatten(prefix + std::string(key), inner, rows);
  } else if (value.is_array()) {
    std::size_t i = 0;
    for (const auto& inner : value.as_array()) flatten(prefix + std::to_string(i++), inner, rows);
  } else {
    rows.emplace_back(name, value.is_string() ? std::string(value.as_string()) : json::serialize(value));
  }
}

}  // namespace

std::string stats_table(std::string_view json_text) {
  boost::system::error_code error;
  const json::value value = json::parse(json_text, error);
  if (error) return std::string(json_text);
  Rows rows;
  flatten("", value, rows);
  std::size_t width = 0;
  for (const auto& row : rows) width = std::max(width, row.first.size());
  std::string table;
  for (const auto& [name, number] : rows) {
    if (!table.empty()) table += '\n';
    table += name + std::string(width - name.size() + 2, ' ') + number;
  }
  return table;
}

}  // namespace cairn::app
