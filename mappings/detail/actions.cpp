#include "mappings/detail/actions.h"

namespace kiln::mappings::detail {
namespace {

/// Ops whose value is written while it is evaluated, because it holds objects or goes to several places.
bool builds_objects(ir::Op op) {
  using ir::Op;
  switch (op) {
    case Op::object:
    case Op::call_datatype:
    case Op::call_fn:
    case Op::choose:
    case Op::match:
    case Op::coalesce:
    case Op::each:
    case Op::variant:
    case Op::lookup:
      return true;
    default:
      return false;
  }
}

/// Evaluating it and writing what comes of it is the same as writing while evaluating.
bool is_scalar(const ir::Unit& unit, ir::Index index) {
  using ir::Op;
  if (index == ir::kNone) return true;
  const ir::Expr& expr = unit.exprs[index];
  switch (expr.op) {
    case Op::lookup: {
      const ir::LookupMode mode = unit.lookups[expr.a].mode;
      return mode == ir::LookupMode::code || mode == ir::LookupMode::column;
    }
    case Op::call_fn:
      return is_scalar(unit, unit.functions[expr.a].expr);
    case Op::choose:
      return is_scalar(unit, expr.b) && is_scalar(unit, expr.c);
    case Op::match:
      for (ir::Index i = 0; i < expr.c; ++i) {
        if (!is_scalar(unit, unit.arms[expr.b + i].value)) return false;
      }
      return true;
    default:
      return !builds_objects(expr.op);
  }
}

/// Kind and member of a write that goes to one member, whatever the value turns out to be.
void find_member(const ir::Unit& unit, const std::vector<TextPlan>& plans,
                 const std::vector<std::uint8_t>& texts, const ir::Write& write, WriteFacts& facts) {
  const ir::Step& last = unit.steps[write.path.first + write.path.count - 1];
  const bool unset = write.mode == ir::WriteMode::set_if_unset;
  if (write.override_ || (unset && write.path.count > 1)) return;
  const ir::Expr& value = unit.exprs[write.value];
  if (last.kind == ir::StepKind::member) {
    facts.slot = last.slot;
  } else if (last.kind == ir::StepKind::choice && value.op == ir::Op::variant && !unset) {
    facts.slot = unit.choice_variants[unit.choices[last.choice].variants.first + value.b].slot;
    facts.value = value.a;
    facts.dynamic = false;  // only a choice knows which variant is there
  } else {
    return;
  }
  const ir::Op op = unit.exprs[facts.value].op;
  const bool calls = op == ir::Op::call_fn && texts[unit.exprs[facts.value].a] != 0;
  if (op == ir::Op::object || op == ir::Op::call_datatype) {
    facts.kind = WriteKind::object;
  } else if (op == ir::Op::ref) {
    facts.kind = WriteKind::reference;
  } else if (calls) {
    facts.kind = WriteKind::call;
  } else if (plans[facts.value].exact) {
    facts.kind = WriteKind::text;
  } else if (is_scalar(unit, facts.value)) {
    facts.kind = WriteKind::value;
  }
}

/// A component of parameter 0 as it was sent.
bool is_part(const TextPlan& plan) {
  return plan.from == TextFrom::part && plan.second == 0 && plan.table == ir::kNone && !plan.code &&
         plan.otherwise == ir::kNone && plan.absent == ir::kNone;
}

void find_test(const ir::Unit& unit, const std::vector<TextPlan>& plans, WriteFacts& facts) {
  if (facts.condition == ir::kNone) return;
  facts.test = TestKind::general;
  const ir::Expr& expr = unit.exprs[facts.condition];
  const bool equal = expr.op == ir::Op::equal && (expr.flags & ir::kFlagPrecision) == 0;
  if ((!equal && expr.op != ir::Op::is_valued) || !is_part(plans[expr.a])) return;
  if (equal) {
    if (unit.exprs[expr.b].op != ir::Op::constant || plans[expr.b].from != TextFrom::constant) return;
    facts.tested_text = plans[expr.b].index;
  } else if (!plans[expr.a].sent) {
    return;
  }
  facts.test = equal ? TestKind::part_equals : TestKind::part_valued;
  facts.tested_part = plans[expr.a].part;
}

/// Finds the writes of datatype maps that copy a component.
class Parts {
 public:
  Parts(const ir::Unit& unit, std::vector<WriteFacts>& writes) : unit_(unit), writes_(writes) {}

