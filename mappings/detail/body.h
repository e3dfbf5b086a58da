#pragma once
// Checks and lowers one function: a map with the fragments it includes, a datatype map, a fn, or an
// expression. The methods are spread over body_*.cpp by subject.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mappings/detail/compiler_state.h"

namespace kiln::mappings::detail {

/// A lowered expression with what is known about it.
struct Checked {
  ir::Index expr = ir::kNone;
  StaticType type;
  bool constant = false;  ///< the same for every message
  bool optional = true;   ///< may be absent
};

/// Where a value goes; decides conversions.
struct Destination {
  enum class Kind : std::uint8_t {
    fhir,
    v2,
    v2_view,
    csv,
    any
  };  ///< v2: output; v2_view: read as that datatype
  Kind kind = Kind::any;
  StaticType type;                            ///< fhir or choice, v2 datatype, csv column; unset for any
  const fhir::ElementDef* element = nullptr;  ///< fhir: the element, for bindings, targets and choices
  ir::Index shape = ir::kNone;                ///< fhir: shape that the element belongs to
  bool list = false;                          ///< lists are welcome
  bool required = false;
  bool explicit_cast = false;  ///< the value stands under `as`
  std::string name;            ///< "Encounter.class", for messages
  std::string variant;         ///< `using`
  const ast::Block* constants = nullptr;  ///< of the slice that is written
  const LoadedProfile* profile = nullptr;  ///< of the resource it is part of
  std::string profile_path;                ///< of the element there: "component:systolic.code"
  base::Span cast_span;
};

/// The object that assignments of a block go to.
struct Target {
  enum class Kind : std::uint8_t { none, fhir, v2, csv };
  Kind kind = Kind::none;
  std::uint16_t reg = 0;
  ir::Index shape = ir::kNone;
  const fhir::TypeDef* fhir = nullptr;
  int group = -1;        ///< v2 structure or group: node in the target's tree, -1 the message
  std::string segment;   ///< v2 segment
  std::string datatype;  ///< v2 datatype map
  const CsvModel* csv = nullptr;
  std::string address;   ///< "patient" of the rule address, "" at the top and in fragments
  std::string handle;    ///< what `in patient { … }` of an `extend map` names; fragments keep the caller's
  bool literal = false;  ///< `{ … }`: made here and written by nobody else
  const LoadedProfile* profile = nullptr;  ///< `create o: Observation("…")`
  std::string profile_path;  ///< of an object inside such a resource; empty: the resource itself
};

/// One write of an object block, for E0205, E0206, W0211 and `dynamic`.
struct WriteNote {
  std::uint16_t reg = 0;
  std::string path;     ///< "type.coding", base name for choices
  std::string variant;  ///< JSON name of the choice variant, empty when told at run time
  bool set = false;     ///< `=` without override
  bool set_if_unset = false;
  bool optional = true;  ///< may write nothing
  bool constant = false;
  base::Span span;
  std::vector<std::pair<std::string, bool>> conditions;  ///< atoms and whether they hold
  std::vector<ir::Index> step_ids;                       ///< indexes in Unit::steps, for `dynamic`
  std::vector<std::string> prefixes;
};

class Extension;

class Body {
 public:
  Body(CompilerState& state, const LibraryFile& file, std::string address);

  // ---- set-up by the declaration (declarations.cpp) ----
  void set_version(hl7::Version version, std::string declared_as);
  void set_source(const hl7::StructureDef& structure);
  void set_target_structure(const hl7::StructureDef& structure, hl7::Version version);
  void set_target(Target target) { target_ = std::move(target); }
  void set_this(std::uint16_t slot, StaticType type);
  void set_strict(bool strict) { strict_ = strict; }
  /// The object of a fragment that is checked by itself: whoever includes it may write the rest (W0211).
  void set_part(std::uint16_t reg) { part_ = reg; }
  void set_extension(Extension* extension) { extension_ = extension; }
  /// The source is this event only ("ADT^A08").
  void set_event(std::string event) { event_ = std::move(event); }
  /// A further parameter of a map with its constant argument (null: absent), written in `file`.
  void bind_parameter(const ast::Param& param, const ast::Expr* argument, const LibraryFile& file);
  /// Expressions of channels are evaluated without lookups.
  void refuse_lookups() { lookups_allowed_ = false; }
  std::uint16_t declare_local(std::string_view name, StaticType type, base::Span span);
  void declare_message(std::string_view name) { message_name_ = name; }
  void declare_segment(std::string_view segment, ir::Index segment_ref);
  ir::Index make_segment_ref(std::string_view segment, const std::vector<int>& groups, int node);
  std::uint16_t new_object() { return objects_++; }

