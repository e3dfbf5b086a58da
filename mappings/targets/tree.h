#pragma once
// The tree that a map writes into, whatever the target: FHIR elements, HL7 segments, CSV rows (hmap.md §6,
// §17). An object is an array of slots, one for each member of its ir::Shape, in output order; printing is
// one walk. Nodes live in the Arena of the run.

#include <bit>
#include <cstdint>
#include <string_view>

#include "mappings/arena.h"
#include "mappings/detail/ir.h"
#include "mappings/value.h"

namespace kiln::mappings {

struct CreatedNode;

enum class NodeKind : std::uint8_t {
  empty,  ///< made on the way to something that was not written
  object,
  list,
  text,           ///< JSON string, HL7 leaf, CSV cell
  token,          ///< JSON number or boolean, printed as it is
  null_,          ///< "" in HL7; in FHIR nothing
  absent_reason,  ///< FHIR: data-absent-reason `unknown` instead of a value
  reference,      ///< symbolic; resolved when all resources are known
  json,           ///< a copied element of the FHIR input
  encoded         ///< HL7: a field with its component separators, escaped already
};

struct OutputNode {
  OutputNode* parent = nullptr;
  OutputNode* next = nullptr;  ///< next item of the list
  union {
    OutputNode** slots;  ///< object: `size` of them, nullptr where nothing was written
    OutputNode* first;   ///< list: first item
    const char* text_data;
    const CreatedNode* target;
    const base::JsonView* json;
  };
  union {
    OutputNode* last = nullptr;  ///< list: last item
    std::uint64_t made;          ///< object: bit n = slot n holds a node, for the first 64; see next_slot()
  };
  std::uint32_t size = 0;  ///< slots of an object, items of a list, bytes of a text
  ir::Index shape = 0;     ///< object
  std::uint32_t rule = 0;  ///< the rule that wrote the value
  NodeKind kind = NodeKind::empty;
  bool needs_live = false;    ///< some rule below is not constant: without a live value nothing is printed
  bool live = false;          ///< a rule that is not constant wrote here or below
  bool pending = false;       ///< holds a reference that is not settled yet
  bool quoted = false;        ///< text: stands between quotes, ready to print (see facts.h)
  bool kept = false;          ///< object: its members belong to a memory (kept_object.h) until own_members()
  ir::TypeId type = 0;        ///< of the value it was made from
  std::uint8_t argument = 0;  ///< of a node in such a memory: what `source` is told from
  SourceRef source = 0;

