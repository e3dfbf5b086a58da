#pragma once
// What differs between two messages: segments are aligned first, then fields, repetitions and their parts.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hl7/message.h"
#include "hl7/path.h"

namespace kiln::hl7 {

/// One value that is different. A place is missing on the side that has no value there.
struct ValueDifference {
  std::optional<Location> before, after;
  bool before_null = false, after_null = false;  ///< the explicit null `""`
  std::string before_text, after_text;           ///< decoded
};

/// Segments that belong together, or one that only one side has.
struct SegmentDifference {
  std::optional<std::uint32_t> before, after;  ///< positions in the messages
  std::vector<ValueDifference> values;         ///< empty when only one side has the segment
};

struct MessageDifference {
  std::vector<SegmentDifference> segments;  ///< those that differ, in message order
  bool equal_values() const { return segments.empty(); }
};

struct DiffOptions {
  std::vector<Path> ignore;  ///< values at these fields, components or subcomponents; indexes do not matter
};

/// Compares decoded values: other delimiters, line ends, escapes of the same text and trailing delimiters are
/// no difference, absent and null are. Inserted and removed segments and repetitions do not make what follows
/// them differ. Time and memory grow with the product of the numbers of segments between the first and the
/// last difference, up to kDiffCellsMax; beyond, segments are matched in order of occurrence.
MessageDifference diff(const Message& before, const Message& after, const DiffOptions& options = {});

}  // namespace kiln::hl7
