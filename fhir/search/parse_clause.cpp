// From one name and value of the URL to a clause: modifiers, composites, chains, _has.
#include "engine/base/limits.h"
#include "fhir/search/custom_parameters.h"
#include "fhir/search/detail/parse_parts.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;
using base::fail;
using Kind = SearchClause::Kind;

/// Modifiers that any parameter of a kind takes; those of tokens are in token_modifier().
std::optional<Modifier> plain_modifier(ParameterKind kind, std::string_view text) {
  if (text == "missing" && kind != ParameterKind::id && kind != ParameterKind::last_updated)
    return Modifier::missing;
  if (kind == ParameterKind::string && text == "exact") return Modifier::exact;
  if (kind == ParameterKind::string && text == "contains") return Modifier::contains;
  if (kind == ParameterKind::reference && text == "identifier") return Modifier::identifier;
  if ((kind == ParameterKind::uri || kind == ParameterKind::token) && text == "below") return Modifier::below;
  if ((kind == ParameterKind::uri || kind == ParameterKind::token) && text == "above") return Modifier::above;
  if (kind != ParameterKind::token) return std::nullopt;
  if (text == "not") return Modifier::not_;
  if (text == "text") return Modifier::text;
  if (text == "of-type") return Modifier::of_type;
  if (text == "in") return Modifier::in;
  if (text == "not-in") return Modifier::not_in;
  return std::nullopt;
}

/// Which modifiers a parameter takes. A resource type as modifier of a reference comes back in
/// `modifier_type`.
Answer<Modifier> parse_modifier(const Parameter& parameter, std::string_view name, std::string_view text,
                                std::string_view& modifier_type) {
  if (const auto plain = plain_modifier(parameter.kind, text)) return *plain;
  if (parameter.kind == ParameterKind::reference && find_resource_type(text)) {
    modifier_type = text;
    return Modifier::none;
  }
  return fail(invalid_parameter(name, "this modifier is not supported for the parameter"));
}

bool is_code_set(Modifier modifier, ParameterKind kind) {
  return modifier == Modifier::in || modifier == Modifier::not_in ||
         (kind == ParameterKind::token && (modifier == Modifier::below || modifier == Modifier::above));
}

Answer<SearchClause> parse_plain(const Parameter& parameter, std::string_view name, std::string_view value,
                                 const ParseContext& context) {
  SearchClause clause;
  clause.parameter = &parameter;
  clause.name = name;
  clause.raw = value;
  std::string_view modifier_type;
  if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) {
    TRY(clause.modifier, parse_modifier(parameter, name, name.substr(colon + 1), modifier_type));
  }
  if (clause.modifier == Modifier::missing) {
    if (value != "true" && value != "false") return fail(invalid_parameter(name, "expected true or false"));
    clause.missing = value == "true";
    return clause;
  }
  for (const std::string_view part : split_escaped(value, ',')) {
    if (part.empty()) continue;
    if (is_code_set(clause.modifier, parameter.kind)) {
      TRY(auto codes, parse_code_set(clause, part, context));
      clause.values.insert(clause.values.end(), codes.begin(), codes.end());
      continue;
    }
    TRY(SearchValue parsed, parse_value(clause, modifier_type, part, context.own_base));
    clause.values.push_back(std::move(parsed));
  }
  const std::size_t most = is_code_set(clause.modifier, parameter.kind) ? base::limits::kSearchCodesMax
                                                                        : base::limits::kSearchValuesMax;
  if (clause.values.size() > most) return fail(invalid_parameter(name, "too many values"));
  return clause;
}

Answer<SearchClause> parse_composite(const CompositeParameter& composite, std::string_view name,
                                     std::string_view value, const ParseContext& context) {
  if (name.find(':') != std::string_view::npos)
    return fail(invalid_parameter(name, "a composite parameter takes no modifier"));
  SearchClause clause;
  clause.kind = Kind::composite;
  clause.composite = &composite;
  clause.name = name;
  clause.raw = value;
  for (const std::string_view part : split_escaped(value, ',')) {
    if (part.empty()) continue;
    const auto texts = split_escaped(part, '$');
    if (texts.size() != composite.components.size())
      return fail(invalid_parameter(
          name, "expected " + std::to_string(composite.components.size()) + " values with $ between them"));
    std::vector<SearchValue> tuple;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      SearchClause component;
      component.parameter = &composite.components[i];
      component.name = name;
      TRY(SearchValue parsed, parse_value(component, {}, texts[i], context.own_base));
      tuple.push_back(std::move(parsed));
    }
    clause.tuples.push_back(std::move(tuple));
  }
  if (clause.tuples.size() > base::limits::kSearchValuesMax)
    return fail(invalid_parameter(name, "too many values"));
  return clause;
}

/// The clause at the end of a chain: `rest` about `type`. nullopt when the type has no such parameter.
Answer<std::optional<SearchLink>> parse_link(const TypeParameters& type, std::string_view rest,
                                             std::string_view value, const ParseContext& context,
                                             std::size_t depth) {
  TRY(auto clause, parse_clause(type, rest, value, context, depth + 1));
  if (!clause) return std::optional<SearchLink>();
  if (clause->kind == Kind::value && clause->parameter->kind == ParameterKind::last_updated)
    return fail(invalid_parameter(rest, "_lastUpdated cannot be chained"));
  SearchLink link;
  link.type = type.type();
  link.clauses.push_back(std::move(*clause));
  return std::optional<SearchLink>(std::move(link));
}

