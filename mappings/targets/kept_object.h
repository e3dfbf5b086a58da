#pragma once
// Objects that were made before of the same texts (detail/object_memory.h): their members and how they print
// are known.

#include <array>
#include <cstdint>
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

/// Makes `node`, which is empty, the object.
void use_kept(Arena& arena, OutputNode& node, const KeptObject& object, std::span<const SourceRef> bases);

}  // namespace kiln::mappings
