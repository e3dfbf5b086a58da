// kiln import: the shipped library from its sources.

#include <cstdio>

#include "engine/base/env.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "mappings/importer/code_tables.h"
#include "mappings/importer/decisions.h"
#include "mappings/importer/generated_maps.h"
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

/// The files written by hand that the generated ones are made for.
struct Overlay {
  std::vector<std::string> texts;  ///< owns what `files` shows
  std::vector<base::EmbeddedFile> files;
  std::string decisions;
};

constexpr const char* kDecisions = "overlay/decisions.csv";

base::Result<Overlay> overlay_of(base::Env& env, const std::string& folder) {
  Overlay out;
  TRY(out.decisions, env.read_file(base::join_path(folder, kDecisions), base::limits::kTableBytesMax));
  for (const char* const part : {"overlay", "beyond"}) {
    const std::string below = base::join_path(folder, part);
    TRY(const auto entries, env.list(below));
    for (const base::FileInfo& entry : entries) {
      if (!entry.is_regular || !entry.name.ends_with(".hmap")) continue;
      out.texts.push_back("std/v2fhir/" + std::string(part) + "/" + entry.name);
      TRY(std::string text, env.read_file(base::join_path(below, entry.name), base::limits::kTableBytesMax));
      out.texts.push_back(std::move(text));
    }
  }
  for (std::size_t i = 0; i < out.texts.size(); i += 2) out.files.push_back({out.texts[i], out.texts[i + 1]});
  return out;
}

/// Of the folder that is written to, when it has one; else the shipped one.
base::Result<Overlay> overlay_for(const Arguments& arguments) {
  if (!arguments.has("--check") &&
      base::system_env().exists(base::join_path(arguments.text("--out"), kDecisions)))
    return overlay_of(base::system_env(), arguments.text("--out"));
  Overlay out;
  out.decisions = embedded(std::string("std/v2fhir/") + kDecisions);
  for (const base::EmbeddedFile& file : mappings::library_files()) out.files.push_back(file);
  return out;
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
  const auto overlay = overlay_for(arguments);
  if (!overlay) return report(overlay.error(), arguments), kExitUsageFile;
  auto maps = mappings::generated_maps(*sheets, overlay->files, mappings::Decisions(overlay->decisions));
  const std::string status = mappings::status_csv(*sheets, overlay->files, overlay->decisions);
  std::vector<Made> made{{"gen/tables.hmap", mappings::code_tables(*sheets)}};
  for (auto& [path, text] : maps.files) made.push_back({path, std::move(text)});
  made.push_back({"STATUS.csv", status});
  const int code = deliver(made, arguments);
  std::fprintf(stderr, "std.v2fhir %s\n", mappings::status_sum(status).c_str());
  return code;
}

constexpr ArgumentSpec kArguments[] = {{"SOURCE", "v2-to-fhir", true, false},
                                       {"DIR", "folder of the guide's CSV tables", true, false}};
constexpr OptionSpec kOptions[] = {
    {"--out", "DIR", "write gen/*.hmap and STATUS.csv below this folder; its overlay/ and beyond/ are read"},
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
      "make the generated part of the shipped library and STATUS.csv from the v2-to-FHIR guide",
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
