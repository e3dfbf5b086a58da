// StructureDefinition -> TypeModel: one for the type, one for each inline element.

#include <set>

#include "fhir/definitions/generate/detail/readers.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;
using base::JsonView;

constexpr std::string_view kSystemType = "http://hl7.org/fhirpath/System.";
constexpr std::string_view kFhirType =
    "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type";

std::string_view after_last(std::string_view text, char separator) {
  return text.substr(text.rfind(separator) + 1);  // npos + 1 is 0: the whole text
}

/// The snapshot names elements that hold bare values by a FHIRPath system type; the FHIR type stands in an
/// extension. R4 says "string" there for the id of a resource, which the prose and every other release define
/// as `id`.
std::string fhir_type_name(JsonView type, std::string_view path, TypeKind kind) {
  const std::string_view code = type["code"].text();
  if (!code.starts_with(kSystemType)) return std::string(code);
  if (kind == TypeKind::resource && path.ends_with(".id") && path.find('.') == path.rfind('.')) return "id";
  for (const JsonView extension : type["extension"]) {
    if (extension["url"].text() == kFhirType) return std::string(extension["valueUrl"].text());
  }
  return "string";
}

std::vector<InvariantModel> read_invariants(JsonView element) {
  std::set<InvariantModel> sorted;
  for (const JsonView constraint : element["constraint"]) {
    sorted.insert({std::string(constraint["key"].text()), std::string(constraint["expression"].text()),
                   constraint["severity"].text() == "error"});
  }
  return {sorted.begin(), sorted.end()};
}

BindingStrength strength_of(std::string_view name) {
  if (name == "required") return BindingStrength::required;
  if (name == "extensible") return BindingStrength::extensible;
  if (name == "preferred") return BindingStrength::preferred;
  return BindingStrength::example;
}

class TypeReader {
 public:
  TypeReader(DefinitionModel& model, JsonView definition) : model_(model), definition_(definition) {}

  base::Status run() {
    const std::string_view kind = definition_["kind"].text();
    kind_ = kind == "resource"         ? TypeKind::resource
            : kind == "primitive-type" ? TypeKind::primitive
                                       : TypeKind::complex;
    const JsonView elements = definition_["snapshot"]["element"];
    if (elements.size() == 0) return base::fail(ErrorCode::bad_definition, "a type has no snapshot");
    for (const JsonView element : elements) paths_with_children_.insert(parent_of(element["path"].text()));
    for (const JsonView element : elements) {
      ++model_.counts.snapshot_elements;
      TRY_VOID(read_element(element));
    }
    return {};
  }

 private:
  static std::string parent_of(std::string_view path) {
    const std::size_t dot = path.rfind('.');
    return std::string(dot == std::string_view::npos ? std::string_view() : path.substr(0, dot));
  }

  base::Status read_element(JsonView source) {
    const std::string path(source["path"].text());
    const std::string parent = parent_of(path);
    if (parent.empty()) return read_root(source);
    const auto owner = model_.types.find(parent);
    if (owner == model_.types.end())
      return base::fail(ErrorCode::bad_definition, "an element comes before its parent", path);

    ElementModel element;
    element.name = after_last(path, '.');
    if (element.name.ends_with("[x]")) {
      element.name.resize(element.name.size() - 3);
      element.flags |= kChoice;
    }
    TRY_VOID(read_cardinality(source, path, element));
    read_flags(source, element);
    read_binding(source["binding"], element);
    element.invariants = read_invariants(source);
    if (const std::string_view reference = source["contentReference"].text(); !reference.empty()) {
      element.flags |= kContentReference;
      element.backbone = reference.substr(1);
    } else if (paths_with_children_.contains(path)) {
      element.backbone = path;
      read_inline(source, path);
    } else if (!(kind_ == TypeKind::primitive && element.name == "value")) {
      read_element_types(source["type"], path, element);
    }
    model_.types.at(parent).elements.push_back(std::move(element));
    return {};
  }

  base::Status read_root(JsonView source) {
    TypeModel type;
    type.name = definition_["name"].text();
    type.base = after_last(definition_["baseDefinition"].text(), '/');
    type.kind = kind_;
    type.is_abstract = definition_["abstract"].boolean();
    type.invariants = read_invariants(source);
    if (!model_.types.emplace(type.name, type).second) {
      return base::fail(ErrorCode::bad_definition, "a type is defined twice", type.name);
    }
    return {};
  }

  void read_inline(JsonView source, const std::string& path) {
    TypeModel type;
    type.name = path;
    type.base = source["type"].at(0)["code"].text();
    type.kind = TypeKind::backbone;
    model_.types.emplace(path, std::move(type));
  }

  static base::Status read_cardinality(JsonView source, const std::string& path, ElementModel& element) {
    const std::string_view max = source["max"].text();
    if (max != "*" && max != "1" && max != "0") {
      return base::fail(ErrorCode::bad_definition, "a maximum other than 0, 1 and * is not supported", path);
    }
    const std::string_view min = source["min"].text();
    if (min != "0" && min != "1")
      return base::fail(ErrorCode::bad_definition, "a minimum other than 0 and 1", path);
    element.min = min == "1" ? 1 : 0;
    element.max = max == "*" ? 0 : 1;
    return {};
  }

  static void read_flags(JsonView source, ElementModel& element) {
    if (source["isSummary"].boolean()) element.flags |= kSummary;
    if (source["isModifier"].boolean()) element.flags |= kModifier;
    for (const JsonView representation : source["representation"]) {
      if (representation.text() == "xmlAttr") element.flags |= kXmlAttribute;
    }
  }

  static void read_binding(JsonView binding, ElementModel& element) {
    if (!binding) return;
    element.strength = strength_of(binding["strength"].text());
    element.value_set = without_version(binding["valueSet"].text());
  }

  void read_element_types(JsonView types, const std::string& path, ElementModel& element) const {
    for (const JsonView source : types) {
      ElementTypeModel type{fhir_type_name(source, path, kind_), {}};
      std::set<std::string> targets;
      for (const JsonView profile : source["targetProfile"]) targets.emplace(after_last(profile.text(), '/'));
      if (!targets.contains("Resource")) type.targets.assign(targets.begin(), targets.end());
      element.types.push_back(std::move(type));
    }
  }

  DefinitionModel& model_;
  JsonView definition_;
  TypeKind kind_ = TypeKind::complex;
  std::set<std::string> paths_with_children_;
};

}  // namespace

base::Status read_structure_definition(DefinitionModel& model, base::JsonView definition) {
  // Profiles, extensions and logical models define no type of the element model.
  if (definition["derivation"].text() == "constraint" || definition["kind"].text() == "logical") return {};
  return TypeReader(model, definition).run();
}

}  // namespace kiln::fhir::detail
