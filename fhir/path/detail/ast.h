#pragma once
// A compiled FHIRPath expression. Private to fhir/path.

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fhir/path/item.h"

namespace re2 {
class RE2;
}

namespace kiln::fhir::detail {

struct PathFunction;

enum class PathOp : std::uint8_t {
  nothing,  ///< {}
  literal,
  failure,   ///< a literal that can only fail when it is evaluated; `text` says why
  self,      ///< $this
  index,     ///< $index
  total,     ///< $total
  variable,  ///< %text
  head,      ///< a name without anything before it: a type name of $this, or an element of it
  member,    ///< left.text
  call,      ///< left.text(args), or text(args) of $this
  indexer,   ///< left[right]
  negate,
  plus_sign,
  multiply,
  divide,
  div,
  mod,
  add,
  subtract,
  concatenate,
  is,
  as,
  unite,  ///< |
  less,
  less_equal,
  greater,
  greater_equal,
  equal,
  not_equal,
  equivalent,
  not_equivalent,
  in,
  contains,
  and_,
  or_,
  xor_,
  implies,
};

/// A type specifier; resolved at compile time.
struct PathType {
  std::string_view space, name;   ///< as written; `space` may be empty
  const TypeDef* fhir = nullptr;  ///< the FHIR type it can mean
  bool system = false;            ///< it can mean a System type
  bool known() const { return fhir || system; }
};

struct PathExpr {
  PathOp op = PathOp::nothing;
  bool descending = false;  ///< an argument of sort() with "-" before it
  std::uint16_t height = 0;
  std::uint32_t offset = 0;
  NameId name = kNoName;  ///< head and member: the element, when it is one of R4's
  std::string_view text;
  PathExpr* left = nullptr;
  PathExpr* right = nullptr;
  std::vector<PathExpr*> args;
  const PathFunction* function = nullptr;
  const TypeDef* type_def = nullptr;  ///< head: the type of that name
  PathType type;                      ///< is, as, and the functions of these names
  PathItem literal;
  std::shared_ptr<const re2::RE2> regex;  ///< of matches() and its like with a literal pattern
};

struct PathProgram {
  std::string text;
  const PathExpr* root = nullptr;
  bool as_filters = false;
  // Stable storage of what the expressions point at.
  std::deque<PathExpr> exprs;
  std::deque<std::string> texts;
  std::deque<base::PartialDate> dates;
  std::deque<PathQuantity> quantities;
};

/// Resolves a type specifier: FHIR types by name, System types by name, "FHIR.x" and "System.x".
PathType resolve_type(std::string_view space, std::string_view name);

}  // namespace kiln::fhir::detail
