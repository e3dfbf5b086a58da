// kiln definitions: what of FHIR R4 is compiled in; with packages, whether the committed tables are what they
// give.

#include <algorithm>

#include "engine/base/json.h"
#include "engine/command.h"
#include "fhir/definitions/generate/generate.h"

namespace kiln::engine {
namespace {

struct Figure {
  const char* name;
  std::size_t value;
};

std::size_t types_of(fhir::TypeKind kind) {
  const auto types = fhir::all_types();
  return static_cast<std::size_t>(std::count_if(
      types.begin(), types.end(), [&](const fhir::TypeDef& type) { return type.kind() == kind; }));
}

void print_figures(const Arguments& arguments) {
  const fhir::DefinitionCounts& counts = fhir::definition_counts();
  const Figure figures[] = {
      {"resource types", types_of(fhir::TypeKind::resource)},
      {"complex types", types_of(fhir::TypeKind::complex)},
      {"primitive types", types_of(fhir::TypeKind::primitive)},
      {"elements", counts.snapshot_elements},
      {"invariants", fhir::all_invariants().size()},
      {"value sets", fhir::all_value_sets().size()},
      {"required value sets", counts.required_value_sets},
      {"search parameters", fhir::all_search_parameters().size()},
      {"operations", fhir::all_operations().size()},
      {"compartments", fhir::all_compartments().size()},
  };
  if (arguments.json()) {
    base::JsonWriter writer;
    writer.begin_object().member("fhirVersion", "4.0.1");
    for (const Figure& figure : figures)
      writer.key(figure.name).integer(static_cast<std::int64_t>(figure.value));
    print(writer.end_object().take() + "\n");
    return;
  }
  print("FHIR R4 (4.0.1)\n");
  for (const Figure& figure : figures) {
    std::string name = figure.name;
    name.resize(24, ' ');
    print("  " + name + std::to_string(figure.value) + "\n");
  }
}

int run(const Arguments& arguments) {
  const std::vector<std::string> paths = arguments.all("--check");
  if (paths.empty()) {
    print_figures(arguments);
    return kExitOk;
  }
  base::Env& env = base::system_env();
  const auto packages = fhir::read_pinned_packages(env, paths);
  if (!packages) return report(packages.error(), arguments);
  const base::Status status =
      fhir::check_definitions(env, *packages, arguments.text("--folder", "fhir/definitions/generated"));
  if (!status) return report(status.error(), arguments);
  print_figures(arguments);
  return kExitOk;
}

}  // namespace

const CommandSpec& definitions_spec() {
  static const OptionSpec options[] = {
      {.name = "--check",
       .value = "PACKAGE.tgz",
       .summary = "a package the tables come from",
       .repeated = true},
      {.name = "--folder",
       .value = "FOLDER",
       .summary = "the committed tables; fhir/definitions/generated when not given"},
  };
  static const ExampleSpec examples[] = {
      {"kiln definitions", "what of FHIR R4 this binary knows"},
      {"kiln definitions --check hl7.fhir.r4.examples-4.0.1.tgz --check hl7.terminology.r4-7.0.1.tgz",
       "compares the committed tables with the packages, byte by byte"},
  };
  static const CommandSpec spec{
      .name = "definitions",
      .group = "Developer",
      .summary = "show or check the FHIR definitions that are compiled in",
      .details =
          "With --check for each of the two packages, makes the tables again from them "
          "and compares bytes with the committed ones.",
      .arguments = {},
      .options = options,
      .examples = examples,
      .run = run,
      .usage_exit = kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
