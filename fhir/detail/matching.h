#pragma once
// How well two patients' data fit (for $match). A sum of stated weights, no statistics.

#include <string_view>

#include "engine/base/json.h"

namespace kiln::fhir::detail {

/// In hundredths, from 0 to 100: an identifier of the same system and value 50; birth date 20 (year and month
/// 10), else -20; family name 15; a given name 10; gender 5, else -10. What either side does not say counts
/// nothing. Names are compared without case, accents and punctuation.
int match_score(base::JsonView asked, base::JsonView candidate);

/// match-grade of R4: 90 and more certain, 60 probable, 30 possible, else certainly-not.
std::string_view match_grade(int score);

}  // namespace kiln::fhir::detail
