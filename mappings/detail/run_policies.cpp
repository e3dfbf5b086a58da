// What happens to bad, null and unmapped values, and how a run ends early (hmap.md §11).

#include "mappings/detail/conversions.h"
#include "mappings/detail/run_read.h"

namespace kiln::mappings::detail {
namespace {

constexpr std::size_t kDiagnosticsKept = 100;

}  // namespace

std::string_view Run::rule_address() const {
  return rule_ == ir::kNone ? std::string_view() : unit_->text(unit_->rules[rule_].address);
}

void Run::note(RunDiagnostic::Level level, std::string_view code, std::string_view what, const Value* value) {
  ++noted_;
  for (Recording* at = recording_; at != nullptr; at = at->outer) at->add(level, code, what, value, rule_, arena_);
  if (quiet_ && level == RunDiagnostic::Level::note) return;
  const bool strict = context_->strict || (map_ != nullptr && map_->strict);
  if (level == RunDiagnostic::Level::note && strict) level = RunDiagnostic::Level::warning;
  if (level >= RunDiagnostic::Level::warning && result_.outcome == Outcome::ok) {
    result_.outcome = Outcome::ok_with_warnings;
  }
  const std::string_view rule = rule_address();
  const bool full = notes_ >= kDiagnosticsKept;
  // A rule that reads one place twice (condition and value) says so once.
  bool again = false;
  if (notes_ != 0) {
    const RunDiagnostic& before = result_.diagnostics[notes_ - 1];
    again = before.code == code && before.rule == rule && before.text == what;
  }
  const std::string source =
      value == nullptr || (full && !again) ? std::string() : source_path(value->source);
  if (again && result_.diagnostics[notes_ - 1].source == source) return;
  if (full) {
    ++result_.dropped_diagnostics;
    return;
  }
  RunDiagnostic& made = next_diagnostic();
  made.level = level;
  made.code = code;
  made.text = what;
  made.rule = rule;
  made.source = source;
  made.value.clear();
  if (value != nullptr && value->is_value() && value->kind != ValueKind::object &&
      value->kind != ValueKind::record && value->kind != ValueKind::rows) {
    made.value = mask(text_of(*value));
  }
}

/// One more; the caller sets all of it. Those of the result before are used again for the memory of their
/// texts.
RunDiagnostic& Run::next_diagnostic() {
  if (notes_ == result_.diagnostics.size()) {
    if (spare_diagnostics_.empty()) {
      result_.diagnostics.emplace_back();
    } else {
      result_.diagnostics.push_back(std::move(spare_diagnostics_.back()));
      spare_diagnostics_.pop_back();
    }
  }
  return result_.diagnostics[notes_++];
}

/// At the end of a run: those that it did not use become spare ones.
RunResult& Run::close_diagnostics() {
  for (std::size_t i = notes_; i < result_.diagnostics.size(); ++i)
    spare_diagnostics_.push_back(std::move(result_.diagnostics[i]));
  result_.diagnostics.resize(notes_);
  if (spare_diagnostics_.size() > kDiagnosticsKept) spare_diagnostics_.resize(kDiagnosticsKept);
  return result_;
}

void Run::stop(Outcome outcome, std::string reason) {
  if (halt_ == Halt::stop || (is_asking() && outcome != Outcome::failed)) return;
  halt_ = Halt::stop;
  result_.outcome = outcome;
  result_.reason = std::move(reason);
}

void Run::reject(const ir::Policy& policy, std::string location) {
  if (halt_ == Halt::stop || is_asking()) return;
  stop(Outcome::rejected, policy.text == ir::kNone ? "rejected by the map" : std::string(text(policy.text)));
  result_.ack_code = policy.ar ? "AR" : "AE";
  result_.error_code = policy.error;
  result_.location = std::move(location);
}

/// Ends the message; inside a `for each` over CSV rows only the innermost iteration (hmap.md §11).
void Run::quarantine(std::string reason) {
  if (halt_ != Halt::none || is_asking()) return;
  if (row_loops_ > 0) {
    halt_ = Halt::rows;
    quarantine_reason_ = std::move(reason);
    quarantine_rule_ = rule_address();
    return;
  }
  const std::string rule(rule_address());
  stop(Outcome::quarantined, std::move(reason));
  result_.location = rule;
}

Value Run::apply_policy(ir::Index index, std::string_view code, std::string_view what, const Value& value) {
  if (index == ir::kNone) return {};
  const ir::Policy& policy = unit_->policies[index];
  if (policy.warn) {
    note(RunDiagnostic::Level::warning, code, policy.text == ir::kNone ? what : text(policy.text), &value);
  }
  switch (policy.kind) {
    case ir::PolicyKind::omit:
      if (!policy.warn) note(RunDiagnostic::Level::note, code, what, &value);
      return {};
    case ir::PolicyKind::keep: {
      const std::string_view kept = text_of(value);
      return kept.empty() ? Value() : Value::of_string(kept).from(value.source);
    }
    case ir::PolicyKind::literal: {
      const ir::Constant& literal = unit_->constants[policy.literal];
      return Value::of_string(text(literal.text)).from(value.source);
    }
    case ir::PolicyKind::reject:
      note(RunDiagnostic::Level::error, code, what, &value);
      reject(policy, source_path(value.source));
      return {};
    case ir::PolicyKind::quarantine:
      note(RunDiagnostic::Level::error, code, what, &value);
      quarantine(policy.text == ir::kNone ? std::string(what) : std::string(text(policy.text)));
      return {};
    case ir::PolicyKind::delete_:
      return Value::null().from(value.source);
    case ir::PolicyKind::absent:
      return {};
    case ir::PolicyKind::skip:
      note(RunDiagnostic::Level::note, code, what, &value);
      if (halt_ == Halt::none) halt_ = Halt::skip;
      return {};
  }
  return {};
}

Value Run::handle_bad(const ir::Expr& expr, const Value& bad, const Value& original) {
  return apply_policy(unit_->policy_sets[expr.policies].bad, "bad-value", bad.text(), original);
}

SourceRef Run::combine(SourceRef a, SourceRef b) {
  if (a == 0 || a == b) return b;
  if (b == 0) return a;
  source_pairs_.push_back({a, b});
  return source_pairs_.size();  // pairs count from 1: a SourceRef of 0 means none
}

}  // namespace kiln::mappings::detail
