#include "engine/bulk/export_fetch.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "fhir/resource_text.h"

namespace kiln::engine {

using base::ErrorCode;
using base::fail;
using base::HttpRequest;
using base::HttpResponse;
using base::JsonView;
using base::Result;
using base::Status;
using base::Task;

namespace {

constexpr std::int64_t kAnswerMs = 120'000;
constexpr std::size_t kFileBytesMax = 512u << 20;  ///< one file of an export, which is held in memory
constexpr std::int64_t kPauseMsMin = 200, kPauseMsMax = 60'000;

/// One server, and how it is talked to.
struct Peer {
  channels::HttpClient client;
  FetchPlan plan;
  Peer(channels::Net& net, FetchPlan from) : client(net, from.url), plan(std::move(from)) {
    client.set_body_max(kFileBytesMax);
  }
};

/// The part of an address behind the server's name. Errors: http_protocol, for another server.
Result<std::string> own_target(const FetchPlan& plan, std::string_view address) {
  if (address.starts_with("/") && !address.starts_with("//")) return std::string(address);
  const std::size_t host = std::min(address.find("//"), address.size() - std::min<std::size_t>(address.size(), 2)) + 2;
  const std::size_t path = address.find('/', host);
  const auto url = channels::HttpUrl::parse(address.substr(0, path));
  const bool own = url && url->https == plan.url.https && url->port == plan.url.port &&
                   base::lower_ascii(url->host) == base::lower_ascii(plan.url.host);
  if (!own) return fail(ErrorCode::http_protocol, "the server names an address of another server");
  return path == address.npos ? std::string("/") : std::string(address.substr(path));
}

HttpRequest request_to(const FetchPlan& plan, std::string method, std::string target, const char* accept) {
  HttpRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.headers.set("Accept", accept);
  if (!plan.token.empty()) request.headers.set("Authorization", "Bearer " + plan.token);
  return request;
}

std::string kick_off_target(const FetchPlan& plan) {
  std::string target = plan.url.path + (plan.level.empty() ? "" : "/" + plan.level) + "/$export", query;
  std::string types;
  for (const std::string& type : plan.scope.types) types += (types.empty() ? "" : ",") + type;
  if (!types.empty()) query += "&_type=" + types;
  if (plan.scope.since) query += "&_since=" + base::percent_encode(fhir::print_instant(*plan.scope.since));
  return query.empty() ? target : target + "?" + query.substr(1);
}

/// What the server says was wrong.
base::Error refusal(const HttpResponse& response) {
  base::Error error{ErrorCode::peer_negative, "the server answered " + std::to_string(response.status), {}, {}};
  if (const auto document = base::parse_json(response.body)) {
    const JsonView issue = document->root()["issue"].at(0);
    const std::string_view text = issue["details"]["text"].text();
    const std::string_view more = issue["diagnostics"].text();
    if (!text.empty() || !more.empty()) error.text += ": " + std::string(text.empty() ? more : text);
  }
  return error;
}

std::int64_t pause_of(const HttpResponse& response) {
  std::int64_t seconds = 1;
  const std::string_view text = response.headers.get("Retry-After");
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::clamp<std::int64_t>(seconds * 1000, kPauseMsMin, kPauseMsMax);
}

Task<Result<HttpResponse>> ask(std::shared_ptr<Peer> peer, HttpRequest request) {
  auto sending = peer->client.send(std::move(request), kAnswerMs);
  channels::HttpExchange exchange = co_await std::move(sending);
  co_return std::move(exchange.response);
}

/// The address of the job.
Task<Result<std::string>> kick_off(std::shared_ptr<Peer> peer) {
  HttpRequest request = request_to(peer->plan, "GET", kick_off_target(peer->plan), "application/fhir+json");
  request.headers.set("Prefer", "respond-async");
  auto asking = ask(peer, std::move(request));
  const Result<HttpResponse> response = co_await std::move(asking);
  if (!response) co_return fail(response.error());
  if (response->status != 202) co_return fail(refusal(*response));
  Result<std::string> target = own_target(peer->plan, response->headers.get("Content-Location"));
  co_return target;
}

/// The manifest, when the job is done.
Task<Result<std::string>> wait_for_manifest(std::shared_ptr<Peer> peer, channels::Net* net, const base::Clock* clock,
                                            std::string status_target, std::function<void(const std::string&)> said) {
  const base::MonoTime until = clock->mono() + std::chrono::milliseconds(peer->plan.give_up_ms);
  base::Event pause(net->executor());
  for (;;) {
    HttpRequest request = request_to(peer->plan, "GET", status_target, "application/json");
    auto asking = ask(peer, std::move(request));
    const Result<HttpResponse> response = co_await std::move(asking);
    if (!response) co_return fail(response.error());
    if (response->status == 200) co_return response->body;
    const bool later = response->status == 202 || response->status == 429 || response->status == 503;
    if (!later) co_return fail(refusal(*response));
    if (response->headers.has("X-Progress") && said) said(std::string(response->headers.get("X-Progress")));
    if (clock->mono() >= until) co_return fail(ErrorCode::timeout, "the server is not done with the export");
    const std::chrono::milliseconds wait(pause_of(*response));
    co_await pause.wait(wait);
  }
}

/// A name that is nothing but a name.
std::string file_name(const std::string& type, std::size_t number, bool deleted) {
  return type + (deleted ? ".deleted." : ".") + std::to_string(number) + ".ndjson";
}

Task<Status> fetch_file(std::shared_ptr<Peer> peer, base::Env* env, std::string address, std::string path,
                        std::uint64_t* bytes) {
  Result<std::string> target = own_target(peer->plan, address);
  if (!target) co_return fail(target.error());
  HttpRequest request = request_to(peer->plan, "GET", std::move(*target), "application/fhir+ndjson");
  auto asking = ask(peer, std::move(request));
  const Result<HttpResponse> response = co_await std::move(asking);
  if (!response) co_return fail(response.error());
  if (response->status != 200) co_return fail(refusal(*response));
  *bytes = response->body.size();
  Status written = env->write_file_atomic(path, response->body);
  co_return written;
}

struct Listed {
  std::string type, address;
  std::uint64_t count = 0;
  bool deleted = false, error = false;
};

std::vector<Listed> read_manifest(JsonView manifest) {
  std::vector<Listed> out;
  for (const char* part : {"output", "deleted", "error"})
    for (const JsonView file : manifest[part]) {
      Listed one;
      one.type = file["type"].text();
      one.address = file["url"].text();
      const std::string_view count = file["count"].text();
      std::from_chars(count.data(), count.data() + count.size(), one.count);
      one.deleted = std::string_view(part) == "deleted";
      one.error = std::string_view(part) == "error";
      out.push_back(std::move(one));
    }
  return out;
}

bool is_type_name(const std::string& type) {
  return !type.empty() && type.size() < 64 && std::all_of(type.begin(), type.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  });
}

}  // namespace

