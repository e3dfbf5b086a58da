// Conditions are two-valued: with an absent operand `!=` is true and every other comparison false (hmap.md
// §10).

#include <re2/re2.h>

#include "engine/base/decimal.h"
#include "mappings/detail/run_text.h"

namespace kiln::mappings::detail {
namespace {

bool is_number(const Value& value) {
  return value.kind == ValueKind::integer || value.kind == ValueKind::decimal;
}

bool ordered(ir::Op op, std::strong_ordering order) {
  switch (op) {
    case ir::Op::equal:
      return order == 0;
    case ir::Op::not_equal:
      return order != 0;
    case ir::Op::less:
      return order < 0;
    case ir::Op::less_equal:
      return order <= 0;
    case ir::Op::greater:
      return order > 0;
    default:
      return order >= 0;
  }
}

/// Dotted versions ("2.3.1" before "2.10"): numbers part by part.
bool is_version(std::string_view text) {
  if (text.find('.') == std::string_view::npos) return false;
  for (const char c : text) {
    if (c != '.' && (c < '0' || c > '9')) return false;
  }
  return true;
}

std::strong_ordering compare_versions(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty()) {
    const auto head = [](std::string_view& text) {
      unsigned long value = 0;
      std::size_t at = 0;
      for (; at < text.size() && text[at] != '.'; ++at)
        value = value * 10 + static_cast<unsigned long>(text[at] - '0');
      text.remove_prefix(at < text.size() ? at + 1 : at);
      return value;
    };
    const unsigned long x = head(a), y = head(b);
    if (x != y) return x < y ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  return std::strong_ordering::equal;
}

}  // namespace

bool Run::truth(ir::Index expr) {
  if (++steps_ > steps_max_ && over_budget()) return false;
  const ConditionFacts& facts = facts_->conditions[expr];
  Text found;
  const auto finds = [&](const TextPlan& plan) { return look_known(plan, found) || look_more(plan, found); };
  switch (facts.kind) {
    case ConditionKind::always:
      return true;
    case ConditionKind::never:
      return false;
    case ConditionKind::both:
      return truth(facts.a) && truth(facts.b);
    case ConditionKind::either:
      return truth(facts.a) || truth(facts.b);
    case ConditionKind::inverse:
      return !truth(facts.a);
    case ConditionKind::equals:
      if (!finds(facts_->plans[facts.a])) break;
      return (found.size != 0 && is_same(found.view(), text(facts.literal))) == facts.wanted;
    case ConditionKind::among:
      if (!finds(facts_->plans[facts.a])) break;
      return found.size != 0 && (facts.marks >> text_mark(found.view()) & 1) != 0 &&
             is_among(found.view(), facts.b);
    case ConditionKind::valued:
      if (!is_sent(facts_->plans[facts.a]) || !finds(facts_->plans[facts.a])) break;
      if (const Hl7Ref range = hl7_range(found.source); found.size != 0) mark_read(range.begin, range.end);
      return (found.size != 0) == facts.wanted;
    case ConditionKind::general:
      break;
  }
  return truth_of(unit_->exprs[expr]);
}

bool Run::compare(ir::Op op, const Value& a, const Value& b) {
  if (!a.is_value() || !b.is_value()) return op == ir::Op::not_equal;
  if (a.kind == ValueKind::boolean && b.kind == ValueKind::boolean) {
    return ordered(op, a.boolean <=> b.boolean);
  }
  if (a.kind == ValueKind::integer && b.kind == ValueKind::integer)
    return ordered(op, a.integer <=> b.integer);
  if (a.kind == ValueKind::date || b.kind == ValueKind::date) {
    const auto x = date_of(a), y = date_of(b);
    if (!x || !y) return op == ir::Op::not_equal;
    return ordered(op, x->lowest_micros() <=> y->lowest_micros());
  }
  const std::string_view left = text_of(a), right = text_of(b);
  if (is_number(a) || is_number(b)) {
    const auto x = base::Decimal::parse(left), y = base::Decimal::parse(right);
    if (x && y) return ordered(op, x->compare(*y));
    return op == ir::Op::not_equal;
  }
  const bool order = op != ir::Op::equal && op != ir::Op::not_equal;
  if (order && (is_version(left) || is_version(right))) return ordered(op, compare_versions(left, right));
  return ordered(op, left.compare(right) <=> 0);
}

bool Run::contains(const Value& list, const Value& value) {
  if (!list.is_value() || !value.is_value()) return false;
  if (list.kind != ValueKind::list) return text_of(list).find(text_of(value)) != std::string_view::npos;
  for (const Value& item : list.list()) {
    if (compare(ir::Op::equal, item, value)) return true;
  }
  return false;
}

bool Run::is_among(std::string_view text, ir::Index list) const {
  const ir::Expr& expr = unit_->exprs[list];
  for (ir::Index i = 0; i < expr.b; ++i) {
    if (is_same(this->text(facts_->plans[unit_->args[expr.a + i]].index), text)) return true;
  }
  return false;
}

bool Run::fits_regex(ir::Index regex, std::string_view subject) const {
  const RegexFacts& facts = facts_->regexes[regex];
  if (facts.simple) return facts.simple->matches(subject);
  return facts.may_match(subject) && re2::RE2::PartialMatch(subject, *unit_->regexes[regex]);
}

/// A part beyond the first of a field in which there are no parts: nothing is there to be read.
bool Run::is_empty_part(const ir::V2Path& path) {
  if (path.field == 0 || path.field > 64 || (path.component < 2 && path.subcomponent < 2)) return false;
  const std::int32_t segment = segment_of(path.segment);
  if (segment < 0) return true;
  const SegmentInfo& in = info(static_cast<std::uint32_t>(segment));
  if ((in.valued >> (path.field - 1) & 1) == 0) return true;
  if (in.header && path.field <= 2) return false;
  const Hl7Ref field = field_of(in, path.field);
  return leaf_end(field) == field.end;
}

/// What the plan finds is a piece of the message as it stands there.
bool Run::is_sent(const TextPlan& plan) const {
  if (plan.sent || plan.from != TextFrom::local || plan.part == 0) return plan.sent;
  const bool changed = plan.code || plan.exact || plan.otherwise != ir::kNone || plan.absent != ir::kNone;
  return !changed && frame_.locals[plan.index].kind == ValueKind::hl7;
}

bool Run::truth_of(const ir::Expr& expr) {
  using ir::Op;
  switch (expr.op) {
    case Op::local: {
      const Value& local = frame_.locals[expr.a];
      if (local.kind == ValueKind::boolean) return local.boolean;
      break;
    }
    case Op::and_:
      return truth(expr.a) && truth(expr.b);
    case Op::or_:
      return truth(expr.a) || truth(expr.b);
    case Op::not_:
      return !truth(expr.a);
    case Op::equal:
    case Op::not_equal:
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal: {
      const bool equality = expr.op == Op::equal || expr.op == Op::not_equal;
      const bool literal =
          unit_->exprs[expr.b].op == Op::constant && facts_->plans[expr.b].from == TextFrom::constant;
      if (Text found; equality && literal && (expr.flags & ir::kFlagPrecision) == 0 && look(expr.a, found)) {
        const bool same = found.size != 0 && found.view() == text(facts_->plans[expr.b].index);
        return same == (expr.op == Op::equal);
      }
      if (facts_->plans[expr.a].from == TextFrom::count) {
        const Value number = eval(expr.b);
        return compare(expr.op, Value::of_integer(count_all(unit_->v2_paths[facts_->plans[expr.a].index])),
                       number);
      }
      const Value a = eval(expr.a), b = eval(expr.b);
      if ((expr.flags & ir::kFlagPrecision) && a.is_value() && b.is_value()) {
        const auto x = base::date_precision(text_of(a)), y = base::date_precision(text_of(b));
        return x && y ? ordered(expr.op, static_cast<int>(*x) <=> static_cast<int>(*y))
                      : expr.op == Op::not_equal;
      }
      return compare(expr.op, a, b);
    }
    case Op::in_list: {
      if (Text found; facts_->plans[expr.b].texts && look(expr.a, found))
        return found.size != 0 && is_among(found.view(), expr.b);
      const Value value = eval(expr.a), list = eval(expr.b);
      if (list.kind != ValueKind::list) return value.is_value() && compare(Op::equal, value, list);
      return contains(list, value);
    }
    case Op::contains: {
      const Value list = eval(expr.a);
      return contains(list, eval(expr.b));
    }
    case Op::matches: {
      const Value value = eval(expr.a);
      const std::string_view subject = text_of(value);
      return value.is_value() && charge(subject.size()) && fits_regex(expr.b, subject);
    }
    case Op::is_valued:
    case Op::is_not_valued: {
      if (Text found; is_sent(facts_->plans[expr.a]) && look(expr.a, found)) {
        const Hl7Ref range = hl7_range(found.source);
        if (found.size != 0) mark_read(range.begin, range.end);
        return (found.size != 0) == (expr.op == Op::is_valued);
      }
      if (unit_->exprs[expr.a].op == Op::v2_path && is_empty_part(unit_->v2_paths[unit_->exprs[expr.a].a]))
        return expr.op == Op::is_not_valued;
      const bool outer = quiet_;
      quiet_ = true;  // whether something is there drops nothing
      const Value value = eval(expr.a);
      quiet_ = outer;
      if (value.kind == ValueKind::hl7) mark_read(value.hl7.begin, value.hl7.end);
      if (value.kind == ValueKind::json) mark_node(value.json->id());
      return value.is_value() == (expr.op == Op::is_valued);
    }
    case Op::is_null:
    case Op::is_not_null:
      return eval(expr.a).is_null() == (expr.op == Op::is_null);
    case Op::is_type:
    case Op::is_not_type: {
      const Value value = eval(expr.a);
      return (value.is_value() && has_type(value, static_cast<ir::TypeId>(expr.b))) ==
             (expr.op == Op::is_type);
    }
    case Op::target_is_valued: {
      OutputNode* object = frame_.objects[expr.a];
      if (object == nullptr || object->kind != NodeKind::object) return false;
      const ir::Step& step = unit_->steps[expr.b];
      if (step.kind == ir::StepKind::choice) {
        Dest dest;
        dest.parent = object;
        dest.choice = &unit_->choices[step.choice];
        return is_set(dest);
      }
      const OutputNode* node = object->slots[step.slot];
      return node != nullptr && !is_vacant(*node);
    }
    default:
      break;
  }
  const Value value = eval_node(expr);
  if (value.kind == ValueKind::boolean) return value.boolean;
  if (!value.is_value()) return false;
  // A v2 or FHIR value used as a condition is its boolean meaning.
  const Value converted = convert_value(value, ir::Conversion::to_boolean);
  return converted.kind == ValueKind::boolean && converted.boolean;
}

}  // namespace kiln::mappings::detail
