#pragma once
// Evaluation of a compiled expression, and what functions are given. Private to fhir/path.
//
// Everything that can fail returns false after fail(); the caller passes that on at once.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/base/decimal.h"
#include "fhir/path/detail/arena.h"
#include "fhir/path/detail/ast.h"
#include "fhir/path/functions.h"
#include "fhir/path/path.h"

namespace kiln::fhir::detail {

/// Three-valued logic.
enum class Tri : std::uint8_t { no, yes, empty };
inline Tri tri(bool value) {
  return value ? Tri::yes : Tri::no;
}

/// What $this, $index and $total are.
struct Scope {
  const PathItem* self = nullptr;  ///< nullptr: nothing
  std::int64_t index = -1;
  const Collection* total = nullptr;
};

class Evaluator {
 public:
  Evaluator(const PathProgram& program, const PathEnvironment& environment, PathArena& arena,
            const PathItem* context)
      : program_(program), environment_(environment), arena_(arena), context_(context) {}

  /// Appends the value of `expr` to `out`.
  [[nodiscard]] bool eval(const PathExpr& expr, const Scope& scope, Collection& out);
  [[nodiscard]] bool children(const PathItem& item, NameId name, std::string_view text, Collection& out);

  [[nodiscard]] bool fail(base::ErrorCode code, std::string text, std::uint32_t offset);
  [[nodiscard]] bool fail(std::string text) {
    return fail(base::ErrorCode::fhirpath_execution, std::move(text), offset_);
  }
  /// Counts work; fails when the budget is used up.
  [[nodiscard]] bool step(std::uint64_t count = 1) {
    steps_ += count;
    if (steps_ <= environment_.steps_max && arena_.total() <= environment_.bytes_max) return true;
    return over_budget();
  }
  [[nodiscard]] bool over_budget();
  /// Whether a text of that size may be made.
  [[nodiscard]] bool may_make(std::size_t bytes) {
    return arena_.total() + bytes <= environment_.bytes_max || over_budget();
  }

  Collection make() { return Collection(arena_); }
  PathArena& arena() { return arena_; }
  const PathEnvironment& environment() const { return environment_; }
  const PathProgram& program() const { return program_; }
  const PathItem* context() const { return context_; }
  base::Error& error() { return error_; }

  /// The System value of a FHIR primitive or Quantity; other items, and primitives without value, as they
  /// are.
  PathItem value(const PathItem& item);
  PathItem text_item(PathKind kind, std::string_view text) {
    return PathItem::of_text(kind, arena_.copy(text));
  }
  PathItem decimal_item(const base::Decimal& value) { return text_item(PathKind::decimal, value.print()); }
  PathItem date_item(PathKind kind, const base::PartialDate& value) {
    return PathItem::of_date(kind, arena_.make(value));
  }
  PathItem quantity_item(std::string_view value, std::string_view unit, bool calendar) {
    return PathItem::of_quantity(arena_.make(PathQuantity{arena_.copy(value), arena_.copy(unit), calendar}));
  }

  /// Nothing, or the boolean of one item (N1 §4.5: one item that is no boolean is true); fails for several.
  [[nodiscard]] bool truth(const Collection& items, Tri& out);
  Node resource_of(const PathItem* item) const;

  // compare.cpp
  [[nodiscard]] bool equal(const PathItem& a, const PathItem& b, Tri& out);
  [[nodiscard]] bool equal(const Collection& a, const Collection& b, Tri& out);
  [[nodiscard]] bool equivalent(const PathItem& a, const PathItem& b, bool& out);
  [[nodiscard]] bool equivalent(const Collection& a, const Collection& b, bool& out);
  /// a < b: -1, 0, 1; nothing when that cannot be told. Fails for types that have no order between them.
  [[nodiscard]] bool order(const PathItem& a, const PathItem& b, std::optional<int>& out);

  // sets.cpp
  /// The items of both, each once.
  [[nodiscard]] bool unite(const Collection& a, const Collection& b, Collection& out);

  // arithmetic.cpp
  [[nodiscard]] bool arithmetic(PathOp op, const PathItem& a, const PathItem& b, Collection& out);

 private:
  bool eval_member(const PathExpr& expr, const Scope& scope, Collection& out);
  bool eval_head(const PathExpr& expr, const Scope& scope, Collection& out);
  bool eval_variable(const PathExpr& expr, Collection& out);
  bool eval_call(const PathExpr& expr, const Scope& scope, Collection& out);
  bool eval_indexer(const PathExpr& expr, const Scope& scope, Collection& out);
  bool eval_sign(const PathExpr& expr, const Scope& scope, Collection& out);
  bool eval_binary(const PathExpr& expr, const Scope& scope, Collection& out);
  bool eval_logic(const PathExpr& expr, const Scope& scope, Collection& out);
  bool eval_compare(PathOp op, const Collection& left, const Collection& right, Collection& out);
  bool eval_arithmetic(PathOp op, const Collection& left, const Collection& right, Collection& out);
  bool contains(const Collection& all, const Collection& one, Collection& out);
  bool eval_type(const PathExpr& expr, const Scope& scope, Collection& out);
  bool deep_equal(Node a, Node b, Tri& out);
  bool deep_equivalent(Node a, Node b, bool& out);

