// kiln completion: shell completions and the man page, of the same table that the command line is parsed by.

#include <map>
#include <set>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/version.h"

namespace kiln::engine {
namespace {

/// "hl7 batch" -> the words that may follow; "" -> the first words. Families and verbs alike.
std::map<std::string, std::set<std::string>> words_after() {
  std::map<std::string, std::set<std::string>> out;
  for (const CommandSpec* spec : all_commands()) {
    std::string before;
    for (const std::string_view word : base::split(spec->name, ' ')) {
      out[before].insert(std::string(word));
      before += (before.empty() ? "" : " ") + std::string(word);
    }
  }
  return out;
}

std::string join(const std::set<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

std::string options_of(const CommandSpec& spec) {
  std::set<std::string> out = {"--json", "--help"};
  for (const OptionSpec& option : spec.options) out.insert(option.name);
  return join(out);
}

/// What follows an option is completed as a file; so are arguments.
std::string bash() {
  std::string out =
      "# bash completion of kiln; printed by `kiln completion bash`\n"
      "_kiln() {\n"
      "  local word=\"${COMP_WORDS[COMP_CWORD]}\" verb= i next\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    next=\"${verb:+$verb }${COMP_WORDS[i]}\"\n"
      "    case \" $(_kiln_words \"$verb\") \" in *\" ${COMP_WORDS[i]} \"*) verb=\"$next\" ;; *) break ;; esac\n"
      "  done\n"
      "  if [[ $word == -* ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$(_kiln_options \"$verb\")\" -- \"$word\"))\n"
      "  elif [[ -n $(_kiln_words \"$verb\") ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$(_kiln_words \"$verb\")\" -- \"$word\"))\n"
      "  else\n"
      "    COMPREPLY=($(compgen -f -- \"$word\"))\n"
      "  fi\n"
      "}\n"
      "_kiln_words() {\n  case \"$1\" in\n";
  for (const auto& [before, words] : words_after()) out += "    '" + before + "') echo '" + join(words) + "' ;;\n";
  out += "  esac\n}\n_kiln_options() {\n  case \"$1\" in\n";
  for (const CommandSpec* spec : all_commands())
    out += "    '" + std::string(spec->name) + "') echo '" + options_of(*spec) + "' ;;\n";
  return out + "    *) echo '--help --version' ;;\n  esac\n}\ncomplete -o filenames -F _kiln kiln\n";
}

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// The bash one, by zsh's own way of running it.
std::string zsh() {
  return "#compdef kiln\n# printed by `kiln completion zsh`\nautoload -U +X bashcompinit && bashcompinit\n" + bash();
}

std::string fish() {
  std::string out = "# fish completion of kiln; printed by `kiln completion fish`\n"
                    "function __kiln_at\n"
                    "  set -l words (commandline -opc)[2..]\n"
                    "  string match -q -- \"$argv[1]\" (string join ' ' -- (string match -v -- '-*' $words))\n"
                    "end\n"
                    "function __kiln_in\n"
                    "  set -l words (commandline -opc)[2..]\n"
                    "  string match -q -- \"$argv[1]*\" (string join ' ' -- $words)\n"
                    "end\n";
  for (const auto& [before, words] : words_after())
    for (const std::string& word : words)
      out += "complete -c kiln -f -n \"__kiln_at " + quoted(before) + "\" -a " + quoted(word) + "\n";
  for (const CommandSpec* spec : all_commands())
    for (const OptionSpec& option : spec->options)
      out += "complete -c kiln -n \"__kiln_in " + quoted(spec->name) + "\" -l " + std::string(option.name).substr(2) +
             (option.value == nullptr ? "" : " -r") + " -d " + quoted(option.summary) + "\n";
  return out;
}

/// Text for roff: nothing in it may be taken for a request or an escape.
std::string roff(std::string_view text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    line_begins = c == '\n';
  }
  return out;
}

std::string man_verb(const CommandSpec& spec) {
  std::string out = ".SS \"kiln " + roff(spec.name);
  for (const ArgumentSpec& argument : spec.arguments)
    out += std::string(" ") + (argument.required ? "" : "[") + argument.name + (argument.repeated ? "..." : "") +
           (argument.required ? "" : "]");
  out += "\"\n" + roff(spec.summary) + ".\n";
  for (const ArgumentSpec& argument : spec.arguments)
    out += ".TP\n.I " + roff(argument.name) + "\n" + roff(argument.summary) + "\n";
  for (const OptionSpec& option : spec.options)
    out += ".TP\n.B " + roff(option.name) + (option.value == nullptr ? "" : " \\fI" + roff(option.value) + "\\fR") + "\n" +
           roff(option.summary) + "\n";
  if (*spec.details != '\0') out += ".PP\n.nf\n" + roff(spec.details) + "\n.fi\n";
  for (const ExampleSpec& example : spec.examples)
    out += ".PP\n.nf\n  " + roff(example.command) + "\n.fi\n" + roff(example.says) + ".\n";
  return out;
}

std::string man() {
  std::string out = ".TH KILN 1 \"\" \"kiln " + std::string(kVersion) +
                    "\" \"Kiln\"\n.SH NAME\nkiln \\- HL7 v2 interface engine and FHIR R4 gateway\n.SH SYNOPSIS\n.B kiln\n"
                    ".I VERB\n[\\-\\-json] [\\-\\-help] ...\n.SH DESCRIPTION\nKiln serves a site: a folder with kiln.conf, channels, maps "
                    "and tables. Every verb explains itself with \\-\\-help and prints JSON with \\-\\-json.\n.SH VERBS\n";
  for (const CommandSpec* spec : all_commands()) out += man_verb(*spec);
  return out + ".SH \"EXIT STATUS\"\n0 ok; 1 something was found (a difference, a failed test); 2 or 64 usage; 69 no engine answers; "
               "74 I/O; 75 try again; 77 no right; 78 the site has errors.\n.SH FILES\n/etc/kiln is the site of the service, "
               "/var/lib/kiln its data.\n";
}

int run(const Arguments& arguments) {
  const std::string wanted = arguments.text("SHELL");
  std::string text;
  if (wanted == "bash") text = bash();
  if (wanted == "zsh") text = zsh();
  if (wanted == "fish") text = fish();
  if (wanted == "man") text = man();
  if (arguments.json() && !text.empty()) text = base::JsonWriter().begin_object().member("shell", wanted).member("text", text).end_object().take() + "\n";
  print(text);
  if (!text.empty()) return kExitOk;
  return report(base::Error{base::ErrorCode::usage, "there is no completion for " + wanted, {}, "bash, zsh, fish or man"}, arguments);
}

constexpr ArgumentSpec kArguments[] = {{"SHELL", "bash, zsh, fish; man: the manual page"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln completion bash > ~/.local/share/bash-completion/completions/kiln", "complete verbs and options in bash"},
    {"kiln completion man | man -l -", "read the manual page"}};

}  // namespace

const CommandSpec& completion_spec() {
  static const CommandSpec spec{"completion",
                                "Developer",
                                "print shell completions or the manual page",
                                "Printed of the same table that the command line is read by; the Debian package has them installed.",
                                kArguments,
                                {},
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
