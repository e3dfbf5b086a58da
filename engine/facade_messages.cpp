// $process-message (messaging.html): a message Bundle enters the channel that takes its event.

#include <algorithm>

#include "engine/base/text.h"
#include "engine/facade.h"

namespace kiln::engine {

using base::ErrorCode;
using base::JsonView;
using base::Task;

namespace {

/// Event of a MessageHeader: its code, or its URI.
std::string event_of(JsonView header) {
  const std::string code(header["eventCoding"]["code"].text());
  return code.empty() ? std::string(header["eventUri"].text()) : code;
}

bool goes_to(JsonView header, const std::string& endpoint) {
  for (const JsonView destination : header["destination"])
    if (destination["endpoint"].text() == endpoint) return true;
  return false;
}

/// 0: the channel does not take it; the more it says about what it takes, the better it fits.
int fit(const channels::ChannelDefinition& channel, JsonView header) {
  if (channels::serves(channel) != "message") return 0;
  int out = 1;
  if (const auto* events = channel.source_options.all("event")) {
    const std::string event = event_of(header);
    if (std::none_of(events->begin(), events->end(), [&](const auto& one) { return one.text == event; }))
      return 0;
    out += 2;
  }
  const std::string endpoint = channel.source_options.text("endpoint");
  if (endpoint.empty()) return out;
  return goes_to(header, endpoint) ? out + 4 : 0;
}

std::string value_of(const fhir::QueryPairs& query, std::string_view name) {
  for (const auto& [key, value] : query)
    if (key == name) return value;
  return {};
}

}  // namespace

ChannelRuntime* Facade::channel_of_message(JsonView header) const {
  ChannelRuntime* best = nullptr;
  int best_fit = 0;
  for (const auto& channel : *parts_.channels) {
    const int found = fit(channel->definition(), header);
    if (found > best_fit) best = channel.get(), best_fit = found;
  }
  return best;
}

Task<base::Status> Facade::respond_later(std::string response, std::string name, std::string key) {
  channels::Inbound in;
  in.kind = channels::ContentKind::fhir;
  in.received_at = parts_.clock->wall();
  in.bytes = std::move(response);
  in.name = std::move(name);
  in.key = std::move(key);
  in.peer = "message";
  auto accepting = parts_.responses->accept(std::move(in));
  const channels::Answer kept = co_await std::move(accepting);
  if (kept.taken == channels::Taken::not_stored)
    co_return base::fail(ErrorCode::io_failed, "the response could not be stored");
  co_return base::Status();
}

Task<Facade::Replied> Facade::message(base::HttpRequest request, Wanted wanted) {
  const auto document = fhir::read_resource(request);
  if (!document) co_return tl::unexpected(document.error());
  const JsonView bundle = document->root();
  const auto valid = fhir::check_written(bundle, "Bundle", parts_.fhir->context());
  if (!valid) co_return tl::unexpected(valid.error());
  const JsonView header = bundle["entry"].at(0)["resource"];
  if (bundle["type"].text() != "message" || header["resourceType"].text() != "MessageHeader")
    co_return base::fail(ErrorCode::fhir_invalid,
                         "a message is a Bundle of type message that begins with a MessageHeader",
                         "Bundle.entry[0]");
  const bool async = value_of(wanted.query, "async") == "true";
  const std::string to = value_of(wanted.query, "response-url");
  if (!to.empty()) {
    const auto allowed = allowed_endpoint(to, *parts_.rules, "response-url");
    if (!allowed) co_return tl::unexpected(allowed.error());
    if (!async) co_return base::fail(ErrorCode::fhir_invalid, "response-url needs async=true");
  }
  ChannelRuntime* const channel = channel_of_message(header);
  if (channel == nullptr)
    co_return base::fail(ErrorCode::fhir_not_supported, "no channel takes this event",
                         "Bundle.entry[0].resource",
                         "a channel with source fhir { serve message; event \"CODE\" }");
  const ChannelRuntime::Use use(channel);
  channels::Inbound in;
  in.bytes = base::print_json(bundle);
  in.name = "Bundle/" + std::string(bundle["id"].text());
  in.peer = request.peer;
  in.action = "message";
  if (!to.empty() && !channel->definition().replies.empty())
    co_return base::fail(ErrorCode::fhir_not_supported, "the receiver's reply is the answer to this event",
                         {}, "ask without response-url: a repetition of the message gets the stored answer");
  // The same Bundle and header again is a repetition: it gets the stored answer.
  const std::string bundle_id(bundle["id"].text()), header_id(header["id"].text());
  if (!bundle_id.empty() && !header_id.empty()) in.key = "message " + bundle_id + " " + header_id;
  const std::string key = in.key;
  const bool waits = !async && !channel->definition().replies.empty();
  auto asking =
      ask(channel, std::move(in), waits ? channel->definition().replies.front().destination : std::string());
  const Delivered delivered = co_await std::move(asking);
  const std::string base_url = parts_.fhir->base_url();
  fhir::Reply out;
  if (!delivered) {
    const ErrorCode code = delivered.error().error.code;
    // What was decided about the message is an answer to it; that it could not be asked about is an error.
    if (code != ErrorCode::fhir_rule && code != ErrorCode::fhir_upstream_refused)
      co_return tl::unexpected(delivered.error());
    out.body =
        facade::response_message(bundle, base_url, "fatal-error", fhir::print_outcome(delivered.error()), to);
    if (!async) co_return out;
  }
  if (async) {
    std::string response = std::move(out.body);
    if (response.empty()) response = facade::response_message(bundle, base_url, "ok", {}, to);
    if (!to.empty()) {
      const std::string response_key = key.empty() ? std::string() : "response to " + key;
      auto responding = respond_later(std::move(response), "Bundle/" + bundle_id, response_key);
      const base::Status kept = co_await std::move(responding);
      if (!kept) co_return base::fail(kept.error());
    }
    out.status = 202;
    out.body.clear();
    co_return out;
  }
  if (!waits || !*delivered) {
    out.body = facade::response_message(bundle, base_url, "ok", {});
    co_return out;
  }
  const channels::ReplyRoute reply = channel->definition().replies.front();
  auto mapped = run_map(reply.program, (*delivered)->reply, channel->definition().name);
  if (!mapped) co_return tl::unexpected(mapped.error());
  const auto answer = base::parse_json(mapped->output);
  const bool whole = answer && answer->root()["type"].text() == "message";
  out.body = whole ? mapped->output : facade::response_message(bundle, base_url, "ok", mapped->output);
  co_return out;
}

}  // namespace kiln::engine
