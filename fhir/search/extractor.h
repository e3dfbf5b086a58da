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
  member,           ///< go to the member `key`
  first,            ///< go to the first item of the member `key`
  where_equals,     ///< keep when member `key` has the text `text`
  where_resolve,    ///< keep when the reference is of type `key` (decided from its text)
  where_extension,  ///< keep when there is an extension whose url is `text`
  extension,        ///< go to the extensions whose url is `text`
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
  resource,  ///< one that stands in this one (Bundle.entry.resource)
};

/// One branch of an expression: steps from the resource to leaves of one type.
struct Path {
  std::vector<Step> steps;
  LeafType leaf = LeafType::none;
  std::string system;          ///< of a code: the system its value set implies
  bool from_resource = false;  ///< of a component: "%resource.…", not from the composite's element
};

struct Extractor {
  ParameterKind kind = ParameterKind::token;
  std::vector<Path> paths;
  bool exists_and_not_false = false;  ///< "x.exists() and x != false": one token, true or false
};

/// A branch of a composite parameter: where its elements are, and the components inside each.
struct CompositePath {
  Path at;
  std::vector<Extractor> components;
};

struct CompositeExtractor {
  std::vector<CompositePath> paths;
};

/// Of a value of that type; `none` when the type has no rows.
LeafType leaf_of(std::string_view type);
/// Whether a parameter of that type takes such values.
bool fits(SearchType type, LeafType leaf);
ParameterKind kind_of(SearchType type);

/// Compiles the branches of a `|` expression that start at this type (or Resource, DomainResource). nullopt
/// when one of them is outside the subset. Without paths: no resource of this type can have a value.
std::optional<Extractor> compile_expression(std::string_view expression, std::string_view resource_type,
                                            SearchType type);

std::optional<CompositeExtractor> compile_composite(const SearchParameter& composite,
                                                    std::string_view resource_type);

struct Component {
  const SearchParameter* parameter;  ///< nullptr: the definitions do not have it
  std::string expression;
};
/// A component with two errors of R4 put right: "as(DateTime)" means the FHIR type dateTime, and the two
/// definitions of DocumentReference's `relationship` have changed places.
Component component_of(const SearchParameter& composite, std::size_t position);

}  // namespace kiln::fhir::detail