  /// The objects that an expression builds stand in the same frame.
  void objects(ir::Index value) {
    if (value == ir::kNone) return;
    const ir::Expr& expr = unit_.exprs[value];
    switch (expr.op) {
      case ir::Op::object: {
        const ir::Object& object = unit_.objects[expr.a];
        return body(object.body, object.reg, object.shape);
      }
      case ir::Op::variant:
        return objects(expr.a);
      case ir::Op::coalesce:
        objects(expr.a);
        return objects(expr.b);
      case ir::Op::choose:
        objects(expr.b);
        return objects(expr.c);
      case ir::Op::match:
        for (ir::Index i = 0; i < expr.c; ++i) objects(unit_.arms[expr.b + i].value);
        return;
      default:
        return;
    }
  }
  /// Writes that read a component, in all that was walked.
  std::size_t found() const { return found_; }

  void body(ir::Range stmts, std::uint16_t reg, ir::Index shape) {
    for (ir::Index i = stmts.first; i < stmts.first + stmts.count; ++i) {
      const ir::Stmt& stmt = unit_.stmts[i];
      if (stmt.op == ir::StmtOp::write) write(writes_[stmt.index], reg, shape);
    }
  }

 private:
  void write(WriteFacts& facts, std::uint16_t reg, ir::Index shape) {
    objects(facts.value);
    const TextPlan& plan = facts.plan;
    const bool copies = plan.from == TextFrom::part && plan.second == 0 && plan.otherwise == ir::kNone &&
                        plan.absent == ir::kNone;
    if (facts.kind != WriteKind::text || !copies || facts.walks || facts.only_if_unset || facts.base != reg)
      return;
    ++found_;
    facts.kind = WriteKind::part;
    facts.list = unit_.members[unit_.shapes[shape].members.first + facts.slot].list;
  }

  const ir::Unit& unit_;
  std::vector<WriteFacts>& writes_;
  std::size_t found_ = 0;
};

}  // namespace

std::vector<WriteFacts> derive_writes(const ir::Unit& unit, const std::vector<TextPlan>& plans,
                                      const std::vector<std::uint8_t>& texts,
                                      std::vector<std::uint8_t>& splits) {
  std::vector<WriteFacts> all(unit.writes.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const ir::Write& write = unit.writes[i];
    const ir::Step& last = unit.steps[write.path.first + write.path.count - 1];
    WriteFacts& facts = all[i];
    facts.builds = !is_scalar(unit, write.value);
    facts.dynamic = facts.builds && last.dynamic;
    facts.constant = write.constant;
    facts.walks = write.path.count > 1;
    facts.only_if_unset = write.mode == ir::WriteMode::set_if_unset;
    facts.late_guard = write.guard_segment != ir::kNone;
    facts.base = write.base;
    facts.rule = write.rule;
    facts.condition = write.condition;
    facts.value = write.value;
    find_test(unit, plans, facts);
    find_member(unit, plans, texts, write, facts);
    facts.plan = plans[facts.value];
    facts.write = &write;
  }
  for (const ir::Function& function : unit.functions) {
    Parts parts(unit, all);
    if (function.parameters == 1 && function.shape != ir::kNone) parts.body(function.body, 0, function.shape);
    if (function.parameters > 0 && function.shape == ir::kNone) parts.objects(function.expr);
    splits.push_back(function.shape == ir::kNone && parts.found() > 0);
  }
  return all;
}

std::vector<Action> derive_actions(const ir::Unit& unit, std::vector<WriteFacts>& writes) {
  const std::vector<StatementGuard> guards = statement_guards(unit);
  std::vector<Action> actions(unit.stmts.size());
  for (std::size_t i = 0; i < actions.size(); ++i) {
    actions[i].op = unit.stmts[i].op;
    actions[i].index = unit.stmts[i].index;
    actions[i].guard = guards[i];
    if (actions[i].op == ir::StmtOp::create) actions[i].creates = unit.creates[actions[i].index].reg;
    if (actions[i].op != ir::StmtOp::write) continue;
    WriteFacts& write = writes[actions[i].index];
    const bool looked_at =
        guards[i].of == write.write->guard_segment && guards[i].mask == write.write->guard_mask;
    write.late_guard = write.late_guard && !looked_at;
    actions[i].kind = write.kind;
  }
  return actions;
}

}  // namespace kiln::mappings::detail
