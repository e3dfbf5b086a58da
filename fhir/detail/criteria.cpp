#include "fhir/detail/criteria.h"

#include "engine/base/limits.h"
#include "fhir/detail/operations.h"
#include "fhir/primitives.h"

namespace kiln::fhir::detail {

using base::ErrorCode;
using base::fail;

Answer<std::string> id_without_match(Store& store, std::string_view type, std::string_view body_id,
                                     const ServerContext& server, std::string_view place) {
  if (body_id.empty() || !server.update_create) return server.ids->next();
  const std::string at = std::string(place) + ".id";
  if (!is_valid_id(body_id))
    return fail(ErrorCode::bad_value, "the id is not valid: 1 to 64 of A-Z a-z 0-9 - .", at);
  TRY(const auto existing, store.read(type, body_id));
  if (existing && !existing->deleted())
    return fail(ErrorCode::fhir_conflict,
                "the criteria match nothing, but a resource with the id of the body exists", at);
  return std::string(body_id);
}

namespace {

bool may_ask(const Principal& principal, const Access& access, const std::vector<SearchClause>& clauses) {
  for (const SearchClause& clause : clauses) {
    for (const SearchLink& link : clause.links)
      if (!access.allow(principal, "search", link.type, {}) || !may_ask(principal, access, link.clauses))
        return false;
    if (!may_ask(principal, access, clause.any)) return false;
  }
  return true;
}

}  // namespace

Answer<void> check_search_access(const Principal* principal, const ServerContext& server,
                                 const SearchQuery& query) {
  if (!principal) return {};
  if (server.access && server.access->allow(*principal, "search", query.type, {}) &&
      may_ask(*principal, *server.access, query.clauses))
    return {};
  return fail(ErrorCode::fhir_not_allowed);
}

Answer<std::vector<Match>> find_for_delete(Store& store, const SearchQuery& criteria,
                                           const ServerContext& server) {
  const std::size_t limit = server.conditional_delete_multiple ? base::limits::kConditionalDeleteMax + 1 : 2;
  TRY(std::vector<Match> matches, store.find(criteria, limit));
  if (matches.size() > 1 && !server.conditional_delete_multiple)
    return fail(ErrorCode::fhir_multiple_matches);
  if (matches.size() > base::limits::kConditionalDeleteMax)
    return fail(ErrorCode::fhir_too_costly, "the criteria match too many resources for one request");
  return matches;
}

Answer<void> check_if_match_of(Store& store, std::string_view if_match, const std::vector<Match>& matches) {
  if (if_match.empty()) return {};
  if (matches.size() != 1)
    return fail(ErrorCode::fhir_conflict, "If-Match is given, but the criteria do not match one resource");
  TRY(const auto current, store.read(matches.front().type, matches.front().id));
  return check_if_match(if_match, current);
}

}  // namespace kiln::fhir::detail
