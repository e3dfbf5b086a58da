#include "mappings/detail/actions.h"

#include <cstddef>
#include <utility>

#include "mappings/limits.h"

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
bool is_scalar(const ir::Unit& unit, ir::Index index, std::size_t& looks) {
  using ir::Op;
  if (index == ir::kNone) return true;
  if (++looks > limits::kGuardLooksMax) return false;  // fns that call each other many times
  const ir::Expr& expr = unit.exprs[index];
  switch (expr.op) {
    case Op::lookup: {
      const ir::LookupMode mode = unit.lookups[expr.a].mode;
      return mode == ir::LookupMode::code || mode == ir::LookupMode::column;
    }
    case Op::call_fn:
      return is_scalar(unit, unit.functions[expr.a].expr, looks);
    case Op::choose:
      return is_scalar(unit, expr.b, looks) && is_scalar(unit, expr.c, looks);
    case Op::match:
      for (ir::Index i = 0; i < expr.c; ++i) {
        if (!is_scalar(unit, unit.arms[expr.b + i].value, looks)) return false;
      }
      return true;
    default:
      return !builds_objects(expr.op);
  }
}

bool is_scalar(const ir::Unit& unit, ir::Index index) {
  std::size_t looks = 0;
  return is_scalar(unit, index, looks);
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

namespace {

class Bodies {
 public:
  Bodies(const ir::Unit& unit, const std::vector<ConditionFacts>& conditions, std::vector<WriteFacts>& writes)
      : unit_(unit), conditions_(conditions), guards_(statement_guards(unit)), writes_(writes) {
    made_.bodies.resize(unit.stmts.size());
  }

  void add(ir::Range body) {
    if (body.count == 0) return;
    const auto first = static_cast<ir::Index>(made_.all.size());
    pending_ = 0;
    append(body);
    const auto count = static_cast<ir::Index>(made_.all.size()) - first;
    made_.bodies[body.first] = {first, count};
    find_runs(first, count);
  }
  Actions take() { return std::move(made_); }

 private:
  /// The branch of a `when` that every run takes, kNone when that is not known; `steps`: what telling it
  /// costs.
  static constexpr ir::Index kNoBranch = ir::kNone - 1;
  ir::Index branch_of(const ir::When& when, std::uint8_t& steps) const {
    for (ir::Index i = 0; i < when.branches.count; ++i) {
      const ir::Index branch = when.branches.first + i, condition = unit_.when_branches[branch].condition;
      if (condition == ir::kNone) return branch;
      ++steps;
      if (conditions_[condition].kind == ConditionKind::always) return branch;
      if (conditions_[condition].kind != ConditionKind::never) return ir::kNone;
    }
    return kNoBranch;
  }

  void append(ir::Range body) {
    for (ir::Index i = body.first; i < body.first + body.count; ++i) {
      if (unit_.stmts[i].op == ir::StmtOp::when) {
        std::uint8_t steps = 1;
        const ir::Index branch = branch_of(unit_.whens[unit_.stmts[i].index], steps);
        if (branch != ir::kNone) {
          pending_ = static_cast<std::uint8_t>(pending_ + steps);
          if (branch != kNoBranch) append(unit_.when_branches[branch].body);
          continue;
        }
      }
      append(i);
    }
  }

  void append(ir::Index statement) {
    Action& action = made_.all.emplace_back();
    action.op = unit_.stmts[statement].op;
    action.index = unit_.stmts[statement].index;
    action.steps = static_cast<std::uint8_t>(action.steps + pending_);
    pending_ = 0;
    const StatementGuard& guard = guards_[statement];
    action.guard_of = guard.of;
    action.mask = guard.mask;
    if (action.op == ir::StmtOp::create) action.creates = unit_.creates[action.index].reg;
    if (action.op != ir::StmtOp::write) return;
    WriteFacts& write = writes_[action.index];
    const bool looked_at = guard.of == write.write->guard_segment && guard.mask == write.write->guard_mask;
    write.late_guard = write.late_guard && !looked_at;
  }

  void find_runs(ir::Index first, ir::Index count) {
    constexpr std::uint8_t kLongest = 255;
    for (ir::Index i = first + count; i-- > first;) {
      Action& action = made_.all[i];
      action.run_creates = action.creates != ir::kNoSlot;
      action.run_steps = action.steps;
      action.run_mask = action.mask;
      if (i + 1 == first + count) continue;
      const Action& next = made_.all[i + 1];
      if (next.guard_of != action.guard_of || next.run == kLongest) continue;
      action.run = static_cast<std::uint8_t>(next.run + 1);
      action.run_creates = action.run_creates || next.run_creates;
      action.run_steps = static_cast<std::uint16_t>(next.run_steps + action.steps);
      action.run_mask |= next.run_mask;
    }
  }

  const ir::Unit& unit_;
  const std::vector<ConditionFacts>& conditions_;
  const std::vector<StatementGuard> guards_;
  std::vector<WriteFacts>& writes_;
  std::uint8_t pending_ = 0;  ///< steps of `when`s that the next statement takes over
  Actions made_;
};

}  // namespace

Actions derive_actions(const ir::Unit& unit, const std::vector<ConditionFacts>& conditions,
                       std::vector<WriteFacts>& writes) {
  Bodies bodies(unit, conditions, writes);
  for (const ir::Function& function : unit.functions) bodies.add(function.body);
  for (const ir::Create& create : unit.creates) bodies.add(create.body);
  for (const ir::Add& add : unit.adds) bodies.add(add.body);
  for (const ir::Emit& emit : unit.emits) bodies.add(emit.body);
  for (const ir::Loop& loop : unit.loops) bodies.add(loop.body);
  for (const ir::WhenBranch& branch : unit.when_branches) bodies.add(branch.body);
  for (const ir::Object& object : unit.objects) bodies.add(object.body);
  return bodies.take();
}

}  // namespace kiln::mappings::detail
