#pragma once
// One run of a compiled map: walks the IR and builds the output tree. Scalars are evaluated to Values;
// whatever ends in the output is written straight to its place ("destination passing"), so that no object is
// built twice.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "hl7/message.h"
#include "hl7/structure.h"
#include "mappings/arena.h"
#include "mappings/detail/facts.h"
#include "mappings/detail/ir.h"
#include "mappings/detail/run_parts.h"
#include "mappings/detail/sha1.h"
#include "mappings/detail/source_ref.h"
#include "mappings/function.h"
#include "mappings/program.h"
#include "mappings/targets/output_buffer.h"
#include "mappings/targets/tree.h"
#include "mappings/value.h"

namespace kiln::mappings {
namespace detail {

class Run {
 public:
  Run() = default;
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  std::vector<std::string> maps_for(const Program& program, const RunInput& input);
  RunResult& execute(const Program& program, const RunInput& input, const RunContext& context);
  bool evaluate_condition(const Program& program, std::uint32_t expression, const RunInput& input,
                          const RunContext& context);
  std::string evaluate_text(const Program& program, std::uint32_t expression, const RunInput& input,
                            const RunContext& context);

  std::vector<std::string> unread() const;
  std::vector<InputValue> input_values() const;
  std::vector<std::string> source_paths(SourceRef source) const;

 private:
  friend class FhirTarget;
  friend class Hl7Target;
  friend class CsvTarget;

  // run.cpp
  void begin(const Program& program, const RunInput& input, const RunContext& context);
  void begin_expression(const Program& program, std::uint32_t expression, const RunInput& input,
                        const RunContext& context);
  RunInput bundled(const Program& program, const RunInput& input);
  const ir::Map* choose_map(const Program& program, std::size_t& next);
  const ir::Map* closest_map(const Program& program);
  void choose_structure();
  bool fits(const ir::Map& map) const;
  void no_map(const Program& program);
  void run_map(const ir::Map& map, const hl7::Structure* structure);
  void bind_input(const ir::Function& function);
  void open_registers(const ir::Map& map);
  Frame new_map_frame(const ir::Function& function);
  /// Of a fn or datatype map. Its parameters are still to be set; an object register is set by the object
  /// literal whose rules use it.
  Frame new_frame(const ir::Function& function) {
    const std::size_t objects = function.objects == 0 ? 1 : function.objects;
    char* const memory = static_cast<char*>(
        arena_.allocate(sizeof(Value) * function.locals + sizeof(OutputNode*) * objects, alignof(Value)));
    Frame frame;
    frame.locals = reinterpret_cast<Value*>(memory);
    frame.objects = reinterpret_cast<OutputNode**>(memory + sizeof(Value) * function.locals);
    for (std::size_t i = function.parameters; i < function.locals; ++i) new (frame.locals + i) Value;
    return frame;
  }
  const std::string& message_seed();
  void append_field(std::string& out, std::uint32_t segment, std::uint32_t number);
  /// MSH-3 and MSH-4 as sent, "" when the source is no HL7 message.
  const std::string& sender_seed();
  void finish();

  // run_lineage.cpp
  bool is_read(std::uint32_t bit) const;
  template <class Visit>
  void visit_hl7(const Visit& visit) const;
  void unread_json(const base::JsonView& view, const std::string& path, std::vector<std::string>& out) const;
  void json_values(const base::JsonView& view, const std::string& path, bool read,
                   std::vector<InputValue>& out) const;
  void csv_values(std::vector<InputValue>& out) const;

