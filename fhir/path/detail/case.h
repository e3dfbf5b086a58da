#pragma once
// Upper and lower case of the alphabets that have it in pairs. Private to fhir/path.

#include <string>
#include <string_view>

namespace kiln::fhir::detail {

/// Latin, Greek and Cyrillic letters; others stay as they are. One character becomes one.
std::string lower_text(std::string_view text);
std::string upper_text(std::string_view text);
/// For equivalence (N1 §6.1.2): lower case, every run of white space one blank, none at the ends.
std::string folded_text(std::string_view text);

}  // namespace kiln::fhir::detail
