// CSV files of a folder; one file is one message, its rows are read by the map.

#include "channels/connectors/detail/polled_folder.h"

namespace kiln::channels {

namespace {

constexpr FieldSpec kOptions[] = {
    detail::kFolderOption,
    detail::kPatternOption,
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
};
constexpr ConnectorExample kExamples[] = {
    {"{ folder \"in\"; pattern \"*.csv\" }"},
    {"{ folder \"in\"; split rows; results \"results\" }"},
    {"{ folder \"in\"; split entries }", false},
    {"{ pattern \"*.csv\" }", false},
    {"{ folder \"in\"; poll soon }", false},
};

std::vector<OptionProblem> check(const Options& options) {
  return detail::check_split(options, ContentKind::csv);
}

std::unique_ptr<Source> make(const Options& options, const Surroundings& around) {
  detail::FolderInput input;
  input.content = ContentKind::csv;
  input.splits = true;
  return detail::make_polled_folder(options, around, std::move(input));
}

}  // namespace

const ConnectorSpec& csv_source_spec() {
  static const ConnectorSpec spec{.name = "csv",
                                  .role = ConnectorRole::source,
                                  .summary = "takes CSV files out of a folder",
                                  .content = {.csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .check = &check,
                                  .make_source = &make};
  return spec;
}

}  // namespace kiln::channels
