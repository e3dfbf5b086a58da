// The frame of a run: input, choice of the map, registers, and what comes of it.

#include <algorithm>
#include <cstring>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "mappings/detail/conversions.h"
#include "mappings/detail/run_text.h"
#include "mappings/detail/sha1.h"
#include "mappings/tables.h"
#include "mappings/targets/csv.h"
#include "mappings/targets/fhir.h"
#include "mappings/targets/hl7.h"

namespace kiln::mappings::detail {
namespace {

constexpr std::uint32_t kCallsMax = 200;

/// Empties a result and keeps its memory.
void clear_result(RunResult& result) {
  result.outcome = Outcome::ok;
  result.ack_code.clear();
  result.error_code = 0;
  result.reason.clear();
  result.location.clear();
  result.error = base::ErrorCode::internal;
  result.map.clear();
  result.output_type.clear();
  result.output.clear();
  result.csv_header.clear();
  result.csv_columns = 0;
  result.csv_format.reset();
  result.csv_row_offsets.clear();
  result.children.clear();
  result.dropped_diagnostics = 0;
  result.created.clear();
  result.lineage.clear();
  result.missing_lookups.clear();
  result.steps = 0;
  result.tables_hash.clear();
}

DataKind kind_of_input(const RunInput& input) {
  return static_cast<DataKind>(input.index());
}

bool same_side(ir::Side side, DataKind kind) {
  return static_cast<int>(side) == static_cast<int>(kind);
}

/// Structures of 2.3 whose message 2.4 renamed and changed no more than each version does.
struct Renamed {
  std::string_view old_id, id;
};
constexpr Renamed kRenamed[] = {
    {"RDE_O01", "RDE_O11"}, {"RDS_O01", "RDS_O13"}, {"RGV_O01", "RGV_O15"}, {"RAS_O01", "RAS_O17"}};

}  // namespace

void Run::begin(const Program& program, const RunInput& input, const RunContext& context) {
  unit_ = &program.unit();
  facts_ = program.facts().get();
  if (pure_calls_of_ != program.facts()) {
    pure_calls_.clear();
    objects_.clear();
    pure_calls_of_ = program.facts();
  }
  map_ = nullptr;
  context_ = &context;
  input_kind_ = kind_of_input(input);
  arena_.reset();
  buffer_.recycle(std::move(result_.output));
  notes_ = 0;
  clear_result(result_);
  halt_ = Halt::none;
  rule_ = ir::kNone;
  steps_ = 0;
  steps_max_ = context.steps_max;
  if (context.clock != nullptr) {
    steps_max_ = 0;  // the first look sets the next
    deadline_ = context.clock->mono() + std::chrono::milliseconds(context.milliseconds_max);
  }
  if (context.tables != nullptr && !context.tables->content_hash().empty())
    result_.tables_hash = context.tables->content_hash();
  calls_ = 0;
  sequence_ = 0;
  created_.clear();
  loop_numbers_.clear();
  loop_stack_.clear();
  references_.clear();
  promises_.clear();
  source_pairs_.clear();
  built_.clear();
  run_calls_.clear();
  pure_calls_.renew();
  objects_.renew();
  recording_ = nullptr;
  removals_.clear();
  scratch_.clear();
  join_parts_.clear();
  dates_ = {};
  looked_.fill({});
  undo_.clear();
  row_loops_ = 0;
  quiet_ = false;
  split_.range = {};
  split_.count = 0;
  rows_.clear();
  if (!answers_.empty()) answers_.clear();
  if (!asked_.empty()) asked_.clear();
  resources_.clear();
  references_indexed_ = false;
  root_ = nullptr;
  message_ = nullptr;
  message_offset_.reset();
  message_offset_known_ = false;
  zone_assumed_ = false;
  message_seed_.clear();
  sender_seed_.clear();
  read_.clear();
  switch (input_kind_) {
    case DataKind::hl7: {
      message_ = std::get<const hl7::Message*>(input);
      const std::string& bytes = message_->bytes();
      bytes_ = bytes.data();
      size_ = static_cast<std::uint32_t>(bytes.size());
      delimiters_ = message_->delimiters();
      separators_ = {delimiters_.repetition, delimiters_.component, delimiters_.subcomponent};
      std::replace(separators_.begin(), separators_.end(), '\0', '\r');
      plain_ = message_->text_is_plain();
      if (separators_ != pure_calls_separators_) {
        pure_calls_.clear();
        objects_.clear();
      }
      pure_calls_separators_ = separators_;
      read_.resize(bytes.size() / 64 + 1);
      segments_.clear();
      segments_.resize(message_->segment_count());
      break;
    }
    case DataKind::fhir:
      json_ = std::get<base::JsonView>(input);
      break;
    case DataKind::csv:
      csv_ = std::get<CsvInput>(input);
      break;
  }
}

bool Run::fits(const ir::Map& map) const {
  if (!same_side(map.source, input_kind_)) return false;
  switch (input_kind_) {
    case DataKind::hl7: {
      if (structure_choice_.structure == nullptr ||
          text(map.source_type) != structure_choice_.structure->id())
        return false;
      const std::string_view event = text(map.source_event);
      const std::size_t caret = event.find('^');
      return event.empty() || (caret == std::string_view::npos ? event : event.substr(caret + 1)) == trigger_;
    }
    case DataKind::fhir:
      return json_["resourceType"].text() == text(map.source_type);
    case DataKind::csv:
      return true;
  }
  return false;
}

void Run::choose_structure() {
  segment_ids_.clear();
  for (std::uint32_t i = 0; i < message_->segment_count(); ++i)
    segment_ids_.push_back(message_->segment(i).id());
  const hl7::RepetitionView type = message_->header().field(9).repetition(1);
  const std::string code = type.component(1).to_text(), structure = type.component(3).to_text();
  trigger_ = type.component(2).to_text();
  const std::string version = message_->header().field(12).repetition(1).component(1).to_text();
  structure_choice_ = hl7::choose_structure({code, trigger_, structure, version}, segment_ids_);
}

const ir::Map* Run::choose_map(const Program& program, std::size_t& next) {
  if (!program.is_package()) return &unit_->maps[program.maps()[0]];
  if (input_kind_ == DataKind::fhir) {
    while (next < program.maps().size()) {
      const ir::Map& map = unit_->maps[program.maps()[next++]];
      if (fits(map)) return &map;
    }
    return nullptr;
  }
  if (message_ != nullptr) choose_structure();
  const ir::Map* chosen = nullptr;
  for (const std::uint32_t index : program.maps()) {
    const ir::Map& map = unit_->maps[index];
    // A map of one event goes before one of the whole structure.
    if (fits(map) &&
        (chosen == nullptr || (chosen->source_event == ir::kNone && map.source_event != ir::kNone)))
      chosen = &map;
  }
  return chosen != nullptr || message_ == nullptr ? chosen : closest_map(program);
}

/// For a message under an old name, and for an event the standard does not know: the map of the same kind of
/// message whose structure has a place for most segments, the first by name of several. A known event without
/// map stays without: a merge is no admission.
const ir::Map* Run::closest_map(const Program& program) {
  const hl7::Structure* const known = structure_choice_.structure;
  std::string_view wanted;
  for (const Renamed& entry : kRenamed)
    if (known != nullptr && known->id() == entry.old_id) wanted = entry.id;
  if (known != nullptr && wanted.empty()) return nullptr;
  const std::string code = message_->header().field(9).repetition(1).component(1).to_text() + "_";
  const ir::Map* chosen = nullptr;
  std::size_t fewest = 0;
  for (const std::uint32_t index : program.maps()) {
    const ir::Map& map = unit_->maps[index];
    const std::string_view id = text(map.source_type);
    if (!same_side(map.source, input_kind_) || map.source_event != ir::kNone) continue;
    if (wanted.empty() ? code.size() == 1 || !id.starts_with(code) : id != wanted) continue;
    hl7::match(facts_->structures[index], segment_ids_, groups_);
    const std::size_t unplaced = groups_.unplaced().size();
    const bool further =
        chosen != nullptr && (unplaced > fewest || (unplaced == fewest && id >= text(chosen->source_type)));
    if (further) continue;
    chosen = &map;
    fewest = unplaced;
  }
  if (chosen == nullptr) return nullptr;
  const bool renamed = !wanted.empty();
  if (!renamed) result_.outcome = Outcome::ok_with_warnings;
  next_diagnostic() = {renamed ? RunDiagnostic::Level::note : RunDiagnostic::Level::warning,
                       renamed ? "renamed-message" : "unknown-event",
                       "mapped as " + std::string(text(chosen->source_type)) +
                           (renamed ? "" : ": the standard has no such event"),
                       {},
                       "MSH-9",
                       {}};
  return chosen;
}

void Run::no_map(const Program& program) {
  std::string what = "the input";
  if (message_ != nullptr) {
    what = message_->header().field(9).repetition(1).raw();
  } else if (input_kind_ == DataKind::fhir) {
    what = json_["resourceType"].text();
  }
  stop(Outcome::rejected, "no map of package `" + program.name() + "` takes " + what);
  next_diagnostic() = {RunDiagnostic::Level::error, "E0914", result_.reason, {}, {}, {}};
  constexpr int kUnsupportedMessageType = 200;
  result_.ack_code = "AR";
  result_.error_code = kUnsupportedMessageType;
  result_.location = message_ != nullptr ? "MSH-9" : "";
}

/// Of a map: its registers say which resources have been created.
Frame Run::new_map_frame(const ir::Function& function) {
  const std::size_t objects = std::max<std::size_t>(function.objects, 1);
  Frame frame;
  frame.locals = arena_.array<Value>(function.locals).data();
  frame.objects = arena_.array<OutputNode*>(objects).data();
  return frame;
}

void Run::open_registers(const ir::Map& map) {
  segment_base_ = map.segments.first;
  group_base_ = map.groups.first;
  segment_registers_.assign(map.segments.count, kUnknownSegment);
  group_registers_.assign(map.groups.count, kUnknownSegment);
}

void Run::run_map(const ir::Map& map, const hl7::Structure* structure) {
  map_ = &map;
  result_.map = text(map.name);
  result_.output_type = text(map.bundle_type != ir::kNone ? ir::kNone : map.target_type);
  if (map.bundle_type != ir::kNone) result_.output_type = "Bundle";
  result_.output_kind = static_cast<DataKind>(map.target);
  open_registers(map);
  if (message_ != nullptr) match_groups(structure);
  const ir::Function& function = unit_->functions[map.function];
  frame_ = new_map_frame(function);
  bind_input(function);
  if (map.shape != ir::kNone) {
    root_ = &new_node(arena_, nullptr);
    make_object(arena_, *root_, map.shape, members_of(map.shape));
    frame_.objects[0] = root_;
  }
  exec_body(function.body);
}

void Run::bind_input(const ir::Function& function) {
  if (function.parameters == 0) return;
  if (input_kind_ == DataKind::fhir) frame_.locals[0] = json_value(json_, 0);
  if (input_kind_ == DataKind::csv) {
    ir::Expr rows;
    rows.op = ir::Op::all_rows;
    frame_.locals[0] = column_of(rows);
    issues_.clear();
    if (csv_.issues_dropped != 0) {
      note(RunDiagnostic::Level::warning, "bad-row",
           std::to_string(csv_.issues_dropped) + " more faults of rows were not looked at", nullptr);
    }
  }
}

void Run::append_field(std::string& out, std::uint32_t segment, std::uint32_t number) {
  const Hl7Ref at = field_of(info(segment), number);
  out.append(bytes_ + at.begin, at.end - at.begin).append("|");
}

const std::string& Run::sender_seed() {
  if (sender_seed_.empty() && input_kind_ == DataKind::hl7) {
    for (const std::uint32_t number : {3u, 4u}) append_field(sender_seed_, 0, number);
  }
  return sender_seed_;
}

/// The part of a derived id that stands for the message: the same for a message that is sent again.
const std::string& Run::message_seed() {
  if (!message_seed_.empty()) return message_seed_;
  switch (input_kind_) {
    case DataKind::hl7:
      // A sender that counts from the start again must not write over what another message made: the time of
      // the message and whom it is about belong to it.
      for (const std::uint32_t number : {3u, 4u, 7u, 10u}) append_field(message_seed_, 0, number);
      for (std::uint32_t at = 1; at < std::min<std::uint32_t>(8, message_->segment_count()); ++at) {
        if (message_->segment(at).name() == "PID") append_field(message_seed_, at, 3);
      }
      break;
    case DataKind::fhir: {
      message_seed_.append(json_["resourceType"].text()).append("|").append(json_["id"].text()).append("|");
      const std::string_view version = json_["meta"]["versionId"].text();
      message_seed_.append(version.empty() ? base::sha256_hex(base::print_json(json_)) : version).append("|");
      break;
    }
    case DataKind::csv: {
      std::string cells;
      for (const std::string_view cell : csv_.cells)
        cells.append(std::to_string(cell.size())).append(":").append(cell);
      message_seed_.append(base::sha256_hex(cells)).append("|");
      break;
    }
  }
  message_seed_.append(text(map_->name)).append("|");
  return message_seed_;
}

void Run::finish() {
  if (steps_ > steps_max_) over_budget();  // a look counts without asking
  if (is_asking()) {
    if (result_.outcome == Outcome::failed) {
      result_.missing_lookups.clear();
    } else {
      halt_ = Halt::stop;  // nothing is printed
    }
  }
  if (halt_ == Halt::none) {
    if (message_ != nullptr) note_unplaced();
    switch (map_->target) {
      case ir::Side::fhir:
        FhirTarget(*this, buffer_).print();
        break;
      case ir::Side::hl7:
        Hl7Target(*this).print();
        break;
      case ir::Side::csv:
        CsvTarget(*this).print();
        break;
    }
    if (result_.output.size() > context_->output_bytes_max) {
      stop(Outcome::failed, "the output is larger than the limit");
      result_.error = base::ErrorCode::limit_exceeded;
    }
  }
  result_.steps = steps_;
  if (result_.ok()) return;
  result_.output.clear();
  result_.created.clear();
  result_.lineage.clear();
  result_.csv_row_offsets.clear();
  result_.children.clear();
}

/// A resource for maps that take a Bundle becomes a Bundle of it alone.
RunInput Run::bundled(const Program& program, const RunInput& input) {
  if (kind_of_input(input) != DataKind::fhir) return input;
  const base::JsonView resource = std::get<base::JsonView>(input);
  const std::string_view type = resource["resourceType"].text();
  bool bundle = false;
  for (const std::uint32_t index : program.maps()) {
    const ir::Map& map = program.unit().maps[index];
    if (!same_side(map.source, DataKind::fhir)) continue;
    const std::string_view taken = program.unit().text(map.source_type);
    if (taken == type || type.empty()) return input;
    bundle = bundle || taken == "Bundle";
  }
  if (!bundle) return input;
  base::JsonWriter writer;
  writer.begin_object().key("resourceType").string("Bundle").key("type").string("collection");
  writer.key("entry").begin_array().begin_object().key("resource").value(resource);
  writer.end_object().end_array().end_object();
  auto document =
      base::parse_json(writer.take(), {base::limits::kMapOutputBytesMax, base::limits::kJsonDepthMax});
  if (!document) return input;
  bundled_ = std::move(*document);
  return bundled_.root();
}

RunResult& Run::execute(const Program& program, const RunInput& given, const RunContext& context) {
  const RunInput input = bundled(program, given);
  for (std::size_t next = 0;;) {
    begin(program, input, context);
    const ir::Map* map = choose_map(program, next);
    if (map == nullptr) {
      no_map(program);
      return close_diagnostics();
    }
    if (!same_side(map->source, input_kind_)) {
      stop(Outcome::failed, "the map does not take this kind of input");
      return close_diagnostics();
    }
    if (map->target_csv != ir::kNone)
      result_.csv_format = {program.facts(), &facts_->csv_formats[map->target_csv]};
    run_map(*map, facts_->structures[static_cast<std::size_t>(map - unit_->maps.data())]);
    // Of the maps of a package that take a FHIR type, one that skips at its top leaves the input to the next.
    if (halt_ == Halt::skip && program.is_package() && input_kind_ == DataKind::fhir) continue;
    finish();
    return close_diagnostics();
  }
}

std::vector<std::string> Run::maps_for(const Program& program, const RunInput& given) {
  const RunContext context;
  const RunInput input = bundled(program, given);
  begin(program, input, context);
  std::vector<std::string> names;
  for (std::size_t next = 0; const ir::Map* map = choose_map(program, next);) {
    names.emplace_back(text(map->name));
    if (!program.is_package() || input_kind_ != DataKind::fhir) break;
  }
  context_ = nullptr;
  return names;
}

void Run::begin_expression(const Program& program, std::uint32_t expression, const RunInput& input,
                           const RunContext& context) {
  begin(program, input, context);
  const ir::Map& map = unit_->expressions[expression];
  map_ = &map;
  open_registers(map);
  if (message_ != nullptr) match_groups(facts_->expression_structures[expression]);
  const ir::Function& function = unit_->functions[map.function];
  frame_ = new_map_frame(function);
  bind_input(function);
}

bool Run::evaluate_condition(const Program& program, std::uint32_t expression, const RunInput& input,
                             const RunContext& context) {
  begin_expression(program, expression, input, context);
  const bool result = truth(unit_->functions[map_->function].expr);
  close_diagnostics();
  return halt_ == Halt::none && result;
}

std::string Run::evaluate_text(const Program& program, std::uint32_t expression, const RunInput& input,
                               const RunContext& context) {
  begin_expression(program, expression, input, context);
  const Value value = eval(unit_->functions[map_->function].expr);
  close_diagnostics();
  return halt_ == Halt::none && value.is_value() ? std::string(text_of(value)) : std::string();
}

}  // namespace kiln::mappings::detail
