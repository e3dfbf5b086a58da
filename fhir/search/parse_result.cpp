// Result parameters: how many, in what order, which parts, and what comes with them.
#include <algorithm>
#include <charconv>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "fhir/search/detail/parse_parts.h"

namespace kiln::fhir::detail {
namespace {

using base::fail;

Answer<void> parse_count(SearchQuery& query, std::string_view value) {
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
  if (error != std::errc() || end != value.data() + value.size())
    return fail(invalid_parameter("_count", "expected a number"));
  query.count = std::min(count, base::limits::kSearchCountMax);
  query.count_only = query.count_only || count == 0;
  return {};
}

/// _lastUpdated alone is the order of the store; any other list is sorted by values.
Answer<void> parse_sort(ParsedSearch& search, const TypeParameters& type, std::string_view value) {
  std::vector<SortTerm>& order = search.query.order;
  // A second _sort goes on where the first one ended.
  if (search.query.sort == SortKey::last_updated) order.push_back({type.find("_lastUpdated"), search.query.descending});
  search.query.sort = SortKey::rid;
  search.query.descending = false;
  for (std::string_view key : base::split(value, ',')) {
    key = base::trim(key);
    if (key.empty()) continue;
    SortTerm term;
    term.descending = key.front() == '-';
    if (term.descending) key.remove_prefix(1);
    term.parameter = type.find(key);
    if (!term.parameter)
      return fail(invalid_parameter("_sort", "not a parameter of the type that can be sorted by"));
    order.push_back(term);
  }
  if (order.size() > base::limits::kSearchSortKeysMax)
    return fail(invalid_parameter("_sort", "too many keys"));
  if (order.size() != 1 || order[0].parameter->kind != ParameterKind::last_updated) return {};
  search.query.sort = SortKey::last_updated;
  search.query.descending = order[0].descending;
  order.clear();
  return {};
}

/// "Observation:subject", "Observation:subject:Patient", "Observation:*", "*".
Answer<void> parse_include(ParsedSearch& search, const TypeParameters& type, std::string_view name,
                           std::string_view value) {
  Include include;
  include.reverse = name.starts_with("_rev");
  if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) {
    const std::string_view modifier = name.substr(colon + 1);
    if (modifier != "iterate" && modifier != "recurse")
      return fail(invalid_parameter(name, "this modifier is not supported for the parameter"));
    include.iterate = true;
  }
  if (value != "*") {
    const auto parts = base::split(value, ':');
    const TypeParameters* source = type_parameters(parts[0]);
    if (!source || parts.size() < 2 || parts.size() > 3)
      return fail(invalid_parameter(name, "expected Type:parameter, Type:parameter:Target, Type:* or *"));
    include.source = parts[0];
    if (parts[1] != "*") {
      include.parameter = source->find(parts[1]);
      if (!include.parameter || include.parameter->kind != ParameterKind::reference)
        return fail(invalid_parameter(name, "the type has no such reference parameter"));
    }
    if (parts.size() == 3) {
      include.target = parts[2];
      if (!find_resource_type(include.target)) return fail(invalid_parameter(name, "unknown target type"));
    }
  } else if (include.reverse) {
    return fail(invalid_parameter(name, "expected Type:parameter"));
  }
  // What no resource of this search can have is a mistake, unless it starts from something included.
  if (!include.reverse && !include.iterate && !include.source.empty() && include.source != type.type())
    return fail(
        invalid_parameter(name, "the type is not that of the search (use :iterate for what is included)"));
  search.includes.push_back(std::move(include));
  return {};
}

}  // namespace

Answer<bool> parse_result_parameter(ParsedSearch& search, const TypeParameters& type, std::string_view name,
                                    std::string_view value) {
  const auto done = [](Answer<void> answer) -> Answer<bool> {
    if (!answer) return tl::unexpected(std::move(answer).error());
    return true;
  };
  if (name == "_count") return done(parse_count(search.query, value));
  if (name == "_sort") return done(parse_sort(search, type, value));
  const std::string_view plain = name.substr(0, name.find(':'));
  if (plain == "_include" || plain == "_revinclude") return done(parse_include(search, type, name, value));
  if (name == "_summary" && value == "count") {
    search.query.count_only = true;
    return true;
  }
  if (name == "_total") {
    if (value == "none") {
      search.total = Total::none;
    } else if (value == "estimate") {
      search.total = Total::estimate;
    } else if (value == "accurate") {
      search.total = Total::accurate;
    } else {
      return fail(invalid_parameter(name, "expected none, estimate or accurate"));
    }
    return true;
  }
  if (name == "_contained") {
    if (value != "false") return fail(invalid_parameter(name, "contained resources are not searched"));
    return true;
  }
  return parse_subset(search.subset, type.type(), name, value);
}

}  // namespace kiln::fhir::detail
