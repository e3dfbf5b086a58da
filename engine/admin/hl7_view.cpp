#include "engine/admin/hl7_view.h"

#include <algorithm>

#include "engine/base/json.h"
#include "engine/detail/hl7_cli.h"
#include "hl7/structure.h"

namespace kiln::engine {
namespace {

using detail::valid_text;

constexpr std::size_t kTextMax = 16u << 10;  ///< of one value; OBX-5 may hold a document

/// With the dictionary of the message's version.
class Writer {
 public:
  Writer(base::JsonWriter& json, hl7::Version version) : json_(json), dictionary_(version) {}

  void segment(const hl7::SegmentView& view) {
    const std::string id = valid_text(view.name());
    const auto definition = dictionary_.segment(id);
    json_.begin_object().key("n").integer(view.index() + 1).member("id", id);
    if (definition) json_.member("name", definition->title);
    json_.key("offset")
        .integer(view.offset())
        .key("length")
        .integer(static_cast<std::int64_t>(view.raw().size()));
    json_.key("fields").begin_array();
    const std::string prefix =
        id + (view.occurrence() > 1 ? "[" + std::to_string(view.occurrence()) + "]" : "");
    for (std::uint32_t n = 1; n <= view.field_count(); ++n) {
      const hl7::FieldView field = view.field(n);
      if (field.raw().empty()) continue;
      const auto known = definition ? definition->field(n) : std::nullopt;
      write_field(field, n, prefix + "-" + std::to_string(n), known);
    }
    json_.end_array().end_object();
  }

 private:
  void write_field(const hl7::FieldView& field, std::uint32_t n, const std::string& path,
                   const std::optional<hl7::FieldDef>& known) {
    json_.begin_object().member("path", path).key("n").integer(n);
    describe(known);
    json_.key("offset")
        .integer(field.offset())
        .key("length")
        .integer(static_cast<std::int64_t>(field.raw().size()));
    text("raw", valid_text(field.raw().substr(0, kTextMax)), field.raw().size() > kTextMax);
    const std::string value = decoded(field);
    text("text", value, value.size() > kTextMax);
    meaning(known, value);
    const auto type = known ? dictionary_.datatype(known->datatype) : std::nullopt;
    const bool split =
        !field.verbatim() && (field.repetition_count() > 1 || field.component(1).raw() != field.raw());
    if (split) {
      json_.key("components").begin_array();
      std::uint32_t repetition = 0;
      const bool several = field.repetition_count() > 1;
      for (const hl7::RepetitionView part : field.repetitions()) {
        ++repetition;
        write_components(part, path + (several ? "[" + std::to_string(repetition) + "]" : ""), type);
      }
      json_.end_array();
    }
    json_.end_object();
  }

  void write_components(const hl7::RepetitionView& repetition, const std::string& path,
                        const std::optional<hl7::DatatypeDef>& type) {
    std::uint32_t n = 0;
    for (const hl7::ComponentView component : repetition.components()) {
      ++n;
      if (component.raw().empty()) continue;
      const auto known = type ? type->component(n) : std::nullopt;
      const std::string here = path + "." + std::to_string(n);
      if (component.sub_count() <= 1) {
        write_part(component, here, known);
        continue;
      }
      const auto inner = known ? dictionary_.datatype(known->datatype) : std::nullopt;
      std::uint32_t sub = 0;
      for (const hl7::LeafView leaf : component.subs()) {
        ++sub;
        if (!leaf.raw().empty())
          write_part(leaf, here + "." + std::to_string(sub), inner ? inner->component(sub) : std::nullopt);
      }
    }
  }

  void write_part(const hl7::Piece& piece, const std::string& path,
                  const std::optional<hl7::FieldDef>& known) {
    json_.begin_object().member("path", path);
    describe(known);
    json_.key("offset")
        .integer(piece.offset())
        .key("length")
        .integer(static_cast<std::int64_t>(piece.raw().size()));
    const std::string value = decoded(piece);
    text("text", value, value.size() > kTextMax);
    meaning(known, value);
    json_.end_object();
  }

  void describe(const std::optional<hl7::FieldDef>& known) {
    if (!known) return;
    json_.member("name", known->name).member("datatype", known->datatype);
    if (!known->table.empty()) json_.member("table", known->table);
  }

  void meaning(const std::optional<hl7::FieldDef>& known, const std::string& value) {
    if (!known || known->table.empty() || value.empty()) return;
    const auto table = dictionary_.table(known->table);
    const auto code = table ? table->find(value) : std::nullopt;
    if (code && !code->display.empty()) json_.member("meaning", code->display);
  }

