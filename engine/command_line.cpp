// The only file that knows CLI11.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/command.h"
#include "engine/version.h"

namespace kiln::engine {
namespace {

/// The groups of `kiln --help`, in order.
constexpr const char* kGroups[] = {"Run",     "Config",  "Files",    "Messages", "Replay",
                                   "Operate", "Storage", "Security", "Developer"};

std::string footer(const CommandSpec& spec) {
  std::string out;
  if (*spec.details != '\0') out += std::string(spec.details) + "\n\n";
  out += "Examples:\n";
  for (const ExampleSpec& example : spec.examples)
    out += std::string("  ") + example.command + "\n      " + example.says + "\n";
  return out;
}

/// CLI11 option objects of one verb, to be read after parsing.
struct Bound {
  const CommandSpec* spec;
  CLI::App* app;
  std::vector<std::pair<std::string, CLI::Option*>> options;
  std::deque<std::vector<std::string>>
      values;  ///< what CLI11 fills; a deque, because it keeps their addresses
};

/// What stands beside the first words of verbs of several words.
struct Family {
  const char* name;
  const char* group;
  const char* summary;
};
constexpr Family kFamilies[] = {
    {"hl7", "Files", "read, change, compare and check HL7 v2 files; explain the standard"},
    {"hl7 batch", "", "split and join batch files"},
    {"hl7 profile", "", "profiles to validate against"},
};

/// Adds the subcommand of a verb below those of the words before its last one.
CLI::App* add_verb(CLI::App& root, const CommandSpec& spec) {
  const std::string_view name = spec.name;
  CLI::App* at = &root;
  for (std::size_t space = name.find(' '); space != name.npos; space = name.find(' ', space + 1)) {
    const std::string family(name.substr(0, space));
    const std::string word = family.substr(family.rfind(' ') + 1);
    const auto known = at->get_subcommands([&](CLI::App* app) { return app->get_name() == word; });
    if (!known.empty()) {
      at = known.front();
      continue;
    }
    at = at->add_subcommand(word);
    at->require_subcommand(1);
    for (const Family& row : kFamilies)
      if (family == row.name)
        at->description(row.summary)->group(*row.group == '\0' ? spec.group : row.group);
  }
  return at->add_subcommand(spec.name + (name.rfind(' ') + 1), spec.summary);
}

void bind(Bound& bound, CLI::App& root, const CommandSpec& spec) {
  bound.spec = &spec;
  bound.app = add_verb(root, spec);
  bound.app->footer(footer(spec));
  bound.app->group(spec.group);
  for (const ArgumentSpec& argument : spec.arguments) {
    CLI::Option* option = bound.app->add_option(argument.name, bound.values.emplace_back(), argument.summary);
    option->required(argument.required)->type_name("");
    if (!argument.repeated) option->expected(1)->allow_extra_args(false);
    bound.options.emplace_back(argument.name, option);
  }
  for (const OptionSpec& spec_option : spec.options) {
    CLI::Option* option = nullptr;
    if (spec_option.value == nullptr) {
      option = bound.app->add_flag(spec_option.name)->description(spec_option.summary);
    } else {
      option = bound.app->add_option(spec_option.name, bound.values.emplace_back(), spec_option.summary);
      option->type_name(spec_option.value)->allow_extra_args(false);
      if (!spec_option.repeated) option->expected(1);
    }
    option->required(spec_option.required);
    bound.options.emplace_back(spec_option.name, option);
  }
  bound.options.emplace_back(
      "--json", bound.app->add_flag("--json")->description("print results as JSON, stable for scripts"));
}

int usage_error(const CLI::App& root, const CLI::ParseError& error, const std::deque<Bound>& verbs) {
  int exit_code = kExitUsage;
  std::string verb;
  for (const CLI::App* at = &root; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    verb += " " + at->get_name();
  }
  // Of a family that was called without its verb, the first verb of it tells.
  for (const Bound& bound : verbs) {
    if (verb.empty() || !(" " + std::string(bound.spec->name) + " ").starts_with(verb + " ")) continue;
    exit_code = bound.spec->usage_exit;
    break;
  }
  std::fprintf(stderr, "kiln%s: %s\nTry `kiln%s --help`.\n", verb.c_str(), error.what(), verb.c_str());
  return exit_code;
}

/// Changes of one letter that make one word of the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t corner = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, corner + (a[i - 1] == b[j - 1] ? 0 : 1)});
      corner = above;
    }
  }
  return row[b.size()];
}

