// Files of a folder as messages: HL7 (also batches and several messages in one file) or one FHIR resource
// each.

#include "channels/connectors/detail/polled_folder.h"
#include "channels/detail/validation.h"

namespace kiln::channels {

namespace {

constexpr const char* kContentWords[] = {"hl7", "fhir", "csv"};
constexpr FieldSpec kOptions[] = {
    detail::kFolderOption,
    detail::kPatternOption,
    {.name = "content",
     .type = FieldType::word,
     .summary = "what the files hold",
     .default_value = "hl7",
     .words = kContentWords},
    {.name = "charset",
     .type = FieldType::string,
     .summary = "character set when MSH-18 is empty",
     .lead = "default"},
    {.name = "timezone",
     .type = FieldType::string,
     .summary = "IANA zone of times without offset; default: the server's"},
    detail::kPollOption,
    detail::kStableOption,
    detail::kArchiveOption,
    detail::kFailedOption,
    detail::kWorkOption,
    detail::kMaxFileOption,
    detail::kSplitOption,
    detail::kDelimiterOption,
    detail::kResultsOption,
    detail::kValidateOption,
};
constexpr ConnectorExample kExamples[] = {
    {"{ folder \"in\" }"},
    {"{ folder \"in/orders\"; pattern \"*.hl7\"; poll 5s; stable 10s; archive \"done\" }"},
    {"{ folder \"in\"; content fhir; split entries; results \"results\" }"},
    {"{ pattern \"*.hl7\" }", false},
    {"{ folder \"in\"; split rows }", false},
    {"{ folder \"in\"; content pdf }", false},
};

ContentKind kind_of(const Options& options) {
  const std::string content = options.text("content");
  return content == "fhir" ? ContentKind::fhir : content == "csv" ? ContentKind::csv : ContentKind::hl7;
}

std::vector<OptionProblem> check(const Options& options) {
  return detail::check_split(options, kind_of(options));
}

std::unique_ptr<Source> make(const Options& options, const Surroundings& around) {
  const ContentKind kind = kind_of(options);
  detail::FolderInput input;
  input.content = kind;
  input.split_batches = kind == ContentKind::hl7;
  input.splits = true;
  return detail::make_polled_folder(options, around, std::move(input));
}

}  // namespace

const ConnectorSpec& file_source_spec() {
  static const ConnectorSpec spec{.name = "file",
                                  .role = ConnectorRole::source,
                                  .summary = "takes files out of a folder",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .check = &check,
                                  .make_source = &make};
  return spec;
}

}  // namespace kiln::channels
