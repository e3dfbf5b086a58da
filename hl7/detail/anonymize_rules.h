#pragma once
// What becomes of a value, by the datatype of its place (hl7/anonymize.h).

#include <cstdint>
#include <string>
#include <string_view>

#include "hl7/anonymize.h"

namespace kiln::hl7::detail {

enum class Action : std::uint8_t {
  keep,
  name,
  organisation,
  identifier,
  check_digit,
  location,
  digits,  ///< telephone, postal code, e-mail
  address,
  date,
  document,
  text,
};

/// Where a leaf lies, as far as the dictionary knows it.
struct Place {
  std::string field;  ///< "PID-3"
  std::string outer;  ///< composite type of the field; empty for a primitive or unknown one
  std::uint32_t component = 1;
  std::string parent;          ///< innermost composite type around the leaf, or empty
  std::uint32_t position = 1;  ///< in `parent`
  std::string type;            ///< primitive type of the leaf; empty when not known
};

/// `system` is the coding system beside a code or its name.
Action action_for(const Place& place, std::string_view text, std::string_view system);
AnonymizeRule rule_of(Action action, const Place& place);
bool is_coded(std::string_view type);   ///< CE, CWE, CNE, CF
bool is_birth(std::string_view field);  ///< a date of birth

}  // namespace kiln::hl7::detail
