#include "fhir/detail/everything.h"

#include <algorithm>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "fhir/detail/operation_input.h"
#include "fhir/detail/operations.h"
#include "fhir/detail/searchset.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;
using base::fail;

/// What is not in the compartment and yet needed to read what is.
constexpr std::string_view kReferredTypes[] = {"Organization", "Practitioner", "PractitionerRole",
                                               "Location",     "Medication",   "Device"};

struct Wishes {
  std::vector<std::string> types;
  QueryPairs dates;   ///< `date` criteria for the types that have that parameter
  QueryPairs common;  ///< for every type
  QueryPairs self;
};

Answer<Wishes> read_wishes(const Call& call) {
  TRY(const auto input, OperationInput::read(call, {"start", "end", "_since", "_type", "_count", "_page"}));
  Wishes wishes;
  for (const std::string_view list : input.texts("_type")) {
    for (const std::string_view part : base::split(list, ',')) {
      if (!find_resource_type(part))
        return fail(ErrorCode::fhir_search_invalid, "parameter '_type': not a resource type of R4");
      wishes.types.emplace_back(part);
    }
    wishes.self.emplace_back("_type", list);
  }
  for (const auto& [name, prefix] : {std::pair{"start", "ge"}, {"end", "le"}}) {
    const std::string value(input.text(name));
    if (value.empty()) continue;
    wishes.dates.emplace_back("date", prefix + value);
    wishes.self.emplace_back(name, value);
  }
  if (const std::string since(input.text("_since")); !since.empty()) {
    wishes.common.emplace_back("_lastUpdated", "ge" + since);
    wishes.self.emplace_back("_since", since);
  }
  std::string count(input.text("_count"));
  if (!count.empty()) wishes.self.emplace_back("_count", count);
  // Without _count "everything" is as much as one page may hold.
  wishes.common.emplace_back("_count", count.empty() ? std::to_string(base::limits::kSearchCountMax) : count);
  return wishes;
}

/// One type of the compartment; of the type itself only the resource.
Answer<ParsedSearch> part_of(const Call& call, const Wishes& wishes, const std::string& type) {
  QueryPairs pairs = wishes.common;
  if (type == call.type) {
    pairs.emplace_back("_id", call.id);
  } else if (type_parameters(type)->find("date")) {
    pairs.insert(pairs.end(), wishes.dates.begin(), wishes.dates.end());
  }
  TRY(ParsedSearch part, parse_search(type, pairs, SearchMode::strict, call.server->base_url));
  if (type != call.type) {
    TRY(SearchClause inside, compartment_clause(call.type, call.id, type));
    part.query.clauses.push_back(std::move(inside));
  }
  return part;
}

bool is_wanted(const Wishes& wishes, std::string_view type) {
  return wishes.types.empty() ||
         std::find(wishes.types.begin(), wishes.types.end(), type) != wishes.types.end();
}

}  // namespace

Answer<Reply> run_everything(const Call& call) {
  TRY(const auto focus, call.store->read(call.type, call.id));
  if (!focus) return fail(ErrorCode::fhir_not_found);
  if (focus->deleted()) return tl::unexpected(gone(*focus));
  TRY(Wishes wishes, read_wishes(call));
  const Access* access = call.server->access;
  SearchJob job;
  std::vector<std::string> types = {call.type};
  for (const CompartmentMember& member : compartment(call.type)->members())
    if (member.parameter_count() > 0 && member.type().name() != call.type)
      types.emplace_back(member.type().name());
  for (const std::string& type : types) {
    if (!is_wanted(wishes, type) || !access || !access->allow(*call.principal, "search", type, {})) continue;
    TRY(ParsedSearch part, part_of(call, wishes, type));
    job.parts.push_back(std::move(part));
  }
  if (job.parts.empty())
    return fail(ErrorCode::fhir_search_invalid, "parameter '_type': no type of the compartment");
  for (const std::string_view type : kReferredTypes)
    if (is_wanted(wishes, type))
      job.parts.front().includes.push_back({false, false, {}, nullptr, std::string(type)});
  job.path = "/" + call.type + "/" + call.id + "/$everything";
  job.self = wishes.self;
  QueryPairs query = call.query;
  return run_job(call, std::move(job), take_page(query));
}

}  // namespace kiln::fhir::detail
