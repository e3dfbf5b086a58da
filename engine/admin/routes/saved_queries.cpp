// Queries that an account keeps, and the terms of the query language.

#include "engine/admin/route.h"
#include "engine/admin/service.h"
#include "engine/base/text.h"
#include "engine/journal/query.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using base::Task;

constexpr std::size_t kQueriesMax = 200, kTextMax = 2'000;

using Work = std::function<Result<Reply>(Logins&, AuditLog&)>;

Task<Result<Reply>> show(Call call) {
  Work work = [user = call.caller.user](Logins& logins, AuditLog&) -> Result<Reply> {
    TRY(std::string text, logins.accounts().saved(user));
    return json_reply(text.empty() ? "{\"queries\":[]}" : std::move(text));
  };
  auto working = call.admin->with_accounts(std::move(work));
  Result<Reply> reply = co_await std::move(working);
  co_return reply;
}

Result<std::string> read_queries(const Call& call) {
  const base::JsonView queries = call.body()["queries"];
  if (queries.size() > kQueriesMax)
    return base::fail(ErrorCode::limit_exceeded,
                      "at most " + std::to_string(kQueriesMax) + " queries are kept");
  base::JsonWriter json;
  json.begin_object().key("queries").begin_array();
  for (const base::JsonView one : queries) {
    const std::string_view name = one["name"].text(), text = one["q"].text();
    if (base::trim(name).empty() || name.size() > kTextMax || text.size() > kTextMax)
      return base::fail(ErrorCode::bad_value, "each needs a name and a query of at most 2,000 bytes",
                        "queries");
    json.begin_object().member("name", name).member("q", text).end_object();
  }
  return json.end_array().end_object().take();
}

Task<Result<Reply>> keep(Call call) {
  const Result<std::string> text = read_queries(call);
  if (!text) co_return base::fail(text.error());
  Work work = [user = call.caller.user, text = *text](Logins& logins, AuditLog&) -> Result<Reply> {
    TRY_VOID(logins.accounts().keep_saved(user, text));
    return json_reply("{\"ok\":true}");
  };
  auto working = call.admin->with_accounts(std::move(work));
  Result<Reply> reply = co_await std::move(working);
  co_return reply;
}

/// From the help of the language, so that the two say the same: "  state:quarantined      words".
Result<Reply> terms(const Call&) {
  base::JsonWriter json;
  json.begin_object().key("terms").begin_array();
  for (const std::string_view line : base::split(query_help(), '\n')) {
    if (!line.starts_with("  ") || line.size() < 4 || line[2] == ' ') continue;
    const std::string_view text = line.substr(2);
    const auto gap = text.find("  ");
    if (gap == std::string_view::npos) continue;
    const std::string_view example = text.substr(0, gap);
    const auto colon = example.find_first_of(":>");
    json.begin_object().member("term",
                               colon == std::string_view::npos ? example : example.substr(0, colon + 1));
    json.member("example", example).member("help", base::trim(text.substr(gap)));
    if (example.starts_with("state:")) {
      json.key("values").begin_array();
      for (const char* value :
           {"unprocessed", "pending", "sent", "filtered", "rejected", "quarantined", "expired", "removed"})
        json.string(value);
      json.end_array();
    }
    json.end_object();
  }
  return json_reply(json.end_array().end_object().take());
}

constexpr ErrorCode kErrors[] = {ErrorCode::limit_exceeded};

constexpr RouteSpec kRoutes[] = {
    {.method = "GET",
     .path = "/session/queries",
     .right = AdminRight::view,
     .summary = "the queries I keep",
     .answer = "{queries: [{name: string, q: string}]}",
     .task = show},
    {.method = "PUT",
     .path = "/session/queries",
     .right = AdminRight::view,
     .summary = "all of them anew",
     .body = "{queries: [{name: string, q: string}]}",
     .answer = "@Ok",
     .errors = kErrors,
     .recorded = Recorded::after,
     .action = "session.queries",
     .task = keep},
    {.method = "GET",
     .path = "/query/terms",
     .right = AdminRight::view,
     .summary = "terms of the query language, for completion",
     .answer = "{terms: [{term: string, example: string, help: string, values?: [string]}]}",
     .run = terms},
};

}  // namespace

const RouteGroup& saved_queries_routes() {
  static const RouteGroup group{"queries", "kept queries and the query language", kRoutes};
  return group;
}

}  // namespace kiln::engine
