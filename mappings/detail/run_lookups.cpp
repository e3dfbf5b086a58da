// Rows of lookups: read from the answers of the run, or asked for (hmap.md §8).

#include "engine/base/limits.h"
#include "mappings/detail/run.h"
#include "mappings/detail/table_cursor.h"

namespace kiln::mappings::detail {
namespace {

/// Lengths keep two lists of arguments apart whatever they hold.
std::string text_of_key(std::string_view lookup, const std::vector<std::string>& arguments) {
  std::string key(lookup);
  for (const std::string& argument : arguments)
    key.append("\n").append(std::to_string(argument.size())).append(":").append(argument);
  return key;
}

}  // namespace

const LookupAnswer* Run::find_answer(const std::string& key) {
  if (answers_.empty() && !context_->lookups.empty()) {
    for (const LookupAnswer& answer : context_->lookups)
      answers_.emplace(text_of_key(answer.key.lookup, answer.key.arguments), &answer);
  }
  const auto found = answers_.find(key);
  return found == answers_.end() ? nullptr : found->second;
}

/// Remembers what has to be fetched. From here on the run only looks for more of it: nothing that it decides
/// counts.
void Run::ask(std::string key, LookupKey lookup) {
  if (!asked_.insert(std::move(key)).second) return;
  if (asked_.size() > base::limits::kLookupKeysMax) {
    stop(Outcome::failed, "the map asks for too many rows");
    result_.error = base::ErrorCode::limit_exceeded;
    return;
  }
  result_.missing_lookups.push_back(std::move(lookup));
}

Value Run::call_lookup(const ir::Expr& expr) {
  const ir::LookupSource& source = unit_->lookup_sources[expr.a];
  LookupKey key;
  key.lookup = text(source.name);
  SourceRef from = 0;
  Value first;
  std::size_t bytes = 0;
  for (ir::Index i = 0; i < expr.c; ++i) {
    const Value argument = eval(unit_->args[expr.b + i]);
    if (!argument.is_value()) return {};  // absent is contagious: nothing is asked
    key.arguments.emplace_back(text_of(argument));
    bytes += key.arguments.back().size();
    from = combine(from, argument.source);
    if (i == 0) first = argument;
  }
  first.source = from;
  const std::string name = key.lookup;
  if (bytes > base::limits::kLookupArgumentBytesMax)
    return without_row(expr, source, false, "an argument of lookup " + name + " is too long", first);
  const std::string flat = text_of_key(key.lookup, key.arguments);
  const LookupAnswer* answer = find_answer(flat);
  if (answer == nullptr) {
    ask(flat, std::move(key));
    return {};
  }
  if (answer->state == LookupAnswer::State::missing)
    return without_row(expr, source, true, "lookup " + name + " has no such row", first);
  if (answer->state == LookupAnswer::State::failed)
    return without_row(expr, source, false, "lookup " + name + " cannot be asked", first);
  Value row;
  row.kind = ValueKind::table_row;
  row.table_row = arena_.make<TableCursor>(TableCursor{nullptr, 0, answer, nullptr, {}});
  row.source = from;
  return row;
}

/// No row: the declaration's policy, for a miss also the inherited `on missing`. A source that cannot be
/// asked quarantines unless the declaration says otherwise, because the next attempt may give another result.
Value Run::without_row(const ir::Expr& expr, const ir::LookupSource& source, bool miss, std::string what,
                       const Value& argument) {
  const std::string_view code = miss ? "lookup-miss" : "lookup-error";
  ir::Index policy = miss ? source.on_miss : source.on_error;
  if (policy == ir::kNone && miss) policy = unit_->policy_sets[expr.policies].missing;
  if (policy != ir::kNone) return apply_policy(policy, code, what, argument);
  if (miss) {
    note(RunDiagnostic::Level::note, code, std::move(what), &argument);
    return {};
  }
  note(RunDiagnostic::Level::error, code, what, &argument);
  quarantine(std::move(what));
  return {};
}

Value Run::lookup_column(const ir::Expr& expr) {
  const Value row = eval(expr.a);
  if (row.kind != ValueKind::table_row || row.table_row->answer == nullptr) return row;
  const auto& columns = row.table_row->answer->columns;
  if (expr.b >= columns.size() || !columns[expr.b] || columns[expr.b]->empty()) return {};
  // Typed before it gets its source: the pattern of a csv column is not that of the row.
  const Value cell = Value::of_string(*columns[expr.b]);
  const Value typed = typed_cell(cell, unit_->types[expr.type].primitive);
  return typed.is_bad() ? handle_bad(expr, typed, cell.from(row.source)) : typed.from(row.source);
}

}  // namespace kiln::mappings::detail
