#include "mappings/detail/guards.h"

#include <algorithm>

#include "mappings/function.h"
#include "mappings/limits.h"

namespace kiln::mappings::detail {
namespace {

constexpr ir::Index kComponentsMax = 32, kFieldsMax = 64;

/// Locals of the function an expression stands in: those of the map or datatype map, or (in a fn) arguments
/// that are expressions of the caller.
struct Scope {
  const Scope* outer = nullptr;  ///< nullptr: the map or datatype map itself
  ir::Range arguments;
};

/// Collects what has to be empty. Every method answers false when that cannot be told.
class Guard {
 public:
  Guard(const ir::Unit& unit, bool datatype_map) : unit_(unit), datatype_map_(datatype_map) {}

  /// The write is void when no place of `found()` holds anything.
  bool write(ir::Index index, const Scope& scope) {
    const ir::Write& write = unit_.writes[index];
    if (write.override_ || unit_.policy_sets[write.policies].missing != ir::kNone) return false;
    if (write.condition != ir::kNone) {
      const StatementGuard before = found_;
      if (fails(write.condition, scope)) return true;
      found_ = before;
      if (!reads(write.condition, scope)) return false;
    }
    return absent(write.value, scope);
  }
  /// The object is not created.
  bool create(const ir::Create& create) {
    return create.condition != ir::kNone && fails(create.condition, Scope{});
  }
  /// No branch runs.
  bool when(ir::Range branches) {
    for (ir::Index i = 0; i < branches.count; ++i) {
      const ir::Index condition = unit_.when_branches[branches.first + i].condition;
      if (condition == ir::kNone || !fails(condition, Scope{})) return false;
    }
    return true;
  }
  bool loop(const ir::Loop& loop) {
    const bool values = loop.kind == ir::LoopKind::values;
    return values && absent(loop.source, Scope{});
  }
  /// Something of the message is looked at: what looks at nothing is not guarded.
  bool looks() const { return found_.of != StatementGuard::kNothing; }
  const StatementGuard& found() const { return found_; }

 private:
  bool component(ir::Index number) {
    if (number == 0 || number > kComponentsMax) return false;
    return place(StatementGuard::kParts, number);
  }

  bool field(const ir::V2Path& path) {
    if (datatype_map_ || path.field == 0 || path.field > kFieldsMax) return false;
    return place(path.segment, path.field);
  }

  /// All places are of one segment, or of the parameter.
  bool place(ir::Index of, ir::Index number) {
    if (found_.of == StatementGuard::kNothing) found_ = {of, 0};
    if (found_.of != of) return false;
    found_.mask |= std::uint64_t{1} << (number - 1);
    return true;
  }

  static bool fixed(const ir::Expr& expr) {
    return expr.op == ir::Op::constant || expr.op == ir::Op::omit || (expr.flags & ir::kFlagConstant) != 0;
  }

  /// A local, or (component not 0) a component of it.
  bool local(ir::Index slot, ir::Index number, const Scope& scope) {
    if (scope.outer == nullptr) return datatype_map_ && slot == 0 && component(number);
    return slot < scope.arguments.count && absent(unit_.args[scope.arguments.first + slot], *scope.outer);
  }

  /// Absent without reading anything.
  bool absent(ir::Index index, const Scope& scope) {
    using ir::Op;
    if (++looks_ > limits::kGuardLooksMax) return false;  // fns that call each other many times
    const ir::Expr& expr = unit_.exprs[index];
    switch (expr.op) {
      case Op::local:
        return local(expr.a, 0, scope);
      case Op::v2_path:
        return field(unit_.v2_paths[expr.a]);
      case Op::v2_relative: {
        const ir::Expr& base = unit_.exprs[expr.a];
        return base.op == Op::local ? local(base.a, expr.b, scope) : absent(expr.a, scope);
      }
      case Op::convert:
      case Op::variant:
      case Op::raw:
      case Op::each:
      case Op::item:
      case Op::filter:
      case Op::of_type:
        return absent(expr.a, scope);
      case Op::call_datatype:
        return absent(expr.b, scope);
      case Op::coalesce:
        return absent(expr.a, scope) && absent(expr.b, scope);
      case Op::choose:
        return reads(expr.a, scope) && absent(expr.b, scope) &&
               (expr.c == ir::kNone || absent(expr.c, scope));
      case Op::match:
        return match(expr, scope);
      case Op::lookup: {
        const ir::Lookup& lookup = unit_.lookups[expr.a];
        return !lookup.covers_absent && absent(lookup.key, scope);
      }
      case Op::interpolate:
        return all({expr.a, expr.b}, scope) > 0;
      case Op::call_fn:
        return call({expr.b, expr.c}, expr.a, scope);
      case Op::call_builtin:
        return builtin(expr, scope);
      case Op::object:
        return object(unit_.objects[expr.a], scope);
      default:
        return false;
    }
  }

