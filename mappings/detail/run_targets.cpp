// Writing into the output tree: paths, modes, objects, choices, null (hmap.md §6, §10).

#include "mappings/detail/conversions.h"
#include "mappings/detail/run_text.h"

namespace kiln::mappings::detail {
namespace {

/// Takes back the item that was appended last.
void drop_last(OutputNode& list, OutputNode* before) {
  list.last = before;
  (before == nullptr ? list.first : before->next) = nullptr;
  --list.size;
}

}  // namespace

/// Inside a row iteration every node is copied before it changes, so that a quarantine can take the writes
/// back.
void Run::keep_for_undo(OutputNode* node) {
  for (; node != nullptr; node = node->parent) {
    undo_.push_back({node, *node});
    if (node->kind == NodeKind::list && node->last != nullptr) undo_.push_back({node->last, *node->last});
  }
}

OutputNode& Run::extension(OutputNode& object, const ir::Step& step, bool append) {
  OutputNode& list = slot(arena_, object, step.slot);
  const std::uint16_t url = facts_->shapes[step.shape].url;
  if (!append && list.kind == NodeKind::list) {
    for (OutputNode* item = list.first; item != nullptr; item = item->next) {
      if (item->kind == NodeKind::object && item->slots[url] != nullptr &&
          item->slots[url]->text() == text(step.url)) {
        return *item;
      }
    }
  }
  remember(&list);
  OutputNode& made = append_item(arena_, list);
  make_object(arena_, made, step.shape, members_of(step.shape));
  made.needs_live = true;
  OutputNode& leaf = slot(arena_, made, url);
  set_text(leaf, NodeKind::text, text(step.url));
  leaf.rule = rule_;
  return made;
}

OutputNode* Run::step_into(OutputNode& object, const ir::Step& step) {
  OutputNode* node = nullptr;
  switch (step.kind) {
    case ir::StepKind::member: {
      node = &slot(arena_, object, step.slot);
      const ir::Member& member = unit_->members[unit_->shapes[object.shape].members.first + step.slot];
      if (member.list) node = &item(arena_, *node, 1);
      break;
    }
    case ir::StepKind::item:
      node = &item(arena_, slot(arena_, object, step.slot), step.number);
      break;
    case ir::StepKind::extension:
      node = &slot(arena_, extension(object, step, false), step.value_slot);
      break;
    case ir::StepKind::choice:
      return nullptr;
  }
  if (step.shape != ir::kNone && step.kind != ir::StepKind::extension) {
    make_object(arena_, *node, step.shape, members_of(step.shape));
  }
  node->needs_live |= step.dynamic;
  remember(node);
  return node;
}

OutputNode* Run::walk(OutputNode& base, ir::Range steps) {
  OutputNode* at = &base;
  for (ir::Index i = 0; i < steps.count && at != nullptr; ++i) {
    if (at->kind != NodeKind::object) return nullptr;
    at = step_into(*at, unit_->steps[steps.first + i]);
  }
  return at != nullptr && at->kind == NodeKind::object ? at : nullptr;
}

bool Run::is_set(const Dest& dest) const {
  if (dest.choice != nullptr) {
    for (ir::Index i = 0; i < dest.choice->variants.count; ++i) {
      const std::uint16_t at = unit_->choice_variants[dest.choice->variants.first + i].slot;
      const OutputNode* node = dest.parent->slots[at];
      if (node != nullptr && !is_vacant(*node)) return true;
    }
    return false;
  }
  const OutputNode* node = dest.list != nullptr ? dest.list : dest.node;
  return node != nullptr && !is_vacant(*node);
}

OutputNode& Run::place(Dest& dest) {
  if (dest.node != nullptr) return *dest.node;
  if (dest.list != nullptr) return append_item(arena_, *dest.list);
  // A choice element whose value has only one possible type carries no Op::variant.
  return slot(arena_, *dest.parent, unit_->choice_variants[dest.choice->variants.first].slot);
}

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

namespace {

bool is_written(const OutputNode& object, std::uint16_t at) {
  const OutputNode* const node = object.slots[at];
  return node != nullptr && !is_vacant(*node);
}

}  // namespace

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

void Run::exec_write(const WriteFacts& write) {
  OutputNode* base = frame_.objects[write.base];
  if (base == nullptr) return;
  if ((write.test != TestKind::none || write.late_guard) && !passes(write)) return;
  rule_ = write.rule;
  switch (write.kind) {
    case WriteKind::part:
      if (write_part(write, *base)) return;
      [[fallthrough]];
    case WriteKind::text: {
      if (write.only_if_unset && is_written(*base, write.slot)) return;
      if (Text found; row_loops_ == 0 && look_by(write.plan, found)) {
        if (found.size == 0) return;
        if (write.walks) base = walk(*base, {write.write->path.first, write.write->path.count - 1});
        if (base != nullptr) write_text(*base, write.slot, found, write.constant);
        return;
      }
      if (write.builds) return write_general(write, *base);
      return write_value(write, *base, eval_common(write.value));
    }
    case WriteKind::value:
      if (write.only_if_unset && is_written(*base, write.slot)) return;
      return write_value(write, *base, eval_common(write.value));
    case WriteKind::object:
      return write_object(write, *base);
    case WriteKind::general:
      return write_general(write, *base);
  }
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
  if (write.only_if_unset && !is_vacant(place)) return;
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
  if (facts.only_if_unset && is_set(dest)) return;
  if (facts.builds) {
    if (write.override_) return overwrite(write, dest);
    emit(write.value, dest);
    return;
  }
  if (!evaluate_first) value = eval(write.value);
  if (value.is_absent() || halt_ != Halt::none) return;
  if (write.override_) clear_place(dest);
  emit_value(value, dest);
}

Dest Run::destination(OutputNode& object, const ir::Write& write) {
  const ir::Step& last = unit_->steps[write.path.first + write.path.count - 1];
  Dest dest;
  dest.write = &write;
  switch (last.kind) {
    case ir::StepKind::member: {
      dest.member = &unit_->members[unit_->shapes[object.shape].members.first + last.slot];
      OutputNode& node = slot(arena_, object, last.slot);
      (dest.member->list ? dest.list : dest.node) = &node;
      break;
    }
    case ir::StepKind::item:
      dest.member = &unit_->members[unit_->shapes[object.shape].members.first + last.slot];
      dest.node = &item(arena_, slot(arena_, object, last.slot), last.number);
      break;
    case ir::StepKind::extension: {
      OutputNode& made = extension(object, last, write.mode == ir::WriteMode::append);
      dest.member = &unit_->members[unit_->shapes[last.shape].members.first + last.value_slot];
      dest.node = &slot(arena_, made, last.value_slot);
      break;
    }
    case ir::StepKind::choice:
      dest.parent = &object;
      dest.choice = &unit_->choices[last.choice];
      break;
  }
  // Only an object depends on its non-constant rules: a scalar that a constant wrote is written.
  const std::size_t index = static_cast<std::size_t>(&write - unit_->writes.data());
  if (dest.node != nullptr && facts_->writes[index].dynamic) dest.node->needs_live = true;
  remember(dest.list != nullptr ? dest.list : dest.node);
  return dest;
}

void Run::clear_place(const Dest& dest) {
  if (dest.choice != nullptr) {
    for (ir::Index i = 0; i < dest.choice->variants.count; ++i) {
      OutputNode* node = dest.parent->slots[unit_->choice_variants[dest.choice->variants.first + i].slot];
      if (node == nullptr) continue;
      remember(node);
      clear(*node);
    }
    return;
  }
  clear(dest.list != nullptr ? *dest.list : *dest.node);
}

/// `override` replaces what is there only by something: the new value is built apart first.
void Run::overwrite(const ir::Write& write, Dest& dest) {
  OutputNode& holder = new_node(arena_, nullptr);
  Dest apart;
  apart.write = &write;
  apart.member = dest.member;
  if (dest.choice != nullptr) {
    make_object(arena_, holder, dest.parent->shape, dest.parent->size);
    apart.parent = &holder;
    apart.choice = dest.choice;
  } else {
    (dest.list != nullptr ? apart.list : apart.node) = &holder;
  }
  if (!emit(write.value, apart) || halt_ != Halt::none) return;
  clear_place(dest);
  if (dest.choice == nullptr) return graft(arena_, dest.list != nullptr ? *dest.list : *dest.node, holder);
  for (std::uint32_t i = 0; i < holder.size; ++i) {
    if (holder.slots[i] != nullptr) graft(arena_, slot(arena_, *dest.parent, i), *holder.slots[i]);
  }
}

/// Writes what the expression yields; true when something is there that would be printed.
bool Run::emit(ir::Index index, Dest& dest) {
  using ir::Op;
  const ir::Expr& expr = unit_->exprs[index];
  switch (expr.op) {
    case Op::choose:
    case Op::match: {
      ++steps_;
      const ir::Index branch = branch_of(expr);
      return branch != ir::kNone && halt_ == Halt::none && emit(branch, dest);
    }
    case Op::coalesce:
      return emit(expr.a, dest) || (halt_ == Halt::none && emit(expr.b, dest));
    case Op::variant:
      return emit_variant(expr, dest);
    case Op::each:
      return emit_each(expr, dest);
    case Op::call_fn:
      return emit_call(expr, dest);
    case Op::lookup:
      if (unit_->lookups[expr.a].mode != ir::LookupMode::code &&
          unit_->lookups[expr.a].mode != ir::LookupMode::column) {
        return emit_lookup(expr, dest);
      }
      break;
    case Op::object:
    case Op::call_datatype: {
      ++steps_;
      if (dest.list == nullptr) {
        Dest inner = dest;
        inner.node = &place(dest);
        return expr.op == Op::object ? emit_object(unit_->objects[expr.a], *inner.node)
                                     : emit_datatype(expr, inner);
      }
      OutputNode* const before = dest.list->kind == NodeKind::list ? dest.list->last : nullptr;
      Dest inner = dest;
      inner.list = nullptr;
      inner.node = &append_item(arena_, *dest.list);
      const bool wrote = expr.op == Op::object ? emit_object(unit_->objects[expr.a], *inner.node)
                                               : emit_datatype(expr, inner);
      if (!wrote) drop_last(*dest.list, before);
      return wrote;
    }
    default:
      break;
  }
  const Value value = eval(index);
  return halt_ == Halt::none && emit_value(value, dest);
}

bool Run::emit_object(const ir::Object& object, OutputNode& node) {
  make_object(arena_, node, object.shape, members_of(object.shape));
  if (node.kind != NodeKind::object || node.shape != object.shape) return false;
  if (!object.all_constant) node.needs_live = true;
  OutputNode* const outer = frame_.objects[object.reg];
  const std::uint32_t rule = rule_;
  frame_.objects[object.reg] = &node;
  exec_body(object.body);
  frame_.objects[object.reg] = outer;
  rule_ = rule;
  return !is_vacant(node);
}

bool Run::emit_datatype(const ir::Expr& expr, Dest& dest) {
  const Value source = eval(expr.b);
  if (source.is_absent() || halt_ != Halt::none) return false;
  return source.is_null() ? emit_null(dest) : build_datatype(expr, source, *dest.node);
}

bool Run::build_datatype(const ir::Expr& expr, const Value& source, OutputNode& node) {
  const ir::Function& function = unit_->functions[expr.a];
  const bool fresh = node.kind == NodeKind::empty && source.kind == ValueKind::hl7;
  if (fresh && copy_built(function, source, node)) return true;
  const std::uint64_t noted = noted_;
  make_object(arena_, node, function.shape, members_of(function.shape));
  if (node.shape != function.shape) return false;
  if (!function.all_constant) node.needs_live = true;
  node.source = source.source;
  node.type = source.type;
  const Frame outer = frame_;
  frame_ = new_frame(function);
  frame_.locals[0] = source;
  frame_.objects[0] = &node;
  Parts parts;
  if (split_value(source, parts)) {
    frame_.parts = &parts;
    frame_.valued = parts.valued;
  } else if (source.kind == ValueKind::hl7 && static_cast<Hl7Level>(source.flags) == Hl7Level::leaf) {
    frame_.valued = 1;
  }
  const std::uint32_t rule = rule_;
  exec_body(function.body);
  rule_ = rule;
  frame_ = outer;
  const bool wrote = !is_vacant(node);
  if (keep_built_ && fresh && wrote && noted == noted_ && halt_ == Halt::none)
    built_.push_back({&function, source.source, source.type, &node});
  return wrote;
}

/// What a datatype map makes of one place of the message is the same wherever it is written.
bool Run::copy_built(const ir::Function& function, const Value& source, OutputNode& node) {
  constexpr std::size_t kLookedAt = 4;  // the identity of the resource under construction is among the last
  const std::size_t first = built_.size() > kLookedAt ? built_.size() - kLookedAt : 0;
  for (std::size_t i = built_.size(); i-- > first;) {
    const Built& built = built_[i];
    if (built.source != source.source || built.function != &function || built.type != source.type) continue;
    graft(arena_, node, *built.node);
    return true;
  }
  return false;
}

bool Run::emit_call(const ir::Expr& expr, Dest& dest) {
  const ir::Function& function = unit_->functions[expr.a];
  const Frame inner = enter(function, {expr.b, expr.c});
  const Frame outer = frame_;
  frame_ = inner;
  const bool wrote = halt_ == Halt::none && emit(function.expr, dest);
  frame_ = outer;
  return wrote;
}

bool Run::emit_each(const ir::Expr& expr, Dest& dest) {
  const Value list = eval(expr.a);
  if (list.is_absent()) return false;
  const std::span<const Value> items = list.kind == ValueKind::list ? list.list() : std::span(&list, 1);
  bool wrote = false;
  for (const Value& item : items) {
    frame_.locals[expr.c] = item;
    wrote |= emit(expr.b, dest);
    if (halt_ != Halt::none) return false;
  }
  return wrote;
}

bool Run::emit_variant(const ir::Expr& expr, Dest& dest) {
  if (dest.choice == nullptr) return emit(expr.a, dest);
  const ir::ChoiceVariant& variant = unit_->choice_variants[dest.choice->variants.first + expr.b];
  Dest inner = dest;
  inner.choice = nullptr;
  inner.member = &unit_->members[unit_->shapes[dest.parent->shape].members.first + variant.slot];
  inner.node = &slot(arena_, *dest.parent, variant.slot);
  remember(inner.node);
  return emit(expr.a, inner);
}

}  // namespace kiln::mappings::detail
