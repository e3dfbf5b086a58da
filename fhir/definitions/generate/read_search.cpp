// SearchParameter, CompartmentDefinition and OperationDefinition -> model.

#include <algorithm>
#include <set>

#include "fhir/definitions/generate/detail/readers.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;
using base::JsonView;

std::vector<std::string> sorted_texts(JsonView array) {
  std::set<std::string> texts;
  for (const JsonView item : array) texts.emplace(item.text());
  return {texts.begin(), texts.end()};
}

bool is_example(JsonView definition) {
  return definition["id"].text().starts_with("example");
}

}  // namespace

base::Status read_search_parameter(DefinitionModel& model, base::JsonView definition) {
  SearchParameterModel parameter;
  parameter.url = definition["url"].text();
  parameter.code = definition["code"].text();
  parameter.expression = definition["expression"].text();
  parameter.is_example = is_example(definition);
  const std::string_view type = definition["type"].text();
  bool known = false;
  for (const SearchType candidate :
       {SearchType::number, SearchType::date, SearchType::string, SearchType::token, SearchType::reference,
        SearchType::composite, SearchType::quantity, SearchType::uri, SearchType::special}) {
    if (name_of(candidate) != type) continue;
    parameter.type = candidate;
    known = true;
  }
  if (!known)
    return base::fail(ErrorCode::bad_definition, "a search parameter has an unknown type", parameter.url);
  parameter.bases = sorted_texts(definition["base"]);
  parameter.targets = sorted_texts(definition["target"]);
  for (const JsonView component : definition["component"]) {
    parameter.components.emplace_back(without_version(component["definition"].text()),
                                      component["expression"].text());
  }
  model.search_parameters.try_emplace(parameter.url, std::move(parameter));
  return {};
}

base::Status read_compartment(DefinitionModel& model, base::JsonView definition) {
  if (is_example(definition)) return {};
  CompartmentModel compartment;
  compartment.code = definition["code"].text();
  for (const JsonView resource : definition["resource"]) {
    std::vector<std::string> parameters = sorted_texts(resource["param"]);
    if (!parameters.empty()) compartment.members.emplace(resource["code"].text(), std::move(parameters));
  }
  model.compartments.try_emplace(compartment.code, std::move(compartment));
  return {};
}

base::Status read_operation(DefinitionModel& model, base::JsonView definition) {
  if (is_example(definition)) return {};
  OperationModel operation;
  operation.url = definition["url"].text();
  operation.code = definition["code"].text();
  if (definition["system"].boolean()) operation.levels |= 1;
  if (definition["type"].boolean()) operation.levels |= 2;
  if (definition["instance"].boolean()) operation.levels |= 4;
  operation.affects_state = definition["affectsState"].boolean();
  operation.types = sorted_texts(definition["resource"]);
  model.operations.try_emplace(operation.url, std::move(operation));
  return {};
}

}  // namespace kiln::fhir::detail
