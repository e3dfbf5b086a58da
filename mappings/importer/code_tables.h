#pragma once
// The code tables of the guide as an hmap file.

#include <span>
#include <string>
#include <string_view>

#include "mappings/importer/guide.h"

namespace kiln::mappings {

/// "AllergenType[AllergyIntoleranceCategory]" -> "AllergenType_AllergyIntoleranceCategory".
std::string table_name(std::string_view sheet);

/// The row becomes a rule: both codes are there, and no row before it has the same v2 code.
bool is_rule(const GuideSheet& sheet, const GuideCode& code);

/// The text of gen/tables.hmap, in canonical style. The same sheets give the same bytes; every row says which
/// row of the guide it is.
std::string code_tables(std::span<const GuideSheet> sheets);

}  // namespace kiln::mappings