Task<Status> fetch_export(channels::Net* net, base::Env* env, const base::Clock* clock, FetchPlan plan,
                          std::function<void(const std::string&)> said, FetchedExport* out) {
  const auto peer = std::make_shared<Peer>(*net, std::move(plan));
  const std::string folder = peer->plan.folder;
  const Status made = env->make_folders(folder);
  if (!made) co_return made;
  auto beginning = kick_off(peer);
  const Result<std::string> job = co_await std::move(beginning);
  if (!job) co_return fail(job.error());
  auto waiting = wait_for_manifest(peer, net, clock, *job, std::move(said));
  const Result<std::string> text = co_await std::move(waiting);
  if (!text) co_return fail(text.error());
  const auto manifest = base::parse_json(*text);
  if (!manifest) co_return fail(manifest.error());
  out->transaction_time = manifest->root()["transactionTime"].text();
  std::map<std::string, std::size_t> numbers;
  for (const Listed& file : read_manifest(manifest->root())) {
    if (!is_type_name(file.type)) co_return fail(ErrorCode::http_protocol, "the manifest names a type that is none");
    const std::string kind = file.error ? "error" : file.type;
    const std::string name = file_name(kind, ++numbers[kind + (file.deleted ? "-" : "")], file.deleted);
    std::uint64_t bytes = 0;
    auto fetching = fetch_file(peer, env, file.address, base::join_path(folder, name), &bytes);
    const Status fetched = co_await std::move(fetching);
    if (!fetched) co_return fetched;
    if (file.error) {
      out->errors += file.count;
      continue;
    }
    ExportedFile done;
    done.type = file.type;
    done.name = name;
    done.count = file.count;
    done.bytes = bytes;
    done.deleted = file.deleted;
    out->files.push_back(std::move(done));
    if (!file.deleted) out->resources += file.count;
  }
  // The server may forget it now; when it does not want to, it will by itself.
  HttpRequest forget = request_to(peer->plan, "DELETE", *job, "application/json");
  auto forgetting = ask(peer, std::move(forget));
  const Result<HttpResponse> forgotten = co_await std::move(forgetting);
  static_cast<void>(forgotten);
  co_return Status{};
}

namespace {

Task<void> keep_status(channels::Net* net, base::Env* env, const base::Clock* clock, FetchPlan plan, FetchedExport* out,
                       Status* kept) {
  auto fetching = fetch_export(net, env, clock, std::move(plan), nullptr, out);
  *kept = co_await std::move(fetching);
}

}  // namespace

Status fetch_to_end(channels::Net& net, base::Env& env, const base::Clock& clock, FetchPlan plan, FetchedExport& out) {
  Status status;
  channels::run_to_end(net, keep_status(&net, &env, &clock, std::move(plan), &out, &status));
  return status;
}

}  // namespace kiln::engine
