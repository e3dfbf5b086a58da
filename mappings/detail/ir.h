#pragma once
// The compiled form of hmap declarations (hmap.md §17): flat vectors of small PODs that refer to each other by index.
// The checker (compile.cpp …) writes a Unit once; afterwards it is immutable and shared by all threads. The runtime walks
// it with one switch over Op and one over StmtOp.
//
// Everything that can be resolved at load is resolved here: segments, groups, fields, FHIR members, choice variants,
// conversions, policies, functions, local slots. Names are kept only for lineage, diagnostics and output.
//
// Frames. A running Function has `locals` Values (parameters first), `objects` object registers (output objects under
// construction; register 0 is the target of the function) and, in a map, one register per SegmentRef and GroupRef of its
// range. Fragments are inlined where they are included, so they have no frame. Datatype maps and fns are real calls.
//
// Output. Every output object is an instance of a Shape: an array of slots in output order (FHIR element order, v2
// field order, CSV column order), one per member that any rule of the unit ever writes. A choice element has one member
// per variant. Printing an object is one walk over its slots.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/diagnostic.h"
#include "mappings/detail/ir_shapes.h"

namespace re2 {
class RE2;
}

namespace kiln::mappings::ir {

// ---- v2 source -----------------------------------------------------------------------------------------------------

/// One level down in the group tree: `node` is the index of the group in the map's structure (hl7/structure.h),
/// `occurrence` 1-based.
struct GroupStep {
  std::uint16_t node = 0;
  std::uint16_t occurrence = 1;
  StringId name = kNone;
};

enum class BaseKind : std::uint8_t { message, group_loop, segment_loop };

/// How a segment is found. One register per ref, filled on first use and emptied when the loop it hangs on moves
/// (Loop::reset_segments). segment_loop: the loop over these segments fills the register itself; `group` is then the
/// GroupRef in whose current instance it looks (kNone: the message).
struct SegmentRef {
  BaseKind base = BaseKind::message;
  std::uint32_t id = 0;          ///< packed
  Index group = kNone;           ///< group_loop: the GroupRef whose current instance is the start
  Range path;                    ///< into group_steps, from the start down to the group that holds the segment
  std::uint16_t node = 0;        ///< index of the segment in the structure; kNoSlot for Z and unplaced segments:
                                 ///< the first one with that id inside the group instance (or message)
  std::uint16_t occurrence = 1;  ///< 1-based
};

/// The current instance of a `for each GROUP`.
struct GroupRef {
  Index parent = kNone;  ///< GroupRef it is searched in, kNone: the message
  Range path;            ///< non-repeating groups between the two
  std::uint16_t node = 0;
  StringId name = kNone;
};

enum class RepKind : std::uint8_t {
  whole,  ///< the field does not repeat by definition: repetition 1, note when there are more
  first,  ///< no selector on a repeating field: repetition 1, dropped-repetition note when there are more
  index,  ///< [n]; no note
  last,   ///< [last]; no note
  all,    ///< [*]: a list
  where   ///< [where c]: first match with note, or (flag list) all matches
};

/// An absolute path: segment, field, repetition, component, subcomponent; 0 = not given.
struct V2Path {
  Index segment = kNone;  ///< into segment_refs
  std::uint16_t field = 0;
  RepKind repetition = RepKind::whole;
  bool list = false;              ///< yields a list of values
  std::uint16_t rep = 0;          ///< for index, 1-based
  std::uint8_t component = 0, subcomponent = 0;
  TypeId type = 0;                ///< of the value read, in the map's version (narrowed where a match narrows it)
  Index where = kNone;            ///< Expr, evaluated with the repetition in local `where_slot`
  std::uint16_t where_slot = kNoSlot;
  StringId text = kNone;          ///< as written: "PID-3[*].1", for lineage and diagnostics
};

// ---- expressions ---------------------------------------------------------------------------------------------------

enum class Op : std::uint8_t {
  omit,          ///< absent
  skip,          ///< ends the innermost create without result (hmap.md §11)
  constant,      ///< a: constants
  local,         ///< a: slot
  list,          ///< a,b: Range of args; a literal list
  v2_path,       ///< a: v2_paths
  v2_relative,   ///< a: base (a v2 value); b: component or, below a component, subcomponent; c: next level or 0.
               
