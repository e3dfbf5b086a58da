// kiln hl7 xml: messages as v2.xml.

#include "hl7/xml.h"

#include "engine/detail/hl7_cli.h"

namespace kiln::engine {
namespace {

int run(const Arguments& arguments) {
  hl7::XmlWriteOptions options;
  options.pretty = !arguments.has("--compact");
  bool first = true;
  return detail::for_each_message(arguments, arguments.all("FILE"), [&](detail::Hl7Item& item) {
    // Several documents in one stream share the declaration of the first.
    options.declaration = first && !arguments.has("--compact");
    first = false;
    const std::string xml = hl7::to_xml(*item.message, options);
    if (arguments.json()) {
      base::JsonWriter json;
      json.begin_object().member("file", item.file.name);
      json.key("message").integer(static_cast<std::int64_t>(item.number));
      json.member("xml", xml);
      print(json.end_object().take() + "\n");
    } else {
      print(options.pretty ? xml : xml + "\n");
    }
    return true;
  });
}

constexpr ArgumentSpec kArguments[] = {detail::kFilesArgument};
constexpr OptionSpec kOptions[] = {{"--compact", nullptr, "one line per message, without declaration"},
                                   detail::kCharsetOption};
constexpr ExampleSpec kExamples[] = {{"kiln hl7 xml a01.hl7", "one message as v2.xml, indented"},
                                     {"kiln hl7 xml --compact day.hl7 | kiln hl7 er7", "there and back"}};

}  // namespace

const CommandSpec& hl7_xml_spec() {
  static const CommandSpec spec{
      "hl7 xml",
      "Files",
      "print messages as v2.xml",
      "Groups come from the structure of the message; segments that fit nowhere stand where they stood.\n"
      "hl7/README.md says how what XML cannot hold is written. Exit 1 when a message cannot be parsed, 2 "
      "for\n"
      "usage and unreadable files.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
