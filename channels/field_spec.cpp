#include "channels/field_spec.h"

#include "engine/base/json.h"

namespace kiln::channels {

namespace {

void append_words(std::string& out, std::span<const char* const> words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i != 0) out += " \\| ";
    out += std::string("`") + words[i] + "`";
  }
}

void append_table(std::string& out, std::span<const FieldSpec> fields, const std::string& prefix) {
  for (const FieldSpec& field : fields) {
    out += "| `" + prefix + field.name + "` | ";
    if (field.words.empty())
      out += name_of(field.type);
    else
      append_words(out, field.words);
    out += " | ";
    if (field.required) out += "required";
    if (field.default_value != nullptr) out += std::string("`") + field.default_value + "`";
    out += std::string(" | ") + field.summary + (field.later ? " (later)" : "") + " |\n";
    if (!field.fields.empty()) append_table(out, field.fields, prefix + field.name + ".");
  }
}

void write_schema(base::JsonWriter& json, std::span<const FieldSpec> fields);

const char* json_type(FieldType type) {
  switch (type) {
    case FieldType::integer:
      return "integer";
    case FieldType::boolean:
      return "boolean";
    case FieldType::words:
    case FieldType::expressions:
      return "array";
    case FieldType::block:
    case FieldType::named_block:
      return "object";
    default:
      return "string";
  }
}

void write_field(base::JsonWriter& json, const FieldSpec& field) {
  json.begin_object();
  json.member("type", json_type(field.type)).member("description", field.summary);
  if (field.type != FieldType::integer && field.type != FieldType::boolean)
    json.member("format", name_of(field.type));
  if (field.default_value != nullptr) json.member("x-default", field.default_value);
  if (field.later) json.key("x-later").boolean(true);
  if (field.type == FieldType::integer) json.key("minimum").integer(field.min);
  if (field.type == FieldType::integer && field.max != INT64_MAX) json.key("maximum").integer(field.max);
  if (field.type == FieldType::word) {
    json.key("enum").begin_array();
    for (const char* word : field.words) json.string(word);
    json.end_array();
  }
  if (!field.fields.empty()) write_schema(json, field.fields);
  json.end_object();
}

/// Members of an object schema: properties, required, additionalProperties.
void write_schema(base::JsonWriter& json, std::span<const FieldSpec> fields) {
  json.key("properties").begin_object();
  for (const FieldSpec& field : fields) {
    json.key(field.name);
    write_field(json, field);
  }
  json.end_object();
  json.key("required").begin_array();
  for (const FieldSpec& field : fields)
    if (field.required) json.string(field.name);
  json.end_array();
  json.key("additionalProperties").boolean(false);
}

}  // namespace

const char* name_of(FieldType type) {
  switch (type) {
    case FieldType::string:
      return "string";
    case FieldType::integer:
      return "integer";
    case FieldType::boolean:
      return "boolean";
    case FieldType::duration:
      return "duration";
    case FieldType::duration_range:
      return "duration range";
    case FieldType::size:
      return "size";
    case FieldType::address:
      return "address";
    case FieldType::word:
      return "word";
    case FieldType::words:
      return "words";
    case FieldType::path:
      return "path";
    case FieldType::name_template:
      return "file name with ${…}";
    case FieldType::secret:
      return "secret";
    case FieldType::expressions:
      return "by expressions";
    case FieldType::retry:
      return "retry rule";
    case FieldType::nak:
      return "nak rule";
    case FieldType::block:
      return "block";
    case FieldType::named_block:
      return "named block";
    case FieldType::binding:
      return "\"x\" as \"y\"";
    case FieldType::any:
      return "any";
  }
  return "";
}

const FieldSpec* find_field(std::span<const FieldSpec> fields, std::string_view name) {
  for (const FieldSpec& field : fields)
    if (name == field.name) return &field;
  return nullptr;
}

std::string print_field_table(std::span<const FieldSpec> fields) {
  std::string out = "| option | value | default | meaning |\n|---|---|---|---|\n";
  append_table(out, fields, "");
  return out;
}

std::string print_field_schema(std::span<const FieldSpec> fields) {
  base::JsonWriter json;
  json.begin_object();
  json.member("$schema", "https://json-schema.org/draft/2020-12/schema").member("type", "object");
  write_schema(json, fields);
  json.end_object();
  return json.take();
}

}  // namespace kiln::channels
