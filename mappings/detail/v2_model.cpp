#include "mappings/detail/v2_model.h"

#include <algorithm>

namespace kiln::mappings::detail {

std::optional<SegmentModel::Field> SegmentModel::field(int position) const {
  if (position < 1) return std::nullopt;
  if (declared != nullptr) {
    for (const auto& field : declared->fields) {
      if (field.number.value == position)
        return Field{field.type.text, field.name.text, {}, field.repeats, false, 'O'};
    }
    return std::nullopt;
  }
  const auto def = standard->field(static_cast<std::size_t>(position));
  if (!def) return std::nullopt;
  std::string_view type = def->datatype;
  // A withdrawn field whose type the version no longer states has its last one.
  for (std::size_t v = hl7::kVersionCount; type == "-" && v-- > 0;) {
    const auto older = hl7::Dictionary(hl7::kVersions[v]).segment(id);
    const auto field_def = older ? older->field(static_cast<std::size_t>(position)) : std::nullopt;
    if (field_def && field_def->datatype != "-") type = field_def->datatype;
  }
  return Field{type, def->name, def->table, def->repeats(), def->usage == 'R', def->usage};
}

int SegmentModel::last_field() const {
  if (declared == nullptr) return static_cast<int>(standard->fields.size());
  int last = 0;
  for (const auto& field : declared->fields) last = std::max(last, field.number.value);
  return last;
}

std::optional<hl7::DatatypeDef> datatype(hl7::Version version, std::string_view id) {
  const auto start = static_cast<std::size_t>(version);
  for (std::size_t v = start; v < hl7::kVersionCount; ++v) {
    if (auto found = hl7::Dictionary(hl7::kVersions[v]).datatype(id)) return found;
  }
  for (std::size_t v = start; v-- > 0;) {
    if (auto found = hl7::Dictionary(hl7::kVersions[v]).datatype(id)) return found;
  }
  return std::nullopt;
}

std::optional<hl7::FieldDef> component(hl7::Version version, std::string_view id, int position) {
  const auto def = datatype(version, id);
  if (!def || position < 1) return std::nullopt;
  const auto found = def->component(static_cast<std::size_t>(position));
  // A withdrawn component whose type the version no longer states has its last one.
  return found && found->datatype == "-" ? component_in_any(id, position) : found;
}

std::optional<hl7::FieldDef> component_in_any(std::string_view id, int position) {
  if (position < 1) return std::nullopt;
  for (std::size_t v = hl7::kVersionCount; v-- > 0;) {
    const auto def = hl7::Dictionary(hl7::kVersions[v]).datatype(id);
    if (!def) continue;
    auto found = def->component(static_cast<std::size_t>(position));
    if (found && found->datatype != "-") return found;
  }
  return std::nullopt;
}

bool is_datatype(std::string_view id) {
  return datatype(hl7::Version::v2_9, id).has_value();
}

bool is_v2_primitive(hl7::Version version, std::string_view id) {
  const auto def = datatype(version, id);
  return !def || def->primitive();
}

StructureTree::StructureTree(const hl7::StructureDef& structure) : id_(structure.id) {
  add(structure.nodes, -1);
}

void StructureTree::add(const hl7::RecordList<hl7::NodeDef>& list, int parent) {
  for (const auto& def : list) {
    StructureNode node;
    node.kind = def.kind;
    node.name = def.name;
    node.parent = parent;
    node.required = def.required;
    node.repeats = def.repeats;
    node.index = static_cast<std::uint16_t>(nodes_.size());
    nodes_.push_back(node);
    add(def.children, node.index);
  }
}

int StructureTree::group_of(int node_index) const {
  int parent = node(node_index).parent;
  while (parent >= 0 && node(parent).kind == hl7::NodeKind::choice) parent = node(parent).parent;
  return parent;
}

std::vector<StructureTree::Found> StructureTree::below(int from, std::string_view name) const {
  std::vector<Found> result;
  for (const auto& candidate : nodes_) {
    if (candidate.name != name || candidate.kind == hl7::NodeKind::choice) continue;
    Found found;
    found.node = candidate.index;
    int at = candidate.parent;
    while (at >= 0 && at != from) {
      const auto& group = node(at);
      if (group.kind == hl7::NodeKind::group) found.groups.insert(found.groups.begin(), at);
      if (group.repeats) found.repeating = true;
      at = group.parent;
    }
    if (at == from) result.push_back(std::move(found));
  }
  return result;
}

std::string StructureTree::path_of(int node_index) const {
  std::string path;
  for (int at = node_index; at >= 0; at = node(at).parent) {
    if (node(at).kind != hl7::NodeKind::group) continue;
    path = std::string(node(at).name) + (path.empty() ? "" : ".") + path;
  }
  return path;
}

std::optional<StructureChoice> find_structure(hl7::Version version, std::string_view name) {
  const hl7::Dictionary dictionary(version);
  if (auto structure = dictionary.structure(name)) return StructureChoice{*structure, {}};
  const auto underscore = name.find('_');
  if (underscore == std::string_view::npos) return std::nullopt;
  const auto code = name.substr(0, underscore), trigger = name.substr(underscore + 1);
  auto structure = dictionary.event(code, trigger);
  if (!structure) return std::nullopt;
  return StructureChoice{*structure, std::string(code) + "^" + std::string(trigger)};
}

}  // namespace kiln::mappings::detail
