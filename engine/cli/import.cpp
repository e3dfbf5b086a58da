// kiln import: the shipped library from its sources.

#include <cstdio>

#include "engine/base/env.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "mappings/importer/code_tables.h"
#include "mappings/importer/guide.h"
#include "mappings/importer/status.h"
#include "mappings/package.h"

namespace kiln::engine {
namespace {

std::string_view embedded(std::string_view path) {
  for (const base::EmbeddedFile& file : mappings::library_files())
    if (file.path == path) return file.text;
  return {};
}

struct Made {
  std::string path, text;  ///< below std/v2fhir
};

/// Writes, or says what differs. The exit code.
int deliver(const std::vector<Made>& files, const Arguments& arguments) {
  int differ = 0;
  for (const Made& file : files) {
    if (arguments.has("--check")) {
      if (embedded("std/v2fhir/" + file.path) == file.text) continue;
      ++differ;
      print(file.path + " differs from what the guide gives\n");
      continue;
    }
    const std::string path = base::join_path(arguments.text("--out"), file.path);
    const base::Status status = base::system_env().write_file_atomic(path, file.text);
    if (!status) return report(status.error(), arguments);
    print(path + "\n");
  }
  return differ == 0 ? kExitOk : kExitFound;
}

int run(const Arguments& arguments) {
  if (arguments.text("SOURCE") != "v2-to-fhir")
    return report(
               {base::ErrorCode::usage, "there is one source: v2-to-fhir", {}, "kiln import v2-to-fhir DIR"},
               arguments),
           kExitUsageFile;
  if (!arguments.has("--check") && !arguments.has("--out"))
    return report({base::ErrorCode::usage, "--out DIR or --check is needed", {}, ""}, arguments),
           kExitUsageFile;
  const auto sheets = mappings::read_guide(base::system_env(), arguments.text("DIR"));
  if (!sheets) return report(sheets.error(), arguments), kExitUsageFile;
  const std::string status =
      mappings::status_csv(*sheets, mappings::library_files(), embedded("std/v2fhir/overlay/decisions.csv"));
  const int code =
      deliver({{"gen/tables.hmap", mappings::code_tables(*sheets)}, {"STATUS.csv", status}}, arguments);
  std::fprintf(stderr, "std.v2fhir %s\n", mappings::status_sum(status).c_str());
  return code;
}

constexpr ArgumentSpec kArguments[] = {{"SOURCE", "v2-to-fhir", true, false},
                                       {"DIR", "folder of the guide's CSV tables", true, false}};
constexpr OptionSpec kOptions[] = {
    {"--out", "DIR", "write gen/tables.hmap and STATUS.csv below this folder"},
    {"--check", nullptr, "write nothing; exit 1 when the shipped files are not what the guide gives"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln import v2-to-fhir v2-to-fhir-1.0.0 --check", "is the shipped library what the guide says?"},
    {"kiln import v2-to-fhir v2-to-fhir-1.0.0 --out mappings/library/std/v2fhir",
     "make it anew after a release of the guide"}};

}  // namespace

const CommandSpec& import_spec() {
  static const CommandSpec spec{
      "import",
      "Config",
      "make the shipped code tables and STATUS.csv from the v2-to-FHIR guide",
      "The same tables give the same bytes. STATUS.csv has one line a row of the guide: generated, "
      "overlaid, deferred, or\nrejected as defect with the reason. Exit 1 when --check finds a "
      "difference, 2 for usage and unreadable files.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