  /// `handle`: whose block it is for the additions of an `extend map`; null for blocks without a name.
  /// `constants` are lowered before it: rules of the profile.
  ir::Range block(const ast::Block& block, const std::string* handle = nullptr,
                  const ast::Block* constants = nullptr);
  /// The block of a created object: block() and then the checks over all of its rules.
  ir::Range object_block(const ast::Block& block, std::uint16_t reg, bool& all_constant,
                         const std::string* handle = nullptr, const ast::Block* constants = nullptr);
  Checked value(const ast::Expr& expr, const Destination& destination);
  Checked check(const ast::Expr& expr);
  ir::Index condition(const ast::Expr& expr);
  /// Once more over all rules, when late writes are known.
  void check_all_rules();
  void check_missing(std::size_t first, std::uint16_t reg, const fhir::TypeDef& type, base::Span span);
  void check_required_segments(base::Span span, std::string_view structure);
  /// Segments of the target that every message of its structure has, without MSH.
  std::vector<std::string> required_segments() const;
  void finish(ir::Function& function) const;
  ir::Range segment_range() const;
  ir::Range group_range() const;
  bool can_reject() const { return can_reject_; }
  Destination destination_of(const StaticType& type, std::string name) const;

 private:
  struct Binding {
    enum class Kind : std::uint8_t { value, handle };
    Kind kind = Kind::value;
    std::string name;
    StaticType type;
    std::uint16_t slot = 0;
    Target target;  ///< handle
    bool alive = true;
    bool in_loop = false;
    base::Span span;
    bool announced = false;  ///< handle of a `create` that follows: `ref` may stand before it
  };
  struct Context {
    ir::BaseKind kind = ir::BaseKind::message;
    ir::Index group = ir::kNone;  ///< group_loop: GroupRef
    int node = -1;
    ir::Index segment = ir::kNone;  ///< segment_loop: SegmentRef
    std::string name;
  };
  struct This {
    std::uint16_t slot;
    StaticType type;
  };
  struct Narrowed {
    std::string key;  ///< source text, or "segment ref:field"
    StaticType type;
    std::vector<const fhir::TypeDef*> excluded;
  };

  // body.cpp: scopes, small helpers
  ir::Expr make(ir::Op op, ir::Index a = ir::kNone, ir::Index b = ir::kNone, ir::Index c = ir::kNone) const;
  Checked done(ir::Expr expr, StaticType type, base::Span span, bool constant = false, bool optional = true);
  Checked failed(base::Span span);
  Checked local(std::uint16_t slot, StaticType type, base::Span span, bool optional = false);
  Checked constant_text(std::string_view text, std::string_view type, base::Span span);
  const Binding* find_binding(std::string_view name) const;
  const Binding* find_announced(std::string_view name) const;
  void announce_creates(const std::vector<ast::Stmt>& statements);
  std::uint16_t register_of(const ast::Create& create);
  std::uint16_t new_local() { return locals_++; }
  Checked to_scalar(Checked value);
  bool reduce_where(ir::Index expr);
  Checked check_scalar(const ast::Expr& expr, std::string_view wanted);
  std::string text_of(base::Span span) const;
  void scalar_error(const Checked& value, base::Span span, std::string_view wanted);

  // body_v2.cpp: segments, fields, components
  Checked v2_ref(const ast::V2Ref& ref, base::Span span, bool want_list);
  ir::Index find_segment(const ast::V2Ref& ref);
  ir::Index find_in_contexts(std::string_view segment, base::Span span);
  ir::Index segment_of_path(const ast::V2Ref& ref, std::vector<std::pair<ast::Name, int>> groups);
  std::optional<SegmentModel> segment_model(std::string_view id, base::Span span, bool quiet);
  ir::Index add_segment_ref(ir::SegmentRef ref);
  ir::Range group_steps(const std::vector<std::pair<int, int>>& groups);
  void report_misplaced(std::string_view name, base::Span span, const std::vector<StructureTree::Found>& all);
  void report_ambiguous(std::string_view what, std::string_view name, base::Span span,
                        const std::vector<StructureTree::Found>& all);
  void report_field(const SegmentModel& model, int field, base::Span span);
  void report_component(std::string_view datatype, int position, base::Span span);
  std::optional<StaticType> component_type(const StaticType& type, int position, base::Span span);
  Checked component(const ast::Component& component, base::Span span);
  Checked component_of(Checked base, int position, base::Span span, base::Span base_span);
  Checked repetitions(ir::V2Path path, StaticType type, const ast::Selector& selector, bool repeats,
                      bool want_list, base::Span span);
  bool read_where_it_stands(std::string_view name) const;
  std::vector<StructureTree::Found> reachable(std::string_view name, std::size_t& context_index) const;

