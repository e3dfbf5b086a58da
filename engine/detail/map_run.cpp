#include "engine/detail/map_run.h"

namespace kiln::engine::detail {

using channels::ContentKind;

base::Status MapRun::run(const MapSet& maps, const mappings::Program& program, ContentKind kind,
                         const std::string& text, const mappings::RunContext& context,
                         std::vector<mappings::LookupAnswer> recorded) {
  return run(*maps.library, maps.lookups.get(), program, kind, text, context, std::move(recorded));
}

base::Status MapRun::run(const mappings::Library& library, mappings::LookupService* lookups,
                         const mappings::Program& program, ContentKind kind, const std::string& text,
                         const mappings::RunContext& context, std::vector<mappings::LookupAnswer> recorded) {
  const mappings::DataKind takes = program.input().kind;
  const ContentKind wanted = takes == mappings::DataKind::hl7    ? ContentKind::hl7
                             : takes == mappings::DataKind::fhir ? ContentKind::fhir
                                                                 : ContentKind::csv;
  if (kind != wanted)
    return base::fail(base::ErrorCode::bad_value, std::string("the map takes ") + channels::name_of(wanted) +
                                                      ", the input is " + channels::name_of(kind));
  if (kind == ContentKind::hl7) {
    TRY(hl7::Message message, hl7::Message::parse(text));
    message_ = std::make_unique<hl7::Message>(std::move(message));
    input_ = static_cast<const hl7::Message*>(message_.get());
  } else if (kind == ContentKind::fhir) {
    TRY(document_, base::parse_json(text));
    input_ = document_.root();
  } else {
    TRY(const auto format, csv_format_of(library, program.input().name));
    TRY(csv_, mappings::CsvFile::read(text, format));
    input_ = csv_.input();
  }
  mappings::LookupRecord answers{std::move(recorded), 0};
  result_ = &mappings::run_with_lookups(runner_, program, input_, context, lookups, answers);
  return {};
}

}  // namespace kiln::engine::detail
