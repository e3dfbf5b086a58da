// kiln fmt: hmap files in canonical style.

#include <algorithm>
#include <cstdio>

#include "engine/base/env.h"
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "mappings/formatter.h"

namespace kiln::engine {
namespace {

using base::Result;

bool is_map_file(std::string_view name) {
  return name.ends_with(".hmap") || name.ends_with(".channel") || name == "kiln.conf";
}

/// Files of a folder and of the folders below it, sorted; names that start with a dot are left alone.
base::Status collect(const std::string& path, std::vector<std::string>& out) {
  TRY(const auto info, base::system_env().info(path));
  if (!info.is_directory) {
    out.push_back(path);
    return {};
  }
  TRY(const auto entries, base::system_env().list(path));
  for (const base::FileInfo& entry : entries) {
    if (entry.name.starts_with('.')) continue;
    const std::string below = base::join_path(path, entry.name);
    if (entry.is_directory)
      TRY_VOID(collect(below, out));
    else if (entry.is_regular && is_map_file(entry.name))
      out.push_back(below);
  }
  return {};
}

Result<std::string> read(const std::string& path) {
  if (path != "-") return base::system_env().read_file(path, base::limits::kHmapFileBytesMax);
  std::string out;
  char chunk[65536];
  while (const std::size_t n = std::fread(chunk, 1, sizeof chunk, stdin)) {
    out.append(chunk, n);
    if (out.size() > base::limits::kHmapFileBytesMax)
      return base::fail(base::ErrorCode::usage, "the text is longer than a map file may be");
  }
  return out;
}

/// Both texts line by line: what only one of them has. Whitespace changes keep the order of lines, so that
/// the next equal line within a window is where both go on.
std::string difference(const std::string& path, std::string_view before, std::string_view after) {
  constexpr std::size_t kWindow = 64;
  const auto old_lines = base::split(before, '\n'), new_lines = base::split(after, '\n');
  std::string out = "--- " + path + "\n+++ " + path + " (formatted)\n";
  std::size_t a = 0, b = 0;
  while (a < old_lines.size() || b < new_lines.size()) {
    if (a < old_lines.size() && b < new_lines.size() && old_lines[a] == new_lines[b]) {
      ++a, ++b;
      continue;
    }
    std::size_t skip_a = old_lines.size() - a, skip_b = new_lines.size() - b;
    for (std::size_t sum = 1; sum < kWindow && sum < skip_a + skip_b; ++sum)
      for (std::size_t i = 0; i <= sum; ++i)
        if (a + i < old_lines.size() && b + (sum - i) < new_lines.size() &&
            old_lines[a + i] == new_lines[b + (sum - i)] && sum < skip_a + skip_b)
          skip_a = i, skip_b = sum - i;
    out += "@@ line " + std::to_string(a + 1) + " @@\n";
    for (std::size_t i = 0; i < skip_a; ++i) out.append("-").append(old_lines[a + i]).append("\n");
    for (std::size_t i = 0; i < skip_b; ++i) out.append("+").append(new_lines[b + i]).append("\n");
    a += skip_a, b += skip_b;
  }
  return out;
}

enum class Verdict { same, changed, invalid };

Result<Verdict> format_one(const std::string& path, const Arguments& arguments) {
  TRY(const std::string text, read(path));
  base::SourceMap sources;
  base::Diagnostics diagnostics;
  const std::uint32_t file = sources.add(path == "-" ? "standard input" : path, text);
  const auto formatted = mappings::format(sources, file, diagnostics);
  if (!formatted) {
    std::fputs(base::render(diagnostics, sources, is_terminal(stderr)).c_str(), stderr);
    return Verdict::invalid;
  }
  const bool changed = *formatted != text;
  const bool look_only = arguments.has("--check") || arguments.has("--diff");
  if (changed && arguments.has("--diff")) print(difference(path, text, *formatted));
  if (path == "-" && !look_only) print(*formatted);
  if (path != "-" && changed && !look_only) TRY_VOID(base::system_env().write_file_atomic(path, *formatted));
  return changed ? Verdict::changed : Verdict::same;
}

int run(const Arguments& arguments) {
  std::vector<std::string> files;
  for (const std::string& path : arguments.all("PATH")) {
    if (path == "-") {
      files.push_back(path);
      continue;
    }
    const base::Status status = collect(path, files);
    if (!status) return report(status.error(), arguments), kExitUsageFile;
  }
  std::vector<std::string> changed, invalid;
  for (const std::string& path : files) {
    const auto verdict = format_one(path, arguments);
    if (!verdict) return report(verdict.error(), arguments), kExitUsageFile;
    if (*verdict == Verdict::changed) changed.push_back(path);
    if (*verdict == Verdict::invalid) invalid.push_back(path);
  }
  const bool look_only = arguments.has("--check") || arguments.has("--diff");
  const bool to_stdout = std::find(files.begin(), files.end(), "-") != files.end() && !look_only;
  if (arguments.json() && !to_stdout) {
    base::JsonWriter json;
    json.begin_object().key("files").integer(static_cast<std::int64_t>(files.size()));
    json.key(look_only ? "unformatted" : "formatted").begin_array();
    for (const std::string& path : changed) json.string(path);
    json.end_array().key("invalid").begin_array();
    for (const std::string& path : invalid) json.string(path);
    print(json.end_array().end_object().str() + "\n");
  } else if (!arguments.has("--diff") && !to_stdout) {
    for (const std::string& path : changed) print(path + "\n");
  }
  if (!invalid.empty()) return kExitConfig;
  return look_only && !changed.empty() ? kExitFound : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {
    {"PATH", "map, channel and kiln.conf files, folders of them, or - for stdin to stdout", true, true}};
constexpr OptionSpec kOptions[] = {{"--check", nullptr, "change nothing; list files that are not formatted"},
                                   {"--diff", nullptr, "change nothing; show what would change"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln fmt maps/adt.hmap", "rewrites the file in place, prints its name when it changed"},
    {"kiln fmt --check examples/quickstart", "for CI: exit 1 when a file is not formatted"},
    {"kiln fmt - < maps/adt.hmap", "from standard input to standard output"}};

}  // namespace

const CommandSpec& fmt_spec() {
  static const CommandSpec spec{
      "fmt",
      "Config",
      "put map, channel and kiln.conf files into canonical style",
      "Only blanks and line breaks change, never a token or a comment. Exit 0; with --check or --diff 1 "
      "when\n"
      "something would change; 2 for unreadable files; 78 for syntax errors (such files stay as they are).",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
