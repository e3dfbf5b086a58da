#include "engine/admin/coverage_json.h"

#include "engine/pipeline.h"

namespace kiln::engine {
namespace {

void number(base::JsonWriter& json, const char* name, std::uint64_t value) {
  json.key(name).integer(static_cast<std::int64_t>(value));
}

void write_note(base::JsonWriter& json, const mappings::FieldCoverage::Note& note) {
  json.begin_object().member("code", note.code);
  number(json, "count", note.count);
  json.member("source", note.source).member("rule", note.rule).member("text", note.text);
  if (!note.example.empty()) json.member("example", note.example);
  number(json, "last_message", note.last_message);
  json.end_object();
}

}  // namespace

void write_coverage(base::JsonWriter& json, std::string_view name, std::uint64_t messages,
                    const mappings::FieldCoverage& coverage) {
  json.begin_object().member("name", name);
  number(json, "messages", messages);
  number(json, "looked_at", coverage.messages_looked_at());
  json.key("notes").begin_array();
  for (const auto& note : coverage.notes()) write_note(json, note);
  json.end_array();
  number(json, "notes_beyond", coverage.notes_beyond());
  json.key("fields").begin_array();
  for (const auto& [path, field] : coverage.fields()) {
    json.begin_object().member("path", path);
    number(json, "valued", field.valued);
    number(json, "unread", field.unread);
    json.end_object();
  }
  json.end_array();
  number(json, "fields_beyond", coverage.fields_beyond());
  json.end_object();
}

std::string print_coverage(const std::vector<std::unique_ptr<ChannelRuntime>>& channels) {
  base::JsonWriter json;
  json.begin_object().key("channels").begin_array();
  for (const auto& channel : channels)
    write_coverage(json, channel->definition().name, channel->counters().received, channel->coverage());
  json.end_array().end_object();
  return json.take();
}

}  // namespace kiln::engine
