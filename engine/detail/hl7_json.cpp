// Messages as the JSON of `kiln hl7 parse --json` (hl7v2.md §16).

#include "engine/detail/hl7_cli.h"

namespace kiln::engine::detail {
namespace {

void write_leaf(base::JsonWriter& json, const hl7::LeafView& leaf, std::string& buffer) {
  if (leaf.is_null())
    json.null();
  else if (leaf.verbatim())
    json.string(valid_text(leaf.raw()));
  else
    json.string(valid_text(leaf.text(buffer)));
}

/// Writes the parts of a range; an empty part has none, and counts as one empty leaf here.
template <class Range, class Write>
void write_parts(base::JsonWriter& json, const Range& range, const char* empty, const Write& write) {
  bool any = false;
  json.begin_array();
  for (const auto part : range) {
    any = true;
    write(part);
  }
  if (!any) json.raw(empty);
  json.end_array();
}

void write_field(base::JsonWriter& json, const hl7::FieldView& field, std::string& buffer) {
  write_parts(json, field.repetitions(), "[[\"\"]]", [&](const hl7::RepetitionView& repetition) {
    write_parts(json, repetition.components(), "[\"\"]", [&](const hl7::ComponentView& component) {
      write_parts(json, component.subs(), "\"\"",
                  [&](const hl7::LeafView& leaf) { write_leaf(json, leaf, buffer); });
    });
  });
}

void write_delimiter(base::JsonWriter& json, const char* name, char c) {
  json.key(name);
  if (c == '\0')
    json.null();
  else
    json.string(std::string_view(&c, 1));
}

void write_delimiters(base::JsonWriter& json, const hl7::Delimiters& d) {
  json.key("delimiters").begin_object();
  write_delimiter(json, "field", d.field);
  write_delimiter(json, "component", d.component);
  write_delimiter(json, "repetition", d.repetition);
  write_delimiter(json, "escape", d.escape);
  write_delimiter(json, "subcomponent", d.subcomponent);
  write_delimiter(json, "truncation", d.truncation);
  json.end_object();
}

void write_diagnostics(base::JsonWriter& json, const hl7::Message& message, std::size_t offset) {
  static constexpr const char* kSeverities[] = {"note", "warning", "error"};
  std::vector<hl7::ParseDiagnostic> all = message.diagnostics();
  const auto text = hl7::check_text(message);
  all.insert(all.end(), text.begin(), text.end());
  json.key("diagnostics").begin_array();
  for (const hl7::ParseDiagnostic& d : all) {
    json.begin_object()
        .member("code", base::error_info(d.code).code)
        .member("severity", kSeverities[static_cast<std::size_t>(d.severity)])
        .member("path", message.place(d.location));
    json.key("offset").integer(static_cast<std::int64_t>(d.offset + offset));
    json.member("text", d.text).end_object();
  }
  json.end_array();
  if (message.diagnostics_dropped() != 0)
    json.key("diagnostics_dropped").integer(static_cast<std::int64_t>(message.diagnostics_dropped()));
}

/// The items of one group instance: segments by index and groups, in message order. As deep as the structure.
void write_group(base::JsonWriter& json, const hl7::GroupTree& tree, std::uint32_t instance) {
  const auto instances = tree.instances();
  const hl7::GroupInstance& group = instances[instance];
  json.key("items").begin_array();
  std::uint32_t child = instance + 1;
  for (std::uint32_t segment = group.first_segment; segment < group.end_segment;) {
    if (child < group.end_instance && instances[child].first_segment <= segment &&
        instances[child].end_segment > segment) {
      json.begin_object().member("group", tree.structure()->nodes()[instances[child].node].name);
      write_group(json, tree, child);
      json.end_object();
      segment = instances[child].end_segment;
      child = instances[child].end_instance;
      continue;
    }
    const hl7::Placing placing = tree.placements()[segment].placing;
    json.begin_object().key("segment").integer(segment);
    if (placing == hl7::Placing::unplaced) json.key("unplaced").boolean(true);
    json.end_object();
    ++segment;
  }
  json.end_array();
}

}  // namespace

void write_segment(base::JsonWriter& json, const hl7::SegmentView& segment, std::size_t offset) {
  std::string buffer;
  json.begin_object().member("id", valid_text(segment.name()));
  json.key("offset").integer(static_cast<std::int64_t>(segment.offset() + offset));
  json.key("fields").begin_array();
  for (std::uint32_t n = 1; n <= segment.field_count(); ++n) write_field(json, segment.field(n), buffer);
  json.end_array().end_object();
}

void write_message(base::JsonWriter& json, const hl7::Message& message, std::size_t offset, bool groups) {
  const std::vector<std::uint32_t> ids = segment_ids(message);
  const hl7::StructureChoice choice = structure_of(message, ids);
  write_delimiters(json, message.delimiters());
  json.key("structure");
  if (choice.structure != nullptr)
    json.string(choice.structure->id());
  else
    json.null();
  json.key("segments").begin_array();
  for (std::uint32_t i = 0; i < ids.size(); ++i) write_segment(json, message.segment(i), offset);
  json.end_array();
  if (groups) {
    hl7::GroupTree tree;
    hl7::match(choice.structure, ids, tree);
    json.key("groups").begin_object();
    write_group(json, tree, 0);
    json.end_object();
  }
  write_diagnostics(json, message, offset);
}

std::string envelope_json(const Hl7File& file) {
  base::JsonWriter json;
  json.begin_array();
  for (std::size_t i = 0; i < file.batch.envelope.size(); ++i) {
    hl7::ParseOptions options;
    options.headerless = file.batch.envelope_delimiters[i];
    const hl7::Slice slice = file.batch.envelope[i];
    const auto line = hl7::Message::parse(std::string(slice.of(file.bytes)), options);
    if (line) write_segment(json, line->segment(0), slice.begin);
  }
  return json.end_array().take();
}

}  // namespace kiln::engine::detail
