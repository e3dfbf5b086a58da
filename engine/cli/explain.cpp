// kiln explain: where each value of a map's result came from.

#include "mappings/explain.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "engine/admin/lineage.h"
#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/command.h"
#include "engine/detail/map_files.h"
#include "engine/detail/map_run.h"
#include "engine/detail/site_data.h"
#include "engine/journal/reader.h"

namespace kiln::engine {
namespace {

using base::Result;
using mappings::ExplainedSource;
using mappings::ExplainedValue;
using mappings::Explanation;

// ---- what is explained ----

struct Subject {
  std::string name;  ///< "a01.hl7", "a01.hl7 message 2", "4711"
  channels::ContentKind kind = channels::ContentKind::hl7;
  std::string text;
  std::string channel = "explain";
  base::WallTime received;
  std::string lookups = {};  ///< the answers the journal keeps with it
};

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<std::vector<Subject>> read_subjects(const std::string& path, const Arguments& arguments) {
  if (is_number(path) && !base::system_env().exists(path)) {
    TRY(auto reader, detail::open_journal(arguments));
    TRY(StoredMessage stored, reader.message(std::strtoull(path.c_str(), nullptr, 10)));
    NewMessage& message = stored.message;
    return std::vector<Subject>{
        {path, message.kind, std::move(message.body), std::move(message.channel), message.received,
         arguments.has("--fresh-lookups") ? std::string() : std::move(message.lookups)}};
  }
  TRY(auto file, detail::read_input(path));
  std::vector<Subject> subjects;
  for (std::string& text : file.messages) {
    const std::string name =
        file.messages.size() == 1 ? path : path + " message " + std::to_string(subjects.size() + 1);
    subjects.push_back({name, file.kind, std::move(text), "explain", base::SystemClock().wall()});
  }
  return subjects;
}

/// The maps that a channel runs, as its `map` clauses name them.
std::vector<std::string> maps_of_channel(const mappings::Library& library, const std::string& channel) {
  std::vector<std::string> names;
  for (const auto& declaration : library.declarations()) {
    const auto* decl = declaration->decl->get_if<mappings::ast::ChannelDecl>();
    if (decl == nullptr || (declaration->qualified() != channel && declaration->name != channel)) continue;
    for (const auto& route : decl->routes) {
      const auto target = library.resolve(*declaration->file, route.map, mappings::DeclKind::map);
      std::string name = target.found != nullptr ? target.found->qualified() : route.map.text();
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
    }
  }
  return names;
}

base::Error usage(std::string text, std::string help) {
  return {base::ErrorCode::usage, std::move(text), {}, std::move(help)};
}

/// --map, or the only map of the journaled message's channel.
Result<mappings::Program> find_program(const detail::MapSet& maps, const Arguments& arguments,
                                       const std::string& channel) {
  std::string name = arguments.text("--map");
  if (name.empty()) {
    const auto names = maps_of_channel(*maps.library, channel);
    if (names.size() != 1) {
      std::string list;
      for (const std::string& one : names) list += (list.empty() ? "" : ", ") + one;
      return base::fail(
          usage(names.empty() ? "which map?" : "channel " + channel + " runs several maps: " + list,
                "name it with --map"));
    }
    name = names.front();
  }
  mappings::Program program = maps.compiled.program(name);
  if (!program)
    return base::fail(usage("there is no map or package `" + name + "`",
                            "name one with its package, or --load a file that has it"));
  return program;
}

struct Explained {
  detail::MapRun run;
  Explanation explanation;
};

Result<std::unique_ptr<Explained>> explain(const detail::MapSet& maps, const mappings::Program& program,
                                           const Subject& subject) {
  mappings::RunContext context;
  context.received = subject.received;
  context.channel = subject.channel;
  context.tables = maps.tables.get();
  auto out = std::make_unique<Explained>();
  const auto recorded = mappings::recorded_answers(subject.lookups);
  TRY_VOID(out->run.run(maps, program, subject.kind, subject.text, context, recorded));
  TRY(out->explanation,
      Explanation::of(*maps.library, program, out->run.input(), out->run.runner(), out->run.result()));
  return out;
}

// ---- printing ----

std::string text_of(const mappings::RunDiagnostic& note) {
  static constexpr const char* kLevels[] = {"note", "warning", "error"};
  std::string text = std::string(kLevels[static_cast<std::size_t>(note.level)]) + "[" +
                     std::string(note.code) + "]: " + note.text;
  if (!note.source.empty()) text += ", from " + note.source;
  if (!note.rule.empty()) text += ", rule " + note.rule;
  return text + "\n";
}

int print_unread(const Subject& subject, const Explained& explained, const Arguments& arguments) {
  const auto unread = explained.explanation.unread();
  if (arguments.json()) {
    base::JsonWriter json;
    json.begin_object().member("message", subject.name).key("unread").begin_array();
    for (const ExplainedSource& source : unread) write_lineage_source(json, source);
    print(json.end_array().end_object().str() + "\n");
    return kExitOk;
  }
  for (const ExplainedSource& source : unread) {
    std::string line = source.path;
    line.append(line.size() < 16 ? 16 - line.size() : 1, ' ');
    if (!source.value.empty()) line += "\"" + source.value + "\"";
    if (!source.name.empty()) {
      line.append(line.size() < 52 ? 52 - line.size() : 2, ' ');
      line += source.name;
    }
    print(line + "\n");
  }
  if (unread.empty()) print("every valued field is read\n");
  return kExitOk;
}

int print_values(const Subject& subject, const Explained& explained, const Arguments& arguments) {
  const std::string path = arguments.text("--path"), from = arguments.text("--from");
  const Explanation& explanation = explained.explanation;
  std::vector<const ExplainedValue*> values;
  std::vector<const mappings::RunDiagnostic*> notes;
  if (!path.empty()) {
    values = explanation.at(path);
  } else if (!from.empty()) {
    values = explanation.from(from);
    notes = explanation.notes_from(from);
  } else {
    for (const ExplainedValue& value : explanation.values()) values.push_back(&value);
    for (const auto& note : explained.run.result().diagnostics) notes.push_back(&note);
  }
  if (arguments.json()) {
    base::JsonWriter json;
    json.begin_object().member("message", subject.name).member("map", explained.run.result().map);
    json.member("outcome", mappings::name_of(explained.run.result().outcome)).key("values").begin_array();
    for (const ExplainedValue* value : values) write_lineage_value(json, *value);
    json.end_array().key("notes").begin_array();
    for (const auto* note : notes) write_run_note(json, *note);
    print(json.end_array().end_object().str() + "\n");
  } else {
    for (const ExplainedValue* value : values) print(mappings::render(*value));
    for (const auto* note : notes) print(text_of(*note));
    if (values.empty() && notes.empty()) {
      const auto unread = explanation.unread();
      const bool is_unread =
          !from.empty() && std::any_of(unread.begin(), unread.end(), [&](const auto& source) {
            return mappings::source_paths_meet(source.path, from);
          });
      print(is_unread       ? from + " is valued, and no rule reads it\n"
            : !from.empty() ? from + " gave nothing: it is empty, or what was read of it was not written\n"
            : path.empty()  ? "the map wrote nothing\n"
                            : "nothing in the result is at " + path + "\n");
    }
  }
  return values.empty() ? kExitFound : kExitOk;
}

// ---- --diff ----

struct RuleCount {
  std::size_t values = 0;
  std::set<std::string> messages;
};

void print_change(const mappings::ExplainedChange& change) {
  const ExplainedValue& any = change.before != nullptr ? *change.before : *change.after;
  std::string line = change.before == nullptr ? "  + " : change.after == nullptr ? "  - " : "  ~ ";
  line += any.path + "  ";
  if (change.before != nullptr) line += change.before->value;
  if (change.before != nullptr && change.after != nullptr) line += " -> ";
  if (change.after != nullptr) line += change.after->value;
  print(line + "\n");
  const auto rule = [](const char* when, const ExplainedValue* value) {
    if (value == nullptr) return;
    print(std::string("      ") + when + value->rule + "  " + value->place + "  " + value->expression + "\n");
  };
  rule("old rule ", change.before);
  rule("new rule ", change.after);
}

class Comparison {
 public:
  Comparison(const detail::MapSet& before, const detail::MapSet& after, const Arguments& arguments)
      : before_(before), after_(after), arguments_(arguments) {
    json_.begin_object().key("messages").begin_array();
  }