  raw,           ///< a: v2_path or v2_relative or local expr; undecoded text
  fhir_member,   ///< a: base; b,c: Range of fhir_names (several = choice variants, first present wins). Flattens lists.
  fhir_extension,///< a: base (element, or primitive by its companion); b: string url; c: fhir_names of value[x]
  item,          ///< a: list; b: 1-based index, kNone = last
  filter,        ///< a: list; b: condition with the item in local c. Flag first: the first match
  each,          ///< a: list (or one value); b: body with the item in local c. Absent results are left out
  of_type,       ///< a: value or list; b: TypeId to keep
  resolve,       ///< a: Reference(s); the resource of the source bundle it points to (fullUrl, or Type/id)
  csv_column,    ///< a: row (or group: its first row); b: column index of the csv schema
  group_rows,    ///< a: group; its rows
  all_rows,      ///< the rows of the input
  table_row,     ///< a: lookups (mode row)
  table_column,  ///< a: row; b: string column name
  lookup,        ///< a: lookups
  interpolate,   ///< a,b: Range of args; absent when one is absent
  add, subtract, multiply, divide, concat,                    ///< a, b; `+` on strings is concat; absent is contagious
  equal, not_equal, less, less_equal, greater, greater_equal, ///< a, b; hmap.md §10 for absent
  in_list,       ///< a: value; b: list
  contains,      ///< a: list or string; b: value
  matches,       ///< a: value; b: regexes
  is_valued, is_not_valued, is_null, is_not_null,             ///< a
  is_type, is_not_type,                                       ///< a; b: TypeId
  and_, or_, not_,
  coalesce,      ///< a ?? b
  choose,        ///< a: condition; b: then; c: else or kNone (absent)
  match,         ///< a: subject; b,c: Range of arms
  call_fn,       ///< a: functions; b,c: Range of args
  call_builtin,  ///< a: position in all_functions(); b,c: Range of args (absent ones are `omit`, in parameter order)
  call_datatype, ///< a: functions (a datatype map); b: source value. Yields an object of the function's shape
  object,        ///< a: objects. Builds an object of that shape
  convert,       ///< a: value; b: Conversion. Built-in conversion; the value's own kind is the source
  variant,       ///< a: value; b: position in Choice::variants of the choice the enclosing write goes to. Transparent
                 ///< when the write's last step is a member
  ref,           ///< a: object register of a create; yields a symbolic Reference
  forward_ref,   ///< a: object register of a `create` that follows in the block; b: its handle. A reference all the same
  target_is_valued,  ///< a: object register; b: steps (one step): the element was written (`system is valued`)
  version,       ///< the message's version as string
  run_received, run_channel, run_tz,
  call_lookup,   ///< a: lookup_sources; b,c: Range of args; the row that was fetched before the run
  lookup_column, ///< a: row of a lookup; b: position in the row type
  run_message    ///< the bytes of the v2 message as they came, whatever their charset
};

enum ExprFlag : std::uint8_t {
  kFlagList = 1,     ///< yields a list
  kFlagFirst = 2,    ///< filter: only the first match
  kFlagConstant = 4, ///< the same for every message
  kFlagPrecision = 8 ///< comparison: the operands are names of date precisions ("month"), compared by rank
};

struct Expr {
  Op op = Op::omit;
  std::uint8_t flags = 0;
  TypeId type = 0;        ///< static type of one item of the result
  Index a = kNone, b = kNone, c = kNone;
  Index policies = 0;     ///< into policy_sets: what to do when this operation fails
};

enum class ConstantKind : std::uint8_t { string, integer, decimal, boolean, duration_ms, pattern };
struct Constant {
  ConstantKind kind = ConstantKind::string;
  StringId text = kNone;      ///< as printed
  std::int64_t number = 0;    ///< integer, boolean (0/1), duration; pattern: regexes
};

struct FhirName {
  StringId name = kNone;       ///< "valueQuantity"
  StringId companion = kNone;  ///< "_valueQuantity"; kNone for complex types
  TypeId type = 0;
  bool list = false;
};

enum class ArmKind : std::uint8_t { any, texts, regex, type };
struct Arm {
  ArmKind kind = ArmKind::any;
  Range texts;             ///< into arm_texts: StringIds; the subject's text equals one of them
  Index regex = kNone;
  TypeId type = 0;
  Index value = kNone;     ///< Expr
};

/// `x via T else P`, `T[x]`, `T.inverse`, `T.column`.
enum class LookupMode : std::uint8_t {
  code,              ///< the output column as string
  column,            ///< the named column
  coding,            ///< {system, code, display}
  codeable_concept,  ///< {coding: [translated, original codings of `original`], text of `original`}
  row
};
struct Lookup {
  Index table = kNone;          ///< into tables (an inverse is a table of its own)
  Index key = kNone;            ///< Expr; a composite v2 value counts by its first component
  LookupMode mode = LookupMode::code;
  StringId column = kNone;
  Index shape = kNone;          ///< coding, codeable_concept: shape of the result
  Index otherwise = kNone;      ///< into policies; kNone: the table's, then policy_sets[expr.policies].unmapped
  Index original = kNone;       ///< Expr yielding the CodeableConcept of the untranslated value, or kNone
  StringId text = kNone;        ///< source path as written, for diagnostics
  bool covers_absent = false;   ///< a literal `otherwise` also stands in for an absent key (the target is required)
};

/// `{ … }`, or the body of an `add`: statements run with object register `reg` bound to a new instance of `shape`.
struct Object {
  Index shape = kNone;
  std::uint16_t reg = 0;
  bool all_constant = false;  ///< every rule in it is constant: then it is always written
  Range body;                 ///< into stmts
};

// ---- statements ----------------------------------------------------------------------------------------------------

enum class StmtOp : std::uint8_t { let, write, create, add, emit, loop, when, require, warn, skip };

/// `index` is into the vector of that kind (lets, writes, creates, adds, loops, whens, requires, warns; skip: policies).
struct Stmt {
  StmtOp op = StmtOp::let;
  Index index = kNone;
};

struct Let {
  std::uint16_t slot = 0;
  Index value = kNone;
};

enum class StepKind : std::uint8_t {
  member,     ///< slot of the current shape: the object in it, made when missing (first item of a list)
  item,       ///< item `number` (1-based) of the list in slot
  extension,  ///< an Extension with `url` in the list in slot; the write goes to its value slot `value_slot`
  choice      ///< last step only: choice element `choice`; the variant comes from Op::variant of the value
};
struct Step {
  StepKind kind = StepKind::member;
  bool dynamic = false;              ///< a non-constant rule of the same block writes below this step
  std::uint16_t slot = kNoSlot;
  std::uint16_t value_slot = kNoSlot;
  std::uint32_t number = 0;
  Index shape = kNone;               ///< of the object reached
  Index choice = kNone;
  StringId url = kNone;
};

enum class WriteMode : std::uint8_t { set, append, set_if_unset };

struct Write {
  std::uint16_t base = 0;       ///< object register where the path starts; the write is void when it is empty
  WriteMode mode = WriteMode::set;
  bool override_ = false;       ///< replaces what an earlier rule set
  bool constant = false;        ///< never makes an object exist by itself
  Range path;                   ///< into steps; the last is the member written
  Index value = kNone;          ///< Expr; a list with append appends each
  Index condition = kNone;      ///< Expr; evaluated first
  Index rule = kNone;           ///< into rules
  Index policies = 0;
  Index guard_segment = kNone;  ///< SegmentRef; when the segment is missing or none of guard_mask's fields is valued
  std::uint64_t guard_mask = 0; ///< (bit n-1 = field n), the write has no effect and need not run
};

enum class RequestKind : std::uint8_t { create, ensure, update, upsert, patch, none };

struct Create {
  std::uint16_t reg = 0;
  RequestKind request = RequestKind::update;
  Index shape = kNone;
  StringId handle = kNone;
  std::uint16_t copy = 0;   ///< how many creates of the map had this handle before: a fragment included twice
  Index identity = kNone;   ///< Expr yielding an Identifier object, or kNone
  Index condition = kNone;
  Range body;
  Index rule = kNone;
};

/// v2 target: appends a segment or group instance and runs the body with it.
struct Add {
  std::uint16_t base = 0;
  std::uint16_t reg = 0;
  Range path;               ///< into steps; the last is the list member
  Index shape = kNone;
  Range body;
  Index rule = kNone;
};

/// CSV target: one row per execution.
struct Emit {
  std::uint16_t reg = 0;
  Index shape = kNone;
  Range body;
  Index rule = kNone;
};

enum class LoopKind : std::uint8_t { group, segment, values, rows, row_groups };

struct Loop {
  LoopKind kind = LoopKind::values;
  Index source = kNone;             ///< group: group_refs; segment: segment_refs; else Expr yielding the list
  std::uint16_t slot = kNoSlot;     ///< local for the item (values, rows, row_groups)
  std::uint16_t index_slot = kNoSlot;  ///< local for the 1-based number of the executed iteration
  Index where = kNone;              ///< Expr, evaluated with the item bound; iterations where it fails are not counted
  Range keys;                       ///< row_groups: args, evaluated with the row in `slot`; groups in order of first row
  Range body;
  Range reset_segments;             ///< into resets: SegmentRefs that hang on this loop
  Index policies = 0;               ///< rows, row_groups: `bad` of it says what becomes of rows not as declared
};

struct When {
  Range branches;     ///< into when_branches; the first with a true condition runs
};
struct WhenBranch {
  Index condition = kNone;  ///< kNone: else
  Range body;
};

struct Require {
  Index condition = kNone;
  Index action = kNone;     ///< into policies: reject, quarantine or skip
};
struct Warn {
  Index text = kNone;       ///< Expr
  Index condition = kNone;
};

// ---- policies, rules, tables -----------------------------------------------------------------------------------------

enum class PolicyKind : std::uint8_t { omit, keep, literal, reject, quarantine, delete_, absent, skip };
struct Policy {
  PolicyKind kind = PolicyKind::omit;
  bool warn = false;          ///< also note it
  bool ar = false;            ///< reject AR instead of AE
  std::uint16_t error = 207;  ///< HL7 table 0357
  StringId text = kNone;      ///< reason
  Index literal = kNone;      ///< constants
};

/// Inherited map -> block -> statement; every field is into policies.
struct PolicySet {
  Index bad = 0, null = 0, unmapped = kNone, missing = kNone;  ///< kNone: not declared
};

/// One rule: what lineage and diagnostics print.
struct Rule {
  StringId address = kNone;  ///< "std.v2fhir.adt:PID_Patient.gender@label"
  base::Span span;
  StringId source = kNone;   ///< source text of the value, shortened
};

enum class TableKind : std::uint8_t { literal, csv };  ///< csv: read from the TableSnapshot, also a concept map
struct TableRow {
  StringId key = kNone, value = kNone, display = kNone;
  StringId system = kNone;  ///< before the table's
};
struct Table {
  StringId name = kNone;       ///< qualified
  TableKind kind = TableKind::literal;
  StringId system = kNone;
  Range rows;                  ///< into table_rows, sorted by key text
  Index otherwise = kNone;     ///< `_ => policy`, or `else` of the declaration
  Index declaration = kNone;   ///< csv: which declaration of the library, for the loader
  StringId path = kNone;       ///< csv: file, relative to the site
  StringId key_column = kNone; ///< csv
  std::int64_t reload_ms = 0;
  bool inverse = false;        ///< csv: found by its codes, gives its keys
};

/// `lookup` (hmap.md §8): asked before the run, so the run only reads answers.
struct LookupColumn {
  StringId name = kNone;
  TypeId type = 0;  ///< a primitive
};
struct LookupSource {
  StringId name = kNone;     ///< qualified
  StringId via = kNone;      ///< "sql" or "csv"
  StringId query = kNone;    ///< name of a `query` of kiln.conf, or a csv file relative to the site
  Range parameters;          ///< into lookup_columns
  Range columns;             ///< into lookup_columns: of the row
  Index on_miss = kNone, on_error = kNone;  ///< into policies; kNone: not declared
  std::int64_t cache_ms = 0;
};

// ---- functions and maps ------------------------------------------------------------------------------------------------

struct Function {
  StringId name = kNone;         ///< qualified; datatype maps "module:CX->Identifier"
  std::uint16_t parameters = 0;  ///< locals 0 … parameters-1
  std::uint16_t locals = 0;
  std::uint16_t objects = 0;     ///< object registers
  Index shape = kNone;           ///< datatype map: of register 0
  Index expr = kNone;            ///< fn or condition
  Range body;                    ///< map or datatype map
  bool all_constant = false;
};

enum class Side : std::uint8_t { hl7, fhir, csv };

struct CsvColumn {
  StringId name = kNone, header = kNone, pattern = kNone;
  TypeId type = 0;
  std::uint16_t from = 0, to = 0;  ///< fixed width, 1-based, 0 = delimited
  bool required = false;
};
struct CsvSchema {
  StringId name = kNone;     ///< qualified
  Range columns;             ///< into csv_columns
  Index declaration = kNone;
  char delimiter = ',';
  bool header = true;
  StringId encoding = kNone;
  StringId null_text = kNone;
};

struct Map {
  StringId name = kNone;       ///< qualified
  Index function = kNone;
  Side source = Side::hl7, target = Side::fhir;
  StringId source_type = kNone;     ///< structure id, resource type or csv name
  StringId source_event = kNone;    ///< "A08" when the source is one event only
  StringId source_version = kNone;  ///< v2
  StringId target_type = kNone;
  StringId target_event = kNone;    ///< "ADT^A08^ADT_A01" parts: message code and trigger joined by '^'
  StringId target_version = kNone;
  StringId bundle_type = kNone;     ///< "transaction" …; kNone: the target is one resource
  Index source_csv = kNone, target_csv = kNone;  ///< into csv_schemas
  Index shape = kNone;              ///< of object register 0: v2 structure or FHIR resource; kNone for Bundle and CSV
  Range segments, groups;           ///< SegmentRefs and GroupRefs of this map
  Range required_segments;          ///< v2 target: segments that every message of its structure has, without MSH
  Index missing_segment = kNone;    ///< policy of the map's own `on missing`, for one of them that stays empty
  bool strict = false;
  bool can_reject = false;
  base::Span span;
};

struct Unit {
  std::vector<std::string> strings;
  std::vector<Type> types;                ///< [0] is `none`
  std::vector<Shape> shapes;
  std::vector<Member> members;
  std::vector<Choice> choices;
  std::vector<ChoiceVariant> choice_variants;

