#include "engine/app/server_client.h"

#include <curl/curl.h>

#include <boost/json.hpp>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <mutex>
#include <stdexcept>

namespace cairn::app {
namespace {

namespace json = boost::json;

std::filesystem::path endpoint_file(const std::filesystem::path& data) { return data / "endpoint.json"; }

std::string bracketed(const std::string& address) {
  return address.find(':') == std::string::npos ? address : '[' + address + ']';
}

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

std::size_t append_body(char* data, std::size_t size, std::size_t count, void* into) {
  static_cast<std::string*>(into)->append(data, size * count);
  return size * count;
}

struct LineSplitter {
  const std::function<void(std::string_view)>& line;
  std::string rest;
};

std::size_t split_lines(char* data, std::size_t size, std::size_t count, void* into) {
  auto& splitter = *static_cast<LineSplitter*>(into);
  splitter.rest.append(data, size * count);
  std::size_t begin = 0;
  for (std::size_t end; (end = splitter.rest.find('\n', begin)) != std::string::npos; begin = end + 1) {
    splitter.line(std::string_view(splitter.rest).substr(begin, end - begin));
  }
  splitter.rest.erase(0, begin);
  return size * count;
}

std::size_t read_file(char* into, std::size_t size, std::size_t count, void* file) {
  return std::fread(into, 1, size * count, static_cast<std::FILE*>(file));
}

}  // namespace

std::string Endpoint::http_url() const { return "http://" + bracketed(http_address) + ':' + std::to_string(http_port); }

void Endpoint::write(const std::filesystem::path& data) const {
  const json::object object{{"http_address", http_address}, {"http_port", http_port}, {"dicom_address", dicom_address},
                            {"dicom_port", dicom_port},     {"ae_title", ae_title}};
  const auto temporary = data / "endpoint.json.new";
  std::ofstream out(temporary, std::ios::trunc);
  out << json::serialize(object) << '\n';
  out.close();
  if (!out) throw std::runtime_error(temporary.string() + ": cannot be written");
  std::filesystem::rename(temporary, endpoint_file(data));
}

std::optional<Endpoint> Endpoint::read(const std::filesystem::path& data) {
  std::ifstream in(endpoint_file(data));
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) return std::nullopt;
  const auto& object = value.as_object();
  const auto string = [&](const char* key) {
    const auto* found = object.if_contains(key);
    return found && found->is_string() ? std::string(found->as_string()) : std::string();
  };
  const auto port = [&](const char* key) {
    const auto* found = object.if_contains(key);
    return found && found->is_int64() ? static_cast<std::uint16_t>(found->as_int64()) : std::uint16_t{0};
  };
  return Endpoint{string("http_address"), port("http_port"), string("dicom_address"), port("dicom_port"),
                  string("ae_title")};
}

void Endpoint::remove(const std::filesystem::path& data) {
  std::error_code error;
  std::filesystem::remove(endpoint_file(data), error);
}

struct ServerClient::State {
  std::string base_url;
  CURL* handle = nullptr;
  curl_slist* headers = nullptr;

  ~State() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(handle);
  }

  void begin(const std::string& path) {
    curl_easy_reset(handle);
    curl_easy_setopt(handle, CURLOPT_URL, (base_url + path).c_str());
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, 10L);
  }
  Result<long> perform() {
    if (curl_easy_perform(handle) != CURLE_OK) return fail(Errc::closed, "the server does not answer");
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    return status;
  }
};

ServerClient::ServerClient(std::string base_url) : state_(std::make_unique<State>()) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  state_->base_url = std::move(base_url);
  state_->handle = curl_easy_init();
  if (!state_->handle) throw std::runtime_error("libcurl cannot be initialised");
  state_->headers = curl_slist_append(curl_slist_append(nullptr, "Content-Type: application/dicom"), "Expect:");
}
ServerClient::~ServerClient() = default;

Result<ServerClient::Reply> ServerClient::get(const std::string& path) {
  state_->begin(path);
  Reply reply;
  curl_easy_setopt(state_->handle, CURLOPT_WRITEFUNCTION, append_body);
  curl_easy_setopt(state_->handle, CURLOPT_WRITEDATA, &reply.body);
  CAIRN_TRY(reply.status, state_->perform());
  return reply;
}

Result<ServerClient::Reply> ServerClient::post_file(const std::string& path, const std::filesystem::path& file) {
  const File in(std::fopen(file.c_str(), "rb"));
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (!in || error) return fail(Errc::io, "the file cannot be read");
  state_->begin(path);
  Reply reply;
  curl_easy_setopt(state_->handle, CURLOPT_POST, 1L);
  curl_easy_setopt(state_->handle, CURLOPT_HTTPHEADER, state_->headers);
  curl_easy_setopt(state_->handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(size));
  curl_easy_setopt(state_->handle, CURLOPT_READFUNCTION, read_file);
  curl_easy_setopt(state_->handle, CURLOPT_READDATA, in.get());
  curl_easy_setopt(state_->handle, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
  curl_easy_setopt(state_->handle, CURLOPT_WRITEFUNCTION, append_body);
  curl_easy_setopt(state_->handle, CURLOPT_WRITEDATA, &reply.body);
  CAIRN_TRY(reply.status, state_->perform());
  return reply;
}

Result<long> ServerClient::post_for_lines(const std::string& path, const std::function<void(std::string_view)>& line) {
  state_->begin(path);
  LineSplitter splitter{line, {}};
  curl_easy_setopt(state_->handle, CURLOPT_POST, 1L);
  curl_easy_setopt(state_->handle, CURLOPT_HTTPHEADER, state_->headers);
  curl_easy_setopt(state_->handle, CURLOPT_POSTFIELDSIZE, 0L);
  curl_easy_setopt(state_->handle, CURLOPT_WRITEFUNCTION, split_lines);
  curl_easy_setopt(state_->handle, CURLOPT_WRITEDATA, &splitter);
  CAIRN_TRY(const long status, state_->perform());
  if (!splitter.rest.empty()) line(splitter.rest);
  return status;
}

}  // namespace cairn::app
