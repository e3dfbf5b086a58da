#include "hl7/structure.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <stdexcept>

#include "hl7/message.h"
#include "hl7/profile.h"

namespace kiln::hl7 {

namespace {

/// Compiled structures of one version, by position in Dictionary::structures().
using Slots = std::vector<std::atomic<const Structure*>>;

Slots& slots_of(Version version) {
  // Never destroyed, like what it points to: views of it may be used to the very end of the process.
  static std::array<Slots, kVersionCount>& all = *[] {
    auto made = std::make_unique<std::array<Slots, kVersionCount>>();
    for (const Version v : kVersions)
      (*made)[static_cast<std::size_t>(v)] = Slots(Dictionary(v).structures().size());
    return made.release();
  }();
  return all[static_cast<std::size_t>(version)];
}

/// Two threads may compile the same structure at once; the first to store wins. Never freed: views of it are
/// handed out.
const Structure* compiled(Version version, std::size_t position) {
  std::atomic<const Structure*>& slot = slots_of(version)[position];
  if (const Structure* found = slot.load(std::memory_order_acquire)) return found;
  auto made = std::make_unique<const Structure>(version, Dictionary(version).structures()[position]);
  const Structure* expected = nullptr;
  if (slot.compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel)) return made.release();
  return expected;
}

}  // namespace

const Structure* Structure::find(Version version, std::string_view id) {
  const auto position = Dictionary(version).structure_position(id);
  return position ? compiled(version, *position) : nullptr;
}

const Structure* Structure::find_event(Version version, std::string_view code, std::string_view trigger) {
  const auto found = Dictionary(version).event(code, trigger);
  return found ? find(version, found->variant) : nullptr;
}

Structure::Structure(Version version, const StructureDef& definition)
    : version_(version), id_(definition.id), variant_(definition.variant) {
  add_nodes(definition.nodes, kNoNode, kNoNode);
  compile();
}

void Structure::add_nodes(const RecordList<NodeDef>& list, NodeIndex parent, NodeIndex group) {
  for (const NodeDef definition : list) {
    if (nodes_.size() >= kNoNode) throw std::length_error("message structure of more than 65534 nodes");
    const auto self = static_cast<NodeIndex>(nodes_.size());
    NodeKind kind = definition.kind;
    const std::uint32_t segment = kind == NodeKind::segment ? segment_id(definition.name) : 0;
    // 2.9 has placeholders such as "Segment" where any one segment may stand.
    if (kind == NodeKind::segment && segment == 0) kind = NodeKind::any;
    nodes_.push_back(
        {kind, definition.required, definition.repeats, definition.name, segment, parent, group, 0});
    add_nodes(definition.children, self, kind == NodeKind::group ? self : group);
    nodes_[self].end = static_cast<NodeIndex>(nodes_.size());
  }
}

Structure::Structure(Version version, std::string_view id, const std::vector<ProfileNode>& nodes)
    : version_(version) {
  id_ = variant_ = names_.emplace_back(id);
  add_nodes(nodes, kNoNode, kNoNode);
  compile();
}

void Structure::add_nodes(const std::vector<ProfileNode>& list, NodeIndex parent, NodeIndex group) {
  for (const ProfileNode& definition : list) {
    if (nodes_.size() >= kNoNode) throw std::length_error("message structure of more than 65534 nodes");
    const auto self = static_cast<NodeIndex>(nodes_.size());
    const NodeKind kind = definition.kind == ProfileNode::Kind::segment ? NodeKind::segment
                          : definition.kind == ProfileNode::Kind::group ? NodeKind::group
                                                                        : NodeKind::choice;
    std::string_view name = "|";
    if (kind != NodeKind::choice) name = names_.emplace_back(definition.name);
    const std::uint32_t segment = kind == NodeKind::segment ? segment_id(name) : 0;
    nodes_.push_back({kind, definition.required, definition.repeats, name, segment, parent, group, 0});
    add_nodes(definition.children, self, kind == NodeKind::group ? self : group);
    nodes_[self].end = static_cast<NodeIndex>(nodes_.size());
  }
}

