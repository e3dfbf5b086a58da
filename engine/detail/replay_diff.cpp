#include "engine/detail/replay_diff.h"

#include <algorithm>

#include "channels/definition.h"
#include "engine/base/env.h"
#include "engine/base/limits.h"
#include "engine/detail/site_data.h"
#include "engine/replay_preview.h"

namespace kiln::engine::detail {

using base::ErrorCode;
using base::Result;

namespace {

/// The site on disk, with FILE in the place of the map file of that name.
Result<std::shared_ptr<const channels::Site>> load_with(const std::string& folder, const std::string& map,
                                                        std::string& findings) {
  TRY(channels::SiteLoad load, channels::load_site(base::system_env(), folder));
  if (!map.empty() && load.site) {
    TRY(std::string text, base::system_env().read_file(map, base::limits::kHmapFileBytesMax));
    auto files = load.site->files;
    const std::string name(base::name_of(map));
    const auto found = std::find_if(files.begin(), files.end(),
                                    [&name](const auto& file) { return base::name_of(file.first) == name; });
    if (found == files.end())
      return base::fail(ErrorCode::file_not_found,
                        "the site has no file " + name + " that it could take the place of", map,
                        "give the new version the name of the old one");
    found->second = std::move(text);
    load = channels::load_site_texts(std::move(files));
    if (load.site) load.site->folder = folder;
  }
  if (!load.site) {
    findings = base::render(load.diagnostics, load.library->sources(), is_terminal(stderr));
    return base::fail(ErrorCode::site_invalid, {}, map.empty() ? folder : map);
  }
  return std::shared_ptr<const channels::Site>(std::move(load.site));
}

void print_line(const ReplayPreview::Line& line) {
  base::JsonWriter json;
  write_preview_line(json, line);
  const auto document = base::parse_json(json.take());
  if (!document) return;
  bool changed = false;
  for (const ReplayPreview::Part& part : line.parts)
    changed = changed || part.compared != ReplayPreview::Compared::same;
  if (!changed && line.verdict == "accepted") return;
  print(std::to_string(line.id) + "  " + line.channel + "  " + line.type + "  " +
        (line.verdict == "accepted" ? "" : line.verdict + (line.reason.empty() ? "" : ": " + line.reason)) +
        "\n");
  for (const base::JsonView output : document->root()["outputs"]) print_output(output);
}

}  // namespace

void print_output(base::JsonView output) {
  std::string line = "      -> " + std::string(output["destination"].text()) + ", " +
                     std::string(output["bytes"].text()) + " bytes";
  const std::string_view compared = output["compared"].text();
  if (compared == "same") line += ", as it was sent";
  if (compared == "gone")
    line = "      -> " + std::string(output["destination"].text()) + ", nothing; it was sent";
  if (compared == "unknown") line += ", what was sent is not kept";
  if (compared == "new") line += ", was not sent";
  if (compared == "changed") {
    line += ", differs from what was sent";
    std::string paths;
    for (const base::JsonView path : output["paths"])
      paths += (paths.empty() ? "" : ", ") + std::string(path.text());
    if (!paths.empty()) line += ": " + paths;
  }
  print(line + "\n");
  print(output["diff"].text());
}

void print_preview_totals(base::JsonView root) {
  const base::JsonView outputs = root["outputs"];
  print("outputs: " + std::string(outputs["same"].text()) + " as they were sent, " +
        std::string(outputs["changed"].text()) + " differ, " + std::string(outputs["new"].text()) + " new, " +
        std::string(outputs["gone"].text()) + " gone\n");
  for (const base::JsonView path : root["paths"])
    print("  " + std::string(path.key()) + ": " + std::string(path.text()) + "\n");
  if (root["already_sent"].text() != "0")
    print(std::string(root["already_sent"].text()) +
          " messages were delivered already: they go there only with --include-sent\n");
  if (root["earlier_replays"] && root["earlier_replays"].text() != "0")
    print(std::string(root["earlier_replays"].text()) +
          " of them are replays of earlier messages: -replay_of:1.. leaves those out\n");
  if (root["stale"].text() != "0")
    print("for " + std::string(root["stale"].text()) +
          " keys a newer message was sent: --allow-stale is needed\n");
}

int run_replay_diff(const Arguments& arguments) {
  const auto data = data_folder(arguments);
  if (!data) return report(data.error(), arguments);
  std::string findings;
  const auto site = load_with(arguments.text("--site", "."), arguments.text("--map"), findings);
  if (!site) {
    std::fputs(findings.c_str(), stderr);
    return report(site.error(), arguments);
  }
  auto reader = open_journal(arguments);
  if (!reader) return report(reader.error(), arguments);
  ReplaySpec spec;
  for (const std::string& term : arguments.all("QUERY")) spec.query += (spec.query.empty() ? "" : " ") + term;
  spec.to = arguments.has("--to") ? arguments.all("--to") : std::vector<std::string>{"all"};
  spec.channel = arguments.text("--channel");
  spec.include_sent = true;
  spec.asked = base::SystemClock().wall();
  const base::SystemClock clock;
  LookupPool lookups(base::system_env(), clock);
  PreviewOptions options;
  options.lookups = &lookups;
  options.with_diff = true;
  options.check_stale = false;
  options.limit = SIZE_MAX - 1;
  options.on_line = [&arguments](const ReplayPreview::Line& line) {
    if (arguments.json()) {
      base::JsonWriter json;
      write_preview_line(json, line);
      print(json.take() + "\n");
    } else {
      print_line(line);
    }
    return true;
  };
  const auto preview = preview_replay(*reader, *site, spec, options);
  if (!preview) return report(preview.error(), arguments);
  const std::string totals = print_preview(*preview);
  const auto document = base::parse_json(totals);
  if (arguments.json()) {
    print(totals + "\n");
  } else if (document) {
    print(std::to_string(preview->matched) + " messages, " + std::to_string(preview->skipped) + " skipped\n");
    print_preview_totals(document->root());
  }
  return preview->changed + preview->added + preview->gone == 0 ? kExitOk : kExitFound;
}

}  // namespace kiln::engine::detail