  // body_fhir.cpp: FHIR elements, csv columns, table columns
  Checked member(const ast::Member& member, base::Span span);
  Checked member_of(Checked base, const ast::Name& name, base::Span span);
  Checked fhir_member(Checked base, const ast::Name& name, base::Span span);
  Checked csv_member(Checked base, const ast::Name& name, base::Span span);
  Checked extension(const ast::ExtStep& step, base::Span span);
  Checked index(const ast::Index& index, base::Span span);
  Checked table_index(const Declaration& table, const ast::Selector& selector, base::Span span);
  Checked of_type(const ast::Of& of, base::Span span);
  Checked run_member(const ast::Name& name, base::Span span);
  const Declaration* find_extension(const ast::Name& name);

  // body_exprs.cpp: the rest
  Checked ident(const ast::Ident& ident, base::Span span);
  Checked this_value(base::Span span);
  Checked interpolation(const ast::Interpolation& text, base::Span span);
  Checked literal(const ast::Literal& literal);
  Checked list_literal(const ast::List& list, base::Span span);
  Checked binary(const ast::Binary& binary, base::Span span);
  Checked compare(const ast::Binary& binary, base::Span span);
  Checked arithmetic(const ast::Binary& binary, base::Span span);
  Checked is_test(const ast::Is& is, base::Span span);
  std::optional<Checked> own_element_test(const ast::Is& is, base::Span span);
  Checked constant_decl(const Declaration& declaration, base::Span span);
  bool constant_fits(const Declaration& declaration, std::size_t first_expr, base::Span span);

  // body_calls.cpp
  Checked call(const ast::Call& call, base::Span span);
  Checked call_fn(const Declaration& declaration, const ast::Call& call, base::Span span);
  // body_lookups.cpp
  Checked call_lookup(const Declaration& declaration, const ast::Call& call, base::Span span);
  Checked row_member(Checked base, const ast::Name& name);

  Checked call_builtin(std::string_view name, const std::vector<const ast::Expr*>& args, base::Span span,
                       std::optional<Checked> self = std::nullopt);
  std::vector<const ast::Expr*> ordered_args(const std::vector<ast::Param>& params,
                                             const std::vector<ast::Arg>& args, std::string_view name,
                                             base::Span span);

  // body_values.cpp: values towards a destination
  Checked match_value(const ast::Match& match, const Destination& destination, base::Span span);
  Checked choose_value(const ast::Expr* condition, const ast::Expr& then, const ast::Expr* otherwise,
                       const Destination& destination, base::Span span);
  Checked coalesce_value(const ast::Binary& binary, const Destination& destination, base::Span span);
  Checked object_value(const ast::Object& object, const Destination& destination, base::Span span);
  Checked each_value(const ast::Each& each, const Destination& destination, base::Span span);
  Checked as_value(const ast::As& as, const Destination& destination, base::Span span);
  Checked join_types(Checked result, const std::vector<StaticType>& types) const;
  const fhir::TypeDef* object_type(const ast::Block& block, const Destination& destination, base::Span span);
  void check_arms(const ast::Match& match);
  StaticType narrowed_type(const std::vector<ast::Pattern>& patterns, const Checked& subject) const;

  // body_convert.cpp
  Checked convert(Checked value, const Destination& destination, base::Span span);
  Checked convert_item(Checked value, const Destination& destination, base::Span span);
  Checked to_fhir(Checked value, const Destination& destination, base::Span span);
  Checked to_choice(Checked value, const Destination& destination, base::Span span);
  Checked to_primitive(Checked value, const StaticType& type, const Destination& destination,
                       base::Span span);
  Checked to_v2(Checked value, const Destination& destination, base::Span span);
  Checked to_csv(Checked value, const Destination& destination, base::Span span);
  Checked reference(const ast::Ref& ref, const Destination& destination, base::Span span);
  Checked by_datatype_map(Checked value, const Declaration& map, const StaticType& result, base::Span span);
  const Declaration* find_conversion(const StaticType& from, std::string_view to,
                                     const Destination& destination, base::Span span, bool quiet = false);
  std::vector<std::string> sources_of(std::string_view to);
  void report_no_conversion(const StaticType& from, const Destination& destination, base::Span span);
  Checked with_variant(Checked value, const fhir::ElementType& type, const Destination& destination);
  void check_binding(const Checked& value, const Destination& destination, base::Span span);
  bool check_constant(const Checked& value, std::string_view primitive, base::Span span);
  std::optional<ir::Index> bound_set(const Checked& value, const Destination& destination);
  bool proven(ir::Index expr, const fhir::ValueSet& set, int depth) const;
  std::optional<ir::Conversion> builtin(const StaticType& from, std::string_view to,
                                        bool explicit_cast) const;

