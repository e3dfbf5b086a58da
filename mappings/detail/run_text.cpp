// The less common cases of run_text.h.

#include "mappings/detail/run_text.h"

#include "mappings/detail/conversions.h"

namespace kiln::mappings::detail {

bool Run::look(ir::Index expr, Text& out) {
  const TextPlan& plan = facts_->plans[expr];
  return look_known(plan, out) || look_more(plan, out);
}

bool Run::look_more(const TextPlan& plan, Text& out) {
  return look_by(plan, out);
}

/// A field with separators in it, or a long one.
bool Run::look_composite(const PathKey& path, Hl7Ref field, Text& out) {
  const std::uint32_t first_end = find(field.begin, field.end, delimiters_.repetition);
  const bool repeats = first_end < field.end, index = path.index;
  if (repeats && !index) return false;  // needs a note
  const Hl7Ref repetition{field.begin, first_end};
  if (path.component == 0) {
    const Hl7Level level = index ? Hl7Level::repetition : Hl7Level::field;
    return look_leaf(repetition, leaf_end(repetition), level, out);
  }
  Hl7Ref range = component(repetition, path.component);
  if (range.begin == range.end) return true;
  const bool deep = (split_.deep >> (path.component - 1) & 1) != 0;
  if (path.subcomponent == 0)
    return look_leaf(range, deep ? leaf_end(range) : range.end, Hl7Level::component, out);
  if (path.subcomponent > 1 || deep) range = part(range, delimiters_.subcomponent, path.subcomponent);
  return range.begin == range.end || look_leaf(range, range.end, Hl7Level::leaf, out);
}

bool Run::look_local(const TextPlan& plan, Text& out) {
  const Value& local = frame_.locals[plan.index];
  if (plan.part != 0 && local.kind == ValueKind::hl7 &&
      static_cast<Hl7Level>(local.flags) < Hl7Level::component) {
    Hl7Ref repetition = local.hl7;
    if (split_.range.begin != repetition.begin) {  // only one repetition begins there
      repetition.end = find(repetition.begin, repetition.end, delimiters_.repetition);
      split(repetition, delimiters_.component, split_);
    }
    return look_part(plan, split_, out);
  }
  Value value = local;
  if (plan.part != 0 && local.kind == ValueKind::hl7) value = relative(local, plan.part, plan.second, 0);
  if (value.is_absent()) {
    out = {};
    return true;
  }
  const bool string = value.kind == ValueKind::string && value.flags == 0 && plan.part == 0;
  if (!string && value.kind != ValueKind::hl7) return false;
  if (value.kind == ValueKind::hl7 && static_cast<Hl7Level>(value.flags) == Hl7Level::segment) return false;
  const std::string_view text = string ? value.text() : leaf_text(value);
  if (text.empty()) return false;
  out = {text.data(), static_cast<std::uint32_t>(text.size()), false, value.source};
  return true;
}

/// False: no row has that key, and there is more to do than to take another code.
bool Run::translate(const TextPlan& plan, Text& out) const {
  const ir::TableRow* const row = literal_row(plan.table, out.view());
  if (row == nullptr && plan.unmapped == ir::kNone) return false;
  const ir::StringId code = row == nullptr ? plan.unmapped : row->value;
  out = code == ir::kNone ? Text() : literal(code, out.source);
  return true;
}

bool Run::is_plain_code(std::string_view text) {
  return static_cast<unsigned char>(text.front()) > ' ' && static_cast<unsigned char>(text.back()) > ' ' &&
         is_code(text);
}

}  // namespace kiln::mappings::detail