  // run_statements.cpp
  void exec_body(ir::Range body);
  std::uint64_t valued_of(ir::Index guard_of);
  void exec_other(const Action& action);
  void exec_write(const WriteFacts& write);
  void write_found(const WriteFacts& write, OutputNode& base);
  bool part_text(std::uint32_t part, std::string_view& text);
  bool write_part(const WriteFacts& write, OutputNode& object);
  bool passes(const WriteFacts& write);
  void write_object(const WriteFacts& write, OutputNode& base);
  void write_reference(const WriteFacts& write, OutputNode& base);
  void write_call(const WriteFacts& write, OutputNode& base);
  void write_called(const WriteFacts& write, OutputNode& base, const Called& called);
  void write_value(const WriteFacts& write, OutputNode& base, const Value& value);
  void write_text(OutputNode& object, std::uint16_t at, const Text& text, bool constant);
  void write_general(const WriteFacts& facts, OutputNode& base);
  void exec_create(const ir::Create& create);
  Value promise(const ir::Expr& expr);
  void keep_promises(CreatedNode& node);
  void exec_add(const ir::Add& add);
  void exec_emit(const ir::Emit& emit);
  void exec_when(const ir::When& when);
  void exec_require(const ir::Require& require);
  void exec_warn(const ir::Warn& warn);
  bool copy_built(const ir::Function& function, const Value& source, OutputNode& node);
  void read_identity(const ir::Create& create, CreatedNode& node);
  std::string_view authority_of(const OutputNode& identity);
  std::string location_of(ir::Index expr) const;

  // run_loops.cpp
  void exec_loop(const ir::Loop& loop);
  void loop_groups(const ir::Loop& loop);
  void loop_segments(const ir::Loop& loop);
  void loop_values(const ir::Loop& loop);
  void loop_row_groups(const ir::Loop& loop);
  bool iterate(const ir::Loop& loop, std::uint32_t& number);
  bool iterate_rows(const ir::Loop& loop, std::uint32_t& number, std::span<const Value> rows);
  void look_at_rows(const ir::Loop& loop, std::uint32_t number, std::span<const Value> rows);
  void row_issue(const ir::Loop& loop, const CsvIssue& issue);
  void reset(ir::Range segments);

  // run_targets.cpp: writing
  OutputNode* walk(OutputNode& base, ir::Range steps);
  OutputNode* step_into(OutputNode& object, const ir::Step& step);
  OutputNode& extension(OutputNode& object, const ir::Step& step, bool append);
  bool is_set(const Dest& dest) const;
  Dest destination(OutputNode& object, const ir::Write& write);
  void clear_place(const Dest& dest);
  void overwrite(const ir::Write& write, Dest& dest);
  void keep_for_undo(OutputNode* node);
  void remember(OutputNode* node) {
    if (row_loops_ != 0) keep_for_undo(node);
  }
  bool emit_reference(const Value& value, Dest& dest);
  void set_reference(OutputNode& place, const CreatedNode& target, ir::Index shape);
  void collect_references(OutputNode& node);
  void mark_json_read(const base::JsonView& view);
  OutputNode& place(Dest& dest);
  bool emit(ir::Index expr, Dest& dest);
  bool emit_object(const ir::Object& object, OutputNode& node);
  bool emit_datatype(const ir::Expr& expr, Dest& dest);
  bool build_datatype(const ir::Expr& expr, const Value& source, OutputNode& node);
  bool emit_call(const ir::Expr& expr, Dest& dest);
  bool emit_entered(const ir::Expr& expr, Frame inner, Dest& dest);
  bool emit_each(const ir::Expr& expr, Dest& dest);
  bool emit_variant(const ir::Expr& expr, Dest& dest);
  bool emit_lookup(const ir::Expr& expr, Dest& dest);
  bool emit_found(const ir::Expr& expr, const Value& key, Dest& dest);
  bool emit_value(const Value& value, Dest& dest);
  bool emit_null(Dest& dest);
  bool emit_record(const Value& record, Dest& dest);
  void put(OutputNode& node, const Value& value, const Dest& dest);
  std::string_view date_text(const Value& value, const Dest& dest);
  bool lacks_precision(const base::PartialDate& date, const Dest& dest) const;
  std::string_view fhir_date_text(const base::PartialDate* date);