  // body_tables.cpp
  Checked via(const ast::Via& via, const Destination& destination, base::Span span);
  void check_outputs(const TableModel& table, const ast::Via& via, const Destination& destination);
  void check_column(const TableModel& table, const ast::Name& column);
  void check_coverage(const TableModel& table, const Checked& key, base::Span span);
  ir::LookupMode lookup_mode(const TableModel& table, const Destination& destination, base::Span span);
  void fill_coded(ir::Lookup& lookup, StaticType& type, const Checked& key, const Destination& destination,
                  base::Span span);

  // body_targets.cpp
  struct Place {
    std::vector<ir::Step> steps;
    std::vector<ir::Index> owners;
    Destination destination;
    std::string path;                   ///< "type.coding", choices by base name
    std::vector<std::string> prefixes;  ///< path of each step
    bool list = false;                  ///< the last element repeats
    bool indexed = false;
    std::uint16_t reg = 0;
    std::string address;
    bool ok = false;
  };
  Place place(const ast::Target& target);
  bool start_fhir(const ast::Target& target, std::size_t& at, Target& base, Place& place);
  bool walk_fhir(const ast::Target& target, std::size_t at, const fhir::TypeDef* type, ir::Index shape,
                 Place& place);
  bool last_fhir(const ast::TargetStep& step, const fhir::ElementDef& element, ir::Index shape, Place& place);
  bool extension_step(const ast::TargetStep& step, ir::Index shape, Place& place);
  bool walk_v2(const ast::Target& target, const Target& base, Place& place);
  bool enter_segment(const ast::TargetStep& step, const Target& base, Place& place, ir::Index& shape);
  bool walk_csv(const ast::Target& target, const Target& base, Place& place);
  void step(Place& place, ir::Index owner, std::uint16_t slot, ir::Index shape, std::string_view name);
  ir::Member z_member(std::string_view id, ir::Index segment) const;
  bool enter_z_segment(const ast::TargetStep& first, Place& place, ir::Index& shape);
  ir::Index segment_shape(std::string_view id);
  std::uint16_t v2_member(ir::Index shape, std::string_view name, int order, std::string_view datatype,
                          bool list, bool required);
  bool enter_groups(const std::vector<int>& groups, ir::Index& shape, Place& place);
  ir::Index group_shape(int node);