  OutputNode() : slots(nullptr) {}
  std::string_view text() const { return {text_data, size}; }
  bool is_scalar() const { return kind >= NodeKind::text; }
};

static_assert(sizeof(OutputNode) == 64);

/// Makes `node` an (empty) object of the shape with `members` slots; does nothing when it is one already.
inline void make_object(Arena& arena, OutputNode& node, ir::Index shape, std::uint32_t members) {
  if (node.kind == NodeKind::object) return;
  node.kind = NodeKind::object;
  node.shape = shape;
  node.size = members;
  node.made = 0;
  // Cleared two at a time.
  const std::uint32_t room = (members + 1) & ~std::uint32_t{1};
  node.slots = static_cast<OutputNode**>(arena.allocate(sizeof(OutputNode*) * room, alignof(OutputNode*)));
  for (std::uint32_t i = 0; i < room; i += 2) std::memset(node.slots + i, 0, 2 * sizeof(OutputNode*));
}

[[gnu::always_inline]] inline OutputNode& new_node(Arena& arena, OutputNode* parent) {
  OutputNode& node = *new (arena.allocate(sizeof(OutputNode), alignof(OutputNode))) OutputNode;
  node.parent = parent;
  return node;
}

/// Gives an object that is `kept` members that may be changed.
[[gnu::cold]] void own_members(Arena& arena, OutputNode& object);

/// The node in a slot, made when missing.
[[gnu::always_inline]] inline OutputNode& slot(Arena& arena, OutputNode& object, std::uint32_t index) {
  if (object.kept) [[unlikely]] {
    own_members(arena, object);
  }
  OutputNode*& at = object.slots[index];
  if (at == nullptr) at = &new_node(arena, &object);
  if (index < 64)
    object.made |= std::uint64_t{1} << index;  // also again: an undo may have taken the bit back
  return *at;
}

/// The first slot from `index` on that holds a node; object.size when there is none.
inline std::uint32_t next_slot(const OutputNode& object, std::uint32_t index) {
  if (index < 64) {
    const std::uint64_t left = object.made >> index;
    if (left != 0) return index + static_cast<std::uint32_t>(std::countr_zero(left));
    index = 64;
  }
  while (index < object.size && object.slots[index] == nullptr) ++index;
  return index < object.size ? index : object.size;
}

/// visit(index) for each slot that holds a node.
template <class Visit>
inline void for_each_slot(const OutputNode& object, const Visit& visit) {
  for (std::uint64_t left = object.made; left != 0; left &= left - 1)
    visit(static_cast<std::uint32_t>(std::countr_zero(left)));
  for (std::uint32_t i = 64; i < object.size; ++i) {
    if (object.slots[i] != nullptr) visit(i);
  }
}

/// A new last item; makes `list` a list.
[[gnu::always_inline]] inline OutputNode& append_item(Arena& arena, OutputNode& list) {
  OutputNode& node = new_node(arena, &list);
  if (list.kind != NodeKind::list) {
    list.kind = NodeKind::list;
    list.first = nullptr;
    list.last = nullptr;
    list.size = 0;
  }
  (list.last == nullptr ? list.first : list.last->next) = &node;
  list.last = &node;
  ++list.size;
  return node;
}

/// Takes back the item that was appended last; `before` is the one before it.
inline void drop_last(OutputNode& list, OutputNode* before) {
  list.last = before;
  (before == nullptr ? list.first : before->next) = nullptr;
  --list.size;
}

/// Item `index` from 1, made (with those before it) when missing.
OutputNode& item(Arena& arena, OutputNode& list, std::uint32_t index);

/// A reference below may turn out to be live when all resources are known: until then nothing here counts as
/// vacant.
inline void mark_pending(OutputNode* node) {
  for (; node && !node->pending; node = node->parent) node->pending = true;
}
inline void mark_live(OutputNode* node) {
  for (; node && !node->live; node = node->parent) node->live = true;
}
inline void set_text(OutputNode& node, NodeKind kind, std::string_view text) {
  node.kind = kind;
  node.quoted = false;
  node.text_data = text.data();
  node.size = static_cast<std::uint32_t>(text.size());
}
/// Empties the node; its place in the parent stays.
void clear(OutputNode& node);

/// Makes `to`, which is empty, the object that `from` is: its members move, `from` is not to be used any
/// more.
void adopt(OutputNode& to, const OutputNode& from);
/// Deep copy of content, liveness and lineage into `to`.
void graft(Arena& arena, OutputNode& to, const OutputNode& from);
bool holds_nothing(const OutputNode& node);
/// Nothing would be printed for it.
inline bool is_vacant(const OutputNode& node) {
  if (node.needs_live && !node.live && !node.pending) return true;
  if (node.kind == NodeKind::object && node.made != 0) {  // nearly always: its first member is a scalar
    const OutputNode& first = *node.slots[std::countr_zero(node.made)];
    if (first.is_scalar() && !first.needs_live) return false;
  }
  return holds_nothing(node);
}
/// Something would be printed for that member.
inline bool is_written(const OutputNode& object, std::uint32_t index) {
  const OutputNode* const node = object.slots[index];
  return node != nullptr && !is_vacant(*node);
}
/// Same printed content. Both of the same shape.
bool equal_content(const OutputNode& a, const OutputNode& b);

}  // namespace kiln::mappings
