// Batches with entries that channels answer: those are asked one by one, the rest goes to the store as a batch of its own.
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/facade.h"

namespace kiln::engine {

using base::ErrorCode;
using base::HttpRequest;
using base::HttpResponse;
using base::JsonView;
using base::JsonWriter;
using base::Task;

namespace {

/// What an entry asks, as a request of its own.
HttpRequest request_of(JsonView entry, const HttpRequest& batch, const std::string& base_path, const std::string& base_url) {
  HttpRequest out;
  out.peer = batch.peer;
  out.method = entry["request"]["method"].text();
  std::string_view url = entry["request"]["url"].text();
  if (url.starts_with(base_url)) url.remove_prefix(base_url.size());
  out.target = base_path + (url.starts_with("/") ? "" : "/") + std::string(url);
  out.headers.set("Accept", "application/fhir+json");
  if (batch.headers.has("Prefer")) out.headers.set("Prefer", std::string(batch.headers.get("Prefer")));
  if (batch.headers.has("X-Request-Id")) out.headers.set("X-Request-Id", std::string(batch.headers.get("X-Request-Id")));
  if (entry["request"]["ifNoneExist"])
    out.headers.set("If-None-Exist", std::string(entry["request"]["ifNoneExist"].text()));
  if (!entry["resource"]) return out;
  out.headers.set("Content-Type", "application/fhir+json");
  JsonWriter body;
  body.value(entry["resource"]);
  out.body = body.take();
  return out;
}

std::string print_reply(const fhir::Answer<fhir::Reply>& reply) {
  JsonWriter out;
  out.begin_object();
  if (reply && !reply->body.empty()) out.key("resource").raw(reply->body);
  out.key("response").begin_object();
  out.member("status", std::to_string(reply ? reply->status : reply.error().status()));
  if (reply && reply->headers.has("Location")) out.member("location", reply->headers.get("Location"));
  if (reply && reply->headers.has("ETag")) out.member("etag", reply->headers.get("ETag"));
  if (!reply) out.key("outcome").raw(fhir::print_outcome(reply.error()));
  out.end_object().end_object();
  return out.take();
}

}  // namespace

/// The entries that channels answer, by position.
std::vector<std::size_t> Facade::entries_of_channels(JsonView bundle, const HttpRequest& request) const {
  const fhir::ServerContext& context = parts_.fhir->context();
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < bundle["entry"].size(); ++i) {
    HttpRequest one = request_of(bundle["entry"].at(i), request, context.base_path, context.base_url);
    one.body.clear();
    const Kind kind = find(one).kind;
    if (kind != Kind::none && kind != Kind::batch) out.push_back(i);
  }
  return out;
}

/// Most Bundles are large, for the store alone, and need not be read for that.
bool Facade::may_name_channels(std::string_view body) const {
  for (const char* operation : {"$process-message", "$convert", "$status", "$events"})
    if (body.find(operation) != body.npos) return true;
  for (const auto& channel : *parts_.channels) {
    if (channels::serves(channel->definition()).empty()) continue;
    const std::string type(channel->definition().source_options.text("type"));
    if (!type.empty() && (body.find("\"" + type) != body.npos || body.find("/" + type) != body.npos)) return true;
  }
  return false;
}

/// Whether it is a Bundle with such entries.
bool Facade::is_batch(const HttpRequest& request, std::string_view target) const {
  const bool root = target.empty() || target == "/";
  if (!root || request.method != "POST") return false;
  const bool is_packed = request.headers.has("Content-Encoding");
  if (!is_packed && !may_name_channels(request.body)) return false;
  const auto document = fhir::read_resource(request);
  if (!document || document->root()["resourceType"].text() != "Bundle") return false;
  return !entries_of_channels(document->root(), request).empty();
}

