// Required and forbidden elements.

#include "hl7/validation/check.h"

namespace kiln::hl7::detail {

bool check_presence(Check& check, const Element& element, const Piece& part, const Location& at,
                    std::uint32_t offset) {
  const bool absent = part.absent();
  Usage usage = element.usage;
  const bool conditional = element.condition != kNone16;
  if (conditional) usage = usage_by_condition(check, check.rules.condition(element.condition), at.segment);
  const RuleKind missing = conditional ? RuleKind::condition : RuleKind::required;
  if (absent) {
    if (usage == Usage::required)
      check.add(missing, at, offset,
                at.component == 0 ? "required field is missing" : "required component is missing",
                element.name);
    else if (element.repetition_min > 0 && !conditional && usage != Usage::not_supported)
      check.add(RuleKind::cardinality, at, offset, "fewer repetitions than demanded", element.name);
    return false;
  }
  if (part.is_null()) return false;
  if (usage == Usage::not_supported)
    check.add(conditional ? RuleKind::condition : RuleKind::usage, at, offset, "not to be valued",
              element.name);
  if (usage == Usage::withdrawn)
    check.add(RuleKind::usage, at, offset, "withdrawn in this version", element.name);
  return usage != Usage::not_supported;
}

}  // namespace kiln::hl7::detail
