#include "mappings/detail/conditions.h"

namespace kiln::mappings::detail {
namespace {

constexpr std::uint8_t kUnknown = 0, kTrue = 1, kFalse = 2;

/// Evaluating it reads nothing, notes nothing and cannot fail.
bool is_quiet(const ir::Unit& unit, ir::Index index) {
  using ir::Op;
  const ir::Expr& expr = unit.exprs[index];
  switch (expr.op) {
    case Op::constant:
    case Op::version:
      return true;
    case Op::equal:
    case Op::not_equal:
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
    case Op::and_:
    case Op::or_:
      return is_quiet(unit, expr.a) && is_quiet(unit, expr.b);
    case Op::not_:
      return is_quiet(unit, expr.a);
    default:
      return false;
  }
}

/// A condition of constants, and one that a constant decides (`version >= 2.7 or laterFields`).
std::uint8_t truth_of(const ir::Unit& unit, ir::Index index) {
  using ir::Op;
  const ir::Expr& expr = unit.exprs[index];
  if (expr.op == Op::constant) {
    const ir::Constant& constant = unit.constants[expr.a];
    if (constant.kind != ir::ConstantKind::boolean) return kUnknown;
    return constant.number != 0 ? kTrue : kFalse;
  }
  if (expr.op != Op::and_ && expr.op != Op::or_) return kUnknown;
  const std::uint8_t decides = expr.op == Op::or_ ? kTrue : kFalse;
  const std::uint8_t a = truth_of(unit, expr.a), b = truth_of(unit, expr.b);
  if (a == decides || (b == decides && is_quiet(unit, expr.a))) return decides;
  return a != kUnknown && b != kUnknown ? static_cast<std::uint8_t>(kTrue + kFalse - decides) : kUnknown;
}

ConditionFacts equality(const ir::Expr& expr, const std::vector<TextPlan>& plans, const ir::Unit& unit) {
  ConditionFacts facts;
  const TextPlan& literal = plans[expr.b];
  if (unit.exprs[expr.b].op != ir::Op::constant || literal.from != TextFrom::constant) return facts;
  if ((expr.flags & ir::kFlagPrecision) != 0) return facts;
  facts.kind = ConditionKind::equals;
  facts.wanted = expr.op == ir::Op::equal;
  facts.literal = literal.index;
  return facts;
}

ConditionFacts membership(const ir::Expr& expr, const std::vector<TextPlan>& plans, const ir::Unit& unit) {
  ConditionFacts facts;
  if (!plans[expr.b].texts) return facts;
  facts.kind = ConditionKind::among;
  const ir::Expr& list = unit.exprs[expr.b];
  for (ir::Index i = 0; i < list.b; ++i)
    facts.marks |= std::uint64_t{1} << text_mark(unit.text(plans[unit.args[list.a + i]].index));
  return facts;
}

ConditionFacts condition(const ir::Expr& expr, const std::vector<TextPlan>& plans, const ir::Unit& unit) {
  using ir::Op;
  ConditionFacts facts;
  switch (expr.op) {
    case Op::and_:
      facts.kind = ConditionKind::both;
      break;
    case Op::or_:
      facts.kind = ConditionKind::either;
      break;
    case Op::not_:
      facts.kind = ConditionKind::inverse;
      break;
    case Op::equal:
    case Op::not_equal:
      facts = equality(expr, plans, unit);
      break;
    case Op::in_list:
      facts = membership(expr, plans, unit);
      break;
    case Op::is_valued:
    case Op::is_not_valued:
      facts.kind = ConditionKind::valued;
      facts.wanted = expr.op == Op::is_valued;
      break;
    default:
      break;
  }
  facts.a = expr.a;
  facts.b = expr.b;
  return facts;
}

}  // namespace

std::vector<ConditionFacts> derive_conditions(const ir::Unit& unit, const std::vector<TextPlan>& plans) {
  std::vector<ConditionFacts> all(unit.exprs.size());
  for (ir::Index i = 0; i < all.size(); ++i) {
    const std::uint8_t known = truth_of(unit, i);
    all[i] = condition(unit.exprs[i], plans, unit);
    if (known != kUnknown) all[i].kind = known == kTrue ? ConditionKind::always : ConditionKind::never;
  }
  return all;
}

}  // namespace kiln::mappings::detail
