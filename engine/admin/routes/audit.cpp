// The audit trail: list, verify, export.

#include "engine/admin/message_json.h"
#include "engine/admin/query_rights.h"
#include "engine/admin/route.h"
#include "engine/admin/service.h"
#include "engine/base/text.h"

namespace kiln::engine {
namespace {

using base::Result;
using base::Task;

using Work = std::function<Result<Reply>(Logins&, AuditLog&)>;

void write_record(base::JsonWriter& json, const AuditRecord& record, const Caller& caller) {
  json.begin_object()
      .key("n")
      .integer(static_cast<std::int64_t>(record.number))
      .member("at", print_time(record.at));
  json.member("user", record.user).member("from", record.from).member("action", record.action);
  if (!record.target.empty()) json.member("target", record.target);
  json.member("outcome", record.outcome);
  if (!record.detail.empty()) json.member("detail", shown_detail(caller, record.action, record.detail));
  json.end_object();
}

void write_head(base::JsonWriter& json, const AuditHead& head) {
  json.key("head").begin_object().key("n").integer(static_cast<std::int64_t>(head.number));
  json.member("hash", base::hex(head.hash)).end_object();
}

Task<Result<Reply>> list(Call call) {
  constexpr std::uint64_t kLimitMax = 1'000;
  AuditQuery query;
  const auto limit = call.number("limit", 100, kLimitMax);
  const auto before = call.number("before", 0, INT64_MAX);
  if (!limit) co_return base::fail(limit.error());
  if (!before) co_return base::fail(before.error());
  query.limit = static_cast<std::size_t>(*limit);
  query.before = *before;
  query.user = call.value("user");
  query.action = call.value("action");
  query.outcome = call.value("outcome");
  Work work = [query, caller = call.caller](Logins&, AuditLog& audit) -> Result<Reply> {
    TRY(const auto records, audit.list(query));
    base::JsonWriter json;
    json.begin_object().key("records").begin_array();
    for (const AuditRecord& record : records) write_record(json, record, caller);
    json.end_array();
    if (records.size() == query.limit && query.limit > 0)
      json.key("next").integer(static_cast<std::int64_t>(records.back().number));
    write_head(json, audit.head());
    return json_reply(json.end_object().take());
  };
  auto working = call.admin->with_accounts(std::move(work));
  Result<Reply> reply = co_await std::move(working);
  co_return reply;
}

Task<Result<Reply>> verify(Call call) {
  Work work = [](Logins&, AuditLog& audit) -> Result<Reply> {
    TRY(const AuditVerdict verdict, audit.verify());
    base::JsonWriter json;
    json.begin_object()
        .key("ok")
        .boolean(verdict.ok)
        .key("records")
        .integer(static_cast<std::int64_t>(verdict.records));
    json.key("checkpoints").integer(static_cast<std::int64_t>(verdict.checkpoints));
    write_head(json, verdict.head);
    if (verdict.broken_at != 0) json.key("broken_at").integer(static_cast<std::int64_t>(verdict.broken_at));
    return json_reply(json.member("text", verdict.text).end_object().take());
  };
  auto working = call.admin->with_accounts(std::move(work));
  Result<Reply> reply = co_await std::move(working);
  co_return reply;
}

/// The next records as NDJSON; `after` moves on.
Task<std::string> next_page(AdminService* admin, Caller caller, std::shared_ptr<std::uint64_t> after, std::uint64_t last) {
  constexpr std::size_t kPage = 500;
  std::function<std::string(Logins&, AuditLog&)> work = [after, last, caller](Logins&, AuditLog& audit) {
    AuditQuery query;
    query.limit = kPage;
    // Pages of the list run backwards: the one that ends at `after` + kPage.
    query.before = std::min<std::uint64_t>(*after + kPage, last) + 1;
    std::string text;
    auto records = audit.list(query);
    if (!records) return text;
    for (auto record = records->rbegin(); record != records->rend(); ++record) {
      if (record->number <= *after) continue;
      *after = record->number;
      record->detail = shown_detail(caller, record->action, record->detail);
      text += print_audit_event(*record) + "\n";
    }
    return text;
  };
  if (*after >= last) co_return std::string();
  auto working = admin->with_accounts(std::move(work));
  std::string text = co_await std::move(working);
  co_return text;
}

Task<Result<Reply>> export_all(Call call) {
  std::function<AuditHead(Logins&, AuditLog&)> ask = [](Logins&, AuditLog& audit) { return audit.head(); };
  auto asking = call.admin->with_accounts(std::move(ask));
  const AuditHead head = co_await std::move(asking);
  Reply out;
  out.type = "application/fhir+ndjson";
  out.headers.set("Content-Disposition", "attachment; filename=\"kiln-audit.ndjson\"");
  auto after = std::make_shared<std::uint64_t>(0);
  out.stream = [admin = call.admin, caller = call.caller, after, last = head.number] { return next_page(admin, caller, after, last); };
  co_return out;
}

constexpr ParameterSpec kList[] = {{"limit", "integer", "most records (100; at most 1000)"},
                                   {"before", "integer", "only records below this number"},
                                   {"user", "string", "of this account"},
                                   {"action", "string", "this action, or all that begin with it and a dot"},
                                   {"outcome", "\"ok\"|\"refused\"|\"failed\"", "how it ended"}};

constexpr RouteSpec kRoutes[] = {
    {.method = "GET",
     .path = "/audit",
     .right = AdminRight::audit,
     .summary = "who did what, newest first; terms about content of searches only with phi.view",
     .parameters = kList,
     .answer = "{records: [@AuditRecord], next?: integer, head: {n: integer, hash: string}}",
     .recorded = Recorded::after,
     .action = "audit.read",
     .task = list},
    {.method = "GET",
     .path = "/audit/verify",
     .right = AdminRight::audit,
     .summary = "walk the chain: each record must follow from the one before",
     .answer = "{ok: boolean, records: integer, checkpoints: integer, head: {n: integer, hash: string}, "
               "broken_at?: integer, "
               "text: string}",
     .recorded = Recorded::after,
     .action = "audit.verify",
     .task = verify},
    {.method = "GET",
     .path = "/audit/export",
     .right = AdminRight::audit,
     .summary = "the whole trail as FHIR AuditEvents, one a line; terms about content of searches only with phi.view",
     .media = "application/fhir+ndjson",
     .recorded = Recorded::before,
     .action = "audit.export",
     .task = export_all},
};

}  // namespace

const RouteGroup& audit_routes() {
  static const RouteGroup group{"audit", "the audit trail", kRoutes};
  return group;
}

}  // namespace kiln::engine
