#include "channels/connector_docs.h"

#include "channels/connector.h"

namespace kiln::channels {

namespace {

std::string contents_of(const ConnectorSpec& spec) {
  std::string out;
  for (const ContentKind kind : {ContentKind::hl7, ContentKind::fhir, ContentKind::csv})
    if (spec.content.has(kind)) out += (out.empty() ? "" : ", ") + std::string(name_of(kind));
  return out;
}

const char* role_of(const ConnectorSpec& spec) {
  return spec.role == ConnectorRole::source ? "source" : "destination";
}

std::string written(const ConnectorSpec& spec, const ConnectorExample& example) {
  const std::string name = spec.name;
  if (spec.role == ConnectorRole::source) return "source " + name + " " + example.text;
  return "to x: " + name + " from y " + example.text;
}

void append_section(std::string& out, const ConnectorSpec& spec) {
  out += "\n## " + std::string(role_of(spec)) + " `" + spec.name + "`\n\n" + spec.summary + ". Content: " +
         contents_of(spec) + ".\n\n" + print_field_table(spec.options) + "\n```\n";
  for (const ConnectorExample& example : spec.examples)
    if (example.valid) out += written(spec, example) + "\n";
  out += "```\n";
}

}  // namespace

std::string print_connectors() {
  std::string out =
      "# Connectors\n\n"
      "Made by `kiln doc connectors` from the specs in this folder; a test compares. Any value may be `env(\"X\")`; a secret is\n"
      "`env(\"X\")`, `file(\"/run/secrets/x\")` or `cred(\"x\")`. `a.b` is the option `b` in the block `a { … }`.\n\n"
      "| connector | | takes or gives |\n|---|---|---|\n";
  for (const ConnectorRole role : {ConnectorRole::source, ConnectorRole::destination})
    for (const ConnectorSpec* spec : all_connectors())
      if (spec->role == role)
        out += std::string("| ") + role_of(*spec) + " `" + spec->name + "` | " + spec->summary + " | " +
               contents_of(*spec) + " |\n";
  out += "\n## every source\n\n" + print_field_table(common_source_options());
  out += "\n## `ack … { }`\n\n" + print_field_table(ack_options());
  out += "\n## every destination\n\n" + print_field_table(common_destination_options());
  for (const ConnectorRole role : {ConnectorRole::source, ConnectorRole::destination})
    for (const ConnectorSpec* spec : all_connectors())
      if (spec->role == role) append_section(out, *spec);
  return out;
}

}  // namespace kiln::channels
