// kiln validate-resource: FHIR resources against R4, profiles and terminology at hand.

#include <algorithm>

#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/json.h"
#include "engine/detail/fhir_cli.h"
#include "engine/detail/terminology_cli.h"
#include "fhir/model/json.h"
#include "fhir/validation/validator.h"

namespace kiln::engine {
namespace {

using base::Result;
using base::Status;

/// A profile is named by url, or by the file that holds it.
Result<std::vector<std::string>> profiles_of(fhir::Library& library, const Arguments& arguments) {
  std::vector<std::string> urls;
  base::Env& env = base::system_env();
  for (const std::string& name : arguments.all("--profile")) {
    if (!env.exists(name)) {
      urls.push_back(name);
      continue;
    }
    TRY(const std::string bytes, env.read_file(name, base::limits::kFhirFileBytesMax));
    TRY(fhir::Tree tree, detail::read_document({name, bytes, false}));
    const std::string url(tree.root()["url"].text());
    if (url.empty() || !tree.root().type() || tree.root().type()->name() != "StructureDefinition")
      return base::fail(base::ErrorCode::bad_definition, "not a StructureDefinition with a url", name);
    library.add(std::move(tree));
    urls.push_back(url);
  }
  return urls;
}

struct Tally {
  std::size_t resources = 0, invalid = 0;
};

void print_for_people(const std::string& name, const std::vector<fhir::Issue>& issues) {
  std::string out;
  for (const fhir::Issue& issue : issues) {
    out += name + ": " + std::string(fhir::name_of(issue.severity)) + " " + issue.code;
    if (!issue.expression.empty()) out += " at " + issue.expression;
    if (!issue.diagnostics.empty()) out += " (" + issue.diagnostics + ")";
    out += ": " + issue.text + "\n";
  }
  print(out);
}

void print_line(const std::string& name, const std::vector<fhir::Issue>& issues, bool valid) {
  base::JsonWriter json;
  json.begin_object().member("name", name).key("valid").boolean(valid).key("outcome").raw(fhir::print_outcome(issues));
  print(json.end_object().take() + "\n");
}

int run(const Arguments& arguments) {
  fhir::Library library;
  if (const Status loaded = detail::load_definitions(library, arguments); !loaded) {
    report(loaded.error(), arguments);
    return kExitUsageFile;
  }
  const auto profiles = profiles_of(library, arguments);
  if (!profiles) {
    report(profiles.error(), arguments);
    return kExitUsageFile;
  }
  fhir::ValidatorOptions options;
  options.profiles = *profiles;
  options.refuse_markup = arguments.has("--security");
  options.refuse_examples = arguments.has("--no-examples");
  options.report_must_support = arguments.has("--must-support");
  options.now = base::SystemClock().wall();
  const fhir::Validator validator(library);
  const std::vector<std::string> files = arguments.all("FILE");
  const bool alone = files.size() <= 1 && !arguments.json() && !arguments.has("--text");
  Tally tally;
  fhir::ReadOptions read;
  read.bytes_max = base::limits::kFhirFileBytesMax;
  const int status = detail::for_each_document(arguments, [&](const detail::FhirDocument& document) {
    const auto issues = validator.validate_text(document.text, options, read);
    const bool valid = fhir::is_valid(issues);
    ++tally.resources;
    tally.invalid += valid ? 0 : 1;
    if (arguments.has("--text"))
      print_for_people(document.name, issues);
    else if (alone && !document.is_line)
      print(fhir::print_outcome(issues) + "\n");
    else
      print_line(document.name, issues, valid);
  });
  if (tally.resources > 1 && arguments.has("--text"))
    print(std::to_string(tally.resources) + " resources, " + std::to_string(tally.invalid) + " with errors\n");
  return std::max<int>(status, tally.invalid ? kExitFound : kExitOk);
}

constexpr ArgumentSpec kArguments[] = {detail::kFhirFilesArgument};
constexpr OptionSpec kOptions[] = {
    {.name = "--profile", .value = "URL|FILE", .summary = "hold the resources against this profile too", .repeated = true},
    detail::kLoadOption,
    detail::kPackagesOption,
    {"--text", nullptr, "one line an issue, for people"},
    {"--must-support", nullptr, "list must-support elements that are not there"},
    {"--security", nullptr, "markup in a string is an error"},
    {"--no-examples", nullptr, "a url of example.org and its like is an error"},
    detail::kNdjsonOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln validate-resource patient.json", "one OperationOutcome"},
    {"kiln validate-resource --load us-core.tgz --profile http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient "
     "patient.json",
     "against a profile of a package"},
    {"kiln validate-resource --text bundles/ export.ndjson", "many files; a line for each issue"}};

}  // namespace

const CommandSpec& validate_resource_spec() {
  static const CommandSpec spec{
      "validate-resource",
      "Files",
      "validate FHIR R4 resources, also against profiles",
      "Structure, formats, bindings, invariants, references, extensions, profiles and questionnaire responses. One\n"
      "resource gives an OperationOutcome; several, or --json, a line {\"name\",\"valid\",\"outcome\"} each. What cannot\n"
      "be checked without a server is reported as not checked. Exit 0 when no resource has an error, 1 when one\n"
      "has, 2 when a file could not be read.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
