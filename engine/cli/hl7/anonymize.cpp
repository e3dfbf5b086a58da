// kiln hl7 anonymize: messages without what tells who the patient is.

#include "hl7/anonymize.h"

#include <cstdio>

#include "engine/base/env.h"
#include "engine/detail/hl7_cli.h"
#include "engine/security/random_key.h"

namespace kiln::engine {
namespace {

using base::Result;

constexpr std::size_t kKeyBytes = 32;      ///< of a random key
constexpr std::size_t kKeyFileMin = 16;    ///< bytes
constexpr std::size_t kKeyFileMax = 4096;  ///< bytes

Result<hl7::AnonymizeOptions> options_of(const Arguments& arguments) {
  hl7::AnonymizeOptions options;
  if (arguments.has("--key-file")) {
    const std::string name = arguments.text("--key-file");
    TRY(options.key, base::system_env().read_file(name, kKeyFileMax));
    while (!options.key.empty() && (options.key.back() == '\n' || options.key.back() == '\r'))
      options.key.pop_back();
    if (options.key.size() < kKeyFileMin)
      return base::fail(base::ErrorCode::bad_value, "the key is shorter than 16 bytes", name,
                        "for example: head -c 32 /dev/urandom | base64 > key");
  } else {
    TRY(options.key, random_key(kKeyBytes));
  }
  const std::string local = arguments.text("--local", "redact"), text = arguments.text("--text", "redact");
  if (local == "remove")
    options.local = hl7::AnonymizeLocal::remove;
  else if (local == "keep")
    options.local = hl7::AnonymizeLocal::keep;
  else if (local != "redact")
    return base::fail(base::ErrorCode::usage, "--local is redact, remove or keep");
  if (text == "keep")
    options.text = hl7::AnonymizeText::keep;
  else if (text != "redact")
    return base::fail(base::ErrorCode::usage, "--text is redact or keep");
  return options;
}

/// To stderr, because stdout has the messages.
void print_report(const hl7::AnonymizeReport& report, std::size_t messages, const Arguments& arguments) {
  std::fflush(stdout);  // so that both streams in one file keep their order
  if (arguments.json()) {
    base::JsonWriter json;
    json.begin_object().key("messages").integer(static_cast<std::int64_t>(messages));
    json.member("key", arguments.has("--key-file") ? "file" : "random").key("changed").begin_array();
    for (const auto& [place, count] : report) {
      json.begin_object().member("path", place.first).member("rule", hl7::name_of(place.second));
      json.key("count").integer(static_cast<std::int64_t>(count)).end_object();
    }
    std::fprintf(stderr, "%s\n", json.end_array().end_object().take().c_str());
    return;
  }
  for (const auto& [place, count] : report)
    std::fprintf(stderr, "%s %s %llu\n", detail::pad(place.first, 14).c_str(),
                 detail::pad(std::string(hl7::name_of(place.second)), 13).c_str(),
                 static_cast<unsigned long long>(count));
  std::fprintf(
      stderr, "%zu %s; %s\n", messages, messages == 1 ? "message" : "messages",
      arguments.has("--key-file") ? "key of the file" : "random key: a later run gives other pseudonyms");
}

int run(const Arguments& arguments) {
  const auto options = options_of(arguments);
  if (!options) return detail::report_usage(options.error(), arguments);
  const hl7::Anonymizer anonymizer(*options);
  hl7::AnonymizeReport report_all;
  std::size_t messages = 0;
  bool failed = false;
  const int exit_code =
      detail::for_each_message(arguments, arguments.all("FILE"), [&](detail::Hl7Item& item) {
        const auto text = anonymizer.apply(*item.message, report_all);
        if (!text) {
          base::Error why = text.error();
          why.place = item.name();
          report(why, arguments);
          failed = true;
          return true;
        }
        ++messages;
        print(*text);
        return true;
      });
  if (!arguments.has("--quiet")) print_report(report_all, messages, arguments);
  return failed ? std::max<int>(exit_code, kExitFound) : exit_code;
}

constexpr ArgumentSpec kArguments[] = {detail::kFilesArgument};
constexpr OptionSpec kOptions[] = {
    {"--key-file", "FILE", "secret of at least 16 bytes: the same pseudonyms in every run (default: random)"},
    {"--text", "POLICY", "free text: redact (default) or keep"},
    {"--local", "POLICY", "Z segments and undefined fields: redact (default), remove or keep"},
    {"--quiet", nullptr, "no list of what was changed"},
    detail::kCharsetOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln hl7 anonymize adt.hl7 > adt.anon.hl7", "what was changed is listed on stderr"},
    {"kiln hl7 anonymize --key-file key day1.hl7 day2.hl7 > both.hl7",
     "the same patient stays the same patient"}};

}  // namespace

const CommandSpec& hl7_anonymize_spec() {
  static const CommandSpec spec{
      "hl7 anonymize",
      "Files",
      "replace what tells who the patient is",
      "By datatype: names become invented ones, identifiers others of the same form, dates go back by 1 to "
      "365\n"
      "days per patient, addresses and telephones change, free text and documents become REDACTED. Codes,\n"
      "numbers, times of day and the systems of MSH-3 to MSH-6 stay. hl7/anonymize.h has the whole table. "
      "Only\n"
      "messages are written, no envelope. Whether the result is anonymous in law is yours to judge.\n"
      "Exit 1 when a message cannot be parsed or written, 2 for usage and unreadable files.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