  // body_statements.cpp
  void statement(const ast::Stmt& stmt, std::vector<ir::Stmt>& out);
  void assign(const ast::Assign& assign, base::Span span, std::vector<ir::Stmt>& out);
  bool edited(const ast::Assign& assign, base::Span span, std::vector<ir::Stmt>& out);
  bool removed(const ast::Create& create, base::Span span);
  const LoadedProfile* profile_of(const ast::Create& create, const fhir::TypeDef& type);
  const Target& handle_target(std::uint16_t reg) const;
  const ast::Block* slice_of(const ast::TargetStep& slice, const std::string& path, const LoadedProfile* profile);
  Checked pattern(const ast::Regex& regex, base::Span span);
  void check_upsert(const ast::Create& create);
  /// Takes rules of a profile out of `out` that rules behind them repeat; `first` is the first of them, `notes` are their
  /// WriteNotes, in order.
  void drop_repeated(std::vector<ir::Stmt>& out, std::size_t first, const std::vector<std::size_t>& notes);
  /// The constant `own` says all that the constant `fixed` says, and perhaps more.
  bool covers(ir::Index own, ir::Index fixed) const;
  bool covers(const ir::Write& own, const ir::Write& fixed) const;
  void from_layer(const ast::Stmt& stmt, std::size_t layer, std::vector<ir::Stmt>& out);
  void let(const ast::Let& let, std::vector<ir::Stmt>& out);
  void on_event(const ast::OnEvent& event);
  void create(const ast::Create& create, base::Span span, std::vector<ir::Stmt>& out);
  void add(const ast::Add& add, std::vector<ir::Stmt>& out);
  void add_z(const ast::Add& add, std::vector<ir::Stmt>& out);
  void add_body(const ast::Add& add, const Place& place, const Target& inner, std::vector<ir::Stmt>& out);
  void emit(const ast::Emit& emit, base::Span span, std::vector<ir::Stmt>& out);
  void when(const ast::When& when, std::vector<ir::Stmt>& out);
  void inline_fragment(const Declaration& declaration, const ast::Include& include, base::Span span,
                       std::vector<ir::Stmt>& out);
  bool fits_fragment(const Declaration& declaration, base::Span span);
  bool room_for(const ast::Stmt& stmt, base::Span span);
  std::optional<std::uint16_t> slot_at_hand(const ast::Expr* argument, const StaticType& type) const;
  void bind_parameters(const Declaration& declaration, const ast::Include& include, base::Span span,
                       std::vector<ir::Stmt>& out, std::vector<Context>& contexts,
                       std::vector<Binding>& bindings);
  void require(const ast::Require& require, std::vector<ir::Stmt>& out);
  ir::Index identity(const ast::Expr& expr, const fhir::TypeDef& type, base::Span span);
  ir::Index rule(std::string_view path, const std::optional<ast::Name>& label, base::Span span,
                 base::Span source);
  std::string where_address(const Place& place) const;
  void note_write(const ast::Assign& assign, const Place& place, const Checked& value, ir::Range steps);
  std::optional<hl7::Version> version_guard(const ast::Expr& condition) const;

  // body_loops.cpp
  void for_each(const ast::ForEach& loop, std::vector<ir::Stmt>& out);
  bool loop_over_structure(const ast::ForEach& loop, const ast::Ident& name, ir::Loop& lowered);
  bool loop_over_values(const ast::ForEach& loop, ir::Loop& lowered);
  void loop_body(const ast::ForEach& loop, ir::Loop& lowered);

  // body_rules.cpp: checks over the rules of an object
  void check_rules(std::size_t first, std::uint16_t reg, const fhir::TypeDef* type, base::Span span);
  static bool exclusive(const WriteNote& a, const WriteNote& b);
  void collect_atoms(const ast::Expr& condition, bool holds,
                     std::vector<std::pair<std::string, bool>>& atoms) const;
  void narrow_by(const ast::Expr& condition, bool holds);
  void mark_dynamic(std::size_t first, std::uint16_t reg);
  void find_guard(ir::Write& write) const;
  bool guard_of(ir::Index expr, ir::Index& segment, std::uint64_t& mask) const;
  bool known_valued(std::string_view text) const;

  CompilerState& state_;
  const LibraryFile* file_;
  Extension* extension_ = nullptr;
  std::string address_;       ///< "module:map"
  std::string message_name_;  ///< the map's parameter
  hl7::Version version_ = hl7::Version::v2_9;
  std::string version_note_;  ///< "this map declares ADT_A01 2.5.1"
  bool any_version_ = true;   ///< datatype maps and fns: components of any version
  bool strict_ = false;
  bool can_reject_ = false;
  bool lookups_allowed_ = true;
  std::string event_;
  std::vector<ir::Stmt> prelude_;  ///< parameters; lowered before the map's block
  const StructureTree* tree_ = nullptr;
  const StructureTree* target_tree_ = nullptr;
  hl7::Version target_version_ = hl7::Version::v2_5_1;

  Target target_;
  ir::PolicySet policies_;
  std::uint16_t locals_ = 0, objects_ = 0;
  std::map<std::string, std::uint16_t> copies_;  ///< creates of each handle so far
  ir::Index first_segment_ref_ = 0, first_group_ref_ = 0;
  std::vector<Binding> bindings_;
  std::size_t binding_floor_ = 0;
  std::vector<Context> contexts_;
  std::size_t context_floor_ = 0;
  std::vector<This> this_;
  std::optional<std::uint16_t> part_;
  std::vector<Narrowed> narrowed_;
  std::vector<std::uint16_t> loop_indexes_;
  int loop_depth_ = 0;
  std::size_t included_ = 0;  ///< statements of fragments so far
  bool full_ = false;         ///< too many of them: reported, the rest is left out
  std::vector<WriteNote> notes_;
  std::vector<std::pair<std::string, bool>> conditions_;  ///< that hold where we are
  std::set<std::string> written_segments_;
};

}  // namespace kiln::mappings::detail
