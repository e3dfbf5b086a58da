// v2 targets: segments of a message or of an `add` block, components of a datatype map (hmap.md §6).

#include <algorithm>

#include "mappings/detail/body.h"

namespace kiln::mappings::detail {

using base::ErrorCode;
using StepKind = ast::TargetStep::Kind;

std::uint16_t Body::v2_member(ir::Index shape, std::string_view name, int order,
                              std::string_view datatype_name, bool list, bool required) {
  auto& builder = state_.builder;
  ir::Member made;
  made.name = builder.string(name);
  made.order = static_cast<std::uint16_t>(order);
  made.list = list;
  made.required = required;
  if (!datatype_name.empty()) {
    made.type = builder.type(v2_type(datatype_name));
    if (!is_v2_primitive(target_version_, datatype_name)) {
      made.shape = builder.shape(ir::ShapeKind::v2_datatype, datatype_name, made.type);
    }
  }
  return builder.member(shape, made);
}

ir::Index Body::segment_shape(std::string_view id) {
  return state_.builder.shape(ir::ShapeKind::v2_segment, id, state_.builder.type(id, ir::TypeKind::segment));
}

ir::Index Body::group_shape(int node) {
  const std::string name =
      std::string(target_tree_->id()) + (node < 0 ? "" : "." + target_tree_->path_of(node));
  const auto kind = node < 0 ? ir::ShapeKind::v2_structure : ir::ShapeKind::v2_group;
  return state_.builder.shape(kind, name, state_.builder.type(name, ir::TypeKind::group));
}

/// Steps into non-repeating groups.
bool Body::enter_groups(const std::vector<int>& groups, ir::Index& shape, Place& place) {
  for (const int node : groups) {
    const auto& group = target_tree_->node(node);
    const ir::Index next = group_shape(node);
    ir::Member made;
    made.name = state_.builder.string(group.name);
    made.order = group.index;
    made.list = group.repeats;
    made.shape = next;
    made.type = state_.unit().shapes[next].type;
    made.required = group.required;
    step(place, shape, state_.builder.member(shape, made), next, group.name);
    shape = next;
  }
  return true;
}

/// A declared Z segment has no place in the structure: it comes behind the segments of its group.
ir::Member Body::z_member(std::string_view id, ir::Index segment) const {
  constexpr std::uint16_t kBehindEverything = 0xFFF0;
  ir::Member made;
  made.name = state_.builder.string(id);
  made.order = kBehindEverything;
  made.list = true;
  made.shape = segment;
  made.type = state_.unit().shapes[segment].type;
  return made;
}

/// `ZPI-3 = …` at the top: the first ZPI.
bool Body::enter_z_segment(const ast::TargetStep& first, Place& place, ir::Index& shape) {
  const std::string& id = first.name.text;
  if (!segment_model(id, first.span, false)) return false;
  const ir::Index segment = segment_shape(id);
  step(place, shape, state_.builder.member(shape, z_member(id, segment)), segment, id);
  place.steps.back().kind = ir::StepKind::item;
  place.steps.back().number = 1;
  shape = segment;
  return true;
}

/// From a message or group to the segment of the first step.
bool Body::enter_segment(const ast::TargetStep& first, const Target& base, Place& place, ir::Index& shape) {
  const std::string& id = first.name.text;
  auto all = target_tree_->below(base.group, id);
  auto found = all;
  std::erase_if(found, [](const auto& f) { return f.repeating; });
  StructureTree::nearest_first(found);
  if (found.empty() && all.empty() && id.starts_with('Z')) return enter_z_segment(first, place, shape);
  if (found.empty()) {
    auto& diagnostic = state_.report(
        ErrorCode::E0103, first.span,
        "segment " + id + " cannot occur in " + std::string(target_tree_->id()) + " at this point");
    if (!all.empty()) {
      const int group = target_tree_->group_of(all.front().node);
      diagnostic.label = id + " lives in " + target_tree_->path_of(group);
      diagnostic.helps.push_back("write `add " + std::string(target_tree_->node(group).name) + " { … }`");
    }
    return false;
  }
  const auto& node = target_tree_->node(found.front().node);
  if (node.repeats) {
    auto& diagnostic = state_.report(ErrorCode::E0202, first.span,
                                     "segment " + id + " repeats in " + std::string(target_tree_->id()));
    diagnostic.helps.push_back("`add " + id + " { " + id + "-" + std::to_string(first.number) + " = … }`");
    return false;
  }
  if (!enter_groups(found.front().groups, shape, place)) return false;
  const ir::Index segment = segment_shape(id);
  ir::Member made;
  made.name = state_.builder.string(id);
  made.order = node.index;
  made.shape = segment;
  made.type = state_.unit().shapes[segment].type;
  made.required = node.required;
  step(place, shape, state_.builder.member(shape, made), segment, id);
  written_segments_.insert(id);
  shape = segment;
  return true;
}

bool Body::walk_v2(const ast::Target& target, const Target& base, Place& place) {
  const ast::TargetStep& first = target.steps.front();
  ir::Index shape = base.shape;
  std::size_t at = 0;
  std::string_view type = base.datatype;
  Destination& destination = place.destination;
  destination.kind = Destination::Kind::v2;
  if (base.kind != Target::Kind::v2) {
    state_.report(ErrorCode::E0215, target.span, "no HL7 message is built here");
    return false;
  }
  if (first.kind == StepKind::field) {
    if (!base.datatype.empty()) {
      state_.report(ErrorCode::E0215, first.span, "a datatype map writes components: `.1 = …`");
      return false;
    }
    if (base.segment.empty() || base.segment != first.name.text) {
      if (target_tree_ == nullptr || !base.segment.empty()) {
        state_.report(ErrorCode::E0103, first.span, "segment " + first.name.text + " is not written here",
                      base.segment.empty() ? "" : "this block builds " + base.segment);
        return false;
      }
      if (!enter_segment(first, base, place, shape)) return false;
      place.path.clear();  // `PID-5` names its segment itself
    }
    const hl7::Version source = std::exchange(version_, target_version_);
    const auto model = segment_model(first.name.text, first.span, false);
    const auto field = model ? model->field(std::max(first.number, 1)) : std::nullopt;
    if (model && !field) report_field(*model, first.number, first.span);
    version_ = source;
    if (!field) return false;
    const std::string number = std::to_string(first.number);
    const auto slot =
        v2_member(shape, number, first.number, field->datatype, field->repeats, field->required);
    const ir::Index next = state_.builder.draft(shape, slot).shape;
    step(place, shape, slot, next, first.name.text + "-" + number);
    place.list = field->repeats;
    type = field->datatype;
    shape = next;
    at = 1;
    if (at < target.steps.size() && target.steps[at].kind == StepKind::index) {
      if (!field->repeats) {
        state_.report(ErrorCode::E0202, target.steps[at].span,
                      first.name.text + "-" + number + " does not repeat");
        return false;
      }
      place.steps.back().kind = ir::StepKind::item;
      place.steps.back().number = static_cast<std::uint32_t>(target.steps[at].number);
      place.path += "[" + std::to_string(target.steps[at].number) + "]";
      place.prefixes.back() = place.path;
      place.indexed = true;
      ++at;
    }
    destination.name = first.name.text + "-" + number;
    destination.required = field->required;
  } else if (first.kind != StepKind::component || base.datatype.empty()) {
    state_.report(ErrorCode::E0215, first.span, "a field is expected: `PID-5`");
    return false;
  }
  for (; at < target.steps.size(); ++at) {
    const ast::TargetStep& current = target.steps[at];
    if (current.kind != StepKind::component) {
      state_.report(ErrorCode::E0215, current.span, "a component is expected: `.1`");
      return false;
    }
    const bool flat = shape == ir::kNone;
    const auto part = flat ? std::nullopt
                           : (base.datatype.empty() ? detail::component(target_version_, type, current.number)
                                                    : component_in_any(type, current.number));
    if (!part) {
      if (flat && current.number == 1) continue;  // a plain value is its own first component
      report_component(type, current.number, current.span);
      return false;
    }
    const std::string number = std::to_string(current.number);
    const auto slot = v2_member(shape, number, current.number, part->datatype, false, false);
    const ir::Index next = state_.builder.draft(shape, slot).shape;
    step(place, shape, slot, next, number);
    destination.name += (destination.name.empty() ? std::string(base.datatype) + "." : ".") + number;
    type = part->datatype;
    shape = next;
    place.list = false;
  }
  destination.type = v2_type(type);
  destination.shape = shape;
  return true;
}

std::vector<std::string> Body::required_segments() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < target_tree_->size(); ++i) {
    const auto& node = target_tree_->node(static_cast<int>(i));
    bool required = node.required && node.kind == hl7::NodeKind::segment && node.name != "MSH";
    for (int at = node.parent; at >= 0; at = target_tree_->node(at).parent) {
      const auto& group = target_tree_->node(at);
      required = required && group.required && group.kind != hl7::NodeKind::choice;
    }
    if (required && std::find(names.begin(), names.end(), node.name) == names.end()) names.emplace_back(node.name);
  }
  return names;
}

void Body::check_required_segments(base::Span span, std::string_view structure) {
  std::vector<std::string> missing;
  for (const std::string& name : required_segments())
    if (!written_segments_.contains(name)) missing.push_back(name);
  if (missing.empty()) return;
  state_.report(ErrorCode::E0212, span,
                std::string(structure) + " requires " + listed(missing) + "; this map never writes " +
                    (missing.size() == 1 ? missing.front() : "them"));
}

}  // namespace kiln::mappings::detail
