// kiln hl7 er7: v2.xml back to messages.

#include "engine/detail/hl7_cli.h"
#include "engine/detail/input_bytes.h"
#include "hl7/xml.h"

namespace kiln::engine {
namespace {

int run(const Arguments& arguments) {
  hl7::XmlReadOptions options;
  if (arguments.has("--replace")) options.unencodable = hl7::Unencodable::replace;
  int exit_code = kExitOk;
  std::vector<std::string> files = arguments.all("FILE");
  if (files.empty()) files.push_back("-");
  for (const std::string& name : files) {
    const auto xml = detail::read_bytes(name);
    if (!xml) {
      exit_code = detail::report_usage(xml.error(), arguments);
      continue;
    }
    const auto messages = hl7::from_xml_all(*xml, options);
    if (!messages || messages->empty()) {
      base::Error why = messages ? base::Error{base::ErrorCode::bad_v2xml, "there is no message", {}, {}}
                                 : messages.error();
      why.place = detail::shown_name(name) + (why.place.empty() ? "" : ", " + why.place);
      report(why, arguments);
      exit_code = std::max<int>(exit_code, kExitFound);
      continue;
    }
    for (const std::string& message : *messages) {
      if (arguments.json()) {
        base::JsonWriter json;
        json.begin_object().member("file", name).member("er7", detail::valid_text(message));
        print(json.end_object().take() + "\n");
        continue;
      }
      std::string text = message;
      if (is_terminal(stdout))
        for (char& c : text) c = c == '\r' ? '\n' : c;
      print(text);
    }
  }
  return exit_code;
}

constexpr ArgumentSpec kArguments[] = {
    {"FILE", "v2.xml, also several documents one behind the other; none or - reads standard input", false,
     true}};
constexpr OptionSpec kOptions[] = {
    {"--replace", nullptr, "write ? for characters that the set of MSH-18 lacks, instead of refusing"}};
constexpr ExampleSpec kExamples[] = {{"kiln hl7 er7 a01.xml > a01.hl7", "with delimiters and CR ends"}};

}  // namespace

const CommandSpec& hl7_er7_spec() {
  static const CommandSpec spec{
      "hl7 er7",
      "Files",
      "print v2.xml as messages with delimiters",
      "In the delimiters of MSH.1 and MSH.2 and the character set of MSH.18, without trailing delimiters;\n"
      "missing group elements do not matter. Exit 1 when the XML is no message, 2 for usage and unreadable\n"
      "files.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
