// How often a field repeats.

#include "hl7/validation/check.h"

namespace kiln::hl7::detail {

void check_repetitions(Check& check, const Element& element, const FieldView& field, std::uint32_t count,
                       Location at) {
  if (!check.on(RuleKind::cardinality)) return;
  const bool many = count > element.repetition_max;
  const std::uint32_t limit = many ? element.repetition_max : element.repetition_min;
  at.repetition = many ? limit + 1 : 0;
  const std::uint32_t offset = many ? field.repetition(limit + 1).offset() : field.end_offset();
  check.add(RuleKind::cardinality, at, offset,
            std::to_string(count) + (count == 1 ? " repetition, at " : " repetitions, at ") +
                (many ? "most " : "least ") + std::to_string(limit),
            element.name);
}

}  // namespace kiln::hl7::detail
