// kiln hl7 validate: messages against the standard or a profile.

#include "hl7/validate.h"

#include <algorithm>

#include "engine/base/env.h"
#include "engine/base/text.h"
#include "engine/detail/hl7_cli.h"

namespace kiln::engine {
namespace {

using base::Result;
using detail::Hl7Item;
using detail::Paint;

constexpr const char* kSeverities[] = {"note", "warning", "error"};

/// KIND=LEVEL, PATH=LEVEL or PATH:KIND=LEVEL
base::Status set_level(hl7::ValidationPolicy& policy, const std::string& text) {
  const auto bad = [&](const char* why) {
    return base::fail(base::ErrorCode::usage, why, "--level " + text,
                      "for example --level table=warning, --level PID-3=off or --level PID-3:length=off");
  };
  const auto equals = text.rfind('=');
  if (equals == text.npos) return bad("--level needs a `=`");
  const auto level = hl7::rule_level(text.substr(equals + 1));
  if (!level) return bad("a level is off, note, warning or error");
  std::string what = text.substr(0, equals);
  if (what == "all") {
    policy.set_all(*level);
    return {};
  }
  if (const auto kind = hl7::rule_kind(what)) {
    policy.set(*kind, *level);
    return {};
  }
  std::optional<hl7::RuleKind> kind;
  if (const auto colon = what.find(':'); colon != what.npos) {
    kind = hl7::rule_kind(what.substr(colon + 1));
    if (!kind) return bad("there is no such kind of finding");
    what.resize(colon);
  }
  return policy.set(what, kind, *level);
}

Result<hl7::Profile> load_profile(const std::string& name) {
  TRY(const std::string text, base::system_env().read_file(name, base::limits::kMessageBytesMax));
  if (!base::trim(text).starts_with('<')) return hl7::read_profile(text);
  TRY(auto imported, hl7::import_profile_xml(text));
  for (const std::string& note : imported.notes) std::fprintf(stderr, "%s: %s\n", name.c_str(), note.c_str());
  return std::move(imported.profile);
}

Result<hl7::Validator> make_validator(const Arguments& arguments) {
  hl7::ValidationPolicy policy;
  for (const std::string& level : arguments.all("--level")) TRY_VOID(set_level(policy, level));
  if (!arguments.has("--profile")) return hl7::Validator(std::move(policy));
  TRY(auto profile, load_profile(arguments.text("--profile")));
  return hl7::Validator::make(std::move(profile), std::move(policy));
}

void print_text(const Hl7Item& item, const hl7::ValidationReport& report, const Paint& paint, bool quiet) {
  if (!quiet) {
    for (const hl7::Finding& finding : report.findings) {
      const bool error = finding.severity == base::Severity::error;
      const bool note = finding.severity == base::Severity::note;
      print(item.name() + ": " + paint(Paint::bold, finding.path) + ": " +
            paint(error  ? Paint::red
                  : note ? Paint::cyan
                         : Paint::yellow,
                  kSeverities[static_cast<std::size_t>(finding.severity)]) +
            "[" + std::string(hl7::name_of(finding.rule)) + " " + std::to_string(finding.code) +
            "]: " + finding.text +
            paint(Paint::dim, " (byte " + std::to_string(item.offset + finding.offset) + ")") + "\n");
    }
    if (report.dropped != 0)
      print(item.name() + ": " + std::to_string(report.dropped) + " more are not shown\n");
  }
  const auto count = [](std::uint32_t n, const char* what) {
    return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
  };
  print(item.name() + ": " + (report.ok() ? paint(Paint::green, "valid") : paint(Paint::red, "not valid")) +
        ", " +
        (report.choice.structure == nullptr ? "no known structure"
                                            : std::string(report.choice.structure->id())) +
        " " + std::string(hl7::version_text(report.choice.version)) + ", " + count(report.errors, "error") +
        ", " + count(report.warnings, "warning") + ", " + count(report.notes, "note") + "\n");
}

void print_json(const Hl7Item& item, const hl7::ValidationReport& report) {
  base::JsonWriter json;
  json.begin_object().member("file", item.file.name);
  json.key("message").integer(static_cast<std::int64_t>(item.number));
  json.key("valid").boolean(report.ok());
  json.key("structure");
  if (report.choice.structure != nullptr)
    json.string(report.choice.structure->id());
  else
    json.null();
  json.member("version", hl7::version_text(report.choice.version));
  json.key("errors").integer(report.errors);
  json.key("warnings").integer(report.warnings);
  json.key("notes").integer(report.notes);
  json.key("findings").begin_array();
  for (const hl7::Finding& finding : report.findings) {
    json.begin_object()
        .member("path", finding.path)
        .member("severity", kSeverities[static_cast<std::size_t>(finding.severity)])
        .member("rule", hl7::name_of(finding.rule))
        .key("code")
        .integer(finding.code);
    json.key("offset").integer(static_cast<std::int64_t>(item.offset + finding.offset));
    json.key("erl").begin_array().string(finding.segment).integer(finding.sequence);
    for (const std::uint32_t n : {finding.location.field, finding.location.repetition,
                                  finding.location.component, finding.location.subcomponent})
      if (n != 0) json.integer(n);
    json.end_array().member("text", finding.text).end_object();
  }
  print(json.end_array().end_object().take() + "\n");
}

int run(const Arguments& arguments) {
  const auto validator = make_validator(arguments);
  if (!validator) return detail::report_usage(validator.error(), arguments);
  const Paint paint(arguments);
  hl7::ValidationReport report;
  bool valid = true;
  const int exit_code = detail::for_each_message(arguments, arguments.all("FILE"), [&](Hl7Item& item) {
    validator->validate(*item.message, report);
    valid = valid && report.ok();
    if (arguments.json())
      print_json(item, report);
    else
      print_text(item, report, paint, arguments.has("--quiet"));
    return true;
  });
  return exit_code == kExitOk && !valid ? kExitFound : exit_code;
}

constexpr ArgumentSpec kArguments[] = {detail::kFilesArgument};
constexpr OptionSpec kOptions[] = {
    {"--profile", "FILE", "a profile: JSON (hl7/README.md) or the XML of a message profile"},
    {"--level", "RULE=LEVEL",
     "off, note, warning or error for a kind (structure, required, cardinality, usage, length, datatype, "
     "table, user-table, "
     "condition, constant, undefined, all), a path, or PATH:KIND (repeatable)",
     false, true},
    {"--quiet", nullptr, "one line per message"},
    detail::kCharsetOption,
    detail::kColorOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln hl7 validate *.hl7", "against the standard, in the version each message states"},
    {"kiln hl7 validate --profile lab.json --level user-table=off oru.hl7",
     "against what one interface agreed on"},
    {"kiln hl7 validate --json day.hl7 | jq -c 'select(.valid | not)'",
     "a line per message that is not valid"}};

}  // namespace

const CommandSpec& hl7_validate_spec() {
  static const CommandSpec spec{
      "hl7 validate",
      "Files",
      "check messages against the standard or a profile",
      "Each finding has its path, rule, code of table 0357 and byte, and never a value of the message. By\n"
      "default length, usage, user-table and undefined are warnings, everything else is an error.\n"
      "Exit 1 when a message has errors or cannot be parsed, 2 for usage, profiles and unreadable files.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
