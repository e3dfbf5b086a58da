#include "mappings/detail/plans.h"

namespace kiln::mappings::detail {
namespace {

using ir::Op;

constexpr ir::Index kPartsMax = 24;  // Parts::kMax

bool is_plain_path(const ir::V2Path& path) {
  const bool one = path.repetition == ir::RepKind::whole || path.repetition == ir::RepKind::first ||
                   (path.repetition == ir::RepKind::index && path.rep == 1);
  return one && !path.list && path.field >= 1 && path.field <= 64 && path.component <= kPartsMax;
}

class Planner {
 public:
  explicit Planner(const ir::Unit& unit) : unit_(unit), plans_(unit.exprs.size()), done_(unit.exprs.size()) {}

  const TextPlan& plan(ir::Index index) {
    if (!done_[index]) {
      done_[index] = true;  // an expression does not hold itself
      plans_[index] = make(unit_.exprs[index]);
    }
    return plans_[index];
  }
  std::vector<TextPlan> take() {
    for (ir::Index i = 0; i < plans_.size(); ++i) plan(i);
    return std::move(plans_);
  }

 private:
  TextPlan make(const ir::Expr& expr) {
    if ((expr.flags & ir::kFlagList) != 0 && expr.op != Op::match) return {};
    switch (expr.op) {
      case Op::constant:
        return constant(unit_.constants[expr.a]);
      case Op::local:
        return at(TextFrom::local, expr.a);
      case Op::v2_path:
        return is_plain_path(unit_.v2_paths[expr.a]) ? at(TextFrom::field, expr.a) : TextPlan();
      case Op::v2_relative:
        return relative(expr);
      case Op::convert:
        return converted(expr);
      case Op::lookup:
        return translated(unit_.lookups[expr.a]);
      case Op::coalesce:
        return alternative(expr);
      case Op::match:
        return match(expr);
      default:
        return {};
    }
  }

  static TextPlan at(TextFrom from, ir::Index index) {
    TextPlan plan;
    plan.from = from;
    plan.index = index;
    return plan;
  }

  TextPlan constant(const ir::Constant& constant) {
    if (constant.kind != ir::ConstantKind::string || unit_.text(constant.text).empty()) return {};
    TextPlan plan = at(TextFrom::constant, constant.text);
    plan.exact = true;
    return plan;
  }

  TextPlan relative(const ir::Expr& expr) {
    const ir::Expr& base = unit_.exprs[expr.a];
    const ir::Index second = expr.c == ir::kNone ? 0 : expr.c;
    if (base.op != Op::local || expr.b == 0 || expr.b > kPartsMax || second > kPartsMax) return {};
    TextPlan plan = at(base.a == 0 ? TextFrom::part : TextFrom::local, base.a);
    plan.part = static_cast<std::uint8_t>(expr.b);
    plan.second = static_cast<std::uint8_t>(second);
    return plan;
  }

  TextPlan converted(const ir::Expr& expr) {
    const auto conversion = static_cast<ir::Conversion>(expr.b);
    const bool code = conversion == ir::Conversion::to_code;
    if (!code && conversion != ir::Conversion::to_string && conversion != ir::Conversion::to_markdown)
      return {};
    TextPlan plan = this->plan(expr.a);
    if (plan.from == TextFrom::nothing || (code && (plan.otherwise != ir::kNone || plan.table != ir::kNone)))
      return {};
    plan.exact = true;
    plan.code |= code;
    return plan;
  }

  TextPlan translated(const ir::Lookup& lookup) {
    if (lookup.mode != ir::LookupMode::code || lookup.covers_absent ||
        unit_.tables[lookup.table].kind != ir::TableKind::literal)
      return {};
    TextPlan plan = this->plan(lookup.key);
    if (plan.from == TextFrom::nothing || plan.table != ir::kNone || plan.otherwise != ir::kNone || plan.code)
      return {};
    plan.table = lookup.table;
    plan.exact = true;
    return plan;
  }

  TextPlan match(const ir::Expr& expr) const {
    TextPlan plan;
    plan.by_text = true;
    for (ir::Index i = 0; i < expr.c; ++i) plan.by_text &= unit_.arms[expr.b + i].kind != ir::ArmKind::type;
    return plan;
  }

  TextPlan alternative(const ir::Expr& expr) {
    TextPlan plan = this->plan(expr.a);
    const TextPlan& second = this->plan(expr.b);
    const bool both = plan.from != TextFrom::nothing && second.from != TextFrom::nothing;
    if (!both || plan.otherwise != ir::kNone) return {};
    plan.otherwise = expr.b;
    plan.exact = plan.exact && second.exact;
    return plan;
  }

  const ir::Unit& unit_;
  std::vector<TextPlan> plans_;
  std::vector<bool> done_;
};

}  // namespace

std::vector<TextPlan> text_plans(const ir::Unit& unit) {
  return Planner(unit).take();
}

}  // namespace kiln::mappings::detail