/// The types that a chain may go through: that of the modifier, or all targets of the reference.
Answer<std::vector<std::string_view>> chain_types(const Parameter& reference, std::string_view name,
                                                  std::string_view modifier) {
  std::vector<std::string_view> types;
  if (reference.custom) {
    for (const std::string& target : reference.custom->targets)
      if (modifier.empty() || target == modifier) types.push_back(target);
    if (types.empty() && reference.custom->targets.empty() && find_resource_type(modifier)) types.push_back(modifier);
    if (types.empty()) return fail(invalid_parameter(name, "the reference does not lead to this type"));
    return types;
  }
  for (const TypeDef& target : reference.definition->targets()) {
    if (modifier.empty() || target.name() == modifier) types.push_back(target.name());
  }
  if (types.empty() && reference.definition->targets().empty() && find_resource_type(modifier))
    types.push_back(modifier);
  if (types.empty()) return fail(invalid_parameter(name, "the reference does not lead to this type"));
  return types;
}

/// "subject:Patient.name", "patient.name" (search#chaining).
Answer<std::optional<SearchClause>> parse_chain(const TypeParameters& type, std::string_view name,
                                                std::string_view value, const ParseContext& context,
                                                std::size_t depth) {
  const std::size_t dot = name.find('.');
  const std::string_view head = name.substr(0, dot), rest = name.substr(dot + 1);
  const std::size_t colon = head.find(':');
  const Parameter* reference = type.find(head.substr(0, colon));
  if (!reference || reference->kind != ParameterKind::reference) return std::optional<SearchClause>();
  if (depth >= base::limits::kSearchChainMax) return fail(invalid_parameter(name, "the chain is too long"));
  TRY(const auto types,
      chain_types(*reference, name, colon == std::string_view::npos ? "" : head.substr(colon + 1)));
  SearchClause clause;
  clause.kind = Kind::chain;
  clause.parameter = reference;
  clause.name = name;
  clause.raw = value;
  std::string found;
  for (const std::string_view target : types) {
    TRY(auto link, parse_link(*type_parameters(target), rest, value, context, depth));
    if (!link) continue;
    found += (found.empty() ? "" : ", ") + std::string(target);
    clause.links.push_back(std::move(*link));
  }
  // Parameters of every resource (_id, _tag, …) mean the same wherever the reference leads.
  // The ways multiply at each step, so only the first step may have some, and few.
  constexpr std::size_t kWaysMax = 8;
  const bool is_common = rest.starts_with('_') && depth == 0;
  if (clause.links.size() > 1 && (!is_common || clause.links.size() > kWaysMax))
    return fail(invalid_parameter(name, "the chain may go through " + found + "; name one with ':Type'"));
  if (clause.links.empty()) return std::optional<SearchClause>();
  return std::optional<SearchClause>(std::move(clause));
}

/// "_has:Observation:patient:code" (search#has).
Answer<std::optional<SearchClause>> parse_has(const TypeParameters& type, std::string_view name,
                                              std::string_view value, const ParseContext& context,
                                              std::size_t depth) {
  std::string_view rest = name.substr(5);
  const std::size_t first = rest.find(':'), second = rest.find(':', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos)
    return fail(invalid_parameter(name, "expected _has:Type:reference:parameter"));
  const TypeParameters* source = type_parameters(rest.substr(0, first));
  if (!source) return fail(invalid_parameter(name, "not a resource type of R4"));
  const Parameter* reference = source->find(rest.substr(first + 1, second - first - 1));
  if (!reference || reference->kind != ParameterKind::reference)
    return fail(invalid_parameter(name, "the type has no such reference parameter"));
  if (depth >= base::limits::kSearchChainMax) return fail(invalid_parameter(name, "the chain is too long"));
  TRY_VOID(chain_types(*reference, name, type.type()));
  TRY(auto link, parse_link(*source, rest.substr(second + 1), value, context, depth));
  if (!link)
    return fail(ErrorCode::fhir_search_unknown, "parameter '" + std::string(name) + "' is not supported");
  SearchClause clause;
  clause.kind = Kind::has;
  clause.parameter = reference;
  clause.name = name;
  clause.raw = value;
  clause.links.push_back(std::move(*link));
  return std::optional<SearchClause>(std::move(clause));
}

}  // namespace

Answer<std::optional<SearchClause>> parse_clause(const TypeParameters& type, std::string_view name,
                                                 std::string_view value, const ParseContext& context,
                                                 std::size_t depth) {
  if (name.starts_with("_has:")) return parse_has(type, name, value, context, depth);
  if (name == "_list") {
    if (value.starts_with('$')) return fail(invalid_parameter(name, "functional lists are not kept here"));
    TRY(auto clause, parse_has(type, "_has:List:item:_id", value, context, depth));
    clause->name = name;
    return clause;
  }
  // A chain has its dot before any modifier of its end: "subject:Patient.name:exact".
  if (name.find('.') != std::string_view::npos) return parse_chain(type, name, value, context, depth);
  const std::string_view code = name.substr(0, name.find(':'));
  if (const Parameter* parameter = type.find(code)) {
    TRY(SearchClause clause, parse_plain(*parameter, name, value, context));
    return std::optional<SearchClause>(std::move(clause));
  }
  if (const CompositeParameter* composite = type.find_composite(code)) {
    TRY(SearchClause clause, parse_composite(*composite, name, value, context));
    return std::optional<SearchClause>(std::move(clause));
  }
  return std::optional<SearchClause>();
}

}  // namespace kiln::fhir::detail
