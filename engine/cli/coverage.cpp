// kiln coverage: which fields the maps read, of the messages of a running engine or of files.

#include <algorithm>
#include <cstdio>

#include "engine/admin/coverage_json.h"
#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/command.h"
#include "engine/detail/map_files.h"
#include "engine/detail/map_run.h"
#include "engine/detail/site_data.h"
#include "hl7/dictionary/dictionary.h"

namespace kiln::engine {
namespace {

using base::Result;

base::Error usage(std::string text, std::string remedy) {
  return {base::ErrorCode::usage, std::move(text), {}, std::move(remedy)};
}

/// The coverage of a running engine.
Result<std::string> fetch(const Arguments& arguments) {
  TRY(const std::string data, detail::data_folder(arguments));
  base::HttpRequest request;
  request.method = "GET";
  request.target = "/api/v1/coverage";
  TRY(auto response, detail::control_request(data, request));
  TRY_VOID(detail::control_status(response));
  return std::move(response.body);
}

/// Runs `map` over files, in the same form: one "channel" with the name of the map.
Result<std::string> survey(const Arguments& arguments) {
  const std::string map = arguments.text("--map");
  auto paths = arguments.all("--load");
  if (arguments.has("--site")) paths.push_back(arguments.text("--site"));
  TRY(const auto maps, detail::load_maps(paths, map));
  if (!maps.diagnostics.ok()) {
    std::fputs(base::render(maps.diagnostics, maps.library->sources(), is_terminal(stderr)).c_str(), stderr);
    return base::fail(usage("the maps have errors", ""));
  }
  const mappings::Program program = maps.compiled.program(map);
  if (!program)
    return base::fail(usage("there is no map or package `" + map + "`", "--load a file that has it"));
  mappings::FieldCoverage coverage;
  std::uint64_t messages = 0;
  const auto files = arguments.all("NAME");
  Progress progress("files");
  for (std::size_t i = 0; i < files.size(); ++i) {
    TRY(const auto file, detail::read_input(files[i]));
    for (const std::string& text : file.messages) {
      mappings::RunContext context;
      context.received = base::SystemClock().wall();
      context.channel = "coverage";
      context.tables = maps.tables.get();
      detail::MapRun run;
      const base::Status read = run.run(maps, program, file.kind, text, context);
      ++messages;
      if (!read) {
        std::fprintf(stderr, "%s: not read: %s\n", files[i].c_str(), read.error().info().code);
        continue;
      }
      coverage.add_fields(run.runner().input_values());
      coverage.add_notes(run.result().diagnostics, run.result().dropped_diagnostics, messages);
    }
    progress.step(i + 1, files.size());
  }
  base::JsonWriter json;
  json.begin_object().key("channels").begin_array();
  write_coverage(json, map, messages, coverage);
  return json.end_array().end_object().take();
}

std::string pad(std::string_view text, std::size_t width) {
  std::string out(text);
  out.append(out.size() < width ? width - out.size() : 1, ' ');
  return out;
}

std::string right(std::string_view text, std::size_t width) {
  return std::string(text.size() < width ? width - text.size() : 0, ' ') + std::string(text);
}

/// HL7 name of "PID-3.4"'s field, or "".
std::string_view name_of_field(std::string_view path) {
  const hl7::Dictionary newest(hl7::Version::v2_9);
  if (path.size() < 5 || path[3] != '-') return {};
  const auto segment = newest.segment(path.substr(0, 3));
  const auto field =
      segment ? segment->field(std::strtoul(std::string(path.substr(4)).c_str(), nullptr, 10)) : std::nullopt;
  return field ? field->name : std::string_view();
}

bool is_zero(base::JsonView number) {
  return number.text() == "0";
}

void print_notes(base::JsonView channel) {
  if (channel["notes"].size() == 0) return print("  the maps had nothing to say\n");
  print("  " + right("count", 8) + "  " + pad("note", 22) + pad("source", 14) + pad("last message", 14) +
        "rule\n");
  for (const base::JsonView note : channel["notes"]) {
    print("  " + right(note["count"].text(), 8) + "  " + pad(note["code"].text(), 22) +
          pad(note["source"].text(), 14) + pad(note["last_message"].text(), 14) +
          std::string(note["rule"].text()) + "\n");
    const std::string_view example = note["example"].text();
    print("            " + std::string(note["text"].text()) +
          (example.empty() ? "" : " (like \"" + std::string(example) + "\")") + "\n");
  }
  if (!is_zero(channel["notes_beyond"]))
    print("  " + right(channel["notes_beyond"].text(), 8) + "  more notes that are not listed\n");
}

void print_fields(base::JsonView channel, bool all) {
  std::size_t read = 0, shown = 0;
  std::string lines;
  for (const base::JsonView field : channel["fields"]) {
    if (is_zero(field["unread"])) ++read;
    if (is_zero(field["unread"]) && !all) continue;
    ++shown;
    lines += "  " + pad(field["path"].text(), 22) + right(field["valued"].text(), 8) +
             right(field["unread"].text(), 8) + "  " + std::string(name_of_field(field["path"].text())) +
             "\n";
  }
  if (shown != 0) print("  " + pad("field", 22) + "  valued  unread\n" + lines);
  print("  " + std::to_string(read) + " of " + std::to_string(channel["fields"].size()) +
        " valued fields are always read" + (all ? "" : "; --all lists them") + "\n");
  if (!is_zero(channel["fields_beyond"]))
    print("  " + std::string(channel["fields_beyond"].text()) +
          " values of further fields are not counted\n");
}

void print_channel(base::JsonView channel, const Arguments& arguments) {
  print(std::string(channel["name"].text()) + ": " + std::string(channel["messages"].text()) +
        " messages, the fields of " + std::string(channel["looked_at"].text()) + " looked at\n");
  if (!arguments.has("--fields")) print_notes(channel);
  if (!arguments.has("--notes")) print_fields(channel, arguments.has("--all"));
}

int run(const Arguments& arguments) {
  const bool files = arguments.has("--map");
  const auto names = arguments.all("NAME");
  if (files && names.empty())
    return report(usage("--map needs files", "kiln coverage --map std.v2fhir messages/*.hl7"), arguments);
  const auto text = files ? survey(arguments) : fetch(arguments);
  if (!text) return report(text.error(), arguments);
  const auto document = base::parse_json(*text);
  if (!document) return report(document.error(), arguments);
  std::vector<base::JsonView> chosen;
  for (const base::JsonView channel : document->root()["channels"])
    if (files || names.empty() ||
        std::find(names.begin(), names.end(), channel["name"].text()) != names.end())
      chosen.push_back(channel);
  if (chosen.empty())
    return report(usage("no such channel", "`kiln coverage` without a name lists all"), arguments);
  if (arguments.json()) {
    base::JsonWriter json;
    json.begin_object().key("channels").begin_array();
    for (const base::JsonView channel : chosen) json.value(channel);
    print(json.end_array().end_object().take() + "\n");
    return kExitOk;
  }
  for (const base::JsonView channel : chosen) print_channel(channel, arguments);
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {
    {"NAME", "channels of the running engine (none: all); with --map: files with messages", false, true}};
constexpr OptionSpec kOptions[] = {
    detail::kSiteOption,
    detail::kDataOption,
    {"--map", "MAP", "run this map or package over files instead"},
    {"--load", "PATH", "with --map: a site or an .hmap file with more maps and tables (repeatable)", false,
     true},
    {"--fields", nullptr, "only the fields"},
    {"--notes", nullptr, "only what the maps had to say"},
    {"--all", nullptr, "fields that are always read, too"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln coverage --site examples/quickstart", "what came since the start and was not used"},
    {"kiln coverage adt_in --notes --json", "dropped repetitions, unmapped codes, bad values, for a script"},
    {"kiln coverage --map std.v2fhir old-interface/*.hl7", "what a map would leave out of these messages"}};

}  // namespace

const CommandSpec& coverage_spec() {
  static const CommandSpec spec{
      "coverage",
      "Messages",
      "show which fields the maps read and what they had to say",
      "Counts since the engine started: of every channel's first 1,000 messages all fields are looked at, "
      "then of "
      "one in 32;\nnotes are counted of all. A field is unread in a message when it has a value there that "
      "no rule "
      "of any map read.\n`kiln explain NUMBER` says more of one message. Exit 69 when no engine runs.",
      kArguments,
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
