// One file per message, whole or not at all.

#include "channels/connectors/detail/written_file.h"

namespace kiln::channels {

namespace {

constexpr FieldSpec kOptions[] = {
    {.name = "file",
     .type = FieldType::name_template,
     .summary = "name, relative to the site; ${…} may use the message",
     .required = true},
    detail::kExistsOption,
};
constexpr ConnectorExample kExamples[] = {
    {"{ file \"out/${MSH-10}.hl7\" }"},
    {"{ file \"out/last.hl7\"; exists replace }"},
    {"{ exists replace }", false},
};

}  // namespace

const ConnectorSpec& file_destination_spec() {
  static const ConnectorSpec spec{.name = "file",
                                  .role = ConnectorRole::destination,
                                  .summary = "writes each message as a file of its own",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .make_destination = &detail::make_written_file};
  return spec;
}

}  // namespace kiln::channels