  std::string decoded(const hl7::Piece& piece) {
    if (piece.is_null()) return "\"\"";
    return detail::visible(valid_text(piece.verbatim() ? piece.raw() : piece.text(buffer_)));
  }

  void text(const char* name, const std::string& value, bool cut) {
    if (!cut) {
      json_.member(name, value);
      return;
    }
    std::size_t end = std::min(kTextMax, value.size());
    while (end > 0 && end < value.size() && (static_cast<unsigned char>(value[end]) & 0xc0) == 0x80) --end;
    json_.member(name, value.substr(0, end)).key("cut").boolean(true);
  }

  base::JsonWriter& json_;
  hl7::Dictionary dictionary_;
  std::string buffer_;
};

void write_findings(base::JsonWriter& json, const hl7::Message& message) {
  static constexpr const char* kSeverities[] = {"note", "warning", "error"};
  constexpr std::size_t kMost = 200;
  std::vector<hl7::ParseDiagnostic> all = message.diagnostics();
  const auto text = hl7::check_text(message);
  all.insert(all.end(), text.begin(), text.end());
  json.key("findings").begin_array();
  for (const hl7::ParseDiagnostic& one : all) {
    if (&one - all.data() >= static_cast<std::ptrdiff_t>(kMost)) break;
    json.begin_object().member("severity", kSeverities[static_cast<std::size_t>(one.severity)]);
    json.member("code", base::error_info(one.code).code).member("path", message.place(one.location));
    json.key("offset").integer(one.offset).member("text", one.text).end_object();
  }
  json.end_array();
}

/// As deep as the structure.
void write_items(base::JsonWriter& json, const hl7::Message& message, const hl7::GroupTree& tree,
                 std::uint32_t instance) {
  const auto instances = tree.instances();
  const hl7::GroupInstance& group = instances[instance];
  json.key("items").begin_array();
  std::uint32_t child = instance + 1;
  for (std::uint32_t segment = group.first_segment; segment < group.end_segment;) {
    if (child < group.end_instance && instances[child].first_segment <= segment &&
        instances[child].end_segment > segment) {
      json.begin_object().member("group", tree.structure()->nodes()[instances[child].node].name);
      write_items(json, message, tree, child);
      json.end_object();
      segment = instances[child].end_segment;
      child = instances[child].end_instance;
      continue;
    }
    json.begin_object()
        .key("segment")
        .integer(segment + 1)
        .member("id", valid_text(message.segment(segment).name()));
    if (tree.placements()[segment].placing == hl7::Placing::unplaced) json.key("unplaced").boolean(true);
    json.end_object();
    ++segment;
  }
  json.end_array();
}

}  // namespace

std::string print_hl7_segments(const hl7::Message& message, std::size_t offset, std::size_t limit) {
  const auto ids = detail::segment_ids(message);
  const hl7::StructureChoice choice = detail::structure_of(message, ids);
  base::JsonWriter json;
  json.begin_object().member("kind", "hl7").member("version", hl7::version_text(choice.version));
  if (choice.structure != nullptr) json.member("structure", choice.structure->id());
  const hl7::Delimiters d = message.delimiters();
  std::string delimiters;
  for (const char c : {d.field, d.component, d.repetition, d.escape, d.subcomponent})
    if (c != '\0') delimiters += c;
  json.member("delimiters", valid_text(delimiters));
  json.key("total").integer(static_cast<std::int64_t>(ids.size()));
  const std::size_t begin = std::min(offset, ids.size()), end = std::min(ids.size(), begin + limit);
  if (end < ids.size()) json.key("next").integer(static_cast<std::int64_t>(end));
  json.key("segments").begin_array();
  Writer writer(json, choice.version);
  for (std::size_t i = begin; i < end; ++i) writer.segment(message.segment(static_cast<std::uint32_t>(i)));
  json.end_array();
  write_findings(json, message);
  return json.end_object().take();
}

std::string print_hl7_tree(const hl7::Message& message) {
  const auto ids = detail::segment_ids(message);
  const hl7::StructureChoice choice = detail::structure_of(message, ids);
  hl7::GroupTree tree;
  hl7::match(choice.structure, ids, tree);
  base::JsonWriter json;
  json.begin_object();
  if (choice.structure != nullptr) json.member("structure", choice.structure->id());
  write_items(json, message, tree, 0);
  return json.end_object().take();
}

}  // namespace kiln::engine