  // run_expressions.cpp
  Value eval(ir::Index expr);
  Value eval_common(ir::Index expr);
  Value eval_node(const ir::Expr& expr);
  /// Asked when steps_ is beyond steps_max_: false when only the clock had to be looked at and there is time.
  [[gnu::cold, gnu::noinline]] bool over_budget();
  /// Work on long texts counts as steps too, so that the budget bounds time and memory. False: the run has
  /// ended.
  bool charge(std::size_t bytes) { return bytes < kFreeBytes || charge_long(bytes); }
  [[gnu::cold, gnu::noinline]] bool charge_long(std::size_t bytes);
  static constexpr std::size_t kFreeBytes = 512;
  bool truth(ir::Index expr);
  bool truth_of(const ir::Expr& expr);
  bool compare(ir::Op op, const Value& a, const Value& b);
  bool contains(const Value& list, const Value& value);
  bool is_empty_part(const ir::V2Path& path);
  bool is_sent(const TextPlan& plan) const;
  bool fits_regex(ir::Index regex, std::string_view subject) const;
  bool is_among(std::string_view text, ir::Index list) const;
  Value arithmetic(const ir::Expr& expr);
  Value interpolate(const ir::Expr& expr);
  Value eval_list(const ir::Expr& expr);
  Value item_of(const ir::Expr& expr);
  Value filter(const ir::Expr& expr);
  Value each(const ir::Expr& expr);
  Value of_type(const ir::Expr& expr);
  ir::Index matching_arm(const ir::Expr& expr);
  bool arm_fits(const ir::Arm& arm, const Value& subject, std::string_view text);
  bool has_type(const Value& value, ir::TypeId type);
  ir::Index branch_of(const ir::Expr& expr);
  Value call_fn(const ir::Expr& expr);
  Value call_with(const ir::Function& function, const Value& argument);
  Value call_entered(const ir::Function& function, const Frame& inner);
  Value call_builtin(const ir::Expr& expr);
  Value call_spec(const ir::Expr& expr);
  void join_part(std::string_view part, SourceRef source, Joined& joined);
  bool join_value(const ir::Expr& expr, const Value& value, Joined& joined);
  Value join(const ir::Expr& expr);
  Value argument(const Value& value, FunctionType type);
  Value build_apart(const ir::Expr& expr);
  Frame enter(const ir::Function& function, ir::Range args);

  // run_remember.cpp
  std::span<const Value> arguments_of(ir::Index function, const Frame& inner) const {
    return {inner.locals, unit_->functions[function].parameters};
  }
  std::uint64_t take_read(Hl7Ref range);
  void put_read(std::uint32_t begin, std::uint64_t marks);
  static CallKey text_key(std::uint32_t function, const Value& argument);
  bool call_key(std::uint32_t function, std::span<const Value> arguments, CallKey& key) const;
  static SourceRef source_of(const CallSource& source, std::span<const Value> arguments);
  static bool find_source(SourceRef source, std::span<const Value> arguments, CallSource& found);
  Called recalled(const CallMemory::Call& call, std::span<const Value> arguments);
  bool recall(const ir::Expr& call, Called& called);
  template <class Call>
  Called remembered(CallMemory& memory, const CallKey& key, const Call& call);
  Value call_with_text(const ir::Function& function, const Value& argument);
  Called call_texts(ir::Index function, const Frame& inner, const CallKey& key);

  // run_objects.cpp
  class ObjectCopy;
  bool is_plain_part(const Value& value) const;
  bool object_key(std::uint64_t maker, std::span<const Value> arguments, ObjectCall& call) const;
  const KeptObject* begin_object(std::uint64_t maker, std::uint32_t rule, std::span<const Value> arguments,
                                 ObjectCall& call);
  void use_object(const KeptObject& known, const ObjectCall& call, OutputNode& node);
  void end_object(const ObjectCall& call, const OutputNode* made, ir::TypeId type);
  bool copy_object(const OutputNode& made, std::span<const Value> arguments, KeptObject& object);
  static bool takes_object(const Dest& dest);
  template <class Make>
  bool emit_once(std::uint64_t maker, std::span<const Value> arguments, Dest& dest, const Make& make);
  bool emit_made(const ir::Expr& expr, const Frame& inner, Dest& dest);
  Value call_made(const ir::Expr& expr);

