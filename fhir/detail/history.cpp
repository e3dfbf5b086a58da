#include "fhir/detail/history.h"

#include <algorithm>
#include <charconv>

#include "engine/base/limits.h"
#include "engine/base/partial_date.h"
#include "fhir/detail/operations.h"
#include "fhir/detail/paging.h"
#include "fhir/resource_text.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;
using base::fail;
using base::JsonWriter;

struct HistoryRequest {
  std::size_t count = base::limits::kSearchCountDefault;  ///< 0: only the total
  std::optional<base::WallTime> since;
  std::optional<base::PartialDate> at;
  std::string page, self;
};

Answer<HistoryRequest> parse_request(const Call& call) {
  HistoryRequest request;
  for (const auto& [name, value] : call.query) {
    if (value.empty()) continue;
    if (name == "_page") {
      request.page = value;
      continue;
    }
    if (name == "_count") {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), request.count);
      if (error != std::errc() || end != value.data() + value.size())
        return fail(ErrorCode::fhir_search_invalid, "parameter '_count': expected a number");
      request.count = std::min(request.count, base::limits::kSearchCountMax);
    } else if (name == "_since") {
      std::string text = value;
      std::replace(text.begin(), text.end(), ' ', '+');
      const auto since = base::PartialDate::parse_fhir(text);
      if (!since || since->precision < base::DatePrecision::second || !since->has_offset)
        return fail(ErrorCode::fhir_search_invalid, "parameter '_since': expected an instant");
      request.since = base::WallTime{since->lowest_micros()};
    } else if (name == "_at") {
      std::string text = value;
      std::replace(text.begin(), text.end(), ' ', '+');
      request.at = base::PartialDate::parse_fhir(text);
      if (!request.at) return fail(ErrorCode::fhir_search_invalid, "parameter '_at': expected a date or time");
    } else if (call.strict_search) {
      return fail(ErrorCode::fhir_search_unknown, "parameter '" + name + "' is not supported for history");
    } else {
      continue;
    }
    request.self +=
        (request.self.empty() ? "" : "&") + base::percent_encode(name) + "=" + base::percent_encode(value);
  }
  return request;
}

void write_entry(JsonWriter& out, const StoredVersion& version, const ServerContext& server) {
  const std::string identity = version.type + "/" + version.id;
  out.begin_object().member("fullUrl", server.base_url + "/" + identity);
  if (!version.deleted()) out.key("resource").raw(version.body);
  out.key("request").begin_object().member("method", http_method(version.method));
  out.member("url", version.method == WriteMethod::create ? version.type : identity).end_object();
  const std::string_view status = version.deleted() ? "204" : version.vid == 1 ? "201" : "200";
  out.key("response").begin_object().member("status", status).member("etag", etag(version.vid));
  out.member("lastModified", print_instant(version.updated)).end_object().end_object();
}

}  // namespace

Answer<Reply> run_history(const Call& call) {
  TRY(const HistoryRequest request, parse_request(call));
  std::string path = call.type.empty()
                         ? "/_history"
                         : "/" + call.type + (call.id.empty() ? "" : "/" + call.id) + "/_history";
  const std::string bound_to = path + "?" + request.self + "\n" + call.principal->name;
  HistoryRange range;
  range.type = call.type;
  range.id = call.id;
  range.since = request.since;
  if (request.at) {
    range.at_low = request.at->lowest_micros();
    range.at_high = request.at->highest_micros();
  }
  range.limit = request.count;
  range.bytes_max = base::limits::kPageBytesMax;
  if (!request.page.empty()) {
    TRY(const PageToken token, read_page_token(call, bound_to, request.page, 1));
    range.below_seq = token.front();
  }
  std::int64_t total = -1;
  if (!call.id.empty()) {
    TRY(total, call.store->version_count(call.type, call.id));
    if (total == 0) return fail(ErrorCode::fhir_not_found);
  }
  const bool filtered = request.since || request.at;
  if (filtered || (request.count == 0 && call.id.empty())) total = -1;
  if (request.count == 0 && total < 0) {
    TRY(total, call.store->history_count(range, base::limits::kSearchTotalMax + 1));
    if (total > base::limits::kSearchTotalMax) total = -1;
  }
  HistoryPage page;
  if (request.count > 0) {
    TRY(page, call.store->history(range));
  }

  JsonWriter out;
  out.begin_object().member("resourceType", "Bundle").member("type", "history");
  if (total >= 0) out.key("total").integer(total);
  const std::string url = call.server->base_url + path;
  out.key("link").begin_array();
  out.begin_object()
      .member("relation", "self")
      .member("url", request.self.empty() ? url : url + "?" + request.self)
      .end_object();
  if (page.more) {
    const std::string next = issue_page_token(call, bound_to, {page.rows.back().seq});
    out.begin_object().member("relation", "next");
    out.member("url", url + "?" + request.self + (request.self.empty() ? "" : "&") + "_page=" + next)
        .end_object();
  }
  out.end_array();
  if (!page.rows.empty()) {
    out.key("entry").begin_array();
    for (const StoredVersion& version : page.rows) write_entry(out, version, *call.server);
    out.end_array();
  }
  out.end_object();
  Reply reply;
  reply.body = out.take();
  return reply;
}

}  // namespace kiln::fhir::detail