/// What is said of a first word that is no verb; empty: it is one, or an option.
std::string unknown_verb(int argc, const char* const* argv) {
  if (argc < 2 || argv[1][0] == '-' || argv[1][0] == '\0') return {};
  const std::string_view word = argv[1];
  std::string nearest;
  std::size_t best = 3;
  for (const CommandSpec* spec : all_commands()) {
    const std::string_view name = spec->name, first = name.substr(0, name.find(' '));
    if (first == word) return {};
    const std::size_t far = first.starts_with(word) && word.size() > 1 ? 1 : distance(word, first);
    if (far >= best) continue;
    best = far;
    nearest = first;
  }
  std::string out = "kiln: there is no verb `" + std::string(word) + "`";
  if (!nearest.empty()) out += "; did you mean `" + nearest + "`?";
  return out + "\n`kiln --help` lists them.\n";
}

/// A negated query term (`-state:sent`) is a value, but CLI11 takes whatever starts with `-` for an option:
/// it parses the term with this byte in the place of the `-`.
constexpr char kNegated = '\x01';

bool is_negated_term(std::string_view argument) {
  const auto colon = argument.find(':');
  return argument.starts_with('-') && colon != std::string_view::npos &&
         argument.substr(1, colon - 1).find_first_not_of("abcdefghijklmnopqrstuvwxyz_") ==
             std::string_view::npos;
}

std::vector<std::string> hide_negations(int argc, const char* const* argv) {
  std::vector<std::string> out(argv, argv + argc);
  for (std::string& argument : out)
    if (is_negated_term(argument)) argument.front() = kNegated;
  return out;
}

std::vector<std::string> show_negations(std::vector<std::string> values) {
  for (std::string& value : values)
    if (value.starts_with(kNegated)) value.front() = '-';
  return values;
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
  CLI::App root{"Kiln: an HL7 v2 interface engine and FHIR R4 gateway", "kiln"};
  root.set_version_flag("--version", std::string("kiln ") + kVersion);
  root.require_subcommand(1);
  root.footer(
      "`kiln VERB --help` explains a verb with examples. Exit codes: 0 ok, 1 found something, 64 usage,\n"
      "69 engine not reachable, 74 I/O, 75 try again, 77 no right, 78 configuration; verbs that only read files: 2 usage "
      "or unreadable.");
  std::deque<Bound> verbs;
  if (const std::string unknown = unknown_verb(argc, argv); !unknown.empty()) {
    std::fputs(unknown.c_str(), stderr);
    return kExitUsage;
  }
  for (const char* group : kGroups)
    for (const CommandSpec* spec : all_commands())
      if (std::string_view(spec->group) == group) bind(verbs.emplace_back(), root, *spec);
  // A verb of a group that is not in the list above is there all the same, at the end of the help.
  for (const CommandSpec* spec : all_commands())
    if (std::ranges::find(kGroups, std::string_view(spec->group)) == std::end(kGroups)) bind(verbs.emplace_back(), root, *spec);
  const std::vector<std::string> arguments_given = hide_negations(argc, argv);
  std::vector<const char*> pointers;
  for (const std::string& argument : arguments_given) pointers.push_back(argument.c_str());
  try {
    root.parse(argc, pointers.data());
  } catch (const CLI::Success& success) {
    return root.exit(success);
  } catch (const CLI::ParseError& error) {
    return usage_error(root, error, verbs);
  }
  for (const Bound& bound : verbs) {
    if (bound.app->count() == 0) continue;
    Arguments arguments;
    for (const auto& [name, option] : bound.options)
      if (option->count() > 0) arguments.values[name] = show_negations(option->results());
    return bound.spec->run(arguments);
  }
  return kExitUsage;
}

}  // namespace kiln::engine
