#include "engine/detail/site_data.h"

#include "channels/definition.h"
#include "channels/net/http_client.h"
#include "channels/net/net.h"
#include "engine/base/env.h"
#include "engine/base/json.h"
#include "engine/base/limits.h"

namespace kiln::engine::detail {

using base::ErrorCode;
using base::Result;

namespace {

constexpr std::int64_t kConnectMs = 2'000;
constexpr std::int64_t kRequestMs = 600'000;

base::Task<void> exchange(channels::Net& net, std::string path, base::HttpRequest request,
                          channels::HttpExchange* out) {
  auto connect = [&net, path](std::int64_t timeout_ms) {
    return net.connect_unix(path, std::min(timeout_ms, kConnectMs));
  };
  channels::HttpClient client(net, connect, "localhost");
  auto sending = client.send(std::move(request), kRequestMs);
  *out = co_await std::move(sending);
  client.close();
}

}  // namespace

/// Only kiln.conf, not resolved. Errors: file_not_found when the folder is no site.
static Result<std::shared_ptr<channels::Site>> read_conf(const std::string& site) {
  base::Env& env = base::system_env();
  const std::string conf = base::join_path(site, "kiln.conf");
  if (!env.exists(conf))
    return base::fail(ErrorCode::file_not_found, "this folder is no site: it has no kiln.conf", site,
                      "name the site with --site DIR");
  TRY(std::string text, env.read_file(conf, base::limits::kHmapFileBytesMax));
  channels::SiteLoad load = channels::load_site_texts({{"kiln.conf", std::move(text)}});
  if (!load.site)
    return base::fail(ErrorCode::site_invalid, "kiln.conf has errors", conf, "`kiln check` shows them");
  return load.site;
}

Result<std::string> data_folder(const Arguments& arguments) {
  if (arguments.has("--data")) return arguments.text("--data");
  return data_folder_of(arguments.text("--site", "."));
}

Result<std::string> data_folder_of(const std::string& site) {
  TRY(const auto conf, read_conf(site));
  return base::join_path(site, conf->data_folder);
}

Result<MasterKeyPtr> master_key(const Arguments& arguments) {
  const std::string site = arguments.text("--site", ".");
  if (arguments.has("--data") && !arguments.has("--site") && !base::system_env().exists(base::join_path(site, "kiln.conf")))
    return MasterKeyPtr();
  TRY(const auto conf, read_conf(site));
  channels::Options keys = conf->server.block("keys");
  if (!keys.has("master")) return MasterKeyPtr();
  channels::ReferenceSource references = channels::process_references();
  references.folder = site;
  TRY_VOID(channels::resolve(keys, base::system_env(), references));
  return MasterKey::parse(keys.text("master"), "server, keys { master }");
}

Result<JournalReader> open_journal(const Arguments& arguments) {
  TRY(const std::string data, data_folder(arguments));
  TRY(const MasterKeyPtr key, master_key(arguments));
  return JournalReader::open(base::system_env(), base::join_path(data, "journal"), key);
}

Result<base::HttpResponse> control_request(const std::string& data_folder, base::HttpRequest request) {
  channels::Net net;
  channels::HttpExchange result;
  channels::run_to_end(net,
                       exchange(net, base::join_path(data_folder, "kiln.sock"), std::move(request), &result));
  if (result.response) return std::move(*result.response);
  if (result.request_sent) return base::fail(result.response.error());
  return base::fail(ErrorCode::engine_unreachable, {}, data_folder, "start it with `kiln run SITE`");
}

Result<std::string> ask_engine(const std::string& data_folder, const char* method, std::string target,
                               std::string body) {
  base::HttpRequest request;
  request.method = method;
  request.target = std::move(target);
  request.headers.set("Content-Type", "application/json");
  request.body = std::move(body);
  TRY(auto response, control_request(data_folder, std::move(request)));
  TRY_VOID(control_status(response));
  return std::move(response.body);
}

base::Status control_status(const base::HttpResponse& response) {
  if (response.status >= 200 && response.status < 300) return {};
  const auto document = base::parse_json(response.body);
  if (!document)
    return base::fail(ErrorCode::internal, "the engine answered " + std::to_string(response.status));
  const base::JsonView error = document->root()["error"];
  return base::fail(base::find_error_code(error["code"].text()), std::string(error["text"].text()),
                    std::string(error["place"].text()), std::string(error["remedy"].text()));
}

}  // namespace kiln::engine::detail
