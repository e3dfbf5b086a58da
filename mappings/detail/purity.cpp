#include "mappings/detail/purity.h"

#include "mappings/function.h"

namespace kiln::mappings::detail {
namespace {

class Purity {
 public:
  /// `texts`: see text_functions().
  Purity(const ir::Unit& unit, bool texts) : unit_(unit), texts_(texts) {}

  bool expr(ir::Index index) const {
    using ir::Op;
    if (index == ir::kNone) return true;
    const ir::Expr& expr = unit_.exprs[index];
    switch (expr.op) {
      case Op::omit:
      case Op::constant:
      case Op::local:
        return true;
      case Op::v2_relative:
      case Op::raw:
        return texts_ && unit_.exprs[expr.a].op == Op::local;
      case Op::convert:
        return !zoned(static_cast<ir::Conversion>(expr.b)) && this->expr(expr.a);
      case Op::not_:
      case Op::matches:
      case Op::is_valued:
      case Op::is_not_valued:
      case Op::is_null:
      case Op::is_not_null:
        return this->expr(expr.a);
      case Op::concat:
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
      case Op::coalesce:
        return this->expr(expr.a) && this->expr(expr.b);
      case Op::choose:
        return this->expr(expr.a) && this->expr(expr.b) && this->expr(expr.c);
      case Op::list:
      case Op::interpolate:
        return all({expr.a, expr.b});
      case Op::match:
        return this->expr(expr.a) && arms({expr.b, expr.c});
      case Op::lookup:
        return lookup(unit_.lookups[expr.a], unit_.policy_sets[expr.policies].unmapped);
      case Op::call_builtin:  // `age` counts to the time the message was received
        return all_functions()[expr.a]->name != "age" && all({expr.b, expr.c});
      case Op::call_fn:  // no recursion: declarations before their use
        return unit_.functions[expr.a].expr != ir::kNone && this->expr(unit_.functions[expr.a].expr) &&
               all({expr.b, expr.c});
      default:
        return false;
    }
  }

 private:
  bool all(ir::Range arguments) const {
    for (ir::Index i = 0; i < arguments.count; ++i) {
      if (!expr(unit_.args[arguments.first + i])) return false;
    }
    return true;
  }
  bool arms(ir::Range range) const {
    for (ir::Index i = 0; i < range.count; ++i) {
      if (texts_ && unit_.arms[range.first + i].kind == ir::ArmKind::type) return false;
      if (!expr(unit_.arms[range.first + i].value)) return false;
    }
    return true;
  }
  /// The zone of a time comes from the message or the channel.
  static bool zoned(ir::Conversion conversion) {
    return conversion == ir::Conversion::to_date_time || conversion == ir::Conversion::to_instant;
  }
  bool lookup(const ir::Lookup& lookup, ir::Index inherited) const {
    const ir::Table& table = unit_.tables[lookup.table];
    if (table.kind != ir::TableKind::literal || !expr(lookup.key)) return false;
    if (!texts_) return true;
    for (const ir::Index policy : {lookup.otherwise, table.otherwise, inherited}) {
      if (policy != ir::kNone && unit_.policies[policy].kind == ir::PolicyKind::delete_) return false;
    }
    return lookup.mode == ir::LookupMode::code || lookup.mode == ir::LookupMode::column;
  }

  const ir::Unit& unit_;
  const bool texts_;
};

std::vector<std::uint8_t> all_functions_that_are(const Purity& purity, const ir::Unit& unit) {
  std::vector<std::uint8_t> pure(unit.functions.size());
  for (std::size_t i = 0; i < pure.size(); ++i) {
    const ir::Function& function = unit.functions[i];
    pure[i] = function.expr != ir::kNone && function.body.count == 0 && purity.expr(function.expr);
  }
  return pure;
}

}  // namespace

std::vector<std::uint8_t> pure_functions(const ir::Unit& unit) {
  return all_functions_that_are(Purity(unit, false), unit);
}

std::vector<std::uint8_t> text_functions(const ir::Unit& unit) {
  return all_functions_that_are(Purity(unit, true), unit);
}

}  // namespace kiln::mappings::detail
