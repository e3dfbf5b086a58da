#pragma once
// Expressions that come down to one look at the message: a component, a field or a constant, perhaps
// translated by a table. They are recognised once, when facts are derived, so that a run need not walk the
// expression (hmap.md §17).

#include <cstdint>
#include <vector>

#include "mappings/detail/ir.h"

namespace kiln::mappings::detail {

/// Where the text of an expression comes from.
enum class TextFrom : std::uint8_t {
  nothing,   ///< no plan: the expression has to be evaluated
  constant,  ///< `index`: StringId
  part,      ///< component of parameter 0 of a datatype map, whose parts are known
  local,     ///< local `index`, or (part not 0) a component of it
  field,     ///< `index`: into v2_paths
  count      ///< not a text: the number of values of the path `index` in v2_paths
};

struct TextPlan {
  TextFrom from = TextFrom::nothing;
  bool exact = false;    ///< the value itself is this text; otherwise only its text is
  bool code = false;     ///< it has to be a FHIR code as it stands
  bool by_text = false;  ///< a match: no arm asks for the subject's type
  bool costly = false;   ///< a call of a function that is worth remembering (Run::call_builtin)
  bool joins = false;    ///< a call of join with a literal separator (Run::join)
  bool texts = false;    ///< a list of literal texts
  bool sent = false;     ///< the text is as it is in the message, wherever it is found
  bool direct = false;   ///< of a field, neither translated nor checked
  std::uint8_t part = 0, second = 0;
  ir::Index index = ir::kNone;
  ir::Index table = ir::kNone;        ///< a literal table that translates the text
  ir::StringId unmapped = ir::kNone;  ///< stands for a text that the table has not
  ir::StringId absent = ir::kNone;    ///< stands for no text
  ir::Index otherwise = ir::kNone;    ///< the expression to look at when there is nothing here
};

/// What a path asks for in its segment: the same for two paths that a look answers alike. `path` is not 0.
struct PathKey {
  std::uint32_t path = 0, hash = 0;
  ir::Index segment = ir::kNone;  ///< these as in V2Path
  std::uint8_t field = 0, component = 0, subcomponent = 0;
  bool index = false;  ///< RepKind::index
};
/// Parallel to Unit::v2_paths.
std::vector<PathKey> path_keys(const ir::Unit& unit);

/// Parallel to Unit::exprs.
std::vector<TextPlan> text_plans(const ir::Unit& unit);

}  // namespace kiln::mappings::detail
