// What was set aside and waits for a decision.

#include "engine/admin/operator.h"
#include "engine/admin/query_rights.h"
#include "engine/admin/route.h"
#include "engine/quarantine.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using base::Task;

constexpr std::uint64_t kItemsMax = 1000;

Task<Result<Reply>> list(Call call) {
  const base::Status allowed = check_query(call, call.value("q"));
  if (!allowed) co_return base::fail(allowed.error());
  auto working = list_quarantine(call.gateway, std::string(call.value("q")));
  Result<std::string> found = co_await std::move(working);
  if (!found) co_return base::fail(found.error());
  co_return json_reply(std::move(*found));
}

/// The query of the list, and the group that was chosen in it.
std::string query_of(const Call& call) {
  std::string out(call.value("q"));
  const auto add = [&](const char* term, std::string_view value) {
    if (value.empty()) return;
    if (!out.empty()) out += ' ';
    out += std::string(term) + ":\"" + std::string(value) + '"';
  };
  add("channel", call.value("channel"));
  add("dest", call.value("destination"));
  add("code", call.value("code"));
  return out;
}

Task<Result<Reply>> list_items(Call call) {
  const Result<std::uint64_t> limit = call.number("limit", 50, kItemsMax);
  if (!limit) co_return base::fail(limit.error());
  const Result<std::uint64_t> before = call.number("before", 0, ~std::uint64_t{0});
  if (!before) co_return base::fail(before.error());
  const base::Status allowed = check_query(call, call.value("q"));
  if (!allowed) co_return base::fail(allowed.error());
  auto working = list_quarantine_items(call.gateway, query_of(call), *limit, *before);
  Result<std::string> found = co_await std::move(working);
  if (!found) co_return base::fail(found.error());
  co_return json_reply(std::move(*found));
}

Result<QuarantineRequest> read_request(const Call& call, std::string action) {
  const base::JsonView body = call.body();
  TRY_VOID(check_query(call, body["query"].text()));
  const Operator who = operator_of(call);
  QuarantineRequest out;
  out.action = std::move(action);
  out.by = who.name;
  out.reason = who.reason;
  out.query = body["query"].text();
  out.destination = body["destination"].text();
  out.owner = body["owner"].text();
  out.note = body["note"].text();
  out.dry_run = body["dry_run"].boolean();
  const auto number = [](base::JsonView value, std::uint64_t& into) {
    const std::string text(value.text());
    char* end = nullptr;
    into = std::strtoull(text.c_str(), &end, 10);
    return !text.empty() && *end == '\0';
  };
  if (body["limit"]) {
    std::uint64_t limit = 0;
    if (!number(body["limit"], limit)) return base::fail(ErrorCode::bad_value, "a number is wanted", "limit");
    out.limit = limit;
  }
  for (const base::JsonView id : body["ids"]) {
    std::uint64_t one = 0;
    if (!number(id, one)) return base::fail(ErrorCode::bad_value, "a message number is wanted", "ids");
    out.ids.push_back(one);
  }
  return out;
}

Task<Result<Reply>> change(Call call) {
  // Dropping needs another right: not reached by another spelling of its address either.
  if (call.value("action") == "drop") co_return base::fail(ErrorCode::bad_value, "no such action", "action");
  Result<QuarantineRequest> wanted = read_request(call, std::string(call.value("action")));
  if (!wanted) co_return base::fail(wanted.error());
  auto working = change_quarantine(call.gateway, std::move(*wanted));
  Result<std::string> done = co_await std::move(working);
  if (!done) co_return base::fail(done.error());
  co_return json_reply(std::move(*done));
}

Task<Result<Reply>> drop(Call call) {
  Result<QuarantineRequest> wanted = read_request(call, "drop");
  if (!wanted) co_return base::fail(wanted.error());
  auto working = change_quarantine(call.gateway, std::move(*wanted));
  Result<std::string> done = co_await std::move(working);
  if (!done) co_return base::fail(done.error());
  co_return json_reply(std::move(*done));
}

constexpr ParameterSpec kQuery[] = {{"q", "string", "a query; what of it is in quarantine counts"}};
constexpr ParameterSpec kItems[] = {
    {"q", "string", "a query; what of it is in quarantine counts"},
    {"channel", "string", "only of this channel"},
    {"destination", "string", "only at this destination"},
    {"code", "string", "only of this cause"},
    {"limit", "integer", "most items of a page, 50 unless given, at most 1000"},
    {"before", "integer", "only messages with a smaller number: `next` of the page before"}};
constexpr ErrorCode kReadErrors[] = {ErrorCode::query_syntax, ErrorCode::bad_value};
constexpr ErrorCode kErrors[] = {ErrorCode::query_syntax, ErrorCode::bad_value, ErrorCode::limit_exceeded,
                                 ErrorCode::not_quarantined};
constexpr const char* kBody =
    "{query?: string, ids?: [integer], destination?: string, owner?: string, note?: string, reason?: string, by?: string, "
    "dry_run?: boolean, limit?: integer}";
constexpr const char* kDone =
    "{dry_run: boolean, matched: integer, done: integer, failed: integer, items: [{id: integer, channel: string, destination: "
    "string, code: string, text?: string, new_id?: integer}]}";

constexpr RouteSpec kRoutes[] = {
    {.method = "GET",
     .path = "/quarantine",
     .right = AdminRight::view,
     .summary = "what is open, by channel, destination and cause, the largest group first",
     .parameters = kQuery,
     .answer = "{groups: [{channel: string, destination: string, code: string, count: integer, first: time, last: time, owner?: "
               "string, note?: string, example: integer, detail: string}], open: integer, complete: boolean}",
     .errors = kReadErrors,
     .recorded = Recorded::before,
     .action = "quarantine.list",
     .task = list},
    {.method = "GET",
     .path = "/quarantine/items",
     .right = AdminRight::view,
     .summary = "what is open, one by one, the newest first",
     .parameters = kItems,
     .answer = "{items: [{id: integer, received: time, channel: string, type: string, control_id: string, destination: string, "
               "code: string, reason: string, attempts: integer, since: time, owner?: string, note?: string}], next?: integer}",
     .errors = kReadErrors,
     .recorded = Recorded::before,
     .action = "quarantine.list",
     .task = list_items},
    {.method = "POST",
     .path = "/quarantine/drop",
     .right = AdminRight::replay,
     .summary = "given up, with a reason",
     .body = kBody,
     .answer = kDone,
     .errors = kErrors,
     .recorded = Recorded::before,
     .action = "quarantine.drop",
     .task = drop},
    {.method = "POST",
     .path = "/quarantine/{action}",
     .right = AdminRight::operate,
     .summary = "assign (to `owner`), note, release (send again as a new message) or resolve (mended elsewhere)",
     .body = kBody,
     .answer = kDone,
     .errors = kErrors,
     .recorded = Recorded::before,
     .action = "quarantine.change",
     .task = change},
};

}  // namespace

const RouteGroup& quarantine_routes() {
  static const RouteGroup group{"quarantine", "messages that were set aside", kRoutes};
  return group;
}

}  // namespace kiln::engine
