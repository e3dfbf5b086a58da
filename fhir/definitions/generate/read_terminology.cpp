// CodeSystem and ValueSet -> model, without definitions and other prose.

#include "fhir/definitions/generate/detail/readers.h"

namespace kiln::fhir::detail {
namespace {

using base::JsonView;

void read_concepts(CodeSystemModel& system, JsonView concepts, std::size_t parent) {
  for (const JsonView concept_ : concepts) {
    const std::size_t self = system.concepts.size();
    system.concepts.push_back(
        {std::string(concept_["code"].text()), std::string(concept_["display"].text()), parent});
    read_concepts(system, concept_["concept"], self);
  }
}

/// Some code systems are flat and tell the hierarchy by a property of each concept.
void read_parents_by_property(CodeSystemModel& system, JsonView concepts) {
  std::map<std::string_view, std::size_t> position;
  for (std::size_t i = 0; i < system.concepts.size(); ++i) position.emplace(system.concepts[i].code, i);
  for (const JsonView concept_ : concepts) {
    const auto self = position.find(concept_["code"].text());
    for (const JsonView property : concept_["property"]) {
      const std::string_view name = property["code"].text();
      if ((name != "subsumedBy" && name != "parent") || self == position.end()) continue;
      const auto parent = position.find(property["valueCode"].text());
      auto& concept_model = system.concepts[self->second];
      if (parent != position.end() && concept_model.parent == ConceptModel::npos && parent != self) {
        concept_model.parent = parent->second;
      }
    }
  }
}

std::vector<IncludeModel> read_includes(JsonView includes) {
  std::vector<IncludeModel> list;
  for (const JsonView source : includes) {
    IncludeModel include;
    include.system = source["system"].text();
    for (const JsonView concept_ : source["concept"]) {
      include.concepts.emplace_back(concept_["code"].text(), concept_["display"].text());
    }
    for (const JsonView filter : source["filter"]) {
      include.filters.push_back({std::string(filter["property"].text()), std::string(filter["op"].text()),
                                 std::string(filter["value"].text())});
    }
    for (const JsonView value_set : source["valueSet"]) {
      include.value_sets.push_back(without_version(value_set.text()));
    }
    list.push_back(std::move(include));
  }
  return list;
}

}  // namespace

base::Status read_code_system(DefinitionModel& model, base::JsonView definition) {
  const auto [entry, is_new] = model.code_systems.try_emplace(std::string(definition["url"].text()));
  if (!is_new) return {};
  entry->second.is_complete = definition["content"].text() == "complete";
  read_concepts(entry->second, definition["concept"], ConceptModel::npos);
  read_parents_by_property(entry->second, definition["concept"]);
  return {};
}

base::Status read_value_set(DefinitionModel& model, base::JsonView definition) {
  const auto [entry, is_new] = model.value_sets.try_emplace(std::string(definition["url"].text()));
  if (!is_new) return {};
  entry->second.includes = read_includes(definition["compose"]["include"]);
  entry->second.excludes = read_includes(definition["compose"]["exclude"]);
  return {};
}

}  // namespace kiln::fhir::detail
