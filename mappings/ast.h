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
#include "mappings/ast_expr.h"

namespace kiln::mappings::ast {

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
  std::optional<Literal> display, system;  ///< system: of this row, before the table's
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
/// `extend const std.v2fhir.segments.createProvenance = false`
struct SetConstDecl {
  QName base;
  ExprPtr value;
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
  bool has_options = false;
  std::vector<Option> options;
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
                   DatatypeDecl, FragmentDecl, MapDecl, ExtendDecl, TestDecl, ChannelDecl, ServerDecl, SetConstDecl>;
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
