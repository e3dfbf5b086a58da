// Which segments and groups there are, and where.

#include <algorithm>

#include "hl7/validation/check.h"

namespace kiln::hl7::detail {

namespace {

/// The members of a choice, "OBR or RQD"; else the name.
std::string name_of_node(const Structure& structure, NodeIndex node) {
  const auto nodes = structure.nodes();
  if (nodes[node].kind != NodeKind::choice) return std::string(nodes[node].name);
  std::string names;
  for (std::size_t member = node + 1u; member < nodes[node].end; member = nodes[member].end)
    names.append(names.empty() ? "" : " or ").append(nodes[member].name);
  return names;
}

/// The segment by which a node begins: itself, or the first one it demands.
std::uint32_t first_segment(const Structure& structure, NodeIndex node) {
  const auto nodes = structure.nodes();
  for (std::size_t i = node; i < nodes[node].end; ++i)
    if (nodes[i].kind == NodeKind::segment) return nodes[i].segment;
  return 0;
}

class StructureCheck {
 public:
  StructureCheck(Check& check, const Structure& structure)
      : check_(check), structure_(structure), tree_(check.report.tree) {}

  void run() {
    for (const MissingNode& missing : tree_.missing_nodes(base::limits::kHl7FindingsMax + 1))
      report_missing(missing.instance, missing.node, "is missing");
    const auto placements = tree_.placements();
    for (std::uint32_t i = 0; i < placements.size(); ++i) {
      if (placements[i].placing == Placing::unplaced) report_unplaced(i);
      if (placements[i].placing == Placing::out_of_order)
        report_segment(RuleKind::structure, i, "segment stands behind its place");
    }
    if (!check_.rules.nodes().empty()) occurrences();
  }

 private:
  void report_missing(std::uint32_t instance, NodeIndex node, const std::string& text) {
    const std::uint32_t id = first_segment(structure_, node);
    if (!check_.wants(RuleKind::structure, id, {tree_.instances()[instance].first_segment})) return;
    const StructureNode& definition = structure_.nodes()[node];
    const std::uint32_t before = last_before(instance, node);
    const std::string group = tree_.path(instance);
    Finding finding;
    finding.rule = RuleKind::structure;
    finding.segment = segment_name(id);
    finding.sequence = 1;
    for (std::uint32_t i = 0; i <= before; ++i) finding.sequence += check_.message.segment(i).id() == id;
    finding.location.segment = before;
    const SegmentView last = check_.message.segment(before);
    finding.offset = last.offset() + static_cast<std::uint32_t>(last.raw().size());
    const std::string name = name_of_node(structure_, node);
    finding.path = (group.empty() ? std::string() : group + ".") + name;
    const bool is_group = definition.kind == NodeKind::group;
    finding.text = std::string(is_group ? "required group " : "required segment ") + text + ": " + name;
    check_.list(std::move(finding));
  }

  /// The last segment that stands before the place of `node` in an instance; what begins the instance when
  /// there is none.
  std::uint32_t last_before(std::uint32_t instance, NodeIndex node) const {
    const GroupInstance& group = tree_.instances()[instance];
    std::uint32_t last = group.first_segment;
    for (std::uint32_t i = group.first_segment; i < group.end_segment; ++i) {
      const NodeIndex placed = tree_.placements()[i].node;
      if (placed != kNoNode && placed < node) last = i;
    }
    return last;
  }

  void report_segment(RuleKind kind, std::uint32_t index, std::string_view text) {
    const SegmentView segment = check_.message.segment(index);
    if (!check_.wants(kind, segment.id(), {index})) return;
    Finding finding;
    finding.rule = kind;
    finding.code = 100;
    finding.segment = segment_name(segment.id());
    finding.sequence = segment.occurrence();
    finding.location.segment = index;
    finding.offset = segment.offset();
    finding.path = check_.message.place(finding.location);
    finding.text = text;
    const SegmentRules* rules = check_.rules.find_segment(segment.id());
    if (rules != nullptr) finding.text.append(": ").append(rules->title);
    check_.list(std::move(finding));
  }

  void report_unplaced(std::uint32_t index) {
    const std::uint32_t id = check_.message.segment(index).id();
    const std::string_view text = id == 0 ? "a line that is no segment"
                                  : check_.rules.find_segment(id) == nullptr
                                      ? "the version has no such segment"
                                      : "the structure has no place for the segment here";
    report_segment(RuleKind::undefined, index, text);
  }

  /// What a profile says about the number of segments and groups, instance by instance.
  void occurrences() {
    const auto instances = tree_.instances();
    std::vector<std::uint32_t> counts(structure_.nodes().size());
    for (std::uint32_t i = 0; i < instances.size(); ++i) {
      std::fill(counts.begin(), counts.end(), 0);
      for (std::uint32_t s = instances[i].first_segment; s < instances[i].end_segment; ++s) {
        const Placement& placed = tree_.placements()[s];
        if (placed.instance == i && placed.node != kNoNode) count(counts, placed.node, s);
      }
      for (std::uint32_t c = i + 1; c < instances[i].end_instance; c = instances[c].end_instance)
        count(counts, instances[c].node, instances[c].first_segment);
      too_few(i, counts);
    }
  }

  void count(std::vector<std::uint32_t>& counts, NodeIndex node, std::uint32_t segment) {
    const NodeRules& rules = check_.rules.nodes()[node];
    const std::uint32_t number = ++counts[node];
    if (rules.usage == Usage::not_supported && number == 1)
      report_segment(RuleKind::usage, segment, "not supported by the profile");
    else if (number == rules.max + 1 && rules.max != kUnbounded)
      report_segment(RuleKind::cardinality, segment, "more often than the profile allows");
  }

  void too_few(std::uint32_t instance, const std::vector<std::uint32_t>& counts) {
    const auto nodes = structure_.nodes();
    const NodeIndex group = tree_.instances()[instance].node;
    for (NodeIndex n = 0; n < nodes.size(); ++n) {
      if (nodes[n].group != group || nodes[n].kind == NodeKind::choice) continue;
      const NodeRules& rules = check_.rules.nodes()[n];
      const bool in_choice = nodes[n].parent != group;
      // One that is missing altogether was reported by the structure if that demands it.
      if (counts[n] >= rules.min || in_choice || (counts[n] == 0 && nodes[n].required)) continue;
      report_missing(instance, n, "stands too seldom");
    }
  }

  Check& check_;
  const Structure& structure_;
  const GroupTree& tree_;
};

}  // namespace

void check_structure(Check& check) {
  if (!check.on(RuleKind::structure) && !check.on(RuleKind::undefined) && !check.on(RuleKind::usage) &&
      !check.on(RuleKind::cardinality))
    return;
  if (check.report.choice.structure != nullptr) {
    StructureCheck(check, *check.report.choice.structure).run();
    return;
  }
  const FieldView type = check.message.header().field(9);
  check.add(RuleKind::structure, {check.message.header().index(), 9, 0, 0, 0}, type.offset(),
            "the version has no structure for this message type", "");
}

}  // namespace kiln::hl7::detail