  /// Number of arguments that are absent; the others are constants. Negative: something else.
  int all(ir::Range arguments, const Scope& scope) {
    int count = 0;
    for (ir::Index i = 0; i < arguments.count; ++i) {
      const ir::Index argument = unit_.args[arguments.first + i];
      if (fixed(unit_.exprs[argument])) continue;
      if (!absent(argument, scope)) return -1;
      ++count;
    }
    return count;
  }

  bool match(const ir::Expr& expr, const Scope& scope) {
    if (!absent(expr.a, scope)) return false;
    for (ir::Index i = 0; i < expr.c; ++i) {
      const ir::Arm& arm = unit_.arms[expr.b + i];
      if (arm.kind == ir::ArmKind::any && unit_.exprs[arm.value].op != ir::Op::omit &&
          !absent(arm.value, scope))
        return false;
    }
    return true;
  }

  bool call(ir::Range arguments, ir::Index function, const Scope& scope) {
    if (all(arguments, scope) <= 0) return false;
    const Scope inner{&scope, arguments};
    return absent(unit_.functions[function].expr, inner);
  }

  /// A function of absent arguments is absent (hmap.md §10), unless it says otherwise.
  bool builtin(const ir::Expr& expr, const Scope& scope) {
    const FunctionSpec& spec = *all_functions()[expr.a];
    if (spec.name == "join") return joined({expr.b, expr.c}, scope);
    if (spec.takes_absent || expr.c == 0 || all({expr.b, expr.c}, scope) <= 0) return false;
    return !spec.parameters[0].optional && !fixed(unit_.exprs[unit_.args[expr.b]]);
  }

  /// The separator is a constant, none of the parts is.
  bool joined(ir::Range arguments, const Scope& scope) {
    if (arguments.count < 2 || !fixed(unit_.exprs[unit_.args[arguments.first]])) return false;
    for (ir::Index i = 1; i < arguments.count; ++i) {
      if (!absent(unit_.args[arguments.first + i], scope)) return false;
    }
    return true;
  }

  bool object(const ir::Object& object, const Scope& scope) {
    if (object.all_constant) return false;
    bool some = false;
    for (ir::Index i = 0; i < object.body.count; ++i) {
      const ir::Stmt& stmt = unit_.stmts[object.body.first + i];
      if (stmt.op != ir::StmtOp::write) return false;
      const ir::Write& part = unit_.writes[stmt.index];
      if (part.constant && (part.condition == ir::kNone || reads(part.condition, scope))) continue;
      if (!write(stmt.index, scope)) return false;
      some = true;
    }
    return some;
  }

  /// Reads nothing but places that become part of the guard.
  bool reads(ir::Index index, const Scope& scope) {
    using ir::Op;
    const ir::Expr& expr = unit_.exprs[index];
    switch (expr.op) {
      case Op::constant:
      case Op::omit:
      case Op::version:
      case Op::target_is_valued:
        return true;
      case Op::equal:
      case Op::not_equal:
      case Op::less:
      case Op::less_equal:
      case Op::greater:
      case Op::greater_equal:
      case Op::in_list:
      case Op::contains:
      case Op::and_:
      case Op::or_:
        return reads(expr.a, scope) && reads(expr.b, scope);
      case Op::not_:
      case Op::matches:
      case Op::is_valued:
      case Op::is_not_valued:
      case Op::is_null:
      case Op::is_not_null:
        return reads(expr.a, scope);
      case Op::list:
        return all({expr.a, expr.b}, scope) >= 0;
      default:
        return absent(index, scope);
    }
  }

  /// A condition that is false, and has read nothing, when its places are empty.
  bool fails(ir::Index index, const Scope& scope) {
    using ir::Op;
    const ir::Expr& expr = unit_.exprs[index];
    switch (expr.op) {
      case Op::and_: {
        const StatementGuard before = found_;
        if (fails(expr.a, scope)) return true;  // the right side is not looked at
        found_ = before;
        return reads(expr.a, scope) && fails(expr.b, scope);
      }
      case Op::or_:
        return fails(expr.a, scope) && fails(expr.b, scope);
      case Op::equal:
      case Op::less:
      case Op::less_equal:
      case Op::greater:
      case Op::greater_equal:
        return (absent(expr.a, scope) && reads(expr.b, scope)) ||
               (fixed(unit_.exprs[expr.a]) && absent(expr.b, scope));
      case Op::in_list:
      case Op::contains:
        return absent(expr.a, scope) && reads(expr.b, scope);
      case Op::matches:
      case Op::is_valued:
      case Op::is_null:
      case Op::is_type:
        return absent(expr.a, scope);
      default:
        return false;
    }
  }

