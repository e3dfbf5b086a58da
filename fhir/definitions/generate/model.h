#pragma once
// What the packages say, as plain values: the form between reading packages and printing tables. The loader
// of IG packages (fhir.md D7) builds the same model at run time.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "fhir/definitions/definitions.h"

namespace kiln::fhir {

struct InvariantModel {
  std::string key, expression;
  bool is_error = true;
  auto operator<=>(const InvariantModel&) const = default;
};

struct ElementTypeModel {
  std::string type;
  std::vector<std::string> targets;  ///< resource types; empty = any
};

struct ElementModel {
  std::string name;           ///< base name
  unsigned min = 0, max = 1;  ///< max 0 = *
  std::uint8_t flags = 0;     ///< detail::ElementFlag
  std::vector<ElementTypeModel> types;
  std::string backbone;  ///< path of the inline content, content reference already followed
  BindingStrength strength = BindingStrength::none;
  std::string value_set;  ///< url without version
  std::vector<InvariantModel> invariants;
};

struct TypeModel {
  std::string name, base;
  TypeKind kind = TypeKind::complex;
  bool is_abstract = false;
  std::vector<ElementModel> elements;
  std::vector<InvariantModel> invariants;
};

struct ConceptModel {
  std::string code, display;
  std::size_t parent = npos;  ///< position in the code system's concepts
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);
};

struct CodeSystemModel {
  bool is_complete = false;
  std::vector<ConceptModel> concepts;  ///< parents before children
};

/// One include or exclude of a ValueSet.
struct IncludeModel {
  struct Filter {
    std::string property, op, value;
  };
  std::string system;
  std::vector<std::pair<std::string, std::string>> concepts;  ///< code, display
  std::vector<Filter> filters;
  std::vector<std::string> value_sets;  ///< urls without version
};

struct ValueSetModel {
  std::vector<IncludeModel> includes, excludes;
};

struct SearchParameterModel {
  std::string url, code, expression;
  SearchType type = SearchType::string;
  std::vector<std::string> bases, targets;
  std::vector<std::pair<std::string, std::string>> components;  ///< url of the parameter, expression
  bool is_example = false;  ///< published to show the form: known by url, never found by base and code
};

struct CompartmentModel {
  std::string code;
  std::map<std::string, std::vector<std::string>> members;  ///< resource type -> search parameter codes
};

struct OperationModel {
  std::string url, code;
  std::uint8_t levels = 0;  ///< 1 system, 2 type, 4 instance
  bool affects_state = false;
  std::vector<std::string> types;
};

/// Everything that was read. Maps are keyed by name or url, so that the order of the packages' files does not
/// matter.
struct DefinitionModel {
  std::map<std::string, TypeModel> types;
  std::map<std::string, CodeSystemModel> code_systems;
  std::map<std::string, ValueSetModel> value_sets;
  std::map<std::string, SearchParameterModel> search_parameters;
  std::map<std::string, CompartmentModel> compartments;
  std::map<std::string, OperationModel> operations;
  /// Terminology and profiles kept as resources: (type, url) -> compact JSON without prose.
  std::map<std::pair<std::string, std::string>, std::string> resources;
  DefinitionCounts counts{};
};

/// The codes of one value set, or the rule that stands for them.
struct ExpansionModel {
  ValueSetRule rule = ValueSetRule::unknown;
  std::map<std::pair<std::string, std::string>, std::string> codes;  ///< (code, system) -> display
  std::string rule_system;  ///< of a rule: the system its codes belong to
};

}  // namespace kiln::fhir
