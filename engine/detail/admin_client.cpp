#include "engine/detail/admin_client.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "channels/net/http_client.h"
#include "channels/net/net.h"
#include "engine/base/limits.h"
#include "engine/detail/hl7_cli.h"

namespace kiln::engine::detail {

using base::ErrorCode;
using base::Result;

namespace {

constexpr std::int64_t kRequestMs = 600'000;

base::Task<void> exchange(channels::Net& net, channels::HttpUrl url, base::HttpRequest request,
                          channels::HttpExchange* out) {
  channels::HttpClient client(net, url);
  auto sending = client.send(std::move(request), kRequestMs);
  *out = co_await std::move(sending);
  client.close();
}

Result<base::HttpResponse> ask_server(const std::string& server, base::HttpRequest request) {
  TRY(const auto url, channels::HttpUrl::parse(server));
  // A token in clear text is for this machine only.
  const bool here = url.host == "localhost" || url.host == "::1" ||
                    (url.host.starts_with("127.") && url.host.find_first_not_of("0123456789.") == std::string::npos);
  if (!url.https && !here)
    return base::fail(ErrorCode::usage, "--server beyond this machine needs https", server);
  const char* token = std::getenv("KILN_TOKEN");
  if (token == nullptr || *token == '\0')
    return base::fail(ErrorCode::login_needed, "--server needs an API token in $KILN_TOKEN", {},
                      "make one on that machine: `kiln token add --user NAME --right view`");
  request.headers.set("Authorization", std::string("Bearer ") + token);
  channels::Net net;
  channels::HttpExchange result;
  channels::run_to_end(net, exchange(net, url, std::move(request), &result));
  if (result.response) return std::move(*result.response);
  if (result.request_sent) return base::fail(result.response.error());
  return base::fail(ErrorCode::engine_unreachable, {}, server,
                    "is the address that of a console, and does it run?");
}

}  // namespace

Result<std::string> ask_admin(const Arguments& arguments, const std::string& method, const std::string& path,
                              const std::string& body) {
  base::HttpRequest request;
  request.method = method;
  request.target = "/api/v1" + path;
  request.body = body;
  if (!body.empty()) request.headers.set("Content-Type", "application/json");
  Result<base::HttpResponse> response = base::fail(ErrorCode::engine_unreachable);
  if (arguments.has("--server")) {
    response = ask_server(arguments.text("--server"), std::move(request));
  } else {
    TRY(const std::string data, data_folder(arguments));
    response = control_request(data, std::move(request));
  }
  if (!response) return base::fail(response.error());
  TRY_VOID(control_status(*response));
  return std::move(response->body);
}

Result<std::string> ask_admin(const Arguments& arguments, const std::string& path) {
  return ask_admin(arguments, "GET", path);
}

Result<base::JsonDocument> ask_admin_json(const Arguments& arguments, const std::string& path) {
  TRY(const std::string text, ask_admin(arguments, path));
  return base::parse_json(text, {base::limits::kMessageBytesMax * 2, base::limits::kJsonDepthMax});
}

void print_held(base::JsonView answer) {
  for (const base::JsonView way : answer["held"]) print("    still held; to let it go on: " + std::string(way.text()) + "\n");
}

std::string shown_time(std::string_view rfc3339, const Arguments& arguments) {
  std::tm parts{};
  const std::string text(rfc3339.substr(0, 19));
  if (::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) return std::string(rfc3339);
  const std::time_t time = ::timegm(&parts);
  std::tm shown{};
  if (arguments.has("--utc"))
    ::gmtime_r(&time, &shown);
  else
    ::localtime_r(&time, &shown);
  char out[64];
  std::strftime(out, sizeof out, "%Y-%m-%d %H:%M:%S", &shown);
  if (arguments.has("--utc")) return std::string(out) + "Z";
  const long offset = shown.tm_gmtoff / 60;
  const long minutes = offset < 0 ? -offset : offset;
  char zone[16];
  std::snprintf(zone, sizeof zone, " %c%02d:%02d", offset < 0 ? '-' : '+',
                static_cast<int>(minutes / 60 % 100), static_cast<int>(minutes % 60));
  return std::string(out) + zone;
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], width(row[i]));
    }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line += std::string(widths[i] - width(row[i]) + 2, ' ');
    }
    while (line.ends_with(' ')) line.pop_back();
    out += line + "\n";
  }
  return out;
}

}  // namespace kiln::engine::detail