  // run_hl7.cpp, run_read.h: reading v2
  static constexpr std::int32_t kUnknownSegment = -2;
  struct SegmentInfo {
    std::uint64_t valued = 0;              ///< bit n-1: field n is valued (fields up to 64)
    std::span<const std::uint32_t> marks;  ///< field separators, then the end
    bool header = false;
    bool opened = false;
  };
  std::int32_t segment_of(ir::Index ref) {
    const std::int32_t known = segment_registers_[ref - segment_base_];
    return known != kUnknownSegment ? known : look_up_segment(ref);
  }
  std::int32_t look_up_segment(ir::Index ref);
  std::int32_t find_segment(const ir::SegmentRef& ref);
  const SegmentInfo& open_segment(std::uint32_t segment);
  const SegmentInfo& info(std::uint32_t segment) {
    const SegmentInfo& found = segments_[segment];
    return found.opened ? found : open_segment(segment);
  }
  Hl7Ref field_of(const SegmentInfo& in, std::uint32_t field) const;
  std::uint32_t find(std::uint32_t begin, std::uint32_t end, char c) const;
  std::uint32_t leaf_end(Hl7Ref range) const;
  bool is_separator(char c) const {
    return c == separators_[0] || c == separators_[1] || c == separators_[2];
  }
  bool only_separators(Hl7Ref ref) const;
  Hl7Ref part(Hl7Ref whole, char separator, std::uint32_t n) const;
  Hl7Ref component(Hl7Ref repetition, std::uint32_t n);
  void split(Hl7Ref range, char separator, Parts& parts) const;
  void split_short(Hl7Ref range, char separator, Parts& parts) const;
  bool split_value(const Value& value, Parts& parts) const;
  void split_repetition(Hl7Ref range, Parts& parts) const;
  Value known_part(const Parts& parts, std::uint32_t n, std::uint32_t second, ir::TypeId type);
  Value hl7_value(Hl7Ref ref, Hl7Level level, ir::TypeId type);
  Value read_path(const ir::V2Path& path);
  Value read_repetition(const ir::V2Path& path, Hl7Ref repetition);
  Value read_all(const ir::V2Path& path, Hl7Ref field);
  std::int64_t count_all(const ir::V2Path& path);
  Value read_relative(const ir::Expr& expr);
  Value relative(const Value& base, std::uint32_t first, std::uint32_t second, ir::TypeId type);
  Value raw_of(const ir::Expr& expr);
  std::string_view leaf_text(const Value& value);
  std::string_view leaf_text(Hl7Ref range, std::uint32_t end);
  std::string_view decode(std::string_view raw);
  void mark_read(std::uint32_t begin, std::uint32_t end);
  std::uint32_t repetitions(Hl7Ref field) const;

  // run_text.h, run_text.cpp
  bool look(ir::Index expr, Text& out);
  bool look_known(const TextPlan& plan, Text& out);
  bool look_more(const TextPlan& plan, Text& out);
  bool look_by(const TextPlan& first, Text& out);
  bool look_leaf(Hl7Ref range, std::uint32_t end, Hl7Level level, Text& out);
  bool look_part(const TextPlan& plan, const Parts& parts, Text& out);
  bool look_field(ir::Index path, Text& out);
  bool look_in_field(const PathKey& path, const SegmentInfo& in, Text& out);
  bool look_composite(const PathKey& path, Hl7Ref field, Text& out);
  bool look_local(const TextPlan& plan, Text& out);
  bool translate(const TextPlan& plan, Text& out) const;
  static bool is_plain_code(std::string_view text);
  Value eval_text(ir::Index expr);

  // run_groups.cpp
  void match_groups(const hl7::Structure* structure);
  std::uint32_t descend(std::uint32_t instance, ir::Range path) const;
  std::int32_t group_of(ir::Index ref);
  std::uint32_t find_by_id(std::uint32_t instance, std::uint32_t id, std::uint32_t from,
                           std::uint32_t occurrence) const;
  void note_unplaced();
  void note_segment(std::uint32_t segment, std::string_view code, std::string_view what);

  // run_json.cpp: reading FHIR
  Value json_value(base::JsonView view, ir::TypeId type);
  Value fhir_member(const ir::Expr& expr);
  void collect_member(const ir::Expr& expr, const Value& base, std::vector<Value>& out);
  Value fhir_extension(const ir::Expr& expr);
  Value resolve(const ir::Expr& expr);
  Value resolve_one(const Value& reference);
  base::JsonView holder_of(const base::JsonView& node) const;
  Value object_member(const OutputNode& object, const ir::Expr& expr);
  Value node_value(const OutputNode& node, ir::TypeId type);
  void mark_node(std::uint32_t id);

