#include "engine/admin/control_api.h"

#include <charconv>
#include <optional>

#include "engine/admin/coverage_json.h"
#include "engine/admin/message_json.h"
#include "engine/admin/replay.h"
#include "engine/admin/status_json.h"
#include "engine/base/limits.h"
#include "engine/gateway.h"
#include "engine/limits.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::HttpRequest;
using base::HttpResponse;
using base::Result;
using base::Task;

HttpResponse json_response(std::string body, int status = 200) {
  HttpResponse response;
  response.status = status;
  response.headers.set("Content-Type", "application/json; charset=UTF-8");
  response.headers.set("Cache-Control", "no-store");
  response.body = std::move(body);
  return response;
}

HttpResponse error_response(const base::Error& error) {
  base::JsonWriter json;
  json.begin_object().key("error").begin_object().member("code", error.info().code);
  json.member("text", error.text.empty() ? error.info().text : error.text);
  if (!error.place.empty()) json.member("place", error.place);
  if (!error.remedy.empty()) json.member("remedy", error.remedy);
  json.end_object().end_object();
  return json_response(json.take(), error.info().http_status);
}

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<std::string> search(Gateway& gateway, const HttpRequest& request) {
  std::string text;
  SearchOptions options;
  for (const auto& [name, value] : base::parse_query(request.query())) {
    if (name == "q") text = value;
    if (name == "limit")
      options.limit = std::min(number<std::size_t>(value).value_or(50), base::limits::kSearchCountMax);
    if (name == "before") options.before = number<MessageId>(value).value_or(0);
  }
  TRY(const Query query, parse_query_text(text, gateway.clock().wall()));
  TRY(JournalReader * reader, gateway.journal_reader());
  options.clock = &gateway.clock();
  options.budget_ms = limits::kSearchBudgetMs;
  TRY(const SearchAnswer answer, reader->find(query, options));
  return print_search(answer);
}

Result<HttpResponse> show(Gateway& gateway, std::string_view rest) {
  const bool raw = rest.ends_with("/raw");
  if (raw) rest.remove_suffix(4);
  const auto id = number<MessageId>(rest);
  if (!id) return base::fail(ErrorCode::message_not_found, "this is no message number");
  TRY(JournalReader * reader, gateway.journal_reader());
  TRY(const StoredMessage stored, reader->message(*id));
  if (raw) {
    HttpResponse response;
    response.headers.set("Content-Type", "application/octet-stream");
    response.body = stored.message.body;
    return response;
  }
  TRY(const MessageSummary summary, reader->summary(*id));
  return json_response(print_message(summary, stored));
}

/// Everything that reads the journal, on its own thread.
HttpResponse read_journal(Gateway& gateway, const HttpRequest& request) {
  constexpr std::string_view kMessages = "/api/v1/messages";
  const std::string_view rest = request.path().substr(kMessages.size());
  if (rest.empty()) {
    auto found = search(gateway, request);
    return found ? json_response(std::move(*found)) : error_response(found.error());
  }
  auto shown = show(gateway, rest.substr(1));
  return shown ? std::move(*shown) : error_response(shown.error());
}

Result<ReplayRequest> read_replay_request(const std::string& body) {
  TRY(const base::JsonDocument document, base::parse_json(body));
  const base::JsonView root = document.root();
  ReplayRequest request;
  request.query = root["query"].text();
  for (const base::JsonView name : root["to"]) request.to.emplace_back(name.text());
  request.dry_run = root["dry_run"].boolean();
  request.fresh_lookups = root["fresh_lookups"].boolean();
  if (root["limit"]) request.limit = number<std::size_t>(root["limit"].text()).value_or(request.limit);
  return request;
}

std::string print_parameters(const std::vector<fhir::ReindexState>& states) {
  base::JsonWriter out;
  out.begin_array();
  for (const fhir::ReindexState& one : states) {
    out.begin_object().member("type", one.type).member("code", one.code).key("done").integer(one.done);
    out.key("last").integer(one.last).key("ready").boolean(one.ready).end_object();
  }
  return out.end_array().take();
}

Result<std::string> resume(Gateway& gateway, std::string_view path) {
  for (const auto& channel : gateway.channels())
    for (const auto& queue : channel->queues()) {
      if (path != channel->definition().name + "/" + queue->name() + "/resume") continue;
      queue->resume();
      return std::string("{\"resumed\":true}");
    }
  return base::fail(ErrorCode::message_not_found, "there is no such destination", std::string(path));
}

/// "/api/v1/channels/NAME/resume" -> the channel.
Result<ChannelRuntime*> channel_to_resume(Gateway& gateway, std::string_view path) {
  for (const auto& channel : gateway.channels())
    if (path == channel->definition().name + "/resume") return channel.get();
  return base::fail(ErrorCode::message_not_found, "there is no such channel", std::string(path));
}

}  // namespace

Task<HttpResponse> handle_control(Gateway& gateway, HttpRequest request) {
  const std::string path(request.path());
  constexpr std::string_view kDestinations = "/api/v1/destinations/", kChannels = "/api/v1/channels/";
  if (auto observed = gateway.observer().answer(request)) co_return *observed;
  if (request.method == "GET" && path == "/api/v1/status") co_return json_response(print_status(gateway));
  if (request.method == "GET" && path == "/api/v1/coverage")
    co_return json_response(print_coverage(gateway.channels()));
  if (request.method == "GET" && (path == "/api/v1/messages" || path.starts_with("/api/v1/messages/"))) {
    base::Completion<HttpResponse> read(gateway.executor());
    gateway.reader_executor().post([&gateway, read, request] { read.set(read_journal(gateway, request)); });
    HttpResponse response = co_await read;
    co_return response;
  }
  if (request.method == "GET" && path == "/api/v1/reindex") {
    auto asking = gateway.fhir().parameters_state();
    const auto states = co_await std::move(asking);
    if (!states) co_return error_response(states.error());
    co_return json_response(print_parameters(*states));
  }
  if (request.method == "GET" && path == "/api/v1/alerts") co_return json_response(gateway.observer().alerts()->print());
  if (request.method == "POST" && path == "/api/v1/alerts/test")
    co_return json_response("{\"routes\":" + std::to_string(gateway.observer().alerts()->test()) + "}");
  if (request.method == "POST" && path == "/api/v1/replay") {
    Result<ReplayRequest> wanted = read_replay_request(request.body);
    if (!wanted) co_return error_response(wanted.error());
    auto replaying = replay_messages(gateway, std::move(*wanted));
    Result<std::string> done = co_await std::move(replaying);
    if (!done) co_return error_response(done.error());
    co_return json_response(std::move(*done));
  }
  if (request.method == "POST" && path.starts_with(kDestinations)) {
    const Result<std::string> done = resume(gateway, std::string_view(path).substr(kDestinations.size()));
    if (!done) co_return error_response(done.error());
    co_return json_response(*done);
  }
  if (request.method == "POST" && path.starts_with(kChannels)) {
    const auto channel = channel_to_resume(gateway, std::string_view(path).substr(kChannels.size()));
    if (!channel) co_return error_response(channel.error());
    auto resuming = (*channel)->resume_links();
    const Result<std::size_t> links = co_await std::move(resuming);
    if (!links) co_return error_response(links.error());
    co_return json_response("{\"resumed\":" + std::to_string(*links) + "}");
  }
  const base::Error unknown{ErrorCode::message_not_found, "the control API has no such resource", path, {}};
  co_return error_response(unknown);
}

}  // namespace kiln::engine