Task<void> Facade::answer_entry(HttpRequest request, fhir::Principal principal, base::Completion<std::string> done) {
  HttpRequest told = request;
  told.body.clear();
  Wanted wanted = find(request);
  const bool writes = wanted.kind == Kind::create || wanted.kind == Kind::message;
  const fhir::Principal who = principal;
  auto answering = answer(std::move(request), std::move(principal), std::move(wanted));
  Replied replied = co_await std::move(answering);
  const int status = replied ? replied->status : replied.error().status();
  auto telling = parts_.fhir->note_request(std::move(told), who, status, writes);
  const base::Status noted = co_await std::move(telling);
  if (!noted) replied = tl::unexpected(fhir::Failure(noted.error()));
  done.set(print_reply(replied));
}

/// The other entries, in their order, as the store answers them.
Task<HttpResponse> Facade::ask_store(HttpRequest request, fhir::Principal principal) {
  base::Completion<HttpResponse> answered(*parts_.executor);
  auto take = [answered](HttpResponse response) { answered.set(std::move(response)); };
  parts_.fhir->handle(std::move(request), std::move(principal), std::move(take));
  HttpResponse response = co_await answered;
  co_return response;
}

Task<Facade::Replied> Facade::batch(HttpRequest request, fhir::Principal principal) {
  const auto document = fhir::read_resource(request);
  if (!document) co_return tl::unexpected(document.error());
  const JsonView bundle = document->root();
  const fhir::ServerContext& context = parts_.fhir->context();
  const std::vector<std::size_t> ours = entries_of_channels(bundle, request);
  const std::size_t count = bundle["entry"].size();
  if (count > context.bundle_entries_max)
    co_return base::fail(ErrorCode::limit_exceeded,
                         "the Bundle has more than " + std::to_string(context.bundle_entries_max) + " entries", "Bundle.entry");
  if (bundle["type"].text() != "batch")
    co_return base::fail(ErrorCode::fhir_rule, "a channel answers this entry, so that it cannot be part of a transaction",
                         "Bundle.entry[" + std::to_string(ours.empty() ? 0 : ours.front()) + "]", "send a batch");
  std::vector<base::Completion<std::string>> answers;
  JsonWriter rest;
  rest.begin_object().member("resourceType", "Bundle").member("type", "batch").key("entry").begin_array();
  for (std::size_t i = 0, next = 0; i < count; ++i) {
    const JsonView entry = bundle["entry"].at(i);
    if (next == ours.size() || ours[next] != i) {
      rest.value(entry);
      continue;
    }
    ++next;
    HttpRequest one = request_of(entry, request, context.base_path, context.base_url);
    answers.emplace_back(*parts_.executor);
    base::spawn(answer_entry(std::move(one), principal, answers.back()));
  }
  rest.end_array().end_object();
  base::JsonDocument stored;
  if (ours.size() < count) {
    HttpRequest others;
    others.method = "POST";
    others.target = context.base_path;
    others.peer = request.peer;
    others.body = rest.take();
    others.headers.set("Content-Type", "application/fhir+json");
    others.headers.set("Accept", "application/fhir+json");
    for (const char* name : {"Prefer", "X-Request-Id"})
      if (request.headers.has(name)) others.headers.set(name, std::string(request.headers.get(name)));
    auto asking = ask_store(std::move(others), principal);
    HttpResponse response = co_await std::move(asking);
    auto parsed = base::parse_json(response.body, {base::limits::kArchiveFileBytesMax, base::limits::kJsonDepthMax + 8});
    if (response.status != 200 || !parsed) {
      for (const auto& answer : answers) co_await answer;
      fhir::Reply failed;
      failed.status = response.status;
      failed.body = std::move(response.body);
      co_return failed;
    }
    stored = std::move(*parsed);
  }
  JsonWriter out;
  out.begin_object().member("resourceType", "Bundle").member("type", "batch-response").key("entry").begin_array();
  for (std::size_t i = 0, next = 0; i < count; ++i) {
    if (next == ours.size() || ours[next] != i) {
      out.value(stored.root()["entry"].at(i - next));
      continue;
    }
    const std::string text = co_await answers[next];
    out.raw(text);
    ++next;
  }
  out.end_array().end_object();
  fhir::Reply reply;
  reply.body = out.take();
  co_return reply;
}

}  // namespace kiln::engine