  const PathProgram& program_;
  const PathEnvironment& environment_;
  PathArena& arena_;
  const PathItem* context_;
  base::Error error_;
  std::uint64_t steps_ = 0;
  std::uint32_t offset_ = 0;
  unsigned compare_depth_ = 0;
};

/// One call of a function.
struct PathCall {
  Evaluator& ev;
  const PathExpr& expr;
  const Scope& scope;
  const Collection& input;
  Collection& out;

  std::size_t arg_count() const { return expr.args.size(); }
  /// The value of an argument, in the scope of the call.
  [[nodiscard]] bool arg(std::size_t index, Collection& to) { return ev.eval(*expr.args[index], scope, to); }
  /// The value of an argument for one item of the input.
  [[nodiscard]] bool each(std::size_t index, const PathItem& item, std::size_t position, Collection& to) {
    return ev.eval(*expr.args[index], Scope{&item, static_cast<std::int64_t>(position), scope.total}, to);
  }
  /// The same as a truth value; frees what the evaluation took.
  [[nodiscard]] bool test(std::size_t index, const PathItem& item, std::size_t position, Tri& result);

  [[nodiscard]] bool give(const PathItem& item) {
    out.push(item);
    return true;
  }
  [[nodiscard]] bool give(bool value) { return give(PathItem::of_boolean(value)); }
  [[nodiscard]] bool give_integer(std::int64_t value) { return give(PathItem::of_integer(value)); }
  /// A string; the text is copied.
  [[nodiscard]] bool give_text(std::string_view text) {
    return ev.may_make(text.size()) && give(ev.text_item(PathKind::string, text));
  }
  [[nodiscard]] bool fail(std::string text) {
    return ev.fail(base::ErrorCode::fhirpath_execution, std::string(expr.text) + "(): " + text, expr.offset);
  }

  /// The one item of the input or an argument as a System value; `found` false when there is none. Fails for
  /// several.
  [[nodiscard]] bool one(const Collection& from, PathItem& item, bool& found);
  /// The same, which must be of that kind.
  [[nodiscard]] bool one_of(PathKind kind, const Collection& from, PathItem& item, bool& found);
  [[nodiscard]] bool input_text(std::string_view& text, bool& found);
  [[nodiscard]] bool arg_text(std::size_t index, std::string_view& text, bool& found);
  [[nodiscard]] bool arg_integer(std::size_t index, std::int64_t& value, bool& found);
};

/// What static checks know of a function's input and output.
enum class PathShape : std::uint8_t {
  any,   ///< input: whatever; output: not known
  text,  ///< a string
  boolean,
  integer,
  decimal,
  number,
  date_time,
  date,
  time,
  quantity,
  same,  ///< output: items of the input
  item,  ///< output: what the first argument gives, for each item
  type,  ///< output: of the type named by the argument
  extension,
  information,  ///< output: of type()
};

struct PathFunction {
  const char* name;
  std::uint8_t args_min, args_max;
  std::uint8_t lambdas;  ///< bits of the arguments that are evaluated for each item of the input
  PathShape input, output;
  bool (*run)(PathCall& call);
  bool ordered = false;  ///< needs an input with an order: refused behind children() in strict mode
  bool takes_type = false;
};

const PathFunction* find_path_function(std::string_view name);

/// Whether the item's type is `type` or (with `subtypes`) below it.
bool has_type(const PathItem& item, const PathType& type, bool subtypes);

/// Items by equality: finding one takes constant time for strings and numbers.
class ItemSet {
 public:
  explicit ItemSet(Evaluator& evaluator) : ev_(evaluator) {}
  /// `fresh` tells whether no equal item was in it; it is now.
  [[nodiscard]] bool insert(const PathItem& item, bool& fresh);
  [[nodiscard]] bool find(const PathItem& item, bool& found);

 private:
  static constexpr std::size_t kSmall = 12;  ///< up to which all are compared
  std::uint64_t hash(const PathItem& value);
  void index(std::size_t position);
  Evaluator& ev_;
  std::vector<PathItem> items_;
  std::unordered_multimap<std::uint64_t, std::size_t> by_hash_;
};

/// Numbers as decimals; nullopt for other kinds, and for those with more digits than can be calculated with.
std::optional<base::Decimal> decimal_of(const PathItem& system_value);
/// Without zeros at the end of the fraction.
std::string trimmed_decimal(const base::Decimal& value);

}  // namespace kiln::fhir::detail

namespace kiln::fhir {

/// A file of fhir/path/functions.
struct PathFunctionGroup {
  std::span<const detail::PathFunction> functions;
};

}  // namespace kiln::fhir
