#include "hl7/profile_infer.h"

#include <algorithm>
#include <vector>

#include "engine/base/limits.h"

namespace kiln::hl7 {
namespace {

/// Types of a code with its system: the field's table is that of component 1.
bool is_coded_type(std::string_view type) {
  return type == "CE" || type == "CWE" || type == "CNE" || type == "CF";
}

std::uint32_t characters(std::string_view text) {
  return static_cast<std::uint32_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// A code may be listed: it has a table, or names a system or an application. Never names, numbers and texts.
bool is_code(std::string_view segment, const FieldDef& field, std::uint32_t component, const FieldDef* part) {
  if (component == 0) return !field.table.empty();
  if (is_coded_type(field.datatype)) return component == 1 ? !field.table.empty() : component == 3;
  if (field.datatype == "HD") return segment == "MSH" && component == 1;
  return part != nullptr && !part->table.empty();
}

}  // namespace

bool ProfileInference::add(const Message& message) {
  const SegmentView header = message.header();
  std::string code, trigger, id, version;
  const MessageTypeText type{header.field(9).component(1).text(code),
                             header.field(9).component(2).text(trigger),
                             header.field(9).component(3).text(id), header.field(12).text(version)};
  std::vector<std::uint32_t> segments(message.segment_count());
  for (std::uint32_t i = 0; i < segments.size(); ++i) segments[i] = message.segment(i).id();
  const StructureChoice choice = choose_structure(type, segments);
  if (choice.structure == nullptr) return false;
  if (messages_ > 0 && (choice.structure != structure_ || choice.version != version_)) return false;
  ++messages_;
  structure_ = choice.structure;
  version_ = choice.version;
  if (!type.trigger.empty() && events_.size() < base::limits::kInferredValuesMax)
    ++events_[std::string(type.trigger)];
  GroupTree tree;
  match(structure_, segments, tree);
  add_nodes(tree);
  const Dictionary dictionary(version_);
  for (std::uint32_t i = 0; i < segments.size(); ++i) {
    const auto definition = dictionary.segment(segment_name(segments[i]));
    if (!definition || tree.placements()[i].placing == Placing::unplaced) continue;
    ++segments_[segments[i]];
    const SegmentView segment = message.segment(i);
    const auto last = std::min<std::size_t>(segment.field_count(), definition->fields.size());
    for (std::uint32_t n = 1; n <= last; ++n)
      if (const auto field = definition->field(n)) add_field(segment, n, *field);
  }
  return true;
}

void ProfileInference::add_nodes(const GroupTree& tree) {
  const auto nodes = structure_->nodes();
  const auto instances = tree.instances();
  // Occurrences of each node in each instance: groups count in their parent.
  std::map<std::pair<std::uint32_t, NodeIndex>, std::uint32_t> counts;
  for (const Placement& placed : tree.placements())
    if (placed.node != kNoNode) ++counts[{placed.instance, placed.node}];
  for (std::uint32_t i = 1; i < instances.size(); ++i) ++counts[{instances[i].parent, instances[i].node}];
  std::map<NodeIndex, std::uint64_t> groups;
  for (const GroupInstance& instance : instances) ++groups[instance.node];
  for (NodeIndex n = 0; n < nodes.size(); ++n) {
    if (nodes[n].kind != NodeKind::segment && nodes[n].kind != NodeKind::group) continue;
    if (const auto group = groups.find(nodes[n].group); group != groups.end())
      nodes_[n].chances += group->second;
  }
  for (const auto& [place, count] : counts) {
    SeenNode& seen = nodes_[place.second];
    ++seen.present;
    seen.most = std::max(seen.most, count);
  }
}

void ProfileInference::add_field(const SegmentView& segment, std::uint32_t n, const FieldDef& definition) {
  const FieldView field = segment.field(n);
  if (!field.valued() || field.verbatim()) return;
  const std::string name = segment_name(segment.id());
  const auto type = Dictionary(version_).datatype(definition.datatype);
  Seen& seen = seen_[{segment.id(), n, 0}];
  ++seen.valued;
  seen.most = std::max(seen.most, field.repetition_count());
  for (const RepetitionView repetition : field.repetitions()) {
    if (!repetition.valued()) continue;
    ++seen.parts;
    if (!type || type->primitive()) {
      add_part({segment.id(), n, 0}, repetition, is_code(name, definition, 0, nullptr));
      continue;
    }
    for (std::uint32_t c = 1; c <= type->components.size(); ++c) {
      const ComponentView component = repetition.component(c);
      if (!component.valued()) continue;
      const auto part = type->component(c);
      ++seen_[{segment.id(), n, c}].valued;
      add_part({segment.id(), n, c}, component, is_code(name, definition, c, part ? &*part : nullptr));
    }
  }
}

void ProfileInference::add_part(const Place& place, const Piece& part, bool coded) {
  Seen& seen = seen_[place];
  const std::string_view text = part.text(buffer_);
  const std::uint32_t length = characters(text);
  seen.length_min = std::min(seen.length_min, length);
  seen.length_max = std::max(seen.length_max, length);
  if (!coded) return;
  const auto known = seen.values.find(std::string(text));
  if (known != seen.values.end()) {
    ++known->second;
  } else if (seen.values.size() < base::limits::kInferredValuesMax) {
    seen.values.emplace(text, 1);
  } else {
    seen.many_values = true;
  }
}

base::Result<Profile> ProfileInference::result(std::string name) const {
  if (messages_ == 0) return base::fail(base::ErrorCode::bad_value, "no message to infer a profile from");
  Profile profile;
  profile.name = std::move(name);
  profile.description = "inferred from " + std::to_string(messages_) +
                        (messages_ == 1 ? " message" : " messages") + "; to be reviewed";
  profile.version = version_;
  profile.structure = std::string(structure_->id());
  for (const auto& [event, count] : events_) profile.events.push_back(event);
  infer_nodes(profile);
  for (const auto& [place, seen] : seen_) infer_element(place, seen, profile);
  if (options_.strict) infer_absent(profile);
  return profile;
}

/// Fields that no message values.
void ProfileInference::infer_absent(Profile& profile) const {
  const Dictionary dictionary(version_);
  for (const auto& [id, count] : segments_) {
    const auto definition = dictionary.segment(segment_name(id));
    for (std::uint32_t n = 1; definition && count >= options_.samples_min && n <= definition->fields.size();
         ++n) {
      const bool delimiters = n <= 2 && definition->id == "MSH";
      if (delimiters || seen_.contains({id, n, 0}) || definition->field(n)->usage == 'R') continue;
      ProfileRule rule;
      rule.path = segment_name(id) + "-" + std::to_string(n);
      rule.usage = Usage::not_supported;
      profile.rules.push_back(std::move(rule));
    }
  }
}

void ProfileInference::infer_nodes(Profile& profile) const {
  const auto nodes = structure_->nodes();
  std::map<std::string, std::uint32_t> paths;
  for (NodeIndex n = 0; n < nodes.size(); ++n) ++paths[structure_->path(n)];
  for (const auto& [node, seen] : nodes_) {
    ProfileRule rule;
    rule.path = structure_->path(node);
    // Two places of one segment in a group are not told apart by their path.
    if (paths[rule.path] != 1 || seen.chances < options_.samples_min) continue;
    if (seen.present == seen.chances && !nodes[node].required) rule.usage = Usage::required;
    if (seen.present == 0 && options_.strict && !nodes[node].required) rule.usage = Usage::not_supported;
    if (seen.most == 1 && nodes[node].repeats) rule.max = 1;
    if (rule.usage || rule.max) profile.rules.push_back(std::move(rule));
  }
}

void ProfileInference::infer_element(const Place& place, const Seen& seen, Profile& profile) const {
  const Dictionary dictionary(version_);
  const std::string segment = segment_name(place.segment);
  const auto definition = dictionary.segment(segment);
  const auto field = definition ? definition->field(place.field) : std::nullopt;
  if (!field) return;
  // The header says what every message says; its time and its number are of one message only.
  if (segment == "MSH" && (place.field <= 2 || place.field == 7 || place.field == 10)) return;
  ProfileRule rule;
  rule.path = segment + "-" + std::to_string(place.field);
  std::uint64_t chances = segments_.at(place.segment);
  if (place.component != 0) {
    rule.path += "." + std::to_string(place.component);
    chances = seen_.at({place.segment, place.field, 0}).parts;
  }
  const bool enough = chances >= options_.samples_min;
  if (enough) rule.usage = seen.valued == chances ? Usage::required : Usage::required_or_empty;
  if (place.component == 0 && enough && field->repeats()) rule.max = seen.most;
  if (enough && seen.length_max > 0) {
    rule.length_min = seen.length_min;
    rule.length_max = seen.length_max;
  }
  infer_values(seen, rule, profile);
  if (rule.usage || rule.max || rule.length_max || !rule.table.empty())
    profile.rules.push_back(std::move(rule));
}

void ProfileInference::infer_values(const Seen& seen, ProfileRule& rule, Profile& profile) const {
  std::uint64_t total = 0;
  for (const auto& [value, count] : seen.values) total += count;
  if (seen.many_values || total < options_.samples_min) return;
  if (seen.values.size() == 1) {
    rule.one_of = {seen.values.begin()->first};
    return;
  }
  ProfileTable table;
  table.id = rule.path;
  table.title = "codes seen at " + rule.path;
  table.open = !options_.strict;
  for (const auto& [value, count] : seen.values)
    table.codes.emplace_back(value, "seen " + std::to_string(count) + (count == 1 ? " time" : " times"));
  rule.table = table.id;
  profile.tables.push_back(std::move(table));
}

}  // namespace kiln::hl7
