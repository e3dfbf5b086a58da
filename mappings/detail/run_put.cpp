// Values into the output tree: null, dates, references, built objects (hmap.md §6, §10).

#include "mappings/detail/conversions.h"
#include "mappings/detail/run_read.h"

namespace kiln::mappings::detail {

bool Run::emit_null(Dest& dest) {
  const ir::Policy& policy = unit_->policies[unit_->policy_sets[dest.write->policies].null];
  const bool fhir = map_ != nullptr && map_->target == ir::Side::fhir;
  switch (policy.kind) {
    case ir::PolicyKind::delete_:
      if (fhir) {
        if (dest.member != nullptr)
          removals_.push_back({frame_.objects[dest.write->base], text(dest.member->name)});
        return false;
      }
      place(dest).kind = NodeKind::null_;
      break;
    case ir::PolicyKind::absent:
      if (!fhir) return false;
      place(dest).kind = NodeKind::absent_reason;
      break;
    default:
      note(RunDiagnostic::Level::note, "null-omitted", "the sender deletes this value; nothing is written",
           nullptr);
      return false;
  }
  OutputNode& node = dest.list != nullptr ? *dest.list->last : place(dest);
  node.rule = rule_;
  mark_live(&node);
  return true;
}

bool Run::emit_record(const Value& record, Dest& dest) {
  const ir::Index shape = dest.member != nullptr ? dest.member->shape : ir::kNone;
  if (shape == ir::kNone) return false;
  OutputNode& node = place(dest);
  make_object(arena_, node, shape, members_of(shape));
  node.needs_live = true;
  bool wrote = false;
  for (std::uint32_t i = 0; i + 1 < record.size; i += 2) {
    const std::uint16_t at = slot_of(*unit_, shape, record.items[i].text());
    if (at == ir::kNoSlot || record.items[i + 1].is_absent()) continue;
    Dest inner;
    inner.write = dest.write;
    inner.node = &slot(arena_, node, at);
    inner.member = &unit_->members[unit_->shapes[shape].members.first + at];
    Value part = record.items[i + 1];
    if (part.source == 0) part.source = record.source;
    put(*inner.node, part, inner);
    wrote = true;
  }
  return wrote;
}

std::string_view Run::date_text(const Value& value, const Dest& dest) {
  const ir::Side side = map_ == nullptr ? ir::Side::fhir : map_->target;
  if (side == ir::Side::hl7) return print_hl7_date(arena_, *value.date);
  if (side == ir::Side::csv && dest.member != nullptr && dest.member->pattern != ir::kNone) {
    return arena_.copy(value.date->print_pattern(text(dest.member->pattern)));
  }
  return fhir_date_text(value.date);
}

/// Digits that nobody sent are not printed.
bool Run::lacks_precision(const base::PartialDate& date, const Dest& dest) const {
  return dest.member != nullptr && dest.member->pattern != ir::kNone &&
         date.precision < precision_of_pattern(text(dest.member->pattern));
}

void Run::put(OutputNode& node, const Value& value, const Dest& dest) {
  switch (value.kind) {
    case ValueKind::boolean:
      set_text(node, NodeKind::token, value.boolean ? "true" : "false");
      break;
    case ValueKind::integer:
      set_text(node, NodeKind::token, print_integer(arena_, value.integer));
      break;
    case ValueKind::decimal:
      set_text(node, NodeKind::token, value.text());
      break;
    case ValueKind::date:
      set_text(node, NodeKind::text, date_text(value, dest));
      break;
    case ValueKind::json:
      mark_json_read(*value.json);
      node.kind = NodeKind::json;
      node.json = value.json;
      break;
    default: {
      const std::string_view scalar = text_of(value);
      if (scalar.empty()) return;
      const bool encoded = value.kind == ValueKind::string && value.flags == kEncodedFlag;
      set_text(node, encoded ? NodeKind::encoded : NodeKind::text, scalar);
      break;
    }
  }
  node.rule = rule_;
  node.source = value.source;
  if (!dest.write->constant) mark_live(&node);
}

bool Run::emit_reference(const Value& value, Dest& dest) {
  OutputNode& node = place(dest);
  set_reference(node, *value.created, dest.member == nullptr ? ir::kNone : dest.member->shape);
  return true;
}

/// Makes an empty node a reference, or an object of `shape` with one.
void Run::set_reference(OutputNode& place, const CreatedNode& target, ir::Index shape) {
  OutputNode* node = &place;
  if (shape != ir::kNone && facts_->shapes[shape].reference != ir::kNoSlot) {
    make_object(arena_, place, shape, members_of(shape));
    place.needs_live = true;
    node = &slot(arena_, place, facts_->shapes[shape].reference);
  }
  node->kind = NodeKind::reference;
  node->target = &target;
  node->rule = rule_;
  mark_pending(node);
  references_.push_back(node);
}

bool Run::emit_value(const Value& value, Dest& dest) {
  switch (value.kind) {
    case ValueKind::absent:
    case ValueKind::bad:
      return false;
    case ValueKind::null_:
      return emit_null(dest);
    case ValueKind::list: {
      if (dest.list == nullptr) {
        if (value.size > 1) {
          note(RunDiagnostic::Level::note, "dropped-repetition", "only the first value is used",
               &value.items[0]);
        }
        return value.size > 0 && emit_value(value.items[0], dest);
      }
      bool wrote = false;
      for (const Value& item : value.list()) wrote |= emit_value(item, dest);
      return wrote;
    }
    case ValueKind::object: {
      OutputNode& node = place(dest);
      graft(arena_, node, *value.object);
      collect_references(node);
      return !is_vacant(node);
    }
    case ValueKind::record:
      return emit_record(value, dest);
    case ValueKind::reference:
      return emit_reference(value, dest);
    case ValueKind::row:
    case ValueKind::rows:
    case ValueKind::table_row:
    case ValueKind::pattern:
      return false;
    case ValueKind::date:
      if (map_ != nullptr && map_->target == ir::Side::csv && lacks_precision(*value.date, dest)) {
        const Value instead = apply_policy(unit_->policy_sets[dest.write->policies].bad, "bad-value",
                                           "the date is less precise than the pattern", value);
        return instead.kind != ValueKind::date && halt_ == Halt::none && emit_value(instead, dest);
      }
      [[fallthrough]];
    default: {
      OutputNode& node = place(dest);
      put(node, value, dest);
      return true;
    }
  }
}

/// A grafted copy of an object holds references of its own that have to be resolved.
void Run::collect_references(OutputNode& node) {
  if (node.kind == NodeKind::reference) {
    references_.push_back(&node);
  } else if (node.kind == NodeKind::object) {
    for (std::uint32_t i = 0; i < node.size; ++i) {
      if (node.slots[i] != nullptr) collect_references(*node.slots[i]);
    }
  } else if (node.kind == NodeKind::list) {
    for (OutputNode* item = node.first; item != nullptr; item = item->next) collect_references(*item);
  }
}

}  // namespace kiln::mappings::detail
