#include "mappings/detail/purity.h"

#include "mappings/function.h"

namespace kiln::mappings::detail {
namespace {

/// What a result may be: see pure_functions(), text_functions(), object_functions().
enum class Results { any, texts, objects };

class Purity {
 public:
  Purity(const ir::Unit& unit, Results results)
      : unit_(unit),
        texts_(results == Results::texts),
        objects_(results == Results::objects),
        known_(unit.functions.size(), Known::nothing) {}

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
        return objects_ ? this->expr(expr.a) : texts_ && unit_.exprs[expr.a].op == Op::local;
      case Op::convert:
        return (objects_ || !zoned(static_cast<ir::Conversion>(expr.b))) && this->expr(expr.a);
      case Op::item:
      case Op::variant:
        return objects_ && this->expr(expr.a);
      case Op::filter:
      case Op::each:
        return objects_ && this->expr(expr.a) && this->expr(expr.b);
      case Op::target_is_valued:  // of an object of the function's own
        return objects_;
      case Op::object:
        return objects_ && body(unit_.objects[expr.a].body);
      case Op::call_datatype:
        return objects_ && body_of(expr.a) && this->expr(expr.b);
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
        return unit_.functions[expr.a].expr != ir::kNone && result_of(expr.a) && all({expr.b, expr.c});
      default:
        return false;
    }
  }

  /// A CodeableConcept of one value: its code translated, and the codings it was sent with.
  bool makes_concept(const ir::Lookup& lookup, ir::Index inherited) const {
    if (lookup.mode != ir::LookupMode::codeable_concept || lookup.original == ir::kNone) return false;
    const ir::Expr& original = unit_.exprs[lookup.original];
    const ir::Op key = unit_.exprs[lookup.key].op;
    if (original.op != ir::Op::call_datatype || original.b != lookup.key) return false;
    if (key != ir::Op::local && key != ir::Op::v2_path) return false;
    return is_fixed(lookup, inherited) && body_of(original.a);
  }

  /// Rules of a datatype map or of an object.
  bool body(ir::Range stmts) const {
    for (ir::Index i = 0; i < stmts.count; ++i) {
      const ir::Stmt& stmt = unit_.stmts[stmts.first + i];
      const bool pure = stmt.op == ir::StmtOp::write
                            ? write(unit_.writes[stmt.index])
                            : stmt.op == ir::StmtOp::let && expr(unit_.lets[stmt.index].value);
      if (!pure) return false;
    }
    return true;
  }

 private:
  enum class Known : std::uint8_t { nothing, pure, impure };
  /// What fns and datatype maps come to is told once each: they call each other many times.
  bool result_of(ir::Index function) const {
    Known& known = known_[function];
    if (known == Known::nothing)
      known = expr(unit_.functions[function].expr) ? Known::pure : Known::impure;
    return known == Known::pure;
  }
  bool body_of(ir::Index function) const {
    Known& known = known_[function];
    if (known == Known::nothing)
      known = body(unit_.functions[function].body) ? Known::pure : Known::impure;
    return known == Known::pure;
  }
  bool write(const ir::Write& write) const {
    return write.guard_segment == ir::kNone && unit_.policy_sets[write.policies].missing == ir::kNone &&
           expr(write.value) && expr(write.condition);
  }
  bool all(ir::Range arguments) const {
    for (ir::Index i = 0; i < arguments.count; ++i) {
      if (!expr(unit_.args[arguments.first + i])) return false;
    }
    return true;
  }
  bool arms(ir::Range range) const {
    for (ir::Index i = 0; i < range.count; ++i) {
      const bool by_type = unit_.arms[range.first + i].kind == ir::ArmKind::type;
      if (by_type && (texts_ || objects_)) return false;
      if (!expr(unit_.arms[range.first + i].value)) return false;
    }
    return true;
  }
  /// The zone of a time comes from the message or the channel.
  static bool zoned(ir::Conversion conversion) {
    return conversion == ir::Conversion::to_date_time || conversion == ir::Conversion::to_instant;
  }
  /// Its table does not change, and nothing it finds is a null.
  bool is_fixed(const ir::Lookup& lookup, ir::Index inherited) const {
    const ir::Table& table = unit_.tables[lookup.table];
    if (table.kind != ir::TableKind::literal) return false;
    if (!texts_ && !objects_) return true;
    for (const ir::Index policy : {lookup.otherwise, table.otherwise, inherited}) {
      if (policy != ir::kNone && unit_.policies[policy].kind == ir::PolicyKind::delete_) return false;
    }
    return true;
  }
  bool lookup(const ir::Lookup& lookup, ir::Index inherited) const {
    if (!is_fixed(lookup, inherited) || !expr(lookup.key)) return false;
    if (!texts_ && !objects_) return true;
    if (lookup.mode == ir::LookupMode::code || lookup.mode == ir::LookupMode::column) return true;
    return objects_ && lookup.mode != ir::LookupMode::row && expr(lookup.original);
  }

  const ir::Unit& unit_;
  const bool texts_, objects_;
  mutable std::vector<Known> known_;  ///< parallel to Unit::functions: of its expression or its body
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
  return all_functions_that_are(Purity(unit, Results::any), unit);
}

std::vector<std::uint8_t> text_functions(const ir::Unit& unit) {
  return all_functions_that_are(Purity(unit, Results::texts), unit);
}

std::vector<std::uint8_t> object_functions(const ir::Unit& unit) {
  const Purity purity(unit, Results::objects);
  const std::vector<std::uint8_t> texts = text_functions(unit);
  std::vector<std::uint8_t> pure = all_functions_that_are(purity, unit);
  for (std::size_t i = 0; i < pure.size(); ++i) {
    const ir::Function& function = unit.functions[i];
    if (texts[i] != 0) pure[i] = 0;
    if (function.parameters == 1 && function.shape != ir::kNone) pure[i] = purity.body(function.body);
  }
  return pure;
}

std::vector<std::uint8_t> object_lookups(const ir::Unit& unit) {
  const Purity purity(unit, Results::objects);
  std::vector<std::uint8_t> pure(unit.exprs.size());
  for (std::size_t i = 0; i < pure.size(); ++i) {
    const ir::Expr& expr = unit.exprs[i];
    if (expr.op == ir::Op::lookup)
      pure[i] = purity.makes_concept(unit.lookups[expr.a], unit.policy_sets[expr.policies].unmapped);
  }
  return pure;
}

}  // namespace kiln::mappings::detail
