// Whether a path of an `expect` that finds nothing could find something: a wrong name is not an absent value.

#include <algorithm>

#include "engine/base/text.h"
#include "fhir/definitions/definitions.h"
#include "mappings/csv.h"
#include "mappings/detail/ir.h"
#include "mappings/detail/test_expect.h"

namespace kiln::mappings::detail {
namespace {

std::string suggestion(std::string_view wrong, const std::vector<std::string_view>& names) {
  const std::string_view near = base::nearest(wrong, names);
  return near.empty() ? std::string() : "; did you mean `" + std::string(near) + "`?";
}

/// What an element holds; null when several types are possible or the content is any resource.
const fhir::TypeDef* content_of(const fhir::ElementDef& element) {
  if (element.is_choice()) return nullptr;
  if (element.backbone() != nullptr) return element.backbone();
  const fhir::TypeDef* type = element.types().empty() ? nullptr : &element.types().front().type();
  return type == nullptr || type->is_abstract() || type->name() == "Resource" ? nullptr : type;
}

std::string wrong_element(const fhir::TypeDef* type, const std::vector<ReadStep>& steps) {
  for (const ReadStep& step : steps) {
    if (step.kind == ReadStep::Kind::extension) return {};
    if (step.kind != ReadStep::Kind::member) continue;
    if (type == nullptr || step.name == "resourceType") return {};
    const fhir::ElementDef* element = type->element(step.name);
    if (element != nullptr) {
      type = content_of(*element);
      continue;
    }
    const fhir::JsonMember member = type->element_by_json_name(step.name);
    if (!member) {
      std::vector<std::string_view> names;
      for (const fhir::ElementDef& other : type->elements()) names.push_back(other.name());
      return std::string(type->name()) + " has no element `" + std::string(step.name) + "`" +
             suggestion(step.name, names);
    }
    type = member.content();
  }
  return {};
}

}  // namespace

std::string ExpectEvaluator::wrong_name(const TestPath& path) const {
  const RunResult* result = results_.map;
  if (result == nullptr || results_.unit == nullptr) return {};
  if (result->output_kind == DataKind::csv && result->csv_format != nullptr) {
    std::vector<std::string_view> names;
    for (const CsvColumnFormat& column : result->csv_format->columns) names.push_back(column.name);
    for (const ReadStep& step : path.steps) {
      if (step.kind != ReadStep::Kind::member || std::find(names.begin(), names.end(), step.name) != names.end())
        continue;
      return "the rows have no column `" + std::string(step.name) + "`" + suggestion(step.name, names);
    }
    if (path.root.empty() || path.root == "rows") return {};
    return "there is no `" + path.root + "`: the result is `rows`";
  }
  if (result->output_kind != DataKind::fhir) return {};
  if (path.root.empty()) return {};
  const fhir::TypeDef* type = fhir::find_resource_type(path.root);
  std::vector<std::string_view> handles;
  for (const ir::Create& create : results_.unit->creates) {
    const std::string_view handle = results_.unit->text(create.handle);
    if (type == nullptr && handle == path.root) type = fhir::find_type(results_.unit->text(results_.unit->shapes[create.shape].name));
    if (std::find(handles.begin(), handles.end(), handle) == handles.end()) handles.push_back(handle);
  }
  if (type != nullptr) return wrong_element(type, path.steps);
  for (const fhir::TypeDef& other : fhir::all_types())
    if (other.is_resource()) handles.push_back(other.name());
  return "there is no `" + path.root + "` in the result: it is no handle of a map and no type of resource" +
         suggestion(path.root, handles);
}

}  // namespace kiln::mappings::detail
