#pragma once
// Subcommands of `kiln`. One verb = one file engine/cli/<verb>.cpp that defines `const CommandSpec&
// <verb>_spec()`; the build lists them in all_commands(). Parsing, --help and its examples come from the
// spec.

#include <cstdio>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace kiln::engine {

/// Exit codes (operations.md §2).
enum ExitCode : int {
  kExitOk = 0,
  kExitFound = 1,      ///< found something: a failed test, a refused message, a difference
  kExitUsageFile = 2,  ///< verbs that only read files: usage, or a file that cannot be read
  kExitUsage = 64,
  kExitUnreachable = 69,  ///< engine not reachable
  kExitIo = 74,           ///< I/O or fsync fail-stop
  kExitRetry = 75,        ///< try again
  kExitConfig = 78
};

struct OptionSpec {
  const char* name;             ///< "--map"; a flag when `value` is nullptr
  const char* value = nullptr;  ///< "MAP": what stands in its place in --help
  const char* summary = "";
  bool required = false;
  bool repeated = false;
};

struct ArgumentSpec {
  const char* name;  ///< "SITE"
  const char* summary = "";
  bool required = true;
  bool repeated = false;
};

struct ExampleSpec {
  const char* command;  ///< "kiln check examples/quickstart"
  const char* says;
};

/// Parsed command line; views into it live as long as it does.
class Arguments {
 public:
  std::map<std::string, std::vector<std::string>, std::less<>>
      values;  ///< by option ("--map") or argument name ("SITE")

  bool has(std::string_view name) const { return values.find(name) != values.end(); }
  std::string text(std::string_view name, std::string_view otherwise = {}) const;
  std::vector<std::string> all(std::string_view name) const;
  bool json() const { return has("--json"); }
};

struct CommandSpec {
  const char* name;
  const char* group;  ///< heading in `kiln --help`
  const char* summary;
  const char* details;  ///< paragraphs for `kiln VERB --help`, may be ""
  std::span<const ArgumentSpec> arguments;
  std::span<const OptionSpec> options;  ///< beside --json, --help, which every verb has
  std::span<const ExampleSpec> examples;
  int (*run)(const Arguments& arguments) = nullptr;
  int usage_exit = kExitUsage;
};

/// Every verb of this build, sorted by name (generated).
std::span<const CommandSpec* const> all_commands();

/// Parses and runs; what main() returns.
int run_command_line(int argc, const char* const* argv);

// ---- helpers of the verbs ----

/// Colour and progress are for people: only when that stream is a terminal, and never when NO_COLOR is set.
bool is_terminal(std::FILE* stream);
/// Prints an error to stderr (as one JSON object with --json) and returns the exit code of its category.
int report(const base::Error& error, const Arguments& arguments);
/// The value of an option that is a whole number; not given: `otherwise`. Error: usage, when it is none or beyond the bounds.
base::Result<std::int64_t> whole_number(const Arguments& arguments, std::string_view option, std::int64_t otherwise, std::int64_t least,
                                        std::int64_t most);
/// Writes to stdout; all output of the verbs goes through it.
void print(std::string_view text);

/// A line on stderr that is overwritten as work goes on; nothing when stderr is no terminal.
class Progress {
 public:
  explicit Progress(std::string what);
  ~Progress();
  /// `total` 0: not known; then every thousandth step is shown.
  void step(std::size_t done, std::size_t total);

 private:
  std::string what_;
  bool shown_ = false;
  std::size_t last_ = 0;
};

}  // namespace kiln::engine
