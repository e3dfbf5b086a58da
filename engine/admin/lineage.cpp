#include "engine/admin/lineage.h"

#include <algorithm>
#include <memory>

#include "engine/base/text.h"
#include "engine/detail/map_run.h"

namespace kiln::engine {
namespace {

constexpr std::size_t kValuesMax = 20'000;  ///< in one answer

const char* kind_text(mappings::DataKind kind) {
  return kind == mappings::DataKind::hl7 ? "hl7" : kind == mappings::DataKind::fhir ? "fhir" : "csv";
}

bool takes(const mappings::Program& program, channels::ContentKind kind) {
  const mappings::DataKind input = program.input().kind;
  return kind == channels::ContentKind::hl7    ? input == mappings::DataKind::hl7
         : kind == channels::ContentKind::fhir ? input == mappings::DataKind::fhir
                                               : input == mappings::DataKind::csv;
}

/// Refer to each other, so they stay where they are.
struct Explained {
  detail::MapRun run;
  mappings::Explanation explanation;
};

base::Result<std::unique_ptr<Explained>> explain(const channels::Site& site, mappings::LookupService* service,
                                                 const LineageRequest& request) {
  mappings::RunContext context;
  context.received = request.received;
  context.channel = request.channel;
  context.tables = site.tables.get();
  auto out = std::make_unique<Explained>();
  TRY_VOID(out->run.run(*site.library, service, request.program, request.kind, request.text, context,
                        mappings::recorded_answers(request.lookups)));
  TRY(out->explanation, mappings::Explanation::of(*site.library, request.program, out->run.input(),
                                                  out->run.runner(), out->run.result()));
  return out;
}

}  // namespace

void write_lineage_source(base::JsonWriter& json, const mappings::ExplainedSource& source) {
  json.begin_object().member("path", source.path).member("value", source.value);
  if (source.line != 0) json.key("line").integer(source.line).key("column").integer(source.column);
  if (!source.datatype.empty()) json.member("datatype", source.datatype);
  if (!source.name.empty()) json.member("name", source.name);
  json.end_object();
}

void write_lineage_value(base::JsonWriter& json, const mappings::ExplainedValue& value) {
  json.begin_object().member("path", value.path).member("value", value.value).member("rule", value.rule);
  json.member("place", value.place).member("expression", value.expression).key("from").begin_array();
  for (const mappings::ExplainedSource& source : value.sources) write_lineage_source(json, source);
  json.end_array();
  if (!value.conversion.empty()) json.member("conversion", value.conversion);
  json.member("policy", value.policy).end_object();
}

void write_run_note(base::JsonWriter& json, const mappings::RunDiagnostic& note) {
  static constexpr const char* kLevels[] = {"note", "warning", "error"};
  json.begin_object()
      .member("level", kLevels[static_cast<std::size_t>(note.level)])
      .member("code", note.code);
  json.member("text", note.text).member("source", note.source).member("rule", note.rule).end_object();
}

base::Result<std::string> print_lineage(const channels::Site& site, mappings::LookupService* service,
                                        const LineageRequest& request) {
  TRY(const auto explained, explain(site, service, request));
  const mappings::Explanation& explanation = explained->explanation;
  const mappings::RunResult& result = explained->run.result();
  std::vector<const mappings::ExplainedValue*> values;
  if (!request.path.empty())
    values = explanation.at(request.path);
  else if (!request.from.empty())
    values = explanation.from(request.from);
  else
    for (const auto& value : explanation.values()) values.push_back(&value);
  base::JsonWriter json;
  json.begin_object()
      .member("map", result.map.empty() ? request.program.name() : result.map)
      .key("maps")
      .begin_array();
  for (const std::string& name : request.maps) json.string(name);
  json.end_array().member("outcome", mappings::name_of(result.outcome));
  if (!result.reason.empty()) json.member("reason", result.reason);
  json.member("kind", kind_text(result.output_kind));
  json.member("output", base::is_valid_utf8(result.output) ? result.csv_header + result.output
                                                           : base::base64_encode(result.output));
  json.key("values").begin_array();
  for (std::size_t i = 0; i < std::min(values.size(), kValuesMax); ++i) write_lineage_value(json, *values[i]);
  json.end_array().key("unread").begin_array();
  for (const auto& source : explanation.unread()) write_lineage_source(json, source);
  json.end_array().key("notes").begin_array();
  for (const auto& note : result.diagnostics) write_run_note(json, note);
  json.end_array().member("lookups", request.lookups.empty() ? "asked" : "kept");
  return json.end_object().take();
}

base::Status write_difference(base::JsonWriter& json, const channels::Site& site,
                              const LineageRequest& before, const LineageRequest& after) {
  TRY(const auto now, explain(site, nullptr, after));
  const auto was = explain(site, nullptr, before);
  // What could not be read before is new as a whole.
  static const mappings::Explanation kNothing;
  json.member("outcome", mappings::name_of(now->run.result().outcome)).key("diff").begin_array();
  for (const mappings::ExplainedChange& change :
       mappings::difference(was ? (*was)->explanation : kNothing, now->explanation)) {
    json.begin_object().member("path", change.after != nullptr ? change.after->path : change.before->path);
    if (change.before != nullptr) json.member("before", change.before->value);
    if (change.after != nullptr) json.member("after", change.after->value);
    json.end_object();
  }
  json.end_array();
  return {};
}

std::vector<std::pair<std::string, mappings::Program>> maps_of(const channels::ChannelDefinition& channel,
                                                               channels::ContentKind kind) {
  std::vector<std::pair<std::string, mappings::Program>> out;
  for (const channels::MapRoute& route : channel.maps) {
    if (!takes(route.program, kind)) continue;
    const auto same = [&route](const auto& one) { return one.first == route.program.name(); };
    if (std::ranges::none_of(out, same)) out.emplace_back(route.program.name(), route.program);
  }
  return out;
}

}  // namespace kiln::engine
