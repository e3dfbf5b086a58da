#include "fhir/detail/searchset.h"

#include <algorithm>

#include "engine/base/limits.h"
#include "fhir/detail/operations.h"
#include "fhir/detail/paging.h"
#include "fhir/search/query.h"

namespace kiln::fhir::detail {
namespace {

using base::JsonWriter;

/// What a page token carries besides the query it is bound to.
struct PageState {
  std::int64_t after = 0, up_to_seq = 0, total = -1;
};

std::string encode_pairs(const QueryPairs& pairs) {
  std::string out;
  for (const auto& [name, value] : pairs)
    out += (out.empty() ? "" : "&") + base::percent_encode(name) + "=" + base::percent_encode(value);
  return out;
}

void write_link(JsonWriter& out, std::string_view relation, std::string_view url) {
  out.begin_object().member("relation", relation).member("url", url).end_object();
}

/// The `_page` of the query, taken out of it; nullopt when there is none.
std::optional<std::string> take_page(QueryPairs& query) {
  std::optional<std::string> token;
  std::erase_if(query, [&](const auto& pair) {
    if (pair.first != "_page") return false;
    token = pair.second;
    return true;
  });
  return token;
}

void write_entries(JsonWriter& out, const SearchPage& page, const std::vector<Issue>& warnings,
                   const ServerContext& server) {
  if (page.rows.empty() && warnings.empty()) return;
  out.key("entry").begin_array();
  for (const StoredVersion& row : page.rows) {
    out.begin_object().member("fullUrl", server.base_url + "/" + row.type + "/" + row.id);
    out.key("resource").raw(row.body);
    out.key("search").begin_object().member("mode", "match").end_object().end_object();
  }
  if (!warnings.empty()) {
    out.begin_object().key("resource").raw(print_outcome(warnings));
    out.key("search").begin_object().member("mode", "outcome").end_object().end_object();
  }
  out.end_array();
}

}  // namespace

Answer<Reply> run_search(const Call& call) {
  const ServerContext& server = *call.server;
  QueryPairs pairs = call.query;
  const auto token = take_page(pairs);
  const SearchMode mode = call.strict_search ? SearchMode::strict : SearchMode::lenient;
  TRY(ParsedSearch search, parse_search(call.type, pairs, mode, server.base_url));
  const std::string self = encode_pairs(search.self);
  const std::string bound_to = call.type + "?" + self + "\n" + call.principal->name;
  PageState state;
  if (token) {
    const auto numbers = open_page_token(call.store->page_secret(), bound_to, *token);
    if (!numbers || numbers->size() != 3) return base::fail(base::ErrorCode::fhir_page_invalid);
    state = {(*numbers)[0], (*numbers)[1], (*numbers)[2]};
    search.query.after = state.after;
    search.query.up_to_seq = state.up_to_seq;
  } else {
    TRY(state.up_to_seq, call.store->last_seq());
    if (search.total_wanted || search.query.count_only) {
      TRY(const std::int64_t total, call.store->count(search.query, base::limits::kSearchTotalMax + 1));
      // Beyond the limit an exact total would cost more than the page itself (fhir.md Q5).
      state.total = total > base::limits::kSearchTotalMax ? -1 : total;
    }
  }
  SearchPage page;
  if (!search.query.count_only) {
    TRY(page, call.store->search(search.query));
  }
  JsonWriter out;
  out.begin_object().member("resourceType", "Bundle").member("type", "searchset");
  if (state.total >= 0) out.key("total").integer(state.total);
  const std::string url = server.base_url + "/" + call.type;
  out.key("link").begin_array();
  std::string own = self;
  if (token) own += (own.empty() ? "" : "&") + std::string("_page=") + base::percent_encode(*token);
  write_link(out, "self", own.empty() ? url : url + "?" + own);
  if (page.more) {
    const std::string next =
        make_page_token(call.store->page_secret(), bound_to, {page.last_key, state.up_to_seq, state.total});
    write_link(out, "next", url + "?" + self + (self.empty() ? "" : "&") + "_page=" + next);
  }
  out.end_array();
  write_entries(out, page, search.warnings, server);
  out.end_object();
  Reply reply;
  reply.body = out.take();
  return reply;
}

}  // namespace kiln::fhir::detail
