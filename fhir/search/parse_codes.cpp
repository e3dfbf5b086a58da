// The codes of a value set or of a branch of a code system, for modifiers of tokens.
#include "engine/base/limits.h"
#include "fhir/conformance/library.h"
#include "fhir/model/tree_builder.h"
#include "fhir/search/detail/parse_parts.h"
#include "fhir/terminology/terminology.h"

namespace kiln::fhir::detail {
namespace {

using base::fail;

constexpr std::string_view kBranchUrl = "urn:kiln:branch";

/// A value set of everything that is-a, or is above, one code.
Tree branch_value_set(std::string_view system, std::string_view code, bool below) {
  TreeBuilder out;
  out.open_root(find_resource_type("ValueSet"));
  out.add("url", kBranchUrl);
  out.add("status", "active");
  out.open("compose");
  out.open("include");
  out.add("system", system);
  out.open("filter");
  out.add("property", "concept");
  out.add("op", below ? "is-a" : "generalizes");
  out.add("value", code);
  out.close();
  out.close();
  out.close();
  out.close();
  return out.finish();
}

base::Result<Expansion> expand_branch(std::string_view text, bool below) {
  const auto parts = split_escaped(text, '|');
  if (parts.size() != 2 || parts[0].empty() || parts[1].empty())
    return fail(base::ErrorCode::fhir_search_invalid, "expected system|code");
  Library library;
  library.add(branch_value_set(unescape(parts[0]), unescape(parts[1]), below));
  const Terminology terminology(library);
  ExpandOptions options;
  options.count = base::limits::kSearchCodesMax + 1;
  return terminology.expand(kBranchUrl, options);
}

base::Result<Expansion> expand_set(std::string_view url, const ParseContext& context) {
  ExpandOptions options;
  options.count = base::limits::kSearchCodesMax + 1;
  if (context.terminology) return context.terminology->expand(url, options);
  static const Library shipped;
  static const Terminology terminology(shipped);
  return terminology.expand(url, options);
}

}  // namespace

Answer<std::vector<SearchValue>> parse_code_set(const SearchClause& clause, std::string_view text,
                                                const ParseContext& context) {
  const bool below = clause.modifier == Modifier::below, above = clause.modifier == Modifier::above;
  const auto expansion = below || above ? expand_branch(text, below) : expand_set(unescape(text), context);
  if (!expansion)
    return fail(invalid_parameter(
        clause.name,
        below || above ? "the codes cannot be told (expected system|code of a code system that is known here)"
                       : "the value set is not known here, or cannot be expanded"));
  if (expansion->codes.size() > base::limits::kSearchCodesMax)
    return fail(invalid_parameter(clause.name, "the value set has too many codes"));
  std::vector<SearchValue> values;
  for (const CodeEntry& entry : expansion->codes) {
    SearchValue value;
    value.form = entry.system.empty() ? TokenForm::code : TokenForm::system_code;
    value.system = entry.system;
    value.code = entry.code;
    values.push_back(std::move(value));
  }
  return values;
}

}  // namespace kiln::fhir::detail
