#include "engine/bulk/job_note.h"

#include <charconv>

#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "fhir/search/query.h"

namespace kiln::engine {

using base::JsonView;
using base::JsonWriter;
using base::Result;

namespace {

template <class Number>
Number number_of(JsonView view) {
  Number number = 0;
  const std::string_view text = view.text();
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

template <class List>
void write_texts(JsonWriter& out, std::string_view name, const List& list) {
  out.key(name).begin_array();
  for (const std::string& text : list) out.string(text);
  out.end_array();
}

}  // namespace

std::string print_job_note(const JobNote& note) {
  JsonWriter out;
  out.begin_object().member("owner", note.owner).member("request", note.request);
  write_texts(out, "filters", note.filters);
  write_texts(out, "types", note.scope.types);
  if (note.scope.since) out.key("since").integer(note.scope.since->micros);
  out.key("up_to_seq").integer(note.scope.up_to_seq).key("patients").boolean(note.scope.patients);
  if (note.scope.patient_ids) write_texts(out, "patient_ids", *note.scope.patient_ids);
  out.key("type").integer(static_cast<std::int64_t>(note.state.type)).key("after_rid").integer(note.state.after_rid);
  out.key("resources").integer(static_cast<std::int64_t>(note.state.resources)).key("files").begin_array();
  for (const ExportedFile& file : note.state.files) {
    out.begin_object().member("type", file.type).member("name", file.name);
    out.key("count").integer(static_cast<std::int64_t>(file.count));
    out.key("bytes").integer(static_cast<std::int64_t>(file.bytes)).key("deleted").boolean(file.deleted).end_object();
  }
  out.end_array().key("transaction_time").integer(note.transaction_time.micros);
  out.key("finished").integer(note.finished.micros).member("problem", note.problem).end_object();
  return out.take();
}

Result<JobNote> parse_job_note(std::string_view text) {
  base::JsonLimits limits;
  limits.bytes = base::limits::kFhirFileBytesMax;
  TRY(const base::JsonDocument document, base::parse_json(text, limits));
  const JsonView root = document.root();
  JobNote note;
  note.owner = root["owner"].text();
  note.request = root["request"].text();
  for (const JsonView one : root["filters"]) note.filters.emplace_back(one.text());
  for (const JsonView one : root["types"]) note.scope.types.emplace_back(one.text());
  if (root["since"]) note.scope.since = base::WallTime{number_of<std::int64_t>(root["since"])};
  note.scope.up_to_seq = number_of<std::int64_t>(root["up_to_seq"]);
  note.scope.patients = root["patients"].boolean();
  if (root["patient_ids"]) {
    note.scope.patient_ids.emplace();
    for (const JsonView one : root["patient_ids"]) note.scope.patient_ids->emplace(one.text());
  }
  note.state.type = number_of<std::size_t>(root["type"]);
  note.state.after_rid = number_of<std::int64_t>(root["after_rid"]);
  note.state.resources = number_of<std::uint64_t>(root["resources"]);
  for (const JsonView one : root["files"]) {
    ExportedFile file;
    file.type = one["type"].text();
    file.name = one["name"].text();
    file.count = number_of<std::uint64_t>(one["count"]);
    file.bytes = number_of<std::uint64_t>(one["bytes"]);
    file.deleted = one["deleted"].boolean();
    note.state.files.push_back(std::move(file));
  }
  note.transaction_time.micros = number_of<std::int64_t>(root["transaction_time"]);
  note.finished.micros = number_of<std::int64_t>(root["finished"]);
  note.problem = root["problem"].text();
  if (note.scope.types.empty()) return base::fail(base::ErrorCode::bad_value, "the note names no types");
  return note;
}

base::Status set_filters(ExportScope& scope, const std::vector<std::string>& filters, const std::string& own_base) {
  scope.filters.clear();
  for (const std::string& filter : filters) {
    const std::size_t question = std::min(filter.find('?'), filter.size());
    const std::string type = filter.substr(0, question);
    auto query = fhir::parse_criteria(type, question < filter.size() ? filter.substr(question + 1) : "", own_base);
    if (!query) return base::fail(query.error().error);
    scope.filters[type].push_back(std::move(*query));
  }
  return {};
}

}  // namespace kiln::engine
