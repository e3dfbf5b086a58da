#pragma once
// Objects that were made before of the same texts (detail/object_memory.h): their members and how they print
// are known.

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "mappings/targets/output_buffer.h"
#include "mappings/targets/tree.h"

namespace kiln::mappings {

/// Lineage of one value of a kept object. `source` and `argument` are as in a kept node.
struct KeptRecord {
  std::uint32_t rule = 0;
  std::uint32_t output = 0;  ///< from the begin of the printed object
  SourceRef source = 0;
  std::uint8_t argument = 0;
};

/// Slots that an object of `members` members has in a memory: they are copied two at a time.
inline std::uint32_t kept_slots(std::uint32_t members) {
  return (members + 1) & ~std::uint32_t{1};
}

/// Immutable, like all it refers to; lives until its memory is cleared, which never happens within a run.
struct KeptObject {
  static constexpr std::size_t kArgumentsMax = 4;

  /// Its parts have a `source` relative to that of an `argument` of the call.
  const OutputNode* node = nullptr;
  PaddedText printed;
  std::span<const KeptRecord> records;
  std::array<std::uint64_t, kArgumentsMax> read{};  ///< as CallMemory::Call::read
  std::uint64_t steps = 0;                          ///< what making it cost
  std::uint16_t type = 0;                           ///< of the object as a Value
};

/// In the arena of a run, in front of the slots of an object that is `kept`.
struct KeptUse {
  const KeptObject* object = nullptr;
  /// What is added to a `source`: bases[0] is 0, bases[n] belongs to argument n.
  std::array<SourceRef, 1 + KeptObject::kArgumentsMax> bases{};

  static const KeptUse& of(const OutputNode& object) {
    return reinterpret_cast<const KeptUse*>(object.slots)[-1];
  }
  template <class Part>  // OutputNode, KeptRecord
  SourceRef source_of(const Part& part) const {
    return bases[part.argument] + part.source;
  }
};

/// Makes `node`, which is empty, the object. set_base(bases) says where its arguments are.
template <class SetBases>
void use_kept(Arena& arena, OutputNode& node, const KeptObject& object, const SetBases& set_bases) {
  const OutputNode& from = *object.node;
  const std::uint32_t room = kept_slots(from.size);
  auto& use = *new (arena.allocate(sizeof(KeptUse) + sizeof(OutputNode*) * room, alignof(KeptUse))) KeptUse;
  use.object = &object;
  set_bases(use.bases);
  node.slots = reinterpret_cast<OutputNode**>(&use + 1);
  for (std::uint32_t i = 0; i < room; i += 2)
    std::memcpy(node.slots + i, from.slots + i, 2 * sizeof(OutputNode*));
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

}  // namespace kiln::mappings
