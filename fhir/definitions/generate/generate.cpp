#include "fhir/definitions/generate/generate.h"

#include <algorithm>

#include "engine/base/archive.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "fhir/definitions/generate/detail/readers.h"

namespace kiln::fhir {
namespace {

using base::ErrorCode;
using base::JsonView;

constexpr std::size_t kExampleDepthMax =
    200;  ///< examples of deep nesting are data too, when they are only counted

base::Status read_resource(DefinitionModel& model, JsonView resource, bool is_specification) {
  const std::string_view type = resource["resourceType"].text();
  DefinitionCounts& counts = model.counts;
  const auto count = [&](unsigned& number) { number += is_specification ? 1 : 0; };
  if (type == "CodeSystem" || type == "ValueSet" || type == "ConceptMap" || type == "StructureDefinition")
    TRY_VOID(detail::keep_resource(model, resource));
  if (type == "CodeSystem") {
    count(counts.code_systems);
    return detail::read_code_system(model, resource);
  }
  if (type == "ValueSet") {
    count(counts.value_sets);
    return detail::read_value_set(model, resource);
  }
  // Types, parameters and operations come from the specification only; other packages bring terminology.
  if (!is_specification) return {};
  if (type == "StructureDefinition") {
    count(counts.structure_definitions);
    return detail::read_structure_definition(model, resource);
  }
  if (type == "SearchParameter") {
    count(counts.search_parameters);
    return detail::read_search_parameter(model, resource);
  }
  if (type == "OperationDefinition") {
    count(counts.operation_definitions);
    return detail::read_operation(model, resource);
  }
  if (type == "CompartmentDefinition" && resource["id"].text() != "example") {
    count(counts.compartment_definitions);
    return detail::read_compartment(model, resource);
  }
  count(type == "ConceptMap" ? counts.concept_maps : counts.instance_examples);
  return {};
}

/// Only "package/NAME.json" are resources; folders below hold other material.
bool is_resource_file(std::string_view name) {
  constexpr std::string_view kFolder = "package/";
  if (!name.starts_with(kFolder) || !name.ends_with(".json")) return false;
  name.remove_prefix(kFolder.size());
  return name.find('/') == std::string_view::npos && name != "package.json" && !name.starts_with(".");
}

/// Fully known types come first in a definition: a base that was not read is an error of the package.
base::Status check_content_references(const DefinitionModel& model) {
  for (const auto& [name, type] : model.types) {
    for (const ElementModel& element : type.elements) {
      if (!element.backbone.empty() && !model.types.contains(element.backbone)) {
        return base::fail(ErrorCode::bad_definition, "a content reference leads nowhere",
                          name + "." + element.name);
      }
    }
  }
  return {};
}

}  // namespace

std::span<const PinnedPackage> pinned_packages() {
  static constexpr PinnedPackage kPackages[] = {
      {"hl7.fhir.r4.examples 4.0.1", "dce87f1b5b9341867033f7d1f544fa1b5232503f6d62813887ac6b8a8b6cb682"},
      {"hl7.terminology.r4 7.0.1", "170c546f761fb51b3355788ca500206f6b772b21c57348c29205de85a6612baa"},
  };
  return kPackages;
}

base::Result<std::vector<DefinitionPackage>> read_pinned_packages(base::Env& env,
                                                                  const std::vector<std::string>& paths) {
  const auto pinned = pinned_packages();
  std::vector<DefinitionPackage> packages(pinned.size());
  for (const std::string& path : paths) {
    TRY(std::string bytes, env.read_file(path, base::limits::kArchiveFileBytesMax));
    const std::string checksum = base::sha256_hex(bytes);
    const auto found = std::find_if(pinned.begin(), pinned.end(),
                                    [&](const PinnedPackage& package) { return checksum == package.sha256; });
    if (found == pinned.end()) {
      return base::fail(ErrorCode::bad_archive, "this is none of the pinned packages", path,
                        "fetch it again; fhir/definitions/README.md names packages and checksums");
    }
    packages[static_cast<std::size_t>(found - pinned.begin())] = {found->name, std::move(bytes)};
  }
  for (std::size_t i = 0; i < packages.size(); ++i) {
    if (packages[i].tgz.empty()) {
      return base::fail(ErrorCode::bad_archive, std::string("the package ") + pinned[i].name + " is missing");
    }
  }
  return packages;
}

base::Result<DefinitionModel> read_definitions(std::span<const DefinitionPackage> packages) {
  DefinitionModel model;
  bool is_specification = true;
  for (const DefinitionPackage& package : packages) {
    const auto visit = [&](std::string_view name, std::string_view bytes) -> base::Status {
      if (!is_resource_file(name)) return {};
      auto document = base::parse_json(bytes, {base::limits::kArchiveFileBytesMax, kExampleDepthMax});
      base::Status status = document ? read_resource(model, document->root(), is_specification)
                                     : base::Status(tl::unexpected(std::move(document).error()));
      if (!status) status.error().place = package.name + " " + std::string(name) + " " + status.error().place;
      return status;
    };
    TRY_VOID(base::read_tgz(package.tgz, visit));
    is_specification = false;
  }
  TRY_VOID(check_content_references(model));
  return model;
}

base::Status generate_definitions(base::Env& env, std::span<const DefinitionPackage> packages,
                                  const std::string& output_folder) {
  TRY(const DefinitionModel model, read_definitions(packages));
  TRY(const std::vector<GeneratedFile> files, print_definitions(model));
  TRY_VOID(env.make_folders(output_folder));
  for (const GeneratedFile& file : files) {
    const std::string path = base::join_path(output_folder, file.name);
    TRY_VOID(env.make_folders(path.substr(0, path.rfind('/'))));
    TRY_VOID(env.write_file_atomic(path, file.text));
  }
  return {};
}

base::Status check_definitions(base::Env& env, std::span<const DefinitionPackage> packages,
                               const std::string& output_folder) {
  TRY(const DefinitionModel model, read_definitions(packages));
  TRY(const std::vector<GeneratedFile> files, print_definitions(model));
  for (const GeneratedFile& file : files) {
    const std::string path = base::join_path(output_folder, file.name);
    TRY(const std::string committed, env.read_file(path, base::limits::kArchiveFileBytesMax));
    if (committed == file.text) continue;
    const auto difference =
        std::mismatch(committed.begin(), committed.end(), file.text.begin(), file.text.end());
    const auto line = std::count(committed.begin(), difference.first, '\n') + 1;
    return base::fail(ErrorCode::definitions_differ, {}, path + ":" + std::to_string(line),
                      "run the generator and commit what it writes, or restore the file");
  }
  return {};
}

}  // namespace kiln::fhir
