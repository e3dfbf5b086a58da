// kiln convert: runs a map over files.

#include <cstdio>

#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/partial_date.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/map_files.h"
#include "hl7/message.h"

namespace kiln::engine {
namespace {

using base::Result;
using channels::ContentKind;
using mappings::RunResult;

/// So many files are read before the maps are compiled.
constexpr std::size_t kFewFiles = 8;

/// One input through the map; `result` stays valid until the next call.
Result<RunResult*> convert(const detail::MapSet& maps, const mappings::Program& program,
                           mappings::Runner& runner, ContentKind kind, const std::string& text,
                           const base::TimeZone* zone) {
  mappings::RunContext context;
  context.timezone = zone;
  context.received = base::SystemClock().wall();
  context.channel = "convert";
  context.tables = maps.tables.get();
  const auto wanted =
      static_cast<ContentKind>(program.input().kind == mappings::DataKind::hl7    ? ContentKind::hl7
                               : program.input().kind == mappings::DataKind::fhir ? ContentKind::fhir
                                                                                  : ContentKind::csv);
  if (kind != wanted)
    return base::fail(base::ErrorCode::bad_value, std::string("the map takes ") + channels::name_of(wanted) +
                                                      ", the file is " + channels::name_of(kind));
  mappings::LookupRecord answers;
  const auto run = [&](const mappings::RunInput& input) {
    return &mappings::run_with_lookups(runner, program, input, context, maps.lookups.get(), answers);
  };
  if (kind == ContentKind::hl7) {
    // Where MSH-18 says nothing: a file is UTF-8 when all of its bytes are.
    hl7::ParseOptions options;
    options.charset_default = base::is_valid_utf8(text) ? hl7::Charset::utf8() : hl7::Charset::latin1();
    TRY(const auto message, hl7::Message::parse(text, options));
    return run(&message);
  }
  if (kind == ContentKind::fhir) {
    TRY(const auto document, base::parse_json(text));
    return run(document.root());
  }
  TRY(const auto format, detail::csv_format_of(*maps.library, program.input().name));
  TRY(const auto file, mappings::CsvFile::read(text, format));
  return run(file.input());
}

void print_diagnostics(const RunResult& result) {
  static constexpr const char* kLevels[] = {"note", "warning", "error"};
  for (const auto& d : result.diagnostics) {
    std::string line =
        std::string(kLevels[static_cast<std::size_t>(d.level)]) + "[" + std::string(d.code) + "]: " + d.text;
    if (!d.source.empty()) line += "\n  from " + d.source + (d.value.empty() ? "" : " = " + d.value);
    if (!d.rule.empty()) line += "\n  rule " + d.rule;
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  if (result.dropped_diagnostics != 0)
    std::fprintf(stderr, "%llu more are not shown\n",
                 static_cast<unsigned long long>(result.dropped_diagnostics));
}

/// Rows of a CSV file that the map set aside; true when there are some.
bool print_children(const RunResult& result, const std::string& file) {
  for (const auto& child : result.children) {
    std::string rows;
    for (const std::uint32_t row : child.rows) rows += (rows.empty() ? "" : ", ") + std::to_string(row);
    std::fprintf(stderr, "%s: row %s quarantined: %s\n", file.c_str(), rows.c_str(), child.reason.c_str());
  }
  return !result.children.empty();
}

void print_output(const RunResult& result, bool pretty) {
  if (result.output_kind == mappings::DataKind::csv) return print(result.csv_header + result.output);
  if (result.output_kind == mappings::DataKind::hl7) return print(result.output);
  if (pretty) {
    const auto document =
        base::parse_json(result.output, {base::limits::kMapOutputBytesMax, base::limits::kJsonDepthMax});
    if (document) return print(base::print_json(document->root(), true));
  }
  print(result.output + "\n");
}

bool matches_target(const mappings::Program& program, const std::string& to) {
  static constexpr const char* kNames[] = {"hl7", "fhir", "csv"};
  return to.empty() || to == kNames[static_cast<std::size_t>(program.output().kind)];
}

int run(const Arguments& arguments) {
  const std::string map = arguments.text("--map");
  const auto files = arguments.all("FILE");
  std::vector<detail::InputFile> inputs;  // of few files: with them only the maps they need are compiled
  for (std::size_t i = 0; i < files.size() && files.size() <= kFewFiles; ++i) {
    auto input = detail::read_input(files[i]);
    if (!input) return report(input.error(), arguments), kExitUsageFile;
    inputs.push_back(std::move(*input));
  }
  const auto maps = detail::load_maps(arguments.all("--load"), map, inputs);
  if (!maps) return report(maps.error(), arguments), kExitUsageFile;
  if (!maps->diagnostics.ok()) {
    std::fputs(base::render(maps->diagnostics, maps->library->sources(), is_terminal(stderr)).c_str(),
               stderr);
    return kExitUsageFile;
  }
  const mappings::Program program = maps->compiled.program(map);
  if (!program)
    return report({base::ErrorCode::usage,
                   "there is no map or package `" + map + "`",
                   {},
                   "name one with its package, or --load a file that has it"},
                  arguments),
           kExitUsageFile;
  if (!matches_target(program, arguments.text("--to")))
    return report({base::ErrorCode::usage, "the map does not give " + arguments.text("--to"), {}, {}},
                  arguments),
           kExitUsageFile;
  const std::string zone_name = arguments.text("--timezone");
  const auto zone = zone_name.empty() ? std::nullopt : base::TimeZone::find(zone_name);
  if (!zone_name.empty() && !zone)
    return report({base::ErrorCode::usage, "there is no time zone `" + zone_name + "`", {}, "Europe/Berlin"},
                  arguments),
           kExitUsageFile;
  mappings::Runner runner;
  bool failed = false;
  Progress progress("converting");
  for (std::size_t i = 0; i < files.size(); ++i) {
    progress.step(i, files.size());
    auto input =
        inputs.empty() ? detail::read_input(files[i]) : Result<detail::InputFile>(std::move(inputs[i]));
    if (!input) return report(input.error(), arguments), kExitUsageFile;
    for (const std::string& text : input->messages) {
      const auto result = convert(*maps, program, runner, input->kind, text, zone ? &*zone : nullptr);
      if (!result) {
        report(result.error(), arguments);
        failed = true;
        continue;
      }
      if (!arguments.has("--quiet")) print_diagnostics(**result);
      if (print_children(**result, files[i])) failed = true;
      if ((*result)->skipped_all()) {
        std::fprintf(stderr, "%s: the map wrote nothing for this message\n", files[i].c_str());
      } else if ((*result)->ok()) {
        print_output(**result, arguments.has("--pretty"));
      } else {
        failed = true;
        std::fprintf(stderr, "%s: %s%s%s\n", files[i].c_str(),
                     std::string(mappings::name_of((*result)->outcome)).c_str(),
                     (*result)->reason.empty() ? "" : ": ", (*result)->reason.c_str());
      }
    }
  }
  return failed ? kExitFound : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {
    {"FILE", "HL7 v2 (also batches), FHIR JSON or CSV; - reads standard input", true, true}};
constexpr OptionSpec kOptions[] = {
    {"--map", "MAP", "a map (std.v2fhir.adt.adt_a01) or a package that dispatches by structure (std.v2fhir)",
     true},
    {"--to", "KIND", "hl7, fhir or csv: refuse a map that gives something else"},
    {"--load", "PATH", "a site or an .hmap file with more maps and tables (repeatable)", false, true},
    {"--timezone", "ZONE", "of times whose sender names no offset, such as Europe/Berlin; UTC otherwise"},
    {"--pretty", nullptr, "indent JSON"},
    {"--quiet", nullptr, "no notes and warnings on stderr"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln convert --map std.v2fhir --to fhir --pretty a01.hl7",
     "HL7 v2 to a FHIR Bundle with the shipped maps"},
    {"kiln convert --map lab_csv --load examples/quickstart lab.csv", "a map of a site"}};

}  // namespace

const CommandSpec& convert_spec() {
  static const CommandSpec spec{
      "convert",
      "Files",
      "run a map over files",
      "Prints one result per message: JSON on a line each, HL7 with CR ends, CSV with header. Notes and "
      "warnings go to\n"
      "stderr. Exit 1 when a message was refused or rows were set aside, 2 for usage, unreadable files and "
      "maps with errors.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
