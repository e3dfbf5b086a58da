#pragma once
// Decisions of conditional interactions, shared by single requests and transactions.

#include <string>
#include <string_view>
#include <vector>

#include "fhir/router.h"
#include "fhir/search/query.h"

namespace kiln::fhir::detail {

/// The id of a conditional update that matched nothing: that of the body when it has one (update as create;
/// an existing resource of that id is a conflict, since the criteria say it is another one), else a new one.
Answer<std::string> id_without_match(Store& store, std::string_view type, std::string_view body_id,
                                     const ServerContext& server, std::string_view place);
/// fhir_not_allowed unless the principal may search every type that the query asks about: its own, and those
/// that chains and _has lead to (a criterion tells about what it is held against). nullptr: a channel, which may.
Answer<void> check_search_access(const Principal* principal, const ServerContext& server, const SearchQuery& query);

/// What a conditional delete removes: none, one, or (when the server allows it) many; else
/// fhir_multiple_matches.
Answer<std::vector<Match>> find_for_delete(Store& store, const SearchQuery& criteria,
                                           const ServerContext& server);

/// If-Match of a conditional delete: fhir_conflict unless it is empty, or there is one match and it names its
/// version.
Answer<void> check_if_match_of(Store& store, std::string_view if_match, const std::vector<Match>& matches);

}  // namespace kiln::fhir::detail