void Structure::compile() {
  compound_of_.assign(nodes_.size(), kNoNode);
  std::vector<NodeIndex> compounds = {kNoNode};
  for (NodeIndex i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].kind == NodeKind::segment) symbols_.push_back(nodes_[i].segment);
    if (nodes_[i].kind == NodeKind::group || nodes_[i].kind == NodeKind::choice) {
      compound_of_[i] = static_cast<std::uint16_t>(compounds.size());
      compounds.push_back(i);
    }
  }
  std::sort(symbols_.begin(), symbols_.end());
  symbols_.erase(std::unique(symbols_.begin(), symbols_.end()), symbols_.end());
  std::vector<bool> seen(symbols_.size(), false);
  forks_.assign(symbols_.size(), false);
  for (const StructureNode& node : nodes_) {
    if (node.kind != NodeKind::segment) continue;
    const std::uint16_t symbol = symbol_of(node.segment);
    forks_[symbol] = forks_[symbol] || seen[symbol];
    seen[symbol] = true;
  }

  for (const NodeIndex compound : compounds) {
    child_offsets_.push_back(static_cast<std::uint32_t>(child_nodes_.size()));
    const std::size_t first = compound == kNoNode ? 0 : compound + 1u;
    const std::size_t end = compound == kNoNode ? nodes_.size() : nodes_[compound].end;
    for (std::size_t i = first; i < end; i = nodes_[i].end) child_nodes_.push_back(static_cast<NodeIndex>(i));
  }
  child_offsets_.push_back(static_cast<std::uint32_t>(child_nodes_.size()));

  std::vector<Accepts> accepts_of(nodes_.size());
  for (std::size_t i = nodes_.size(); i-- > 0;)
    accepts_of[i] = accepts(static_cast<NodeIndex>(i), accepts_of);
  for (std::uint16_t compound = 0; compound < compounds.size(); ++compound) {
    const auto list = children(compound);
    for (std::size_t symbol = 0; symbol <= symbols_.size(); ++symbol) {
      candidate_offsets_.push_back(static_cast<std::uint32_t>(candidates_.size()));
      for (std::size_t position = 0; position < list.size(); ++position)
        if (const std::uint8_t how = accepts_of[list[position]][symbol])
          candidates_.push_back({static_cast<std::uint16_t>(position), how});
    }
  }
  candidate_offsets_.push_back(static_cast<std::uint32_t>(candidates_.size()));
}

// Strict: the segment starts the node when no required member is missing. Lenient: it may start it although
// one is. A repeating group is not opened by an optional satellite: the instance would look like one more
// order or result. Reopen: it starts one more repetition although leading required segments are missing (OBR
// without its ORC).
Structure::Accepts Structure::accepts(NodeIndex index, const std::vector<Accepts>& below) const {
  const StructureNode& node = nodes_[index];
  Accepts result(symbols_.size() + 1, 0);
  if (node.kind == NodeKind::any) result.back() = kStrict;
  if (node.kind == NodeKind::segment) result[symbol_of(node.segment)] = kStrict;
  if (compound_of_[index] == kNoNode) return result;
  bool at_start = true;
  bool can_reopen = node.kind == NodeKind::group && node.repeats;
  for (const NodeIndex child_index : children(compound_of_[index])) {
    const StructureNode& child = nodes_[child_index];
    const bool is_segment = compound_of_[child_index] == kNoNode;
    const bool satellite = is_segment && !child.required && (node.repeats || is_follower(child.segment));
    for (std::size_t symbol = 0; symbol < result.size(); ++symbol) {
      const std::uint8_t how = below[child_index][symbol];
      if (how == 0) continue;
      if (at_start || node.kind == NodeKind::choice) result[symbol] |= how & kStrict;
      if (node.kind == NodeKind::choice || !satellite) result[symbol] |= kLenient;
      if (can_reopen && (how & kStrict) != 0 && !(is_segment && !child.required)) result[symbol] |= kReopen;
    }
    if (child.required) at_start = false;
    if (child.required && !is_segment) can_reopen = false;
  }
  return result;
}

bool Structure::is_follower(std::uint32_t segment) {
  return segment == segment_id("NTE") || segment == segment_id("PRT") || segment == segment_id("ROL");
}

