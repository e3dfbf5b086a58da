#pragma once
// The v2 dictionary as the checker asks it: fields and components with the version bridge, and message
// structures as a flat tree that segments and groups are found in.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hl7/dictionary/dictionary.h"
#include "mappings/ast.h"

namespace kiln::mappings::detail {

/// A segment as the checker sees it: of the dictionary, or declared in a file.
struct SegmentModel {
  std::string_view id;
  std::optional<hl7::SegmentDef> standard;
  const ast::SegmentDecl* declared = nullptr;
  /// Field by position; nothing when the segment has none.
  struct Field {
    std::string_view datatype, name, table;
    bool repeats = false;
    bool required = false;
    char usage = 'O';
  };
  std::optional<Field> field(int position) const;
  int last_field() const;
};

/// The component of a datatype in `version`; when the version does not define the datatype, in the nearest
/// newer, then older version that does.
std::optional<hl7::FieldDef> component(hl7::Version version, std::string_view datatype, int position);
/// The definition, found the same way.
std::optional<hl7::DatatypeDef> datatype(hl7::Version version, std::string_view id);
/// Some version knows a datatype of that name.
bool is_datatype(std::string_view id);
/// The component in any version, newest first (datatype maps serve all versions).
std::optional<hl7::FieldDef> component_in_any(std::string_view datatype, int position);
bool is_v2_primitive(hl7::Version version, std::string_view datatype);

/// One node of a structure in pre-order; choices are kept as nodes of their own.
struct StructureNode {
  hl7::NodeKind kind = hl7::NodeKind::segment;
  std::string_view name;
  int parent = -1;  ///< -1: the message
  bool required = false, repeats = false;
  std::uint16_t index = 0;
};

class StructureTree {
 public:
  explicit StructureTree(const hl7::StructureDef& structure);
  struct Found {
    int node = -1;
    std::vector<int> groups;  ///< groups entered on the way, outermost first; choices left out
    bool repeating = false;   ///< one of these groups repeats
  };
  /// Segments or groups of that name below `from` (-1: the message), in order.
  std::vector<Found> below(int from, std::string_view name) const;
  /// What is written without a path goes to the fewest groups: in RDE_O11 an RXR of ORDER is its own one, not
  /// that of ORDER_DETAIL, which comes first.
  static void nearest_first(std::vector<Found>& found) {
    std::stable_sort(found.begin(), found.end(),
                     [](const Found& a, const Found& b) { return a.groups.size() < b.groups.size(); });
  }
  /// The nearest group around a node (choices skipped); -1 for the message.
  int group_of(int node) const;
  const StructureNode& node(int index) const { return nodes_[static_cast<std::size_t>(index)]; }
  std::size_t size() const { return nodes_.size(); }
  std::string_view id() const { return id_; }
  /// "ORDER.OBSERVATION" of a group node.
  std::string path_of(int node) const;

 private:
  void add(const hl7::RecordList<hl7::NodeDef>& list, int parent);
  std::vector<StructureNode> nodes_;
  std::string_view id_;
};

/// `hl7 X`: a structure id, else an event of that version.
struct StructureChoice {
  hl7::StructureDef structure;
  std::string event;  ///< "ADT^A08" when X is an event, else empty
};
std::optional<StructureChoice> find_structure(hl7::Version version, std::string_view name);

}  // namespace kiln::mappings::detail
