#include "mappings/detail/plans.h"

#include "mappings/function.h"

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
    for (TextPlan& made : plans_)
      made.direct = made.from == TextFrom::field && !made.code && made.table == ir::kNone;
    return std::move(plans_);
  }

 private:
  TextPlan make(const ir::Expr& expr) {
    if ((expr.flags & ir::kFlagList) != 0 && expr.op != Op::match && expr.op != Op::list) return {};
    switch (expr.op) {
      case Op::constant:
        return constant(unit_.constants[expr.a]);
      case Op::local:
        return at(TextFrom::local, expr.a);
      case Op::v2_path:
        return is_plain_path(unit_.v2_paths[expr.a]) ? sent(at(TextFrom::field, expr.a)) : TextPlan();
      case Op::v2_relative:
        return relative(expr);
      case Op::convert:
        return converted(expr);
      case Op::lookup:
        return translated(expr);
      case Op::coalesce:
        return alternative(expr);
      case Op::match:
        return match(expr);
      case Op::call_builtin:
        return counted(expr);
      case Op::list:
        return listed({expr.a, expr.b});
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

  static TextPlan sent(TextPlan plan) {
    plan.sent = true;
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
    plan.sent = plan.from == TextFrom::part;
    return plan;
  }

  TextPlan converted(const ir::Expr& expr) {
    const auto conversion = static_cast<ir::Conversion>(expr.b);
    const bool code = conversion == ir::Conversion::to_code;
    if (!code && conversion != ir::Conversion::to_string && conversion != ir::Conversion::to_markdown)
      return {};
    TextPlan plan = this->plan(expr.a);
    if (!is_text(plan) || (code && (plan.otherwise != ir::kNone || plan.table != ir::kNone))) return {};
    plan.exact = true;
    plan.sent = false;
    plan.code |= code;
    return plan;
  }

  TextPlan translated(const ir::Expr& expr) {
    const ir::Lookup& lookup = unit_.lookups[expr.a];
    if (lookup.mode != ir::LookupMode::code || unit_.tables[lookup.table].kind != ir::TableKind::literal)
      return {};
    TextPlan plan = this->plan(lookup.key);
    if (!is_text(plan) || plan.table != ir::kNone || plan.otherwise != ir::kNone || plan.code) return {};
    plan.table = lookup.table;
    plan.exact = true;
    plan.sent = false;
    ir::Index policy = lookup.otherwise;
    if (lookup.covers_absent) {
      if (literal_of(policy) == ir::kNone) return {};
      plan.absent = literal_of(policy);
    }
    if (policy == ir::kNone) policy = unit_.tables[lookup.table].otherwise;
    if (policy == ir::kNone) policy = unit_.policy_sets[expr.policies].unmapped;
    plan.unmapped = literal_of(policy);
    return plan;
  }

  /// What a policy silently puts in the place of a value.
  ir::StringId literal_of(ir::Index policy) const {
    if (policy == ir::kNone) return ir::kNone;
    const ir::Policy& made = unit_.policies[policy];
    if (made.kind != ir::PolicyKind::literal || made.warn) return ir::kNone;
    const ir::StringId text = unit_.constants[made.literal].text;
    return unit_.text(text).empty() ? ir::kNone : text;
  }

  static bool is_text(const TextPlan& plan) {
    return plan.from != TextFrom::nothing && plan.from != TextFrom::count;
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
    if (!is_text(plan) || !is_text(second) || plan.otherwise != ir::kNone || plan.absent != ir::kNone)
      return {};
    plan.otherwise = expr.b;
    plan.exact = plan.exact && second.exact;
    plan.sent = plan.sent && second.sent;
    return plan;
  }

  /// replace(TEXT, re"…", "…"): only the text is no constant, and looking at it twice does no harm.
  bool is_costly(const ir::Expr& expr) const {
    if (all_functions()[expr.a]->name != "replace" || expr.c != 3) return false;
    for (ir::Index i = 1; i < 3; ++i) {
      if (unit_.exprs[unit_.args[expr.b + i]].op != Op::constant) return false;
    }
    const ir::Expr* text = &unit_.exprs[unit_.args[expr.b]];
    if (text->op == Op::call_builtin && all_functions()[text->a]->name == "trim" && text->c == 1)
      text = &unit_.exprs[unit_.args[text->b]];
    return text->op == Op::local || text->op == Op::v2_path || text->op == Op::v2_relative;
  }

  TextPlan listed(ir::Range items) {
    TextPlan made;
    made.texts = true;
    for (ir::Index i = 0; i < items.count; ++i) {
      const ir::Index item = unit_.args[items.first + i];
      made.texts &= unit_.exprs[item].op == Op::constant && plan(item).from == TextFrom::constant;
    }
    return made;
  }

  bool is_join(const ir::Expr& expr) {
    if (all_functions()[expr.a]->name != "join" || expr.c < 2) return false;
    const ir::Index separator = unit_.args[expr.b];
    return unit_.exprs[separator].op == Op::constant && plan(separator).from == TextFrom::constant;
  }

  /// count(PATH), and calls that are done in a way of their own.
  TextPlan counted(const ir::Expr& expr) {
    TextPlan made;
    made.costly = is_costly(expr);
    made.joins = is_join(expr);
    if (made.costly || made.joins) return made;
    if (expr.c != 1 || all_functions()[expr.a]->name != "count") return {};
    const ir::Expr& argument = unit_.exprs[unit_.args[expr.b]];
    if (argument.op != Op::v2_path || unit_.v2_paths[argument.a].repetition != ir::RepKind::all) return {};
    return at(TextFrom::count, argument.a);
  }

  const ir::Unit& unit_;
  std::vector<TextPlan> plans_;
  std::vector<bool> done_;
};

}  // namespace

std::vector<PathKey> path_keys(const ir::Unit& unit) {
  std::vector<PathKey> keys;
  keys.reserve(unit.v2_paths.size());
  for (const ir::V2Path& path : unit.v2_paths) {
    const std::uint32_t key = std::uint32_t{path.field} | std::uint32_t{path.component} << 8 |
                              std::uint32_t{path.subcomponent} << 16 |
                              std::uint32_t{path.repetition == ir::RepKind::index} << 24;
    keys.push_back({key, key ^ key >> 6 ^ key >> 13, path.segment, static_cast<std::uint8_t>(path.field),
                    path.component, path.subcomponent, path.repetition == ir::RepKind::index});
  }
  return keys;
}

std::vector<TextPlan> text_plans(const ir::Unit& unit) {
  return Planner(unit).take();
}

}  // namespace kiln::mappings::detail
