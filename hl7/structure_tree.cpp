#include <algorithm>

#include "hl7/message.h"
#include "hl7/structure.h"

namespace kiln::hl7 {

std::uint32_t GroupTree::find_group(std::uint32_t parent, NodeIndex node, std::uint32_t occurrence) const {
  const std::uint32_t end = instances_[parent].end_instance;
  for (std::uint32_t i = parent + 1; i < end; i = instances_[i].end_instance)
    if (instances_[i].node == node && instances_[i].ordinal == occurrence) return i;
  return kNoIndex;
}

std::uint32_t GroupTree::next_group(std::uint32_t instance) const {
  const GroupInstance& current = instances_[instance];
  if (current.parent == kNoIndex) return kNoIndex;
  const std::uint32_t end = instances_[current.parent].end_instance;
  for (std::uint32_t i = current.end_instance; i < end; i = instances_[i].end_instance)
    if (instances_[i].node == current.node) return i;
  return kNoIndex;
}

/// The first segment from `segment` on that lies directly in `instance`, or kNoIndex. `child` is the next
/// child instance not passed yet; child instances are jumped over whole.
std::uint32_t GroupTree::next_direct(std::uint32_t instance, std::uint32_t segment,
                                     std::uint32_t& child) const {
  const GroupInstance& group = instances_[instance];
  while (segment < group.end_segment) {
    if (child >= group.end_instance || segment < instances_[child].first_segment) return segment;
    segment = std::max(segment, instances_[child].end_segment);
    child = instances_[child].end_instance;
  }
  return kNoIndex;
}

std::uint32_t GroupTree::search_segment(std::uint32_t instance, NodeIndex node, std::uint32_t from,
                                        std::uint32_t occurrence) const {
  std::uint32_t child = instance + 1;
  for (std::uint32_t i = next_direct(instance, from, child); i != kNoIndex;
       i = next_direct(instance, i + 1, child))
    if (placements_[i].node == node && --occurrence == 0) return i;
  return kNoIndex;
}

std::uint32_t GroupTree::find_segment(std::uint32_t instance, NodeIndex node,
                                      std::uint32_t occurrence) const {
  if (node == kNoNode || occurrence == 0) return kNoIndex;
  return search_segment(instance, node, instances_[instance].first_segment, occurrence);
}

std::uint32_t GroupTree::next_segment(std::uint32_t segment) const {
  const Placement& current = placements_[segment];
  if (current.node == kNoNode) return kNoIndex;
  // A repeating segment mostly stands in a row; only behind a gap are the child groups walked.
  const std::uint32_t next = segment + 1;
  if (next < instances_[current.instance].end_segment && placements_[next].instance == current.instance &&
      placements_[next].node == current.node)
    return next;
  return search_segment(current.instance, current.node, next, 1);
}

std::string GroupTree::path(std::uint32_t instance) const {
  if (instance == 0 || structure_ == nullptr) return "";
  const GroupInstance& group = instances_[instance];
  const StructureNode& node = structure_->nodes()[group.node];
  std::string text = path(group.parent);
  if (!text.empty()) text += '.';
  text += node.name;
  if (node.repeats || group.ordinal > 1) text += "[" + std::to_string(group.ordinal) + "]";
  return text;
}

std::vector<MissingNode> GroupTree::missing_nodes(std::size_t limit) const {
  std::vector<MissingNode> found;
  if (structure_ == nullptr) return found;
  const auto nodes = structure_->nodes();
  // The instance that has a node, so that nothing is cleared between instances.
  std::vector<std::uint32_t> present(nodes.size(), kNoIndex);
  for (std::uint32_t i = 0; i < instances_.size() && found.size() < limit; ++i) {
    const GroupInstance& group = instances_[i];
    const auto mark = [&](NodeIndex node) {
      for (; node != kNoNode && node != group.node; node = nodes[node].parent) present[node] = i;
    };
    std::uint32_t child = i + 1;
    for (std::uint32_t s = next_direct(i, group.first_segment, child); s != kNoIndex;
         s = next_direct(i, s + 1, child))
      mark(placements_[s].node);
    for (std::uint32_t c = i + 1; c < group.end_instance; c = instances_[c].end_instance)
      mark(instances_[c].node);
    const std::size_t first = group.node == kNoNode ? 0 : group.node + 1u;
    const std::size_t end = group.node == kNoNode ? nodes.size() : nodes[group.node].end;
    for (std::size_t n = first; n < end && found.size() < limit; n = nodes[n].end)
      if (nodes[n].required && present[n] != i) found.push_back({i, static_cast<NodeIndex>(n)});
  }
  return found;
}

std::vector<std::string> GroupTree::missing(std::size_t limit) const {
  std::vector<std::string> found;
  for (const MissingNode& one : missing_nodes(limit)) {
    const auto nodes = structure_->nodes();
    std::string name(nodes[one.node].name);
    if (nodes[one.node].kind == NodeKind::choice) {
      name.clear();
      for (std::size_t member = one.node + 1u; member < nodes[one.node].end; member = nodes[member].end)
        name.append(name.empty() ? "" : "|").append(nodes[member].name);
    }
    const std::string prefix = path(one.instance);
    found.push_back(prefix.empty() ? name : prefix + "." + name);
  }
  return found;
}

std::string GroupTree::print(std::span<const std::uint32_t> segments) const {
  std::string text;
  const auto indent = [&](std::uint32_t instance) {
    for (; instance != 0; instance = instances_[instance].parent) text += "  ";
  };
  std::uint32_t next_instance = 1;
  for (std::uint32_t i = 0; i < placements_.size(); ++i) {
    for (; next_instance < instances_.size() && instances_[next_instance].first_segment == i;
         ++next_instance) {
      const GroupInstance& group = instances_[next_instance];
      indent(group.parent);
      text.append(structure_->nodes()[group.node].name)
          .append("[")
          .append(std::to_string(group.ordinal))
          .append("]\n");
    }
    indent(placements_[i].instance);
    text += segments[i] == 0 ? "???" : segment_name(segments[i]);
    switch (placements_[i].placing) {
      case Placing::placed:
        break;
      case Placing::out_of_order:
        text += " (out of order)";
        break;
      case Placing::local:
        text += " (local)";
        break;
      case Placing::unplaced:
        text += " (unplaced)";
        break;
    }
    text += '\n';
  }
  return text;
}

}  // namespace kiln::hl7
