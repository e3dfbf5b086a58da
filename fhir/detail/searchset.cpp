#include "fhir/detail/searchset.h"

#include <algorithm>

#include "engine/base/limits.h"
#include "fhir/detail/criteria.h"
#include "fhir/detail/includes.h"
#include "fhir/detail/operations.h"
#include "fhir/detail/paging.h"
#include "fhir/validation/validator.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;
using base::fail;
using base::JsonWriter;

/// What a page token carries besides the query it is bound to.
struct PageState {
  std::size_t part = 0;
  std::optional<std::int64_t> after;  ///< sort key of a row; of a sort by values: its version
  std::int64_t up_to_seq = 0, total = -1;
  bool backward = false;  ///< the rows in front of `after`

  PageToken token() const {
    return {static_cast<std::int64_t>(part), after ? 1 : 0, after.value_or(0), up_to_seq, total, backward ? 1 : 0};
  }
};

struct Page {
  std::vector<StoredVersion> rows;
  std::optional<PageState> next, previous;
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

void write_entry(JsonWriter& out, const StoredVersion& row, std::string_view mode, const Subset& subset,
                 const ServerContext& server) {
  out.begin_object().member("fullUrl", server.base_url + "/" + row.type + "/" + row.id);
  if (subset.is_all()) {
    out.key("resource").raw(row.body);
  } else {
    out.key("resource").raw(apply_subset(row.body, subset));
  }
  out.key("search").begin_object().member("mode", mode).end_object().end_object();
}

void write_entries(JsonWriter& out, const Page& page, const Included& included, const SearchJob& job,
                   const ServerContext& server) {
  std::vector<Issue> issues = job.warnings;
  if (included.is_cut)
    issues.push_back({IssueSeverity::warning,
                      "incomplete",
                      "more than " + std::to_string(base::limits::kSearchIncludedMax) + " resources, or " +
                          std::to_string(base::limits::kSearchIncludedBytesMax >> 20) +
                          " MB of them, would be included; the rest is left out",
                      {},
                      {}});
  if (page.rows.empty() && issues.empty()) return;
  const Subset& subset = job.parts.front().subset;
  out.key("entry").begin_array();
  for (const StoredVersion& row : page.rows) write_entry(out, row, "match", subset, server);
  // _elements is about the matches; other parts are asked of everything.
  const Subset whole;
  for (const StoredVersion& row : included.rows)
    write_entry(out, row, "include", subset.mode == Subset::Mode::elements ? whole : subset, server);
  if (!issues.empty()) {
    out.begin_object().key("resource").raw(print_outcome(issues));
    out.key("search").begin_object().member("mode", "outcome").end_object().end_object();
  }
  out.end_array();
}

Answer<PageState> open_page(const Call& call, std::string_view bound_to, std::string_view text,
                            std::size_t parts) {
  TRY(const PageToken numbers, read_page_token(call, bound_to, text, 6));
  PageState state;
  state.part = static_cast<std::size_t>(numbers[0]);
  if (numbers[1] != 0) state.after = numbers[2];
  state.up_to_seq = numbers[3];
  state.total = numbers[4];
  state.backward = numbers[5] != 0;
  if (state.part >= parts) return fail(ErrorCode::fhir_page_invalid);
  return state;
}

/// Beyond the limit an exact total costs more than the page itself; it is given only when asked for (fhir.md
/// Q5).
Answer<std::int64_t> count_total(const Call& call, const SearchJob& job, const Page& page) {
  const ParsedSearch& first = job.parts.front();
  if (first.total == Total::none && !first.query.count_only) return -1;
  // All hits are there.
  if (!page.next && !first.query.count_only) return static_cast<std::int64_t>(page.rows.size());
  const bool all = first.total == Total::accurate || first.query.count_only;
  const std::int64_t limit = all ? INT64_MAX : base::limits::kSearchTotalMax + 1;
  std::int64_t total = 0;
  for (const ParsedSearch& part : job.parts) {
    TRY(const std::int64_t found, call.store->count(part.query, limit));
    total += found;
    if (total >= limit) return -1;
  }
  return total;
}

/// The page of a search that is sorted by values; it has one part.
Answer<Page> read_sorted(const Call& call, const SearchJob& job, const PageState& state) {
  SearchQuery query = job.parts.front().query;
  query.up_to_seq = state.up_to_seq;
  query.after = state.after;
  query.bytes_max = base::limits::kPageBytesMax;
  TRY(SearchPage found, call.store->search(query));
  Page page;
  page.rows = std::move(found.rows);
  if (!found.more) return page;
  page.next = state;
  page.next->after = found.last_key;
  return page;
}

Answer<Page> read_page(const Call& call, const SearchJob& job, PageState state) {
  const std::size_t count = job.parts.front().query.count;
  std::size_t bytes = 0;
  Page page;
  for (; state.part < job.parts.size(); ++state.part, state.after.reset()) {
    SearchQuery query = job.parts[state.part].query;
    query.up_to_seq = state.up_to_seq;
    query.after = state.after;
    query.count = count - page.rows.size();
    query.bytes_max = base::limits::kPageBytesMax - std::min(bytes, base::limits::kPageBytesMax);
    if (query.count == 0 || query.bytes_max == 0) {
      // There is a next page only if something is on it.
      TRY(const auto any, call.store->find(query, 1));
      if (any.empty()) continue;
      page.next = state;
      return page;
    }
    TRY(SearchPage found, call.store->search(query));
    for (StoredVersion& row : found.rows) {
      bytes += row.body.size();
      page.rows.push_back(std::move(row));
    }
    if (!found.more) continue;
    page.next = state;
    page.next->after = found.last_key;
    return page;
  }
  return page;
}

/// A page of a search over one type in the order of the store, which can be walked both ways.
Answer<Page> read_either_way(const Call& call, const SearchJob& job, const PageState& state) {
  SearchQuery query = job.parts.front().query;
  query.up_to_seq = state.up_to_seq;
  query.after = state.after;
  query.bytes_max = base::limits::kPageBytesMax;
  query.descending = query.descending != state.backward;
  TRY(SearchPage found, call.store->search(query));
  Page page;
  page.rows = std::move(found.rows);
  if (state.backward) {
    std::reverse(page.rows.begin(), page.rows.end());
    std::swap(found.first_key, found.last_key);
  }
  if (page.rows.empty()) return page;
  const bool has_next = state.backward || found.more;
  const bool has_previous = state.backward ? found.more : state.after.has_value();
  if (has_next) {
    page.next = state;
    page.next->after = found.last_key;
    page.next->backward = false;
  }
  if (has_previous) {
    page.previous = state;
    page.previous->after = found.first_key;
    page.previous->backward = true;
  }
  return page;
}

Answer<void> check_combination(const ParsedSearch& search) {
  if (search.subset.mode == Subset::Mode::text && !search.includes.empty())
    return fail(ErrorCode::fhir_search_invalid, "_include and _revinclude do not go with _summary=text");
  return {};
}

}  // namespace

