// Searches over several types: the whole system, or a compartment.
#include <algorithm>

#include "engine/base/text.h"
#include "fhir/detail/searchset.h"
#include "fhir/validation/validator.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;
using base::fail;

/// `_type` taken out of the query; empty when it names none.
Answer<std::vector<std::string>> take_types(QueryPairs& query) {
  std::vector<std::string> types;
  for (const auto& [name, value] : query) {
    if (name != "_type") continue;
    for (const std::string_view part : base::split(value, ',')) {
      if (part.empty()) continue;
      if (!find_resource_type(part))
        return fail(ErrorCode::fhir_search_invalid, "parameter '_type': not a resource type of R4");
      types.emplace_back(part);
    }
  }
  std::erase_if(query, [](const auto& pair) { return pair.first == "_type"; });
  return types;
}

bool is_allowed(const Call& call, std::string_view type) {
  const Access* access = call.server->access;
  return access && access->allow(*call.principal, "search", type, {});
}

/// One part for each type that may be searched; a type that was named and may not is a refusal.
Answer<SearchJob> make_job(const Call& call, const QueryPairs& pairs, const std::vector<std::string>& named,
                           const std::vector<std::string>& all) {
  const std::vector<std::string>& types = named.empty() ? all : named;
  // A parameter that only some types have must not be ignored for the others: they would all be hits.
  const bool lenient = types.size() == 1 && !call.strict_search;
  const SearchMode mode = lenient ? SearchMode::lenient : SearchMode::strict;
  SearchJob job;
  for (const std::string& type : types) {
    if (!is_allowed(call, type)) {
      if (!named.empty()) return fail(ErrorCode::fhir_not_allowed);
      continue;
    }
    TRY(ParsedSearch part,
        parse_search(type, pairs, mode, call.server->base_url, &validator_of(*call.server).terminology()));
    if (job.parts.empty()) {
      job.self = part.self;
      job.warnings = part.warnings;
    }
    job.parts.push_back(std::move(part));
  }
  if (job.parts.empty()) return fail(ErrorCode::fhir_not_allowed);
  if (job.parts.size() > 1 && (!job.parts[0].query.order.empty() || job.parts[0].query.sort != SortKey::rid))
    return fail(ErrorCode::fhir_search_invalid, "parameter '_sort': only searches over one type are sorted");
  if (!named.empty()) {
    std::string list;
    for (const std::string& type : named) list += (list.empty() ? "" : ",") + type;
    job.self.insert(job.self.begin(), {"_type", list});
  }
  return job;
}

std::vector<std::string> all_resource_types() {
  std::vector<std::string> types;
  for (const TypeDef& type : all_types())
    if (find_resource_type(type.name()) == &type) types.emplace_back(type.name());
  return types;
}

}  // namespace

Answer<Reply> run_system_search(const Call& call) {
  QueryPairs pairs = call.query;
  const std::string page = take_page(pairs);
  TRY(const auto named, take_types(pairs));
  TRY(SearchJob job, make_job(call, pairs, named, all_resource_types()));
  return run_job(call, std::move(job), page);
}

Answer<Reply> run_compartment_search(const Call& call) {
  const Compartment* found = compartment(call.type);
  if (!found) return fail(ErrorCode::fhir_unknown_path, "resources of this type are no compartment");
  QueryPairs pairs = call.query;
  const std::string page = take_page(pairs);
  std::vector<std::string> named, members;
  for (const CompartmentMember& member : found->members())
    if (member.parameter_count() > 0) members.emplace_back(member.type().name());
  if (call.member == "*") {
    TRY(named, take_types(pairs));
  } else {
    members = {call.member};
  }
  TRY(SearchJob job, make_job(call, pairs, named, members));
  for (ParsedSearch& part : job.parts) {
    TRY(SearchClause inside, compartment_clause(call.type, call.id, part.query.type));
    part.query.clauses.push_back(std::move(inside));
  }
  job.path = "/" + call.type + "/" + call.id + "/" + call.member;
  return run_job(call, std::move(job), page);
}

}  // namespace kiln::fhir::detail
