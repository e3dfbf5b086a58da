// Values that an element does not take: constants of a wrong form, codes outside of a required binding.

#include <algorithm>

#include "engine/base/partial_date.h"
#include "mappings/detail/body.h"
#include "mappings/detail/conversions.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

/// What is written in the map itself has to be right: nobody sees it otherwise before the receiver does.
bool Body::check_constant(const Checked& value, std::string_view primitive, base::Span span) {
  const ir::Expr& expr = state_.unit().exprs[value.expr];
  if (expr.op != ir::Op::constant) return true;
  const ir::Constant& constant = state_.unit().constants[expr.a];
  if (constant.kind != ir::ConstantKind::string) return true;
  const std::string text(state_.unit().text(constant.text));
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  if (text.empty()) return true;  // writes nothing
  bool fits = true;
  std::string help;
  if (primitive == "code") {
    fits = is_code(text) && !blank(text.front()) && !blank(text.back());
    help = "a code has single blanks inside and none at its ends";
  } else if (primitive == "id") {
    fits = is_id(text);
    help = "an id has letters A-Z and a-z, digits, `-` and `.`, at most 64 of them";
  } else if (primitive == "uri" || primitive == "url" || primitive == "canonical" || primitive == "oid" || primitive == "uuid") {
    fits = std::none_of(text.begin(), text.end(), blank);
    help = "a URI has no blanks";
  } else if (primitive == "date" || primitive == "dateTime" || primitive == "instant") {
    const auto date = base::PartialDate::parse_fhir(text);
    fits = date.has_value() || base::PartialDate::parse_hl7(text).has_value();
    help = "\"1961-06-15\", \"1961-06\", \"1961\"";
  }
  if (fits) return true;
  state_.report(ErrorCode::E0204, span, "\"" + text + "\" is no " + std::string(primitive))
      .helps.push_back(std::move(help));
  return false;
}

/// Every value it can have is in the set, as far as the map alone tells.
bool Body::proven(ir::Index index, const fhir::ValueSet& set, int depth) const {
  using ir::Op;
  constexpr int kDepthMax = 8;
  if (index == ir::kNone) return true;
  if (depth > kDepthMax) return false;
  const ir::Unit& unit = state_.builder.unit;
  const ir::Expr& expr = unit.exprs[index];
  const auto stays = [&](ir::Index policy) {  // what a policy puts in the place of a code is in the set
    if (policy == ir::kNone) return true;
    const ir::Policy& made = unit.policies[policy];
    if (made.kind == ir::PolicyKind::literal)
      return set.contains(unit.text(unit.constants[made.literal].text));
    return made.kind != ir::PolicyKind::keep;
  };
  switch (expr.op) {
    case Op::omit:
      return true;
    case Op::constant:
      return set.contains(unit.text(unit.constants[expr.a].text));
    case Op::convert:
    case Op::variant:
      return proven(expr.a, set, depth + 1);
    case Op::coalesce:
      return proven(expr.a, set, depth + 1) && proven(expr.b, set, depth + 1);
    case Op::choose:
      return proven(expr.b, set, depth + 1) && proven(expr.c, set, depth + 1);
    case Op::match:
      for (ir::Index i = 0; i < expr.c; ++i)
        if (!proven(unit.arms[expr.b + i].value, set, depth + 1)) return false;
      return true;
    case Op::call_fn:
      return proven(unit.functions[expr.a].expr, set, depth + 1);
    case Op::lookup: {
      const ir::Lookup& lookup = unit.lookups[expr.a];
      const ir::Table& table = unit.tables[lookup.table];
      if (lookup.mode != ir::LookupMode::code || table.kind != ir::TableKind::literal) return false;
      for (ir::Index i = 0; i < table.rows.count; ++i)
        if (!set.contains(unit.text(unit.table_rows[table.rows.first + i].value))) return false;
      ir::Index policy = lookup.otherwise != ir::kNone ? lookup.otherwise : table.otherwise;
      if (policy == ir::kNone) policy = unit.policy_sets[expr.policies].unmapped;
      return stays(policy);
    }
    default:
      return false;
  }
}

/// The set whose codes the run has to ask for; none when there is nothing to ask.
std::optional<ir::Index> Body::bound_set(const Checked& value, const Destination& destination) {
  const auto* element = destination.element;
  if (element == nullptr || element->binding() != fhir::BindingStrength::required) return std::nullopt;
  const fhir::ValueSet* set = element->value_set();
  if (set == nullptr || set->rule() != fhir::ValueSetRule::list || !destination.type.is_primitive("code"))
    return std::nullopt;
  if (proven(value.expr, *set, 0)) return std::nullopt;
  auto& sets = state_.unit().bound_sets;
  for (std::size_t i = 0; i < sets.size(); ++i)
    if (sets[i].set == set) return static_cast<ir::Index>(i);
  const std::string url(set->url());
  sets.push_back({set, state_.builder.string("not a code of required value set " + url.substr(url.rfind('/') + 1))});
  return static_cast<ir::Index>(sets.size() - 1);
}

void Body::check_binding(const Checked& value, const Destination& destination, base::Span span) {
  const auto* element = destination.element;
  if (element == nullptr || element->binding() != fhir::BindingStrength::required) return;
  const fhir::ValueSet* set = element->value_set();
  if (set == nullptr || set->rule() != fhir::ValueSetRule::list || !destination.type.is_primitive("code"))
    return;
  const std::string url(set->url());
  const std::string name = url.substr(url.rfind('/') + 1);
  std::vector<std::string> codes;
  for (const auto& code : set->codes()) codes.emplace_back(code.code());
  if (value.constant) {
    const ir::Expr& expr = state_.unit().exprs[value.expr];
    if (expr.op != ir::Op::constant) return;
    const std::string text(state_.unit().text(state_.unit().constants[expr.a].text));
    if (set->contains(text)) return;
    auto& diagnostic =
        state_.report(ErrorCode::E0403, span, "\"" + text + "\" is not in required value set " + name);
    diagnostic.notes.push_back(listed(codes));
    return;
  }
  if (!value.type.is_v2() || destination.explicit_cast) return;
  auto& diagnostic = state_.report(
      ErrorCode::E0204, span,
      name_of(value.type) + " cannot become a code of required value set " + name + " without a table");
  diagnostic.notes.push_back(listed(codes));
  diagnostic.helps.push_back("`" + text_of(span) + " via … else …`");
}

}  // namespace kiln::mappings::detail
