// Loops over values and CSV rows; one iteration of any loop (hmap.md §3, §11).

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "mappings/csv.h"
#include "mappings/detail/run_text.h"

namespace kiln::mappings::detail {

void Run::exec_loop(const ir::Loop& loop) {
  switch (loop.kind) {
    case ir::LoopKind::group:
      return loop_groups(loop);
    case ir::LoopKind::segment:
      return loop_segments(loop);
    case ir::LoopKind::row_groups:
      return loop_row_groups(loop);
    case ir::LoopKind::values:
    case ir::LoopKind::rows:
      return loop_values(loop);
  }
}

/// Runs the body once. False: the loop has to end.
bool Run::iterate(const ir::Loop& loop, std::uint32_t& number) {
  if (loop.index_slot != ir::kNoSlot) frame_.locals[loop.index_slot] = Value::of_integer(number + 1);
  if (loop.where != ir::kNone && !truth(loop.where)) return halt_ == Halt::none;
  ++number;
  loop_stack_.push_back(number);
  exec_body(loop.body);
  loop_stack_.pop_back();
  return halt_ == Halt::none;
}

void Run::loop_values(const ir::Loop& loop) {
  const Value list = eval(loop.source);
  if (!list.is_value()) return;
  const bool is_list = list.kind == ValueKind::list || list.kind == ValueKind::rows;
  const std::span<const Value> items = is_list ? list.list() : std::span(&list, 1);
  std::uint32_t number = 0;
  for (const Value& item : items) {
    if (!item.is_value()) continue;
    frame_.locals[loop.slot] = item;
    const bool row = item.kind == ValueKind::row;
    if (row ? !iterate_rows(loop, number, std::span(&item, 1)) : !iterate(loop, number)) break;
  }
}

void Run::loop_row_groups(const ir::Loop& loop) {
  const Value list = eval(loop.source);
  if (!list.is_value()) return;
  const bool is_list = list.kind == ValueKind::list || list.kind == ValueKind::rows;
  const std::span<const Value> rows = is_list ? list.list() : std::span(&list, 1);
  // Groups in order of their first row; parts of a key are separated by a character that no cell is likely to
  // need and preceded by their length, so that ("a", "bc") and ("ab", "c") differ.
  std::unordered_map<std::string, std::size_t> known;
  std::vector<std::vector<Value>> groups;
  for (const Value& row : rows) {
    frame_.locals[loop.slot] = row;
    std::string key;
    for (ir::Index i = 0; i < loop.keys.count; ++i) {
      const std::string_view part = text_of(eval(unit_->args[loop.keys.first + i]));
      key += std::to_string(part.size());
      key += ':';
      key += part;
    }
    const auto [at, fresh] = known.emplace(std::move(key), groups.size());
    if (fresh) groups.emplace_back();
    groups[at->second].push_back(row);
  }
  std::uint32_t number = 0;
  for (const std::vector<Value>& group : groups) {
    const std::span<Value> members = arena_.array<Value>(group.size());
    std::copy(group.begin(), group.end(), members.begin());
    Value value = Value::of_list(members);
    value.kind = ValueKind::rows;
    frame_.locals[loop.slot] = value;
    if (!iterate_rows(loop, number, members)) break;
  }
}

/// A row that is not as declared goes by `on bad` of the loop, what it holds all the same by the rules.
void Run::row_issue(const ir::Loop& loop, const CsvIssue& issue) {
  const bool tells_column = issue.column >= 0;
  std::string what(mappings::text_of(issue.kind));
  Value at;
  if (tells_column) {
    const auto column = static_cast<std::uint32_t>(issue.column);
    const ir::CsvSchema& schema = unit_->csv_schemas[map_->source_csv];
    what.append(": `").append(text(unit_->csv_columns[schema.columns.first + column].name)).append("`");
    at.source = csv_source(issue.row - 1, column);
  }
  what.append(" (line ").append(std::to_string(issue.line)).append(")");
  const bool harmless =
      issue.kind == CsvIssue::Kind::stray_quote || issue.kind == CsvIssue::Kind::bad_character;
  if (harmless) return note(RunDiagnostic::Level::warning, "bad-row", what, &at);
  apply_policy(unit_->policy_sets[loop.policies].bad, "bad-row", what, at);
}

/// Each fault is told once, by the first loop that comes to its row; a row that it set aside stays so in loops that come later.
void Run::look_at_rows(const ir::Loop& loop, std::uint32_t number, std::span<const Value> rows) {
  if (map_ == nullptr || map_->source_csv == ir::kNone) return;
  issues_.resize(csv_.issues.size());
  const ir::Index rule = std::exchange(rule_, ir::kNone);
  for (const Value& row : rows) {
    const std::uint32_t wanted = row.row + 1;
    const auto before = [](const CsvIssue& issue, std::uint32_t at) { return issue.row < at; };
    const auto first = std::lower_bound(csv_.issues.begin(), csv_.issues.end(), wanted, before);
    if (first == csv_.issues.end() || first->row != wanted) continue;
    if (loop.kind == ir::LoopKind::rows && loop.where != ir::kNone) {
      if (loop.index_slot != ir::kNoSlot) frame_.locals[loop.index_slot] = Value::of_integer(number + 1);
      if (!truth(loop.where)) continue;  // not one of this loop
    }
    for (auto issue = first; issue != csv_.issues.end() && issue->row == wanted; ++issue) {
      IssueState& state = issues_[static_cast<std::size_t>(issue - csv_.issues.begin())];
      if (halt_ != Halt::none) break;
      if (state == IssueState::set_aside && loop.kind == ir::LoopKind::rows) halt_ = Halt::skip;
      if (state != IssueState::untold) continue;
      row_issue(loop, *issue);
      state = halt_ == Halt::none ? IssueState::told : IssueState::set_aside;
    }
  }
  rule_ = rule;
}

/// An iteration over rows can quarantine itself: then everything it wrote is taken back and it becomes a
/// child message.
bool Run::iterate_rows(const ir::Loop& loop, std::uint32_t& number, std::span<const Value> rows) {
  const std::size_t created = created_.size(), emitted = rows_.size(), references = references_.size();
  const std::size_t undo = undo_.size(), removals = removals_.size();
  ++row_loops_;
  const bool group = loop.kind == ir::LoopKind::row_groups;
  if (!csv_.issues.empty() && !group) look_at_rows(loop, number, rows);
  const bool skipped_row = halt_ == Halt::skip;  // by `on bad skip`
  if (halt_ == Halt::none) iterate(loop, number);
  // Loops over the rows of the group have told of theirs; what is left concerns the group.
  if (!csv_.issues.empty() && group && halt_ == Halt::none) {
    look_at_rows(loop, number, rows);
    if (halt_ == Halt::skip) halt_ = Halt::none;  // it is written already
  }
  --row_loops_;
  if (halt_ == Halt::skip && skipped_row) halt_ = Halt::none;
  if (halt_ == Halt::rows) {
    halt_ = Halt::none;
    while (undo_.size() > undo) {
      *undo_.back().node = undo_.back().before;
      undo_.pop_back();
    }
    created_.resize(created);
    rows_.resize(emitted);
    references_.resize(references);
    removals_.resize(removals);
    QuarantinedRows child{std::move(quarantine_reason_), std::move(quarantine_rule_), {}};
    for (const Value& row : rows) child.rows.push_back(row.row + 1);
    result_.children.push_back(std::move(child));
  }
  if (row_loops_ == 0) undo_.clear();
  return halt_ == Halt::none;
}

}  // namespace kiln::mappings::detail
