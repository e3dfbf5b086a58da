#include "mappings/detail/guards.h"

#include "mappings/function.h"

namespace kiln::mappings::detail {
namespace {

constexpr ir::Index kComponentsMax = 32;

/// Locals of the function an expression stands in: the parameter of the datatype map, or (in a fn) arguments
/// that are expressions of the caller.
struct Scope {
  const Scope* outer = nullptr;  ///< nullptr: the datatype map itself
  ir::Range arguments;
};

/// Collects what has to be empty. Every method answers false when that cannot be told.
class Guard {
 public:
  explicit Guard(const ir::Unit& unit) : unit_(unit) {}

  /// The write is void when no component of `mask()` holds anything.
  bool write(ir::Index index, const Scope& scope) {
    const ir::Write& write = unit_.writes[index];
    if (write.override_ || unit_.policy_sets[write.policies].missing != ir::kNone) return false;
    if (write.condition != ir::kNone && !reads(write.condition, scope)) return false;
    return absent(write.value, scope);
  }
  std::uint32_t mask() const { return mask_; }

 private:
  bool component(ir::Index number) {
    if (number == 0 || number > kComponentsMax) return false;
    mask_ |= std::uint32_t{1} << (number - 1);
    return true;
  }

  static bool fixed(const ir::Expr& expr) {
    return expr.op == ir::Op::constant || expr.op == ir::Op::omit || (expr.flags & ir::kFlagConstant) != 0;
  }

  /// A local, or (component not 0) a component of it.
  bool local(ir::Index slot, ir::Index number, const Scope& scope) {
    if (scope.outer == nullptr) return slot == 0 && component(number);
    return slot < scope.arguments.count && absent(unit_.args[scope.arguments.first + slot], *scope.outer);
  }

  /// Absent without reading anything.
  bool absent(ir::Index index, const Scope& scope) {
    using ir::Op;
    const ir::Expr& expr = unit_.exprs[index];
    switch (expr.op) {
      case Op::local:
        return local(expr.a, 0, scope);
      case Op::v2_relative: {
        const ir::Expr& base = unit_.exprs[expr.a];
        return base.op == Op::local ? local(base.a, expr.b, scope) : absent(expr.a, scope);
      }
      case Op::convert:
      case Op::variant:
      case Op::raw:
      case Op::each:
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
    if (spec.takes_absent || expr.c == 0 || all({expr.b, expr.c}, scope) <= 0) return false;
    return !spec.parameters[0].optional && !fixed(unit_.exprs[unit_.args[expr.b]]);
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

  /// Reads nothing but components that become part of the set.
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

  const ir::Unit& unit_;
  std::uint32_t mask_ = 0;
};

class Pass {
 public:
  explicit Pass(const ir::Unit& unit) : unit_(unit), guards_(unit.writes.size()) {}

  void body(ir::Range stmts) {
    for (ir::Index i = 0; i < stmts.count; ++i) {
      const ir::Stmt& stmt = unit_.stmts[stmts.first + i];
      if (stmt.op == ir::StmtOp::when) {
        const ir::Range branches = unit_.whens[stmt.index].branches;
        for (ir::Index b = 0; b < branches.count; ++b) body(unit_.when_branches[branches.first + b].body);
      }
      if (stmt.op != ir::StmtOp::write) continue;
      Guard guard(unit_);
      if (guard.write(stmt.index, Scope{})) guards_[stmt.index] = guard.mask();
      objects(unit_.writes[stmt.index].value);
    }
  }

  std::vector<std::uint32_t> take() { return std::move(guards_); }

 private:
  /// Writes of the object literals that a write builds stand in the same function.
  void objects(ir::Index index) {
    if (index == ir::kNone) return;
    const ir::Expr& expr = unit_.exprs[index];
    switch (expr.op) {
      case ir::Op::object:
        return body(unit_.objects[expr.a].body);
      case ir::Op::variant:
        return objects(expr.a);
      case ir::Op::coalesce:
        objects(expr.a);
        return objects(expr.b);
      case ir::Op::choose:
        objects(expr.b);
        return objects(expr.c);
      default:
        return;
    }
  }

  const ir::Unit& unit_;
  std::vector<std::uint32_t> guards_;
};

}  // namespace

std::vector<std::uint32_t> component_guards(const ir::Unit& unit) {
  Pass pass(unit);
  for (const ir::Function& function : unit.functions) {
    if (function.parameters == 1 && function.shape != ir::kNone) pass.body(function.body);
  }
  return pass.take();
}

}  // namespace kiln::mappings::detail
