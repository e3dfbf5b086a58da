#pragma once
// Searches as Bundles: over a type, several types, a compartment; pages, totals, includes.

#include <string>
#include <vector>

#include "fhir/interaction.h"
#include "fhir/search/query.h"

namespace kiln::fhir::detail {

/// A search over one or more types. The parts are worked off one after the other; their order is that of the
/// pages.
struct SearchJob {
  std::vector<ParsedSearch> parts;  ///< result parameters are those of the first
  std::string path;                 ///< of the links, below the base: "/Patient"
  QueryPairs self;                  ///< what was used
  std::vector<Issue> warnings;
};

/// The page that `page` (a token of ours, or empty: the first) names.
Answer<Reply> run_job(const Call& call, SearchJob job, std::string_view page);

/// Takes `_page` out of the query; empty when it has none.
std::string take_page(QueryPairs& query);

/// A search over one type: pairs of `call.query` in, searchset Bundle out.
Answer<Reply> run_search(const Call& call);
/// Over the types of `_type`, or all.
Answer<Reply> run_system_search(const Call& call);
/// Over one type or all types of the compartment call.type/call.id.
Answer<Reply> run_compartment_search(const Call& call);

}  // namespace kiln::fhir::detail
