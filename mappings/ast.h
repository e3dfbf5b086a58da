#pragma once
// The syntax tree of hmap (hmap.md §16) and of channel and server blocks (§20). It holds what was written and
// no more: names are not resolved, types not checked. Every node and every name has its span. Nodes own their
// children; a tree is immutable after the parse and may then be read from any thread.

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

// ---- statements ----

struct Stmt;

struct Block {
  Block();
  Block(Block&&) noexcept;
  Block& operator=(Block&&) noexcept;
  ~Block();

  std::vector<Stmt> statements;
  Span span;  ///< with the braces
  std::uint32_t height = 1;
};

/// One step of an assignment's left side.
struct TargetStep {
  enum class Kind : std::uint8_t {
    field,      ///< `PID-5`, first step only: name is the segment, number the field
    element,    ///< name
    ext,        ///< `ext(name)` or `.ext(name)`
    component,  ///< `.1`: number
    slice,      ///< `:name`
    index       ///< `[1]`: number, 1-based
  };
  Kind kind = Kind::element;
  Name name;
  int number = 0;
  Span span;
};
struct Target {
  std::vector<TargetStep> steps;  ///< at least one
  Span span;
};

struct Assign {
  enum class Op : std::uint8_t { set, append, set_if_unset };  ///< `=`, `+=`, `?=`
  Target target;
  Op op = Op::set;
  Span op_span;
  ExprPtr value;
  std::optional<Policy> on_bad;
  std::optional<Name> label;
  bool override_earlier = false;
  ExprPtr condition;  ///< of `if`, or null
};
struct Let {
  Name name;
  std::optional<Type> type;
  ExprPtr value;
};
struct OnEvent {
  enum class Event : std::uint8_t { bad, null, unmapped, missing };
  Event event = Event::bad;
  Policy policy;
};
struct Require {
  ExprPtr condition;
  Policy otherwise;  ///< action reject, quarantine or skip
};
/// `warn "text" if c`
struct Warn {
  Literal text;
  ExprPtr condition;
};
struct Create {
  enum class Request : std::uint8_t { not_given, create, ensure, update, upsert, patch, none };
  Name handle;
  Type type;
  ExprPtr identity;  ///< or null; an Object for `identity { … }`
  Request request = Request::not_given;
  Span request_span;
  ExprPtr condition;  ///< or null
  std::optional<Name> label;
  Block body;
};
/// `add NK1 { … }`: a segment or group of a v2 target.
struct Add {
  Name name;
  Block body;
};
struct Emit {
  Block body;
};
struct Include {
  QName fragment;
  bool has_args = false;
  std::vector<Arg> args;
};
/// `skip ["reason"]`
struct Skip {
  std::string text;
};
struct ForEach {
  std::optional<Name> binding;
  ExprPtr source;
  ExprPtr where;                  ///< or null
  std::vector<ExprPtr> group_by;  ///< may be empty
  Block body;
};
struct When {
  struct Branch {
    ExprPtr condition;
    Block body;
  };
  std::vector<Branch> branches;  ///< `when`, then each `else when`
  std::optional<Block> otherwise;
};

struct Stmt {
  using Node =
      std::variant<Assign, Let, OnEvent, Require, Warn, Create, Add, Emit, Include, Skip, ForEach, When>;
  Span span;
  Node node;

  template <class T>
  const T* get_if() const {
    return std::get_if<T>(&node);
  }
};

// ---- options: csv, channel and server blocks as neutral trees ----

/// One value of an option.
struct OptionValue {
  enum class Kind : std::uint8_t { string, number, address, size, duration, duration_range, word, call };
  Kind kind = Kind::word;
  std::string text;             ///< as written; string: escapes resolved (empty when interpolated, see expr)
  std::int64_t number = 0;      ///< size: bytes; duration and lower end of a range: milliseconds
  std::int64_t number_end = 0;  ///< upper end of a range: milliseconds
  ExprPtr expr;                 ///< string with `${…}`: an Interpolation; else null
  std::vector<Arg> args;        ///< call: `env("X")` has text "env"
  Span span;
};

/// `name value value { nested }` or `name by cond, cond`.
struct Option {
  Name name;
  std::vector<OptionValue> values;
  std::vector<ExprPtr> by;  ///< conditions after `by`
  bool has_children = false;
  std::vector<Option> children;
  Span span;
};

// ---- declarations ----

