// One write of a statement: the ways that nearly all rules of a map go (actions.h), and the general one.

#include "mappings/detail/run_text.h"

namespace kiln::mappings::detail {

/// The text of a component of the parameter of a datatype map; empty: it is absent. False: nothing was done,
/// the general way has to be gone.
inline bool Run::part_text(std::uint32_t part, std::string_view& text) {
  if (frame_.parts == nullptr || !plain_) return false;
  const Parts& parts = *frame_.parts;
  const std::uint32_t bit = part - 1;
  if (bit >= parts.count) return true;
  const std::uint32_t begin = parts.begins[bit], end = parts.begins[part] - 1;
  if (begin == end) return true;
  if (bytes_[begin] == '"' || (parts.deep >> bit & 1) != 0) return false;
  read_[begin >> 6] |= std::uint64_t{1} << (begin & 63);
  text = {bytes_ + begin, end - begin};
  return true;
}

/// Its fields hold something, its condition is true.
bool Run::passes(const WriteFacts& write) {
  if (write.late_guard) {
    const ir::Write& rule = *write.write;
    if ((valued_of(rule.guard_segment) & rule.guard_mask) == 0) return false;
  }
  rule_ = write.rule;
  if (write.test == TestKind::none) return true;
  if (std::string_view text; write.test != TestKind::general && part_text(write.tested_part, text)) {
    steps_ += 2;
    if (write.test == TestKind::part_valued) return !text.empty();
    return !text.empty() && text == this->text(write.tested_text);
  }
  return truth(write.condition) && halt_ == Halt::none;
}

/// What nearly every rule of a map ends in: a text for a member.
inline void Run::write_text(OutputNode& object, std::uint16_t at, const Text& text, bool constant) {
  OutputNode& place = slot(arena_, object, at);
  OutputNode& node = facts_->shapes[object.shape].members[at].list ? append_item(arena_, place) : place;
  set_text(node, NodeKind::text, text.view());
  node.quoted = text.quoted;
  node.rule = rule_;
  node.source = text.source;
  if (!constant) mark_live(&node);
}

/// Kind part. False: nothing was done, the general way has to be gone.
inline bool Run::write_part(const WriteFacts& write, OutputNode& object) {
  std::string_view sent;
  if (row_loops_ != 0 || !part_text(write.plan.part, sent)) return false;
  if (sent.empty()) return true;
  Text text{sent.data(), static_cast<std::uint32_t>(sent.size())};
  if (write.plan.code && !is_plain_code(sent)) return false;
  if (write.plan.table != ir::kNone && !translate(write.plan, text)) return false;
  if (text.size == 0) return true;
  ++steps_;
  OutputNode* node = &slot(arena_, object, write.slot);
  if (write.list) node = &append_item(arena_, *node);
  set_text(*node, NodeKind::text, text.view());
  node->quoted = text.quoted;
  node->rule = rule_;
  const auto begin = static_cast<std::uint32_t>(sent.data() - bytes_);
  node->source = hl7_source({begin, begin + static_cast<std::uint32_t>(sent.size())}, frame_.parts->level);
  if (!write.constant) mark_live(node);
  return true;
}

/// Kinds part and text: most writes.
void Run::write_found(const WriteFacts& write, OutputNode& base) {
  if (write.kind == WriteKind::part && write_part(write, base)) return;
  if (write.only_if_unset && is_written(base, write.slot)) return;
  if (Text found; row_loops_ == 0 && (look_known(write.plan, found) || look_by(write.plan, found))) {
    if (found.size == 0) return;
    OutputNode* object = &base;
    if (write.walks) object = walk(base, {write.write->path.first, write.write->path.count - 1});
    if (object != nullptr) write_text(*object, write.slot, found, write.constant);
    return;
  }
  if (write.builds) return write_general(write, base);
  write_value(write, base, eval_common(write.value));
}

/// A scalar is evaluated before its place is made: most rules of a map find nothing to write.
void Run::write_value(const WriteFacts& write, OutputNode& base, const Value& value) {
  if (value.is_absent() || halt_ != Halt::none) return;
  OutputNode* object = &base;
  remember(object);
  if (write.walks) object = walk(base, {write.write->path.first, write.write->path.count - 1});
  if (object == nullptr) return;
  if (value.kind == ValueKind::string && value.size > 0 && value.flags == 0 && row_loops_ == 0)
    return write_text(*object, write.slot, {value.text_data, value.size, false, value.source},
                      write.constant);
  Dest dest;
  dest.write = write.write;
  dest.member = &unit_->members[unit_->shapes[object->shape].members.first + write.slot];
  OutputNode& place = slot(arena_, *object, write.slot);
  (dest.member->list ? dest.list : dest.node) = &place;
  remember(&place);
  emit_value(value, dest);
}

void Run::write_called(const WriteFacts& write, OutputNode& base, const Called& called) {
  if (!called.known || row_loops_ != 0) return write_value(write, base, called.value());
  if (called.text.size == 0) return;
  OutputNode* object = &base;
  if (write.walks) object = walk(base, {write.write->path.first, write.write->path.count - 1});
  if (object != nullptr) write_text(*object, write.slot, called.text, write.constant);
}

/// A fn of texts: what it gave to these texts before, or what it gives now.
void Run::write_call(const WriteFacts& write, OutputNode& base) {
  if (write.only_if_unset && is_written(base, write.slot)) return;
  const ir::Expr& expr = unit_->exprs[write.value];
  if (Called called; recall(expr, called)) return write_called(write, base, called);
  const Frame inner = enter(unit_->functions[expr.a], {expr.b, expr.c});
  if (halt_ != Halt::none) return;
  if (CallKey key; call_key(expr.a, arguments_of(expr.a, inner), key))
    return write_called(write, base, call_texts(expr.a, inner, key));
  OutputNode* object = &base;
  remember(object);
  if (write.walks) object = walk(base, {write.write->path.first, write.write->path.count - 1});
  if (object == nullptr) return;
  Dest dest;
  dest.write = write.write;
  dest.member = &unit_->members[unit_->shapes[object->shape].members.first + write.slot];
  OutputNode& place = slot(arena_, *object, write.slot);
  (dest.member->list ? dest.list : dest.node) = &place;
  remember(&place);
  emit_entered(expr, inner, dest);
  if (write.constant && write.only_if_unset && dest.node != nullptr) dest.node->needs_live = false;
}

void Run::write_reference(const WriteFacts& write, OutputNode& base) {
  const OutputNode* const target = frame_.objects[unit_->exprs[write.value].a];
  if (target == nullptr && !write.only_if_unset) {
    ++steps_;
    return note(RunDiagnostic::Level::note, "elided-reference", "the resource was not created", nullptr);
  }
  if (target == nullptr || write.walks || write.only_if_unset || row_loops_ != 0) {
    if (!write.only_if_unset || !is_written(base, write.slot))
      write_value(write, base, eval_common(write.value));
    return;
  }
  steps_ += 1;
  const ir::Member& member = unit_->members[unit_->shapes[base.shape].members.first + write.slot];
  OutputNode* node = &slot(arena_, base, write.slot);
  if (member.list) node = &append_item(arena_, *node);
  set_reference(*node, static_cast<const CreatedNode&>(*target), member.shape);
}

void Run::write_object(const WriteFacts& write, OutputNode& base) {
  OutputNode* object = &base;
  remember(object);
  if (write.walks) object = walk(base, {write.write->path.first, write.write->path.count - 1});
  if (object == nullptr) return;
  OutputNode& place = slot(arena_, *object, write.slot);
  remember(&place);
  const ir::Expr& expr = unit_->exprs[write.value];
  const ir::Member& member = unit_->members[unit_->shapes[object->shape].members.first + write.slot];
  if (!member.list && write.dynamic) place.needs_live = true;
  if (write.only_if_unset) {
    if (!is_vacant(place)) return;
    if (write.constant) place.needs_live = false;  // it stands in for the rules that wrote nothing
  }
  Value source;
  if (expr.op == ir::Op::call_datatype) {
    source = eval(expr.b);
    if (source.is_absent() || halt_ != Halt::none) return;
  }
  OutputNode* const before = member.list && place.kind == NodeKind::list ? place.last : nullptr;
  OutputNode& node = member.list ? append_item(arena_, place) : place;
  bool wrote = false;
  if (expr.op == ir::Op::object) {
    wrote = emit_object(unit_->objects[expr.a], node);
  } else if (!source.is_null()) {
    wrote = build_datatype(expr, source, node);
  } else {
    Dest dest;
    dest.node = &node;
    dest.member = &member;
    dest.write = write.write;
    wrote = emit_null(dest);
  }
  if (!wrote && member.list) drop_last(place, before);
}

void Run::write_general(const WriteFacts& facts, OutputNode& base) {
  const ir::Write& write = *facts.write;
  Value value;
  const bool evaluate_first = !facts.builds && !facts.only_if_unset;
  if (evaluate_first) {
    value = eval(write.value);
    if (value.is_absent() || halt_ != Halt::none) return;
  }
  remember(&base);
  OutputNode* const object = facts.walks ? walk(base, {write.path.first, write.path.count - 1}) : &base;
  if (object == nullptr) return;
  Dest dest = destination(*object, write);
  if (facts.only_if_unset) {
    if (is_set(dest)) return;
    if (facts.constant && dest.node != nullptr) dest.node->needs_live = false;
  }
  if (facts.builds) {
    if (write.override_) return overwrite(write, dest);
    emit(write.value, dest);
    // What stands in for values that nobody wrote is written, although it is the same in every message.
    if (write.constant && write.mode == ir::WriteMode::set_if_unset && dest.node != nullptr)
      dest.node->needs_live = false;
    return;
  }
  if (!evaluate_first) value = eval(write.value);
  if (value.is_absent() || halt_ != Halt::none) return;
  if (write.override_) clear_place(dest);
  emit_value(value, dest);
}

}  // namespace kiln::mappings::detail
