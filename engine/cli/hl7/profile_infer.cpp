// kiln hl7 profile infer: what samples have in common, as a profile.

#include "hl7/profile_infer.h"

#include <cstdio>
#include <cstdlib>

#include "engine/detail/hl7_cli.h"

namespace kiln::engine {
namespace {

int run(const Arguments& arguments) {
  hl7::InferOptions options;
  options.strict = arguments.has("--strict");
  if (arguments.has("--least")) {
    const std::string text = arguments.text("--least");
    if (text.empty() || text.size() > 6 || text.find_first_not_of("0123456789") != text.npos)
      return detail::report_usage({base::ErrorCode::usage, "a number is expected", "--least", {}}, arguments);
    options.samples_min = std::strtoul(text.c_str(), nullptr, 10);
  }
  hl7::ProfileInference inference(options);
  int exit_code = detail::for_each_message(arguments, arguments.all("FILE"), [&](detail::Hl7Item& item) {
    if (!inference.add(*item.message))
      report({base::ErrorCode::bad_profile,
              "not counted: another structure or version than the first message",
              item.name(),
              {}},
             arguments);
    return true;
  });
  const auto profile = inference.result(arguments.text("--name", "inferred"));
  if (!profile) return exit_code == kExitOk ? kExitFound : exit_code;
  std::string text = hl7::print_profile(*profile);
  if (!text.ends_with('\n')) text += '\n';
  print(text);
  return exit_code;
}

constexpr ArgumentSpec kArguments[] = {detail::kFilesArgument};
constexpr OptionSpec kOptions[] = {
    {"--name", "NAME", "name of the profile (default: inferred)"},
    {"--least", "N", "from how many samples on something counts (default: 3)"},
    {"--strict", nullptr, "what was never valued is not supported, codes never seen are errors"},
    detail::kCharsetOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln hl7 profile infer --name \"lab of NORD\" samples/*.hl7 > lab.json", "a draft, to be reviewed"},
    {"kiln hl7 validate --profile lab.json new.hl7", "then: what is different in other messages"}};

}  // namespace

const CommandSpec& hl7_profile_infer_spec() {
  static const CommandSpec spec{
      "hl7 profile infer",
      "Files",
      "a profile in JSON from sample messages",
      "Takes messages of one structure and version, that of the first. Says what is always there (R) or now\n"
      "and then (RE), how often it repeats, how long it is, which codes were seen how often, and what never\n"
      "changes. Codes and constants come only from places with a table or the name of a system: no name,\n"
      "number or text of a patient gets into the profile. Exit 1 when a file holds no message, 2 for usage "
      "and\n"
      "unreadable files.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
