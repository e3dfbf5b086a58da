// Messages: search, one message, its bytes.

#include <algorithm>
#include <charconv>

#include "engine/admin/message_json.h"
#include "engine/admin/message_pages.h"
#include "engine/admin/query_rights.h"
#include "engine/admin/route.h"
#include "engine/admin/why_facts.h"
#include "engine/base/limits.h"
#include "engine/gateway.h"
#include "engine/limits.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;

Result<Reply> search(const Call& call) {
  SearchOptions options;
  TRY(const std::uint64_t limit, call.number("limit", 50, base::limits::kSearchCountMax));
  TRY(options.before, call.number("before", 0, INT64_MAX));
  options.limit = static_cast<std::size_t>(limit);
  TRY_VOID(check_query(call, call.value("q")));
  TRY(const Query query, parse_query_text(call.value("q"), call.gateway->clock().wall()));
  TRY(JournalReader * reader, call.gateway->journal_reader());
  options.clock = &call.gateway->clock();
  options.budget_ms = limits::kSearchBudgetMs;
  TRY(const SearchAnswer answer, reader->find(query, options));
  // In a list only for the command line of this machine: a console shows content when somebody asks for it.
  return json_reply(print_search(answer, call.caller.via == Caller::Via::socket));
}

Result<Reply> show(const Call& call) {
  TRY(const MessageId id, message_id(call));
  const bool with_body = call.value("body") == "true";
  if (with_body && !call.caller.rights.has(AdminRight::phi_view))
    return base::fail(ErrorCode::right_missing, {}, {}, "it needs the right `phi.view`");
  TRY(JournalReader * reader, call.gateway->journal_reader());
  TRY(StoredMessage stored, reader->message(id));
  TRY(MessageSummary summary, reader->summary(id));
  add_answers(*reader, summary);
  return json_reply(print_message(summary, stored, with_body ? BodyPart::page : BodyPart::none));
}

/// "bytes=a-b" of a body of `size` bytes (RFC 9110 §14.2), one range; nothing for a field that is not understood.
std::optional<std::pair<std::size_t, std::size_t>> read_range(std::string_view field, std::size_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!field.starts_with(kUnit)) return std::nullopt;
  field.remove_prefix(kUnit.size());
  const auto dash = field.find('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  std::size_t first = 0, last = size == 0 ? 0 : size - 1;
  const auto number = [](std::string_view text, std::size_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
  };
  if (!number(field.substr(0, dash), first)) return std::nullopt;
  const std::string_view behind = field.substr(dash + 1);
  if (!behind.empty() && !number(behind, last)) return std::nullopt;
  if (first >= size || last < first) return std::nullopt;
  return std::pair(first, std::min(last, size - 1));
}

Result<Reply> raw(const Call& call) {
  TRY(const MessageId id, message_id(call));
  TRY(JournalReader * reader, call.gateway->journal_reader());
  TRY(StoredMessage stored, reader->message(id));
  Reply out;
  out.type = "application/octet-stream";
  out.headers.set("Accept-Ranges", "bytes");
  out.headers.set("Content-Disposition", "attachment; filename=\"message-" + std::to_string(id) + "\"");
  std::string& body = stored.message.body;
  if (const auto range = read_range(call.request.headers.get("range"), body.size())) {
    out.status = 206;
    out.headers.set("Content-Range", "bytes " + std::to_string(range->first) + "-" + std::to_string(range->second) + "/" +
                                         std::to_string(body.size()));
    body = body.substr(range->first, range->second - range->first + 1);
  }
  out.body = std::move(body);
  return out;
}

Result<Reply> body(const Call& call) {
  TRY(const MessageId id, message_id(call));
  TRY(JournalReader * reader, call.gateway->journal_reader());
  TRY(const StoredMessage stored, reader->message(id));
  return body_page(call, stored.message.body);
}

constexpr ParameterSpec kSearch[] = {{"q", "string", "terms of the query language; none: the newest"},
                                     {"limit", "integer", "most messages (50; at most 1000)"},
                                     {"before", "integer", "only messages below this number"}};
constexpr ParameterSpec kShow[] = {{"body", "boolean", "with its first 256 kB; needs phi.view"}};
constexpr ParameterSpec kPage[] = {{"offset", "integer", "first byte"}, {"limit", "integer", "most bytes (64 kB; at most 256 kB)"}};
constexpr ErrorCode kSearchErrors[] = {ErrorCode::query_syntax, ErrorCode::limit_exceeded};
constexpr ErrorCode kErrors[] = {ErrorCode::message_not_found, ErrorCode::corrupt_record};

constexpr RouteSpec kRoutes[] = {
    {.method = "GET",
     .path = "/messages",
     .right = AdminRight::view,
     .summary = "find messages, newest first",
     .parameters = kSearch,
     .answer = "{messages: [@Message], next?: integer, complete_to?: integer, note?: string}",
     .errors = kSearchErrors,
     .recorded = Recorded::before,
     .action = "message.search",
     .on_reader = true,
     .run = search},
    {.method = "GET",
     .path = "/messages/{id}",
     .right = AdminRight::view,
     .summary = "one message and how it ended",
     .parameters = kShow,
     .answer = "@Message",
     .errors = kErrors,
     .recorded = Recorded::before,
     .action = "message.show",
     .on_reader = true,
     .run = show},
    {.method = "GET",
     .path = "/messages/{id}/raw",
     .right = AdminRight::phi_view,
     .summary = "the bytes as received; Range is understood",
     .media = "application/octet-stream",
     .errors = kErrors,
     .recorded = Recorded::before,
     .action = "message.view",
     .on_reader = true,
     .run = raw},
    {.method = "GET",
     .path = "/messages/{id}/body",
     .right = AdminRight::phi_view,
     .summary = "a page of its bytes",
     .parameters = kPage,
     .answer = "@Body",
     .errors = kErrors,
     .recorded = Recorded::before,
     .action = "message.view",
     .on_reader = true,
     .run = body},
};

}  // namespace

const RouteGroup& messages_routes() {
  static const RouteGroup group{"messages", "messages of the journal", kRoutes};
  return group;
}

}  // namespace kiln::engine
