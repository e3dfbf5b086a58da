#include "mappings/targets/tree.h"

#include "mappings/targets/kept_object.h"

namespace kiln::mappings {

OutputNode& item(Arena& arena, OutputNode& list, std::uint32_t index) {
  while (list.kind != NodeKind::list || list.size < index) append_item(arena, list);
  OutputNode* at = list.first;
  for (std::uint32_t i = 1; i < index; ++i) at = at->next;
  return *at;
}

void clear(OutputNode& node) {
  node.kind = NodeKind::empty;
  node.slots = nullptr;
  node.last = nullptr;
  node.size = 0;
  node.shape = 0;
  node.live = false;
  node.pending = false;
  node.needs_live = false;
  node.quoted = false;
  node.kept = false;
  node.source = 0;
}

void adopt(OutputNode& to, const OutputNode& from) {
  to.kind = from.kind;
  to.slots = from.slots;
  to.made = from.made;
  to.size = from.size;
  to.shape = from.shape;
  to.needs_live = from.needs_live;
  to.type = from.type;
  to.rule = from.rule;
  to.source = from.source;
  to.kept = from.kept;
  for (std::uint32_t i = next_slot(from, 0); i < from.size && !from.kept; i = next_slot(from, i + 1))
    to.slots[i]->parent = &to;
  if (from.live) mark_live(&to);
  if (from.pending) mark_pending(&to);
}

namespace {

/// `kept`: the use of the kept object that `from` is a part of.
void graft_part(Arena& arena, OutputNode& to, const OutputNode& from, const KeptUse* kept) {
  if (from.kept && to.kind == NodeKind::empty) {
    const KeptUse& use = KeptUse::of(from);
    return use_kept(arena, to, *use.object, use.bases);
  }
  to.needs_live = to.needs_live || from.needs_live;
  to.type = from.type;
  to.rule = from.rule;
  to.source = kept == nullptr ? from.source : kept->source_of(from);
  switch (from.kind) {
    case NodeKind::object:
      make_object(arena, to, from.shape, from.size);
      for (std::uint32_t i = next_slot(from, 0); i < from.size && i < to.size; i = next_slot(from, i + 1)) {
        graft_part(arena, slot(arena, to, i), *from.slots[i], from.kept ? &KeptUse::of(from) : kept);
      }
      break;
    case NodeKind::list:
      for (const OutputNode* child = from.first; child; child = child->next) {
        graft_part(arena, append_item(arena, to), *child, kept);
      }
      break;
    default:
      to.kind = from.kind;
      to.quoted = from.quoted;
      to.text_data = from.text_data;
      to.size = from.size;
      break;
  }
  if (from.live) mark_live(&to);
  if (from.pending) mark_pending(&to);
}

}  // namespace

void graft(Arena& arena, OutputNode& to, const OutputNode& from) {
  graft_part(arena, to, from, nullptr);
}

void own_members(Arena& arena, OutputNode& object) {
  const KeptUse& use = KeptUse::of(object);  // in front of the slots, which stay where they are
  object.kept = false;
  for_each_slot(object, [&](std::uint32_t i) {
    OutputNode& own = new_node(arena, &object);
    graft_part(arena, own, *object.slots[i], &use);
    object.slots[i] = &own;
  });
}

void use_kept(Arena& arena, OutputNode& node, const KeptObject& object, std::span<const SourceRef> bases) {
  const OutputNode& from = *object.node;
  auto& use =
      *new (arena.allocate(sizeof(KeptUse) + sizeof(OutputNode*) * from.size, alignof(KeptUse))) KeptUse;
  use.object = &object;
  for (std::size_t i = 0; i < bases.size(); ++i) use.bases[i] = bases[i];
  node.slots = reinterpret_cast<OutputNode**>(&use + 1);
  for (std::uint32_t i = 0; i < from.size; ++i) node.slots[i] = from.slots[i];
  node.kind = NodeKind::object;
  node.shape = from.shape;
  node.size = from.size;
  node.made = from.made;
  node.rule = from.rule;
  node.type = from.type;
  node.source = use.source_of(from);
  node.kept = true;
  node.needs_live = node.needs_live || from.needs_live;
  if (from.live) mark_live(&node);
}

/// is_vacant() of what is live, or need not be.
bool holds_nothing(const OutputNode& node) {
  switch (node.kind) {
    case NodeKind::empty:
      return true;
    case NodeKind::object:
      for (std::uint32_t i = next_slot(node, 0); i < node.size; i = next_slot(node, i + 1)) {
        if (!is_vacant(*node.slots[i])) return false;
      }
      return true;
    case NodeKind::list:
      for (const OutputNode* child = node.first; child; child = child->next) {
        if (!is_vacant(*child)) return false;
      }
      return true;
    default:
      return false;
  }
}

namespace {

bool equal_members(const OutputNode& a, const OutputNode& b) {
  const std::uint32_t size = a.size < b.size ? b.size : a.size;
  for (std::uint32_t i = 0; i < size; ++i) {
    const OutputNode* x = i < a.size ? a.slots[i] : nullptr;
    const OutputNode* y = i < b.size ? b.slots[i] : nullptr;
    const bool no_x = !x || is_vacant(*x), no_y = !y || is_vacant(*y);
    if (no_x != no_y || (!no_x && !equal_content(*x, *y))) return false;
  }
  return true;
}

bool equal_items(const OutputNode& a, const OutputNode& b) {
  const OutputNode* x = a.first;
  const OutputNode* y = b.first;
  for (;; x = x->next, y = y->next) {
    while (x && is_vacant(*x)) x = x->next;
    while (y && is_vacant(*y)) y = y->next;
    if (!x || !y) return x == y;
    if (!equal_content(*x, *y)) return false;
  }
}

}  // namespace

bool equal_content(const OutputNode& a, const OutputNode& b) {
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case NodeKind::text:
    case NodeKind::token:
    case NodeKind::encoded:
      return a.text() == b.text();
    case NodeKind::reference:
      return a.target == b.target;
    case NodeKind::json:
      return a.json->same_node(*b.json);
    case NodeKind::object:
      return equal_members(a, b);
    case NodeKind::list:
      return equal_items(a, b);
    default:
      return true;
  }
}

}  // namespace kiln::mappings