  // run_rows.cpp: CSV, tables, lookups
  Value column_of(const ir::Expr& expr);
  std::string_view csv_pattern(SourceRef source) const;
  Value lookup(const ir::Expr& expr);
  struct Found;
  const ir::TableRow* literal_row(ir::Index table, std::string_view key) const;
  Found find_row(const ir::Expr& expr, const ir::Lookup& lookup, const Value& looked_up);
  void add_original(const ir::Lookup& lookup, std::string_view system, OutputNode& node);
  void name_systems(std::string_view system, OutputNode& node);
  bool says_no_more(const OutputNode& translated, const OutputNode& original) const;
  Value typed_cell(const Value& cell, ir::Primitive type);
  Value table_column(const ir::Expr& expr);

  // run_lookups.cpp
  Value call_lookup(const ir::Expr& expr);
  Value lookup_column(const ir::Expr& expr);
  const LookupAnswer* find_answer(const std::string& key);
  void ask(std::string key, LookupKey lookup);
  Value without_row(const ir::Expr& expr, const ir::LookupSource& source, bool miss, std::string what,
                    const Value& argument);
  /// Rows are missing: the run goes on to find more of them, and nothing that it decides counts.
  bool is_asking() const { return !result_.missing_lookups.empty(); }

  // run_convert.cpp
  Value convert(const ir::Expr& expr);
  Value convert_value(const Value& value, ir::Conversion conversion);
  Value convert_bound(const ir::Expr& expr);
  Value convert_text(const Value& text, ir::Conversion conversion);
  Value convert_date(const Value& text, ir::Conversion conversion);
  Value to_date(const Value& value, ir::Conversion conversion);
  Value dated(std::optional<base::PartialDate> date, SourceRef source, ir::Conversion conversion);
  Value encoded(const Value& value);
  bool recode(std::string_view raw, std::string& out);
  std::optional<base::PartialDate> date_of(const Value& value);
  void apply_zone(base::PartialDate& date);
  void note_assumed_zone();  ///< once a message
  std::string_view text_of(const Value& value);
  std::string_view other_text(const Value& value);

  // run_policies.cpp
  Value apply_policy(ir::Index policy, std::string_view code, std::string_view text, const Value& value);
  Value handle_bad(const ir::Expr& expr, const Value& bad, const Value& original);
  void note(RunDiagnostic::Level level, std::string_view code, std::string_view text, const Value* value);
  void stop(Outcome outcome, std::string reason);
  void reject(const ir::Policy& policy, std::string location);
  void quarantine(std::string reason);
  std::string_view rule_address() const;
  RunDiagnostic& next_diagnostic();
  RunResult& close_diagnostics();
  std::string source_path(SourceRef source) const;
  SourceRef combine(SourceRef a, SourceRef b);

  std::string_view text(ir::StringId id) const { return unit_->text(id); }
  /// A text of the program that goes into the output.
  Text literal(ir::StringId id, SourceRef source) const {
    const QuotedText& found = facts_->quoted[id];
    return {found.data, found.size, found.plain, source};
  }
  std::uint32_t members_of(ir::Index shape) const { return unit_->shapes[shape].members.count; }

  // input
  const ir::Unit* unit_ = nullptr;
  const Facts* facts_ = nullptr;
  const ir::Map* map_ = nullptr;
  const RunContext* context_ = nullptr;
  DataKind input_kind_ = DataKind::hl7;
  const hl7::Message* message_ = nullptr;
  const char* bytes_ = nullptr;
  std::uint32_t size_ = 0;  ///< of bytes_
  hl7::Delimiters delimiters_;
  /// Repetition, component, subcomponent; '\r', which no field holds, for one that the message has not.
  std::array<char, 3> separators_{};
  bool plain_ = false;
  base::JsonView json_;
  base::JsonDocument bundled_;  ///< the input as a Bundle of one entry, see bundled()
  struct SourceResource {
    std::string_view full_url, type, id;
    base::JsonView view;
  };
  std::vector<SourceResource> resources_;
  bool references_indexed_ = false;
  /// Resources that were referred to before their `create` ran, with its register.
  std::vector<std::pair<std::uint32_t, CreatedNode*>> promises_;
  CsvInput csv_;
  enum class IssueState : std::uint8_t { untold, told, set_aside };  ///< set_aside: its row went no further
  std::vector<IssueState> issues_;  ///< parallel to csv_.issues, once one was told