std::uint16_t Structure::symbol_of(std::uint32_t segment) const {
  const auto found = std::lower_bound(symbols_.begin(), symbols_.end(), segment);
  if (found == symbols_.end() || *found != segment) return kNoNode;
  return static_cast<std::uint16_t>(found - symbols_.begin());
}

std::span<const Structure::Candidate> Structure::candidates(std::uint16_t compound,
                                                            std::uint16_t symbol) const {
  const std::size_t cell = compound * (symbols_.size() + 1) + symbol;
  return {candidates_.data() + candidate_offsets_[cell], candidates_.data() + candidate_offsets_[cell + 1]};
}

std::span<const NodeIndex> Structure::children(std::uint16_t compound) const {
  return {child_nodes_.data() + child_offsets_[compound],
          child_nodes_.data() + child_offsets_[compound + 1u]};
}

std::vector<NodeIndex> Structure::occurrences(std::uint32_t segment) const {
  std::vector<NodeIndex> found;
  for (NodeIndex i = 0; i < nodes_.size(); ++i)
    if (segment != 0 && nodes_[i].segment == segment) found.push_back(i);
  return found;
}

std::vector<NodeIndex> Structure::occurrences_in(NodeIndex group, std::uint32_t segment) const {
  std::vector<NodeIndex> found = occurrences(segment);
  std::erase_if(found, [&](NodeIndex i) { return nodes_[i].group != group; });
  return found;
}

bool Structure::reachable(NodeIndex group, std::uint32_t segment) const {
  const auto found = occurrences(segment);
  return std::any_of(found.begin(), found.end(),
                     [&](NodeIndex i) { return group_path(group, i).has_value(); });
}

std::vector<NodeIndex> Structure::groups_named(std::string_view name) const {
  std::vector<NodeIndex> found;
  for (NodeIndex i = 0; i < nodes_.size(); ++i)
    if (nodes_[i].kind == NodeKind::group && nodes_[i].name == name) found.push_back(i);
  return found;
}

NodeIndex Structure::find_group(NodeIndex group, std::string_view name) const {
  NodeIndex best = kNoNode;
  std::size_t best_depth = 0;
  for (const NodeIndex found : groups_named(name)) {
    const auto path = group_path(group, found);
    if (!path || (best != kNoNode && path->size() >= best_depth)) continue;
    best = found;
    best_depth = path->size();
  }
  return best;
}

std::optional<std::vector<NodeIndex>> Structure::group_path(NodeIndex from, NodeIndex node) const {
  std::vector<NodeIndex> path;
  NodeIndex at = nodes_[node].group == node ? kNoNode : nodes_[node].group;
  while (at != from) {
    if (at == kNoNode) return std::nullopt;
    path.push_back(at);
    at = nodes_[at].group;
  }
  std::reverse(path.begin(), path.end());
  return path;
}

bool Structure::repeats_within(NodeIndex from, NodeIndex node) const {
  for (NodeIndex at = node; at != from && at != kNoNode; at = nodes_[at].parent)
    if (nodes_[at].repeats) return true;
  return false;
}

std::string Structure::path(NodeIndex node) const {
  if (node == kNoNode) return std::string(id_);
  std::string text;
  const auto groups = group_path(kNoNode, node).value_or(std::vector<NodeIndex>());
  for (const NodeIndex group : groups) text.append(nodes_[group].name).append(".");
  return text.append(nodes_[node].name);
}

std::string Structure::print(NodeIndex from) const {
  std::string text;
  const std::size_t first = from == kNoNode ? 0 : from;
  const std::size_t end = from == kNoNode ? nodes_.size() : nodes_[from].end;
  for (std::size_t i = first; i < end; ++i) {
    const StructureNode& node = nodes_[i];
    for (NodeIndex at = node.parent; at != kNoNode && i != first; at = nodes_[at].parent) {
      text.append("  ");
      if (at == from) break;
    }
    text.append(node.kind == NodeKind::choice ? "one of" : node.name);
    text.append(node.required ? " [1.." : " [0..").append(node.repeats ? "*]\n" : "1]\n");
  }
  return text;
}

}  // namespace kiln::hl7
