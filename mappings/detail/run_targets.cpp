// Writing into the output tree: paths, modes, objects, choices, null (hmap.md §6, §10).

#include "mappings/detail/conversions.h"
#include "mappings/detail/run_text.h"

namespace kiln::mappings::detail {
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
      if (write.constant)
        made.needs_live = false;  // it says something by itself, as a data-absent-reason does
      dest.member = &unit_->members[unit_->shapes[last.shape].members.first + last.value_slot];
      dest.node = &slot(arena_, made, last.value_slot);
      break;
    }
    case ir::StepKind::choice:
      if (object.kept) own_members(arena_, object);  // is_set() and clear_place() look at its members
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
  const Built built{&function, source.source, source.type, &node};
  ObjectCall call;
  if (fresh && facts_->object_fns[expr.a] != 0) {
    if (const KeptObject* const known = begin_object(expr.a, 0, {&source, 1}, call)) {
      use_object(*known, call, node);
      if (keep_built_) built_.push_back(built);
      return true;
    }
  }
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
  if (keep_built_ && fresh && wrote && noted == noted_ && halt_ == Halt::none) built_.push_back(built);
  end_object(call, wrote ? &node : nullptr, 0);
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
  if (Called called; recall(expr, called)) return emit_value(called.value(), dest);
  const Frame inner = enter(unit_->functions[expr.a], {expr.b, expr.c});
  if (CallKey key; facts_->text_fns[expr.a] != 0 && halt_ == Halt::none &&
                   call_key(expr.a, arguments_of(expr.a, inner), key)) {
    const Value value = call_texts(expr.a, inner, key).value();
    return halt_ == Halt::none && emit_value(value, dest);
  }
  if (facts_->object_fns[expr.a] != 0 && halt_ == Halt::none && takes_object(dest))
    return emit_made(expr, inner, dest);
  return emit_entered(expr, inner, dest);
}

/// A call whose arguments are in `inner`.
bool Run::emit_entered(const ir::Expr& expr, Frame inner, Dest& dest) {
  const ir::Function& function = unit_->functions[expr.a];
  Parts parts;
  if (facts_->splits[expr.a] != 0) {
    const Value& first = inner.locals[0];
    if (split_value(first, parts)) {
      inner.parts = &parts;
      inner.valued = parts.valued;
    } else if (first.is_absent()) {
      inner.valued = 0;
    }
  }
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