  // state of the run
  Arena arena_;
  Frame frame_;
  Halt halt_ = Halt::none;
  std::uint32_t rule_ = ir::kNone;
  std::uint64_t steps_ = 0, steps_max_ = 0;  ///< steps_max_: where the budget is looked at next
  base::MonoTime deadline_{};
  std::uint32_t calls_ = 0;
  ir::Index segment_base_ = 0, group_base_ = 0;
  std::vector<std::int32_t> segment_registers_, group_registers_;
  std::vector<SegmentInfo> segments_;
  std::vector<std::uint32_t> segment_ids_;
  Parts split_;  ///< of the repetition read last
  hl7::GroupTree groups_;
  std::uint32_t sequence_ = 0;
  std::vector<std::uint64_t> read_;
  std::vector<CreatedNode*> created_;
  std::vector<std::uint32_t> loop_numbers_, loop_stack_;
  std::vector<OutputNode*> references_;
  std::vector<std::pair<SourceRef, SourceRef>> source_pairs_;
  /// Objects that were built for identities, without a note: a rule that writes the same value copies them.
  struct Built {
    const ir::Function* function;
    SourceRef source;
    ir::TypeId type;
    const OutputNode* node;
  };
  std::vector<Built> built_;
  bool keep_built_ = false;
  /// In all runs of pure_calls_of_, which is held so that no other takes its address, with the same
  /// delimiters.
  CallMemory pure_calls_;
  std::shared_ptr<const Facts> pure_calls_of_;
  std::array<char, 3> pure_calls_separators_{};
  CallMemory run_calls_;    ///< in this run
  ObjectMemory objects_;    ///< as pure_calls_
  OutputBuffer kept_text_;  ///< of an object that is kept
  Recording* recording_ = nullptr;
  std::uint64_t noted_ = 0;  ///< calls of note(), whatever came of them
  std::uint64_t zoned_ = 0;  ///< how often the zone of the message mattered, or may have
  std::vector<PatchRemoval> removals_;
  std::vector<Value> scratch_;
  std::vector<std::string_view> join_parts_;
  std::array<DateMade, 4> dates_;
  std::uint32_t dates_made_ = 0;
  std::size_t notes_ = 0;                         ///< diagnostics of this run: the first ones of the result
  std::vector<RunDiagnostic> spare_diagnostics_;  ///< for the memory of their texts
  static constexpr std::size_t kLooked = 64;
  std::array<Looked, kLooked> looked_;
  OutputNode* root_ = nullptr;
  std::string message_seed_, sender_seed_, trigger_;
  hl7::StructureChoice structure_choice_;
  std::optional<std::int16_t> message_offset_;
  bool message_offset_known_ = false;
  bool zone_assumed_ = false;
  // undo of a quarantined row iteration
  struct Undo {
    OutputNode* node;
    OutputNode before;
  };
  std::vector<Undo> undo_;
  std::uint32_t row_loops_ = 0;
  bool quiet_ = false;
  std::string quarantine_reason_, quarantine_rule_;

  std::unordered_map<std::string, const LookupAnswer*> answers_;
  std::unordered_set<std::string> asked_;

  std::vector<OutputNode*> rows_;         ///< emitted CSV rows
  std::vector<CreatedNode*> identities_;  ///< hash table of the FHIR target
  OutputBuffer seed_;                     ///< of the id that is derived
  FirstBlock first_block_;                ///< of the id that was derived last
  OutputBuffer buffer_;                   ///< what the FHIR target prints into
  RunResult result_;
};

}  // namespace detail
}  // namespace kiln::mappings