  const ir::Unit& unit_;
  const bool datatype_map_;
  StatementGuard found_;
  std::size_t looks_ = 0;
};

/// Walks the statements of one function.
class Pass {
 public:
  Pass(const ir::Unit& unit, std::vector<StatementGuard>& guards) : unit_(unit), guards_(guards) {}

  void function(const ir::Function& function, bool datatype_map) {
    datatype_map_ = datatype_map;
    has_object_.assign(std::max<std::size_t>(function.objects, 1), false);
    has_object_[0] = function.shape != ir::kNone;
    body(function.body);
  }

  /// The rules of the objects that a fn builds.
  void fn(const ir::Function& function) {
    datatype_map_ = true;
    has_object_.assign(std::max<std::size_t>(function.objects, 1), false);
    objects(function.expr);
  }

 private:
  void body(ir::Range stmts) {
    for (ir::Index i = stmts.first; i < stmts.first + stmts.count; ++i) statement(i);
  }

  /// A body that runs while the register has an object.
  void body_of(ir::Index reg, ir::Range stmts) {
    const bool outer = has_object_[reg];
    has_object_[reg] = true;
    body(stmts);
    has_object_[reg] = outer;
  }

  void statement(ir::Index index) {
    const ir::Stmt& stmt = unit_.stmts[index];
    switch (stmt.op) {
      case ir::StmtOp::write:
        return write(index, stmt.index);
      case ir::StmtOp::when: {
        const ir::Range branches = unit_.whens[stmt.index].branches;
        Guard guard(unit_, datatype_map_);
        if (guard.when(branches) && guard.looks()) guards_[index] = guard.found();
        for (ir::Index b = 0; b < branches.count; ++b) body(unit_.when_branches[branches.first + b].body);
        return;
      }
      case ir::StmtOp::loop: {
        const ir::Loop& loop = unit_.loops[stmt.index];
        Guard guard(unit_, datatype_map_);
        if (guard.loop(loop) && guard.looks()) guards_[index] = guard.found();
        return body(loop.body);
      }
      case ir::StmtOp::create: {
        Guard guard(unit_, datatype_map_);
        if (guard.create(unit_.creates[stmt.index]) && guard.looks()) guards_[index] = guard.found();
        return body_of(unit_.creates[stmt.index].reg, unit_.creates[stmt.index].body);
      }
      case ir::StmtOp::add:
        return body_of(unit_.adds[stmt.index].reg, unit_.adds[stmt.index].body);
      case ir::StmtOp::emit:
        return body_of(unit_.emits[stmt.index].reg, unit_.emits[stmt.index].body);
      default:
        return;
    }
  }

  void write(ir::Index index, ir::Index number) {
    const ir::Write& write = unit_.writes[number];
    Guard guard(unit_, datatype_map_);
    // A write without its object does not look at the segment, which then counts as unread.
    const bool looks = datatype_map_ || has_object_[write.base];
    if (looks && write.guard_segment != ir::kNone) {
      guards_[index] = {write.guard_segment, write.guard_mask};
    } else if (looks && guard.write(number, Scope{}) && guard.looks()) {
      guards_[index] = guard.found();
    }
    objects(write.value);
  }

  /// Writes of the object literals that a write builds stand in the same function.
  void objects(ir::Index index) {
    if (index == ir::kNone) return;
    const ir::Expr& expr = unit_.exprs[index];
    switch (expr.op) {
      case ir::Op::object:
        return body_of(unit_.objects[expr.a].reg, unit_.objects[expr.a].body);
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

  const ir::Unit& unit_;
  std::vector<StatementGuard>& guards_;
  bool datatype_map_ = false;
  std::vector<bool> has_object_;
};

}  // namespace

std::vector<StatementGuard> statement_guards(const ir::Unit& unit) {
  std::vector<StatementGuard> guards(unit.stmts.size());
  Pass pass(unit, guards);
  std::vector<bool> is_map(unit.functions.size());
  for (const ir::Map& map : unit.maps) {
    is_map[map.function] = true;
    if (map.source == ir::Side::hl7) pass.function(unit.functions[map.function], false);
  }
  for (std::size_t i = 0; i < unit.functions.size(); ++i) {
    const ir::Function& function = unit.functions[i];
    const bool datatype_map = !is_map[i] && function.parameters == 1 && function.shape != ir::kNone;
    if (datatype_map) pass.function(function, true);
    if (!is_map[i] && function.expr != ir::kNone && function.parameters > 0) pass.fn(function);
  }
  return guards;
}

}  // namespace kiln::mappings::detail
