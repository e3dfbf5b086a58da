#pragma once
// Names, types, policies and expressions of the syntax tree; ast.h has the rest and the rules of ownership.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>
#include "engine/base/diagnostic.h"

namespace kiln::mappings::ast {

using base::Span;

/// An identifier as written.
struct Name {
  std::string text;
  Span span;
};

/// `std.v2fhir.adt`: at least one part.
struct QName {
  std::vector<Name> parts;
  Span span;
  std::string text() const;  ///< joined by "."
};

/// A constant: STRING (escapes resolved), TEXT (verbatim, without the line break after the opening quotes),
/// NUM or DUR.
struct Literal {
  enum class Kind : std::uint8_t { string, text, number, duration };
  Kind kind = Kind::string;
  std::string text;               ///< number and duration: as written ("5.40", "2.5.1", "10m")
  std::int64_t milliseconds = 0;  ///< duration only
  Span span;
};

/// `hl7 ADT_A01 2.5.1`, `Quantity?`, `Observation("us-core-lab")`.
struct Type {
  enum class Model : std::uint8_t { none, hl7, fhir, csv };
  enum class Arity : std::uint8_t { one, optional, list };  ///< no suffix, `?`, `*`
  Model model = Model::none;
  Name name;
  std::string version;             ///< "2.5.1" or empty
  std::optional<Literal> profile;  ///< the argument in parentheses
  Arity arity = Arity::one;
  Span span;
};

/// What happens to a bad, null, unmapped or missing value. `warn omit` is {warn, omit}; a bare `warn` has
/// action_given == false and action == omit.
struct Policy {
  enum class Action : std::uint8_t { keep, omit, reject, quarantine, erase, absent, literal, skip };
  bool warn = false;
  Action action = Action::omit;
  bool action_given = false;
  std::string ack;               ///< reject: "AE", "AR" or empty (AE)
  std::optional<int> code;       ///< reject: HL7 table 0357
  std::string text;              ///< reject, quarantine, skip: the reason, may be empty
  std::optional<Literal> value;  ///< literal
  Span span;
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;
struct Block;

// ---- expressions ----

/// A string with `${…}`: parts in order. A string without is one Literal.
struct Interpolation {
  struct Part {
    std::string text;  ///< escapes resolved; used when expr is null
    ExprPtr expr;
    Span span;
  };
  std::vector<Part> parts;
};

/// `re"…"`: the pattern as written between the quotes.
struct Regex {
  std::string pattern;
};

/// `[*]`, `[last]`, `[where c]`, `[1]` / `[key]`.
struct Selector {
  enum class Kind : std::uint8_t { none, all, last, where, at };
  Kind kind = Kind::none;
  ExprPtr expr;  ///< where: the condition; at: the index or key
  Span span;     ///< with the brackets
};

/// A number of a path with its place; value 0 means "not written".
struct PathNumber {
  int value = 0;
  Span span;
};

/// `PID-3[where .5 == "MR"].1`, `ORDER_OBSERVATION.OBR-4`, `adt.sent[1].PID-5[1].1.1`: one v2 reference.
/// The selector stands after the field; a projection `PID-3[*].1` has selector all and component 1.
struct V2Ref {
  ExprPtr base;  ///< what stands before ".PID-3": a group path or a handle; null for a bare reference
  Name segment;
  PathNumber field;  ///< its span covers "PID-3" without the base
  Selector selector;
  PathNumber component;
  PathNumber subcomponent;
};

/// `name`: a parameter, let, loop variable, handle, constant, group, segment, function or table.
struct Ident {
  std::string name;
};
/// `.`, and the invisible base of `.5` and `.use`.
struct This {};
/// `base.name`
struct Member {
  ExprPtr base;
  Name name;
};
/// `base.4`: component of a v2 value; `.4.1` is Component{Component{This, 4}, 1}.
struct Component {
  ExprPtr base;
  PathNumber number;
};
/// `base.ext(name)`; a bare `ext(name)` has base This.
struct ExtStep {
  ExprPtr base;
  Name name;
};
/// `base[sel]` on anything but the field of a V2Ref.
struct Index {
  ExprPtr base;
  Selector selector;
};
/// One argument, `value` or `name = value`.
struct Arg {
  std::optional<Name> name;
  ExprPtr value;
};
/// `callee(args)`; the callee is an Ident or a Member (a qualified name or an alias such as `.first()`).
struct Call {
  ExprPtr callee;
  std::vector<Arg> args;
};
struct Omit {};
/// `skip` as a value: drops the innermost created resource.
struct SkipValue {};
/// `ref handle`
struct Ref {
  Name handle;
};
/// `[a, b]`
struct List {
  std::vector<ExprPtr> items;
};
/// `{ … }` as a value.
struct Object {
  std::unique_ptr<Block> block;
};
/// `if c then a else b`
struct IfThenElse {
  ExprPtr condition, then, otherwise;
};
/// One pattern of a match arm.
struct Pattern {
  enum class Kind : std::uint8_t { literal, regex, is_type, any };
  Kind kind = Kind::any;
  Literal literal;    ///< literal
  std::string regex;  ///< regex
  Type type;          ///< is_type
  Span span;
};
struct MatchArm {
  std::vector<Pattern> patterns;
  ExprPtr value;
  Span span;
};
struct Match {
  ExprPtr subject;
  std::vector<MatchArm> arms;
};
struct Not {
  ExprPtr operand;
};
enum class BinaryOp : std::uint8_t {
  coalesce,
  logical_or,
  logical_and,
  eq,
  ne,
  lt,
  le,
  gt,
  ge,
  in,
  contains,
  matches,
  add,
  subtract,
  multiply,
  divide,
  concat
};
struct Binary {
  BinaryOp op = BinaryOp::eq;
  Span op_span;
  ExprPtr left, right;
};
/// `x is [not] valued | null | T`
struct Is {
  enum class Kind : std::uint8_t { valued, null, type };
  ExprPtr operand;
  bool negated = false;
  Kind kind = Kind::valued;
  Type type;  ///< kind type
  Span test_span;
};
/// `x as T`
struct As {
  ExprPtr operand;
  Type type;
};
/// `x of T`
struct Of {
  ExprPtr operand;
  Type type;
};
/// `x using Variant`
struct Using {
  ExprPtr operand;
  Name variant;
};
/// `list each post`
struct Each {
  ExprPtr operand, body;
};
/// `x via T else P`; the last part of the name may be a column or `inverse`.
struct Via {
  ExprPtr operand;
  QName table;
  std::optional<Policy> otherwise;
};
/// `value if condition` in an expression; on an assignment the condition is Assign::condition instead.
struct Guarded {
  ExprPtr value, condition;
};
/// Stands where a syntax error was reported; a tree with one is never checked or run.
struct Invalid {};

struct Expr {
  using Node = std::variant<Invalid, Literal, Interpolation, Regex, V2Ref, Ident, This, Member, Component,
                            ExtStep, Index, Call, Omit, SkipValue, Ref, List, Object, IfThenElse, Match, Not,
                            Binary, Is, As, Of, Using, Each, Via, Guarded>;
  Span span;
  Node node;
  std::uint32_t height =
      1;  ///< of this subtree, at most limits::kHmapTreeHeightMax: bounds any recursion over it

  template <class T>
  const T* get_if() const {
    return std::get_if<T>(&node);
  }
};

/// The name that an Ident or a chain of Members spells (`x.a`, `std.tables.T`); nothing for other
/// expressions.
std::optional<QName> as_qname(const Expr& expr);

}  // namespace kiln::mappings::ast
