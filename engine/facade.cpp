#include "engine/facade.h"

#include <algorithm>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "fhir/resource_text.h"

namespace kiln::engine {

using base::ErrorCode;
using base::HttpRequest;
using base::HttpResponse;
using base::Task;
using fhir::Failure;
namespace limits = base::limits;

namespace {

/// A body that is no FHIR document: text, v2, CSV.
bool is_foreign(std::string_view content_type) {
  const std::string type = base::lower_ascii(base::trim(content_type.substr(0, content_type.find(';'))));
  return type == "text/plain" || type == "text/csv" || type == "application/hl7-v2" ||
         type == "x-application/hl7-v2+er7" || type == "application/hl7-v2+er7";
}

bool has(const fhir::QueryPairs& query, std::string_view name) {
  for (const auto& [key, value] : query)
    if (key == name && !value.empty()) return true;
  return false;
}

}  // namespace

Facade::Facade(Parts parts) : parts_(std::move(parts)) {
  look_again();
}

void Facade::look_again() {
  serves_ = false;
  for (const auto& channel : *parts_.channels)
    serves_ = serves_ || !channels::serves(channel->definition()).empty();
}

/// What a request is about, when it is for here. Errors of the request itself are the router's.
Facade::Wanted Facade::find(const HttpRequest& request, bool is_ours) const {
  Wanted out;
  const auto target = fhir::below_base(request.target, parts_.fhir->context().base_path);
  if (!target) return out;
  fhir::Call call;
  const auto interaction = fhir::find_interaction(request.method, *target, call);
  if (!interaction) return out;
  out.interaction = (*interaction)->name;
  out.type = call.type;
  out.id = call.id;
  out.query = std::move(call.query);
  std::erase_if(out.query,
                [](const auto& pair) { return pair.first == "_format" || pair.first == "_pretty"; });
  if (call.shape == fhir::PathShape::system && request.method == "POST" && (is_ours || is_batch(request, *target))) {
    out.kind = Kind::batch;
    return out;
  }
  if (call.shape == fhir::PathShape::operation) {
    if (out.interaction == "$process-message") out.kind = Kind::message;
    if (out.interaction == "$status") out.kind = Kind::status;
    if (out.interaction == "$events") out.kind = Kind::events;
    if (out.interaction == "$convert" &&
        (has(out.query, "map") || is_foreign(request.headers.get("Content-Type"))))
      out.kind = Kind::convert;
    return out;
  }
  const bool searches = out.interaction == "search" &&
                        (call.shape == fhir::PathShape::type || call.shape == fhir::PathShape::type_search);
  const bool creates = out.interaction == "create" && call.shape == fhir::PathShape::type;
  if (!searches && !creates) return out;
  for (const auto& channel : *parts_.channels) {
    const channels::ChannelDefinition& definition = channel->definition();
    if (channels::serves(definition) != (searches ? "search" : "create")) continue;
    if (definition.source_options.text("type") != out.type) continue;
    out.channel = channel.get();
    out.kind = searches ? Kind::search : Kind::create;
    break;
  }
  return out;
}

bool Facade::takes(const HttpRequest& request) const {
  // Most requests are for the store, and need not be taken apart twice.
  const std::string_view path = request.path();
  const bool operation =
      path.find('$') != std::string_view::npos || path.find("%24") != std::string_view::npos;
  const bool bundle = request.method == "POST" && fhir::below_base(path, parts_.fhir->context().base_path).value_or("x").size() <= 1;
  if (!serves_ && !operation && !bundle) return false;
  return find(request).kind != Kind::none;
}

Task<HttpResponse> Facade::handle(HttpRequest request, fhir::Principal principal) {
  if (!request.headers.has("X-Request-Id"))
    request.headers.set("X-Request-Id", parts_.fhir->next_request_id());
  HttpRequest head;
  head.method = request.method;
  head.target = request.target;
  head.headers = request.headers;
  HttpRequest told = head;
  told.peer = request.peer;
  // The criteria of a search are told; bodies that are resources are not.
  const bool is_form = request.headers.get("Content-Type").find("x-www-form-urlencoded") != std::string_view::npos;
  if (is_form) told.body = request.body;
  Wanted wanted = find(request, true);
  const bool writes = wanted.kind == Kind::create || wanted.kind == Kind::message;
  const bool is_told = wanted.kind != Kind::batch;  // its entries are, one by one
  const fhir::Principal who = principal;
  auto answering = answer(std::move(request), std::move(principal), std::move(wanted));
  Replied replied = co_await std::move(answering);
  const int status = replied ? replied->status : replied.error().status();
  if (is_told) {
    auto telling = parts_.fhir->note_request(std::move(told), who, status, writes);
    const base::Status noted = co_await std::move(telling);
    if (!noted) replied = tl::unexpected(fhir::Failure(noted.error()));
  }
  HttpResponse response = fhir::respond(head, std::move(replied));
  co_return response;
}

Task<Facade::Replied> Facade::answer(HttpRequest request, fhir::Principal principal, Wanted wanted) {
  const fhir::Access* access = parts_.fhir->context().access;
  if (access == nullptr || !access->allow(principal, wanted.interaction, wanted.type, request.query()))
    co_return base::fail(ErrorCode::fhir_not_allowed);
  if (waiting_.size() >= limits::kFacadeWaitingMax || stopping_) co_return base::fail(ErrorCode::fhir_busy);
  if (wanted.kind == Kind::convert) {
    Replied replied = convert(request, wanted);
    co_return replied;
  }
  auto working = wanted.kind == Kind::search    ? search(std::move(request), std::move(wanted))
                 : wanted.kind == Kind::create  ? create(std::move(request), std::move(wanted))
                 : wanted.kind == Kind::message ? message(std::move(request), std::move(wanted))
                 : wanted.kind == Kind::status  ? status(std::move(wanted))
                 : wanted.kind == Kind::batch   ? batch(std::move(request), std::move(principal))
                                                : events(std::move(wanted));
  Replied replied = co_await std::move(working);
  co_return replied;
}

void Facade::stop() {
  stopping_ = true;
  for (const auto& [number, waiting] : waiting_) waiting.set(std::nullopt);
}

/// The order is that of every message: stored, mapped, queued, sent. The caller waits for the end at one
/// destination.
Task<Facade::Delivered> Facade::ask(ChannelRuntime* channel, channels::Inbound in, std::string destination) {
  const ChannelRuntime::Use use(channel);  // a reload may take it out while the caller waits
  const std::int64_t wait_ms = channel->definition().source_options.number("timeout");
  in.kind = channels::ContentKind::fhir;
  in.received_at = parts_.clock->wall();
  auto accepting = channel->accept(std::move(in));
  const channels::Answer taken = co_await std::move(accepting);
  if (taken.taken == channels::Taken::not_stored)
    co_return base::fail(ErrorCode::io_failed, "the request could not be stored");
  const std::string named = "message " + std::to_string(taken.id);
  if (!taken.code.empty())
    co_return base::fail(ErrorCode::fhir_rule, taken.reason.empty() ? taken.code : taken.reason, {},
                         named + ", " + taken.code);
  DeliveryQueue* queue = channel->find_queue(destination);
  const auto& all = channel->definition().destinations;
  const bool goes_on = std::any_of(all.begin(), all.end(), [&destination](const auto& one) {
    return one.name == destination && std::string_view(one.connector->name) != "drop";
  });
  if (queue == nullptr && goes_on)  // a reload took the channel out: what is queued waits in the journal
    co_return tl::unexpected(
        facade::upstream_failure(ErrorCode::fhir_upstream_timeout, named + " is still queued"));
  if (queue == nullptr) co_return std::optional<Ending>();
  const Waiting done(*parts_.executor);
  const std::uint64_t number = ++waits_;
  waiting_.emplace(number, done);
  const DeliveryQueue::Watch watch =
      queue->watch(taken.id, [done](const Ending& ending) { done.set(ending); });
  // It may have ended already: a repetition, or a destination whose condition does not hold.
  parts_.journal->flush();
  const std::string address = channel->definition().name + "/" + destination;
  parts_.journal->read_ending(taken.id, address, [done](base::Result<std::optional<Ending>> ending) {
    if (ending && *ending) done.set(std::move(*ending));
  });
  const base::TimerId timer =
      parts_.executor->post_after(std::chrono::milliseconds(wait_ms), [done] { done.set(std::nullopt); });
  std::optional<Ending> ending = co_await done;
  parts_.executor->cancel(timer);
  waiting_.erase(number);
  if (stopping_ && !ending) co_return base::fail(ErrorCode::cancelled, "the server is stopping", {}, named);
  if (!ending)
    co_return tl::unexpected(
        facade::upstream_failure(ErrorCode::fhir_upstream_timeout, named + " is still queued"));
  if (ending->state == DeliveryState::filtered)
    co_return base::fail(ErrorCode::fhir_rule, "the channel sends this nowhere", {},
                         named + ", " + ending->code);
  if (ending->state != DeliveryState::sent) co_return tl::unexpected(facade::failure_of(*ending, taken.id));
  co_return ending;
}

Task<Facade::Replied> Facade::search(HttpRequest request, Wanted wanted) {
  if (request.method == "POST")
    for (auto& pair : base::parse_query(request.body))
      if (pair.first != "_format" && pair.first != "_pretty") wanted.query.push_back(std::move(pair));
  ChannelRuntime* const channel = wanted.channel;
  const ChannelRuntime::Use use(channel);
  const channels::ReplyRoute reply = channel->definition().replies.front();
  channels::Inbound in;
  in.bytes = facade::parameters_of(wanted.query);
  in.name = "Parameters";
  in.peer = request.peer;
  in.action = "search";
  auto asking = ask(channel, std::move(in), reply.destination);
  const Delivered delivered = co_await std::move(asking);
  if (!delivered) co_return tl::unexpected(delivered.error());
  const std::string text = *delivered ? (*delivered)->reply : std::string();
  const auto mapped = run_map(reply.program, text, channel->definition().name);
  if (!mapped) co_return tl::unexpected(mapped.error());
  auto body = facade::searchset_of(mapped->output, wanted.type, parts_.fhir->base_url(), wanted.query);
  if (!body) co_return tl::unexpected(body.error());
  fhir::Reply out;
  out.body = std::move(*body);
  co_return out;
}

Task<Facade::Replied> Facade::create(HttpRequest request, Wanted wanted) {
  if (request.headers.has("If-None-Exist"))
    co_return base::fail(ErrorCode::fhir_not_supported,
                         "a channel answers this; it knows no conditional create");
  const auto document = fhir::read_resource(request);
  if (!document) co_return tl::unexpected(document.error());
  const auto valid = fhir::check_written(document->root(), wanted.type, parts_.fhir->context());
  if (!valid) co_return tl::unexpected(valid.error());
  ChannelRuntime* const channel = wanted.channel;
  const ChannelRuntime::Use use(channel);
  const std::string id = parts_.fhir->next_resource_id();
  channels::Inbound in;
  in.bytes = fhir::ResourceText(document->root(), id, {}).with_version(1, parts_.clock->wall());
  in.name = wanted.type + "/" + id;
  in.peer = request.peer;
  in.action = "create";
  fhir::Reply out;
  out.status = 201;
  out.body = in.bytes;
  auto asking = ask(channel, std::move(in), facade::answering_destination(channel->definition()));
  const Delivered delivered = co_await std::move(asking);
  if (!delivered) co_return tl::unexpected(delivered.error());
  if (!channel->definition().replies.empty() && *delivered) {
    const auto& reply = channel->definition().replies.front();
    auto mapped = run_map(reply.program, (*delivered)->reply, channel->definition().name);
    if (!mapped) co_return tl::unexpected(mapped.error());
    if (!mapped->output.empty()) out.body = std::move(mapped->output);
  }
  out.headers.set("Location", parts_.fhir->base_url() + "/" + wanted.type + "/" + id + "/_history/1");
  out.headers.set("ETag", "W/\"1\"");
  const std::string_view prefer = request.headers.get("Prefer");
  if (prefer.find("return=minimal") != std::string_view::npos) out.body.clear();
  if (prefer.find("return=OperationOutcome") != std::string_view::npos)
    out.body = fhir::print_outcome(std::vector<fhir::Issue>());
  co_return out;
}

}  // namespace kiln::engine
