// kiln fhirpath: evaluates an expression on a resource or on plain JSON.

#include <list>

#include "engine/base/clock.h"
#include "engine/detail/fhir_cli.h"
#include "engine/detail/input_bytes.h"
#include "engine/detail/terminology_cli.h"
#include "fhir/path/path.h"
#include "fhir/validation/validator.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using fhir::Node;
using fhir::PathItem;

fhir::ReadOptions read_options(bool typed) {
  fhir::ReadOptions options;
  options.typed = typed;
  options.bytes_max = base::limits::kArchiveFileBytesMax;
  return options;
}

/// The document of --input; an empty tree without one.
Result<fhir::Tree> read_input(const Arguments& arguments) {
  if (!arguments.has("--input")) return fhir::Tree();
  const std::string name = arguments.text("--input");
  TRY(const std::string text, detail::read_bytes(name));
  if (arguments.has("--untyped")) return fhir::read_json(text, read_options(false));
  return detail::read_document({name, text, false}, read_options(true));
}

/// NAME=JSON: a resource is typed; an array gives several items.
class Variables {
 public:
  base::Status add(std::string_view text, fhir::PathEnvironment& environment) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0)
      return base::fail(ErrorCode::usage, "--var is NAME=JSON");
    const std::string_view json = text.substr(equals + 1);
    auto tree = fhir::read_json(json, read_options(false));
    if (!tree) return base::fail(ErrorCode::usage, "the value of --var is not JSON: " + tree.error().text);
    if (tree->root()["resourceType"]) {
      tree = fhir::read_json(json, read_options(true));
      if (!tree) return base::fail(std::move(tree).error());
    }
    const Node root = trees_.emplace_back(std::move(*tree)).root();
    std::vector<PathItem> items;
    if (root.kind() == fhir::NodeKind::array) {
      for (const Node item : root) items.push_back(PathItem::of(item));
    } else {
      items.push_back(PathItem::of(root));
    }
    environment.variables.emplace_back(std::string(text.substr(0, equals)), std::move(items));
    return {};
  }

 private:
  std::list<fhir::Tree> trees_;
};

/// What --expr is evaluated on: the root of the input, or each item that --context gives.
Result<std::vector<PathItem>> contexts(const Arguments& arguments, Node root,
                                       const fhir::PathEnvironment& environment, fhir::PathResult& found) {
  if (!arguments.has("--context")) return std::vector<PathItem>{PathItem::of(root)};
  TRY(const auto compiled, fhir::PathExpression::compile(arguments.text("--context"), {.type = root.type()}));
  TRY_VOID(compiled.evaluate(root, environment, found));
  return found.items();
}

const fhir::TypeDef* common_type(const std::vector<PathItem>& items) {
  const fhir::TypeDef* type = nullptr;
  for (const PathItem& item : items) {
    const fhir::TypeDef* own = item.is(fhir::PathKind::node) ? item.node().type() : nullptr;
    if (!own || (type && type != own)) return nullptr;
    type = own;
  }
  return type;
}

Result<std::string> evaluate(const Arguments& arguments) {
  TRY(const fhir::Tree tree, read_input(arguments));
  const Node root = tree.root();
  fhir::Library library;
  TRY_VOID(detail::load_definitions(library, arguments));
  const fhir::Validator validator(library);
  fhir::PathEnvironment environment;
  validator.connect(environment);
  environment.now = base::SystemClock().wall();
  environment.resource = root.is_resource() ? root : Node();
  environment.trace = [](std::string_view name, const std::vector<PathItem>& items) {
    const std::string line = "trace " + std::string(name) + ": " + fhir::print_json(items) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
  };
  Variables variables;
  for (const std::string& text : arguments.all("--var")) TRY_VOID(variables.add(text, environment));
  fhir::PathResult context_items;
  TRY(const std::vector<PathItem> items, contexts(arguments, root, environment, context_items));
  fhir::CompileOptions options;
  options.type = common_type(items);
  options.strict = arguments.has("--strict");
  TRY(const auto compiled, fhir::PathExpression::compile(arguments.text("--expr"), options));
  std::list<fhir::PathResult> results;
  std::vector<PathItem> all;
  for (const PathItem& item : items) {
    TRY_VOID(compiled.evaluate(item, environment, results.emplace_back()));
    all.insert(all.end(), results.back().items().begin(), results.back().items().end());
  }
  return fhir::print_json(all);
}

int run(const Arguments& arguments) {
  const auto text = evaluate(arguments);
  if (!text) {
    report(text.error(), arguments);
    const auto category = text.error().info().category;
    const bool usage = text.error().code == ErrorCode::usage || category == base::ErrorCategory::not_found ||
                       category == base::ErrorCategory::io;
    return usage ? kExitUsageFile : kExitFound;
  }
  print(*text + "\n");
  return kExitOk;
}

constexpr OptionSpec kOptions[] = {
    {.name = "--expr", .value = "EXPR", .summary = "the FHIRPath expression", .required = true},
    {.name = "--input",
     .value = "FILE",
     .summary = "FHIR JSON or XML; - reads standard input; not given: no context"},
    {.name = "--untyped",
     .summary = "the input is plain JSON: member names are elements, no types are known"},
    {.name = "--strict",
     .summary = "refuse what the types of R4 make impossible: unknown elements, wrong arguments"},
    {.name = "--context",
     .value = "EXPR",
     .summary = "evaluate --expr on each item that this expression gives"},
    {.name = "--var", .value = "NAME=JSON", .summary = "the value of %NAME", .repeated = true},
    detail::kLoadOption,
    detail::kPackagesOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln fhirpath --expr \"name.where(use = 'official').given.first()\" --input patient.json",
     "the first given name"},
    {"kiln fhirpath --expr \"value.value > %limit\" --var limit=7.5 --input observation.xml",
     "with a variable"},
    {"kiln fhirpath --strict --expr Patient.brithDate --input patient.json", "a wrong name is told at once"},
    {"kiln fhirpath --expr \"4.0 'g' = 4000 'mg'\"", "without an input"}};

}  // namespace

const CommandSpec& fhirpath_spec() {
  static const CommandSpec spec{
      .name = "fhirpath",
      .group = "Files",
      .summary = "evaluate a FHIRPath expression",
      .details =
          "Prints the result as one JSON array; decimals keep their text, quantities and dates are strings. "
          "trace()\n"
          "writes to standard error. memberOf(), subsumes(), conformsTo() and slice() ask the definitions at hand; what\n"
          "they do not know is nothing. Exit 1 when the expression or the input is refused, 2 for usage and\n"
          "unreadable files.",
      .arguments = {},
      .options = kOptions,
      .examples = kExamples,
      .run = run,
      .usage_exit = kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