  base::Status add(const Subject& subject) {
    TRY(const auto old_program, find_program(before_, arguments_, subject.channel));
    TRY(const auto new_program, find_program(after_, arguments_, subject.channel));
    TRY(const auto left, explain(before_, old_program, subject));
    TRY(const auto right, explain(after_, new_program, subject));
    const auto changes = mappings::difference(left->explanation, right->explanation);
    const auto &a = left->run.result(), &b = right->run.result();
    const bool outcome = a.outcome != b.outcome || a.reason != b.reason;
    ++messages_;
    if (changes.empty() && !outcome && a.output == b.output) return {};
    ++changed_;
    for (const auto& change : changes) count(change, subject.name);
    if (arguments_.json()) return write(subject, changes, a, b), base::Status{};
    print(subject.name + "\n");
    if (outcome)
      print("  outcome " + std::string(mappings::name_of(a.outcome)) +
            (a.reason.empty() ? "" : ": " + a.reason) + " -> " + std::string(mappings::name_of(b.outcome)) +
            (b.reason.empty() ? "" : ": " + b.reason) + "\n");
    for (const auto& change : changes) print_change(change);
    return {};
  }

  int finish() {
    if (arguments_.json()) {
      json_.end_array().key("rules").begin_array();
      for (const auto& [rule, counted] : rules_) {
        json_.begin_object().member("rule", rule);
        json_.key("values").integer(static_cast<std::int64_t>(counted.values));
        json_.key("messages").integer(static_cast<std::int64_t>(counted.messages.size())).end_object();
      }
      print(json_.end_array().end_object().str() + "\n");
      return changed_ == 0 ? kExitOk : kExitFound;
    }
    print(std::to_string(changed_) + " of " + std::to_string(messages_) + " messages differ\n");
    for (const auto& [rule, counted] : rules_)
      print("  " + rule + ": " + std::to_string(counted.values) + " values in " +
            std::to_string(counted.messages.size()) + " messages\n");
    return changed_ == 0 ? kExitOk : kExitFound;
  }