std::string take_page(QueryPairs& query) {
  std::string token;
  std::erase_if(query, [&](const auto& pair) {
    if (pair.first != "_page") return false;
    token = pair.second;
    return true;
  });
  return token;
}

Answer<Reply> run_job(const Call& call, SearchJob job, std::string_view page_token) {
  const ServerContext& server = *call.server;
  const ParsedSearch& first = job.parts.front();
  TRY_VOID(check_combination(first));
  for (const ParsedSearch& part : job.parts)
    TRY_VOID(check_search_access(call.principal, server, part.query));
  const std::string self = encode_pairs(job.self);
  const std::string bound_to = job.path + "?" + self + "\n" + call.principal->name;
  PageState state;
  const bool is_first = page_token.empty();
  if (is_first) {
    TRY(state.up_to_seq, call.store->last_seq());
  } else {
    TRY(state, open_page(call, bound_to, page_token, job.parts.size()));
  }
  Page page;
  if (!first.query.count_only) {
    TRY(page, !first.query.order.empty() ? read_sorted(call, job, state)
              : job.parts.size() == 1 ? read_either_way(call, job, state)
                                      : read_page(call, job, state));
  }
  if (is_first) {
    TRY(state.total, count_total(call, job, page));
    if (page.next) page.next->total = state.total;
  }
  TRY(const Included included, find_included(call, first.includes, page.rows));
  const std::string url = server.base_url + job.path;
  const auto link = [&](std::string_view token) {
    std::string query = self;
    if (!token.empty()) query += (query.empty() ? "_page=" : "&_page=") + base::percent_encode(token);
    return query.empty() ? url : url + "?" + query;
  };
  JsonWriter out;
  out.begin_object().member("resourceType", "Bundle").member("type", "searchset");
  if (state.total >= 0) out.key("total").integer(state.total);
  out.key("link").begin_array();
  write_link(out, "self", link(page_token));
  if (page.next || !page_token.empty()) write_link(out, "first", link({}));
  const auto page_link = [&](std::string_view relation, const std::optional<PageState>& to) {
    if (to)
      write_link(out, relation, link(issue_page_token(call, bound_to, to->token())));
  };
  page_link("previous", page.previous);
  page_link("next", page.next);
  out.end_array();
  write_entries(out, page, included, job, server);
  out.end_object();
  Reply reply;
  reply.body = out.take();
  return reply;
}

Answer<Reply> run_search(const Call& call) {
  QueryPairs pairs = call.query;
  const std::string page = take_page(pairs);
  const SearchMode mode = call.strict_search ? SearchMode::strict : SearchMode::lenient;
  TRY(ParsedSearch search,
      parse_search(call.type, pairs, mode, call.server->base_url, &validator_of(*call.server).terminology()));
  SearchJob job;
  job.path = "/" + call.type;
  job.self = search.self;
  job.warnings = std::move(search.warnings);
  job.parts.push_back(std::move(search));
  return run_job(call, std::move(job), page);
}

}  // namespace kiln::fhir::detail