struct Param {
  Name name;
  Type type;
};
struct ConstDecl {
  Name name;
  ExprPtr value;
};
struct ExtensionDecl {
  Name name;
  Literal url;
  Type type;
};
struct TableRow {
  std::vector<Literal> keys;
  Literal value;
  std::optional<Literal> display;
  bool preferred = false;
  Span span;
};
struct TableDecl {
  enum class Source : std::uint8_t { rows, csv, conceptmap, hl7table };
  Name name;
  std::optional<Literal> system;
  Source source = Source::rows;
  std::optional<Literal> location;  ///< file, URL or table number; not for rows
  std::optional<Name> key;          ///< csv: the key column
  std::optional<Literal> reload;    ///< a duration
  std::optional<Policy> otherwise;  ///< `else P` or `_ => P`
  std::vector<TableRow> rows;
};
struct LookupDecl {
  Name name;
  std::vector<Param> params;
  Type result;
  Name via;
  Literal query;
  std::optional<Literal> cache;
  std::optional<Policy> on_miss, on_error;
};
struct RowDecl {
  Name name;
  std::vector<Param> columns;
};
struct CsvColumn {
  Name name;
  std::optional<Literal> header;       ///< the column's header text; absent: the name
  std::optional<PathNumber> from, to;  ///< fixed width: 1-based character positions, inclusive
  Type type;
  std::optional<Literal> format;
  bool required = false;
  Span span;
};
struct CsvDecl {
  Name name;
  std::vector<Option> options;  ///< delimiter, encoding, header, `null as "…"`, …
  std::vector<CsvColumn> columns;
};
struct SegmentField {
  PathNumber number;
  Name name;
  Name type;
  bool repeats = false;
};
struct SegmentDecl {
  Name name;
  std::vector<SegmentField> fields;
};
struct FnDecl {
  Name name;
  std::vector<Param> params;
  Type result;
  ExprPtr body;
};
/// `datatype CX -> Identifier { … }`; the variant is the name after "@".
struct DatatypeDecl {
  Name source;
  std::optional<Name> variant;
  Type target;
  Block body;
};
struct FragmentDecl {
  Name name;
  std::vector<Param> params;
  Type target;
  Block body;
};
struct MapDecl {
  enum class Interaction : std::uint8_t { not_given, transaction, batch, message, collection };
  Name name;
  std::vector<Param> params;
  Type::Model model = Type::Model::fhir;  ///< hl7, fhir or csv
  Name target;                            ///< Bundle, ADT_A08, a csv declaration
  std::string version;                    ///< hl7: "2.5.1" or empty
  Interaction interaction = Interaction::not_given;
  bool strict = false;
  Span target_span;
  Block body;
};
/// One edit of `extend map`; `in` is the handle it stands in, or nothing.
struct Edit {
  enum class Kind : std::uint8_t { remove, replace, add };
  Kind kind = Kind::add;
  std::optional<Name> in;
  Target target;               ///< remove
  std::optional<Name> label;   ///< remove
  std::unique_ptr<Stmt> stmt;  ///< replace (an Assign) and add
  Span span;
};
struct ExtendDecl {
  Name name;
  QName base;
  std::vector<Edit> edits;
};

struct GivenStep {
  Name kind;  ///< hl7, fhir, csv, …
  Literal text;
};
struct FaultStep {
  Name destination;
  Literal reason;
  int times = 0;  ///< 0: not given, once
};
struct RunStep {
  QName name;
};
struct ExpectStep {
  ExprPtr condition;
};
struct TestStep {
  Span span;
  std::variant<GivenStep, FaultStep, RunStep, ExpectStep> node;
};
struct TestDecl {
  Literal title;
  std::vector<TestStep> steps;
};

struct AcceptClause {
  std::vector<Type> types;
  ExprPtr where;                    ///< or null
  std::optional<Policy> otherwise;  ///< may be Action::skip
  Span span;
};
struct AckClause {
  Name mode;               ///< auto, original, enhanced, none
  std::optional<Name> on;  ///< stored, mapped, delivered
  Span span;
};
/// `source mllp { … }`
struct SourceClause {
  Name connector;
  std::vector<Option> options;
  Span span;
};
/// `map bundle = adt_a01 if …`
struct RouteClause {
  Name result;
  QName map;
  bool has_args = false;
  std::vector<Arg> args;
  std::optional<Name> of;
  ExprPtr condition;  ///< or null
  Span span;
};
/// `to repo: fhir from bundle { … }`
struct DestinationClause {
  Name name;
  Name connector;
  std::optional<Name> from;
  ExprPtr condition;  ///< or null
  std::vector<Option> options;
  Span span;
};
struct ChannelDecl {
  Name name;
  bool disabled = false;
  std::vector<SourceClause> sources;  ///< as written; channels/definition demands exactly one
  std::vector<AcceptClause> accepts;
  std::vector<AckClause> acks;
  std::vector<RouteClause> routes;
  std::vector<DestinationClause> destinations;
  std::vector<Option> options;
};
struct ServerDecl {
  Span name_span;  ///< of the word `server`
  std::vector<Option> options;
};

struct Decl {
  using Node =
      std::variant<ConstDecl, ExtensionDecl, TableDecl, LookupDecl, RowDecl, CsvDecl, SegmentDecl, FnDecl,
                   DatatypeDecl, FragmentDecl, MapDecl, ExtendDecl, TestDecl, ChannelDecl, ServerDecl>;
  Span span;
  Node node;

  template <class T>
  const T* get_if() const {
    return std::get_if<T>(&node);
  }
};

/// The declared name and its place; null for test and server, and for datatype (which is found by its types).
const Name* declared_name(const Decl& decl);
/// "const", "table", "map", … as the keyword is written.
std::string_view keyword_of(const Decl& decl);

struct UseDecl {
  QName module;
  bool has_list = false;
  std::vector<Name> names;    ///< `use m.{a, b}`
  std::optional<Name> alias;  ///< `use m as x`
  Span span;
};

struct File {
  std::uint32_t source = 0;     ///< index in the SourceMap
  std::optional<QName> module;  ///< absent: the site's unnamed package
  std::vector<UseDecl> uses;
  std::vector<Decl> decls;     ///< in source order
  std::vector<Span> comments;  ///< in source order, without the line break
};

}  // namespace kiln::mappings::ast