 private:
  void count(const mappings::ExplainedChange& change, const std::string& message) {
    const ExplainedValue& value = change.after != nullptr ? *change.after : *change.before;
    RuleCount& counted = rules_[value.rule];
    ++counted.values;
    counted.messages.insert(message);
  }

  void write(const Subject& subject, const std::vector<mappings::ExplainedChange>& changes,
             const mappings::RunResult& a, const mappings::RunResult& b) {
    json_.begin_object()
        .member("message", subject.name)
        .member("outcome_before", mappings::name_of(a.outcome));
    json_.member("outcome_after", mappings::name_of(b.outcome)).key("changes").begin_array();
    for (const auto& change : changes) {
      json_.begin_object();
      if (change.before != nullptr) write_lineage_value(json_.key("before"), *change.before);
      if (change.after != nullptr) write_lineage_value(json_.key("after"), *change.after);
      json_.end_object();
    }
    json_.end_array().end_object();
  }

  const detail::MapSet& before_;
  const detail::MapSet& after_;
  const Arguments& arguments_;
  base::JsonWriter json_;
  std::map<std::string, RuleCount> rules_;
  std::size_t messages_ = 0, changed_ = 0;
};

// ---- the verb ----

/// Maps that compile, or an exit code.
Result<detail::MapSet> load(const std::vector<std::string>& paths, const std::string& map) {
  TRY(auto maps, detail::load_maps(paths, map));
  if (maps.diagnostics.ok()) return maps;
  std::fputs(base::render(maps.diagnostics, maps.library->sources(), is_terminal(stderr)).c_str(), stderr);
  return base::fail(base::ErrorCode::usage, "the maps have errors");
}

int run_diff(const Arguments& arguments) {
  const auto inputs = arguments.all("MESSAGE");
  if (inputs.size() < 3)
    return report(usage("--diff takes OLD NEW and messages",
                        "kiln explain --diff old/ new/ corpus/*.hl7 --map M"),
                  arguments),
           kExitUsageFile;
  const auto before = load({inputs[0]}, arguments.text("--map")),
             after = load({inputs[1]}, arguments.text("--map"));
  if (!before) return report(before.error(), arguments), kExitUsageFile;
  if (!after) return report(after.error(), arguments), kExitUsageFile;
  Comparison comparison(*before, *after, arguments);
  for (std::size_t i = 2; i < inputs.size(); ++i) {
    const auto subjects = read_subjects(inputs[i], arguments);
    if (!subjects) return report(subjects.error(), arguments), kExitUsageFile;
    for (const Subject& subject : *subjects) {
      const base::Status status = comparison.add(subject);
      if (!status) return report(status.error(), arguments), kExitUsageFile;
    }
  }
  return comparison.finish();
}

int run(const Arguments& arguments) {
  if (arguments.has("--diff")) return run_diff(arguments);
  auto paths = arguments.all("--load");
  if (arguments.has("--site")) paths.push_back(arguments.text("--site"));
  const auto maps = load(paths, arguments.text("--map"));
  if (!maps) return report(maps.error(), arguments), kExitUsageFile;
  int worst = kExitOk;
  const auto inputs = arguments.all("MESSAGE");
  for (const std::string& path : inputs) {
    const auto subjects = read_subjects(path, arguments);
    if (!subjects) return report(subjects.error(), arguments), kExitUsageFile;
    for (const Subject& subject : *subjects) {
      const auto program = find_program(*maps, arguments, subject.channel);
      if (!program) return report(program.error(), arguments), kExitUsageFile;
      const auto explained = explain(*maps, *program, subject);
      if (!explained) return report(explained.error(), arguments), kExitUsageFile;
      const auto& result = (*explained)->run.result();
      if (!result.ok())
        std::fprintf(stderr, "%s: %s%s%s\n", subject.name.c_str(),
                     std::string(mappings::name_of(result.outcome)).c_str(),
                     result.reason.empty() ? "" : ": ", result.reason.c_str());
      if (!arguments.json() && (subjects->size() > 1 || inputs.size() > 1)) print("# " + subject.name + "\n");
      worst = std::max(worst, arguments.has("--unread") ? print_unread(subject, **explained, arguments)
                                                        : print_values(subject, **explained, arguments));
    }
  }
  return worst;
}

constexpr ArgumentSpec kArguments[] = {
    {"MESSAGE",
     "a file (HL7 v2, FHIR JSON, CSV, - for stdin) or the number of a journaled message; with --diff: "
     "OLD NEW MESSAGE…",
     true, true}};
constexpr OptionSpec kOptions[] = {
    {"--map", "MAP",
     "a map or a package; may be left out for a journaled message whose channel runs one map"},
    {"--load", "PATH", "a site or an .hmap file with more maps and tables (repeatable)", false, true},
    detail::kSiteOption,
    detail::kDataOption,
    {"--path", "PATH", "only the value there and below: Patient.birthDate, patient.name, PID-5"},
    {"--from", "PATH", "only what this source gave: PID-8, PID-3[2].4, Patient.name, a csv column"},
    {"--unread", nullptr, "valued fields that no rule read"},
    {"--fresh-lookups", nullptr, "ask lookups anew instead of using the answers that the journal keeps"},
    {"--diff", nullptr, "OLD and NEW are sites or .hmap files: which outputs change, because of which rule"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln explain a01.hl7 --map std.v2fhir --path Patient.birthDate",
     "which rule wrote it, from which field"},
    {"kiln explain a01.hl7 --map std.v2fhir --from PID-8", "everything that PID-8 produced"},
    {"kiln explain 4711 --site examples/quickstart --unread", "a message of the journal"},
    {"kiln explain --diff old/ new/ corpus/*.hl7 --map adt_a01", "before a change goes live"}};

}  // namespace

const CommandSpec& explain_spec() {
  static const CommandSpec spec{"explain",
                                "Messages",
                                "show where each output value came from, and what was not read",
                                "Prints values of the message: mind where you print it. Without --path, "
                                "--from and --unread every value is\n"
                                "listed. Exit 1 when nothing is found or, with --diff, something differs; 2 "
                                "for usage and unreadable files.",
                                kArguments,
                                kOptions,
                                kExamples,
                                run,
                                kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
