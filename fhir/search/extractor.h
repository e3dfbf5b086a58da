#pragma once
// Search expressions of the small path subset (fhir.md D6), compiled against the definitions. Private to
// fhir/search.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fhir/search/parameters.h"

namespace kiln::fhir::detail {

enum class StepKind : std::uint8_t {
  member,         ///< go to the member `key`
  where_equals,   ///< keep when member `key` has the text `text`
  where_resolve,  ///< keep when the reference is of type `key` (decided from its text)
  extension,      ///< go to the extensions whose url is `text`
};

struct Step {
  StepKind kind = StepKind::member;
  std::string key, text;
};

/// How a leaf is turned into rows.
enum class LeafType : std::uint8_t {
  none,
  boolean,
  text,
  code,
  uri,
  canonical,
  date,
  number,
  coding,
  codeable_concept,
  identifier,
  contact_point,
  human_name,
  address,
  period,
  timing,
  reference,
  quantity,
  money,
  range,
};

/// One branch of an expression: steps from the resource to leaves of one type.
struct Path {
  std::vector<Step> steps;
  LeafType leaf = LeafType::none;
  std::string system;  ///< of a code: the system its value set implies
};

struct Extractor {
  ParameterKind kind = ParameterKind::token;
  std::vector<Path> paths;
  bool exists_and_not_false = false;  ///< "x.exists() and x != false": one token, true or false
};

/// Of a value of that type; `none` when the type has no rows.
LeafType leaf_of(std::string_view type);
/// Whether a parameter of that type takes such values.
bool fits(SearchType type, LeafType leaf);
ParameterKind kind_of(SearchType type);

/// Compiles the branches of a `|` expression that start at this type (or Resource, DomainResource). nullopt
/// when one of them is outside the subset, or none is left.
std::optional<Extractor> compile_expression(std::string_view expression, std::string_view resource_type,
                                            SearchType type);

}  // namespace kiln::fhir::detail