  std::vector<BoundSet> bound_sets;
  std::vector<std::uint32_t> required_segments;  ///< packed ids, see Map
  std::vector<GroupStep> group_steps;
  std::vector<SegmentRef> segment_refs;
  std::vector<GroupRef> group_refs;
  std::vector<V2Path> v2_paths;

  std::vector<Expr> exprs;
  std::vector<base::Span> expr_spans;     ///< parallel to exprs
  std::vector<Index> args;                ///< Exprs
  std::vector<Constant> constants;
  std::vector<FhirName> fhir_names;
  std::vector<Arm> arms;
  std::vector<StringId> arm_texts;
  std::vector<Lookup> lookups;
  std::vector<Object> objects;
  std::vector<std::shared_ptr<const re2::RE2>> regexes;

  std::vector<Stmt> stmts;
  std::vector<Let> lets;
  std::vector<Write> writes;
  std::vector<Step> steps;
  std::vector<Create> creates;
  std::vector<Add> adds;
  std::vector<Emit> emits;
  std::vector<Loop> loops;
  std::vector<Index> resets;
  std::vector<When> whens;
  std::vector<WhenBranch> when_branches;
  std::vector<Require> requires_;
  std::vector<Warn> warns;

  std::vector<Policy> policies;           ///< [0] omit
  std::vector<PolicySet> policy_sets;     ///< [0] the default: bad warn, null omit
  std::vector<Rule> rules;
  std::vector<Table> tables;
  std::vector<TableRow> table_rows;
  std::vector<LookupSource> lookup_sources;
  std::vector<LookupColumn> lookup_columns;
  std::vector<CsvSchema> csv_schemas;
  std::vector<CsvColumn> csv_columns;

  std::vector<Function> functions;
  std::vector<Map> maps;
  /// Standalone expressions of channels: a source, a function with `expr`, no target.
  std::vector<Map> expressions;

  /// Slots of Identifier that an identity is read from; kNoSlot when no map has an identity.
  std::uint16_t identifier_system = kNoSlot, identifier_value = kNoSlot;
  Index identifier_shape = kNone;
  /// Slots of Coding and CodeableConcept that table lookups write; kNoSlot when none does.
  std::uint16_t coding_system = kNoSlot, coding_code = kNoSlot, coding_display = kNoSlot;
  std::uint16_t concept_coding = kNoSlot;

  std::string_view text(StringId id) const { return id == kNone ? std::string_view() : std::string_view(strings[id]); }
};

}  // namespace kiln::mappings::ir
