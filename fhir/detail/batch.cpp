#include "fhir/detail/batch.h"

#include <unordered_set>

#include "engine/base/limits.h"
#include "fhir/detail/dispatch.h"
#include "fhir/detail/operations.h"
#include "fhir/detail/references.h"
#include "fhir/resource_text.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;
using base::fail;
using base::JsonView;
using base::JsonWriter;

constexpr std::int64_t kBatchTimes = 6;  ///< what one question may take, for a whole batch

std::string status_text(int status) {
  switch (status) {
    case 200:
      return "200 OK";
    case 201:
      return "201 Created";
    case 204:
      return "204 No Content";
    case 304:
      return "304 Not Modified";
    default:
      return std::to_string(status);
  }
}

/// fullUrls of all entries: what a reference between entries would name.
std::unordered_set<std::string_view> full_urls_of(JsonView bundle) {
  std::unordered_set<std::string_view> urls;
  for (const JsonView entry : bundle["entry"])
    if (!entry["fullUrl"].text().empty()) urls.insert(entry["fullUrl"].text());
  return urls;
}

Answer<void> check_independent(JsonView entry, const std::unordered_set<std::string_view>& full_urls) {
  return for_each_reference(
      entry["resource"],
      [&](std::string_view text, const std::function<std::string()>& path) -> Answer<void> {
        if (!full_urls.count(text) || text == entry["fullUrl"].text()) return {};
        return fail(ErrorCode::fhir_reference,
                    "entries of a batch cannot refer to each other; use a transaction", "resource." + path());
      });
}

Answer<Reply> run_entry(const Call& batch, JsonView entry,
                        const std::unordered_set<std::string_view>& full_urls) {
  const JsonView request = entry["request"];
  if (!request.is_object()) return fail(ErrorCode::fhir_required, "the entry has no request", "request");
  const std::string_view method = request["method"].text();
  std::string_view url = request["url"].text();
  const std::string& base_url = batch.server->base_url;
  if (url.starts_with(base_url)) url.remove_prefix(base_url.size());
  if (url.empty() || url == "/")
    return fail(ErrorCode::fhir_not_supported, "a batch or transaction inside a batch", "request.url");
  const std::string target = url.front() == '/' ? std::string(url) : "/" + std::string(url);
  base::HttpHeaders headers;
  for (const auto& [member, header] : {std::pair{"ifMatch", "If-Match"},
                                       {"ifNoneMatch", "If-None-Match"},
                                       {"ifNoneExist", "If-None-Exist"},
                                       {"ifModifiedSince", "If-Modified-Since"}}) {
    if (request[member]) headers.set(header, std::string(request[member].text()));
  }
  Call call;
  call.headers = &headers;
  call.prefer = batch.prefer;
  call.strict_search = batch.strict_search;
  call.in_batch = true;
  call.principal = batch.principal;
  call.store = batch.store;
  call.server = batch.server;
  call.body = entry["resource"];
  TRY_VOID(check_independent(entry, full_urls));
  TRY(const Interaction* interaction, find_interaction(method, target, call));
  if (call.shape == PathShape::system && interaction->writes)
    return fail(ErrorCode::fhir_not_supported, "a batch or transaction inside a batch", "request.url");
  return run_interaction(*interaction, call);
}

void write_reply_entry(JsonWriter& out, const Reply& reply, bool with_body) {
  out.begin_object();
  const bool resource = with_body && !reply.body.empty();
  if (resource) out.key("resource").raw(reply.body);
  out.key("response").begin_object().member("status", status_text(reply.status));
  if (reply.headers.has("Location")) out.member("location", reply.headers.get("Location"));
  if (reply.headers.has("ETag")) out.member("etag", reply.headers.get("ETag"));
  base::WallTime modified;
  if (parse_http_date(reply.headers.get("Last-Modified"), modified))
    out.member("lastModified", print_instant(modified));
  out.end_object().end_object();
}

void write_failure_entry(JsonWriter& out, const Failure& failure) {
  out.begin_object().key("response").begin_object().member("status", std::to_string(failure.status()));
  out.key("outcome").raw(print_outcome(failure)).end_object().end_object();
}

void write_outcome_entry(JsonWriter& out, const EntryOutcome& entry, const Call& call) {
  out.begin_object();
  if (call.prefer == ReturnPreference::representation && !entry.body.empty())
    out.key("resource").raw(entry.body);
  out.key("response").begin_object().member("status", status_text(entry.status));
  if (entry.vid > 0 && entry.status != 304 && entry.status != 204)
    out.member("location", location(*call.server, entry.type, entry.id, entry.vid));
  if (entry.vid > 0) out.member("etag", etag(entry.vid));
  if (entry.updated.micros > 0) out.member("lastModified", print_instant(entry.updated));
  if (call.prefer == ReturnPreference::outcome) out.key("outcome").raw(print_outcome(std::vector<Issue>{}));
  out.end_object().end_object();
}

}  // namespace

Answer<Reply> run_batch(const Call& call) {
  const JsonView entries = call.body["entry"];
  if (entries.size() > call.server->bundle_entries_max)
    return fail(ErrorCode::limit_exceeded,
                "the Bundle has more than " + std::to_string(call.server->bundle_entries_max) + " entries",
                "Bundle.entry");
  const auto full_urls = full_urls_of(call.body);
  JsonWriter out;
  out.begin_object().member("resourceType", "Bundle").member("type", "batch-response");
  if (entries.size() > 0) out.key("entry").begin_array();
  std::size_t bytes = 0;
  const auto began = call.server->clock ? call.server->clock->mono() : base::MonoTime{};
  for (const JsonView entry : entries) {
    // Writes go on: what they answer is small.
    const std::string_view method = entry["request"]["method"].text();
    const bool full = bytes > base::limits::kPageBytesMax && (method == "GET" || method == "HEAD");
    auto reply = full ? Answer<Reply>(fail(ErrorCode::limit_exceeded,
                                           "the answers to the entries before are larger than a page may be"))
                      : run_entry(call, entry, full_urls);
    if (call.server->clock &&
        call.server->clock->mono() - began > std::chrono::milliseconds(kBatchTimes * base::limits::kSearchMs))
      return fail(ErrorCode::fhir_search_time, "the batch took too long");
    if (reply) {
      bytes += reply->body.size();
      write_reply_entry(out, *reply, entry["request"]["method"].text() != "HEAD");
    } else {
      Failure failure = std::move(reply).error();
      // A disk that fails is not the fault of one entry: nothing after it would be true.
      if (failure.status() >= 500) return tl::unexpected(std::move(failure));
      write_failure_entry(out, failure);
    }
  }
  if (entries.size() > 0) out.end_array();
  out.end_object();
  Reply reply;
  reply.body = out.take();
  return reply;
}

std::string print_transaction_response(const TransactionOutcome& outcome, const Call& call) {
  JsonWriter out;
  out.begin_object().member("resourceType", "Bundle").member("type", "transaction-response");
  if (!outcome.entries.empty()) {
    out.key("entry").begin_array();
    for (const EntryOutcome& entry : outcome.entries) write_outcome_entry(out, entry, call);
    out.end_array();
  }
  out.end_object();
  return out.take();
}

}  // namespace kiln::fhir::detail
