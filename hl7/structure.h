#pragma once
// Message structures: which one a message has, and which group each of its segments belongs to
// (std 2.5.2, 2.12). A Structure is the compiled definition; a GroupTree is what match() makes of one
// message. Segments are given as packed ids (segment_id() of hl7/message.h), so matching needs neither bytes
// nor a Message.

#include <cstdint>
#include <deque>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hl7/dictionary/dictionary.h"

namespace kiln::hl7 {

/// Index of a node in Structure::nodes(): pre-order over StructureDef::nodes, choices counted, first node = 0
/// (MSH).
using NodeIndex = std::uint16_t;
inline constexpr NodeIndex kNoNode = 0xFFFF;  ///< the message itself, or no node
inline constexpr std::uint32_t kNoIndex = 0xFFFFFFFFu;

struct StructureNode {
  NodeKind kind;
  bool required;
  bool repeats;
  std::string_view name;  ///< "PID", "ORDER", "|"; static storage
  std::uint32_t segment;  ///< packed id; 0 for groups, choices and `any`
  NodeIndex parent;       ///< enclosing group or choice; kNoNode at top level
  NodeIndex group;        ///< nearest enclosing group, choices skipped; kNoNode at top level
  NodeIndex end;          ///< one past the last descendant
};

struct ProfileNode;  // profile.h

/// A compiled message structure. Immutable, safe from any thread.
class Structure {
 public:
  /// The structure of a version by MSH-9.3 or by the id of a 2.9 variant; compiled on first use and kept for
  /// the life of the process. Null when the version has none of that name.
  static const Structure* find(Version version, std::string_view id);
  /// Through the event map: find_event(v, "ADT", "A04") is ADT_A01.
  static const Structure* find_event(Version version, std::string_view code, std::string_view trigger);

  Structure(Version version, const StructureDef& definition);
  /// Of a profile's own: names are copied.
  Structure(Version version, std::string_view id, const std::vector<ProfileNode>& nodes);
  Structure(const Structure&) = delete;
  Structure& operator=(const Structure&) = delete;

  Version version() const { return version_; }
  std::string_view id() const { return id_; }            ///< "ADT_A01"
  std::string_view variant() const { return variant_; }  ///< "ADT_A01-B" in 2.9, else as id()
  std::span<const StructureNode> nodes() const { return nodes_; }

  /// Every node of a segment, in order; empty when the structure does not have it.
  std::vector<NodeIndex> occurrences(std::uint32_t segment) const;
  /// The occurrences of a segment directly in `group` (kNoNode: top level); choices are transparent.
  std::vector<NodeIndex> occurrences_in(NodeIndex group, std::uint32_t segment) const;
  /// `segment` occurs somewhere below `group` (kNoNode: the message).
  bool reachable(NodeIndex group, std::uint32_t segment) const;
  /// The group called `name` nearest below `group`: direct child groups first, then deeper ones, in order.
  /// kNoNode: none.
  NodeIndex find_group(NodeIndex group, std::string_view name) const;
  /// All groups called `name` in the structure (names are unique in nearly all).
  std::vector<NodeIndex> groups_named(std::string_view name) const;
  /// The groups from below `from` (kNoNode: the message) down to the group that holds `node`, outermost
  /// first. `node` itself is not in it. Nothing when `node` is not below `from`.
  std::optional<std::vector<NodeIndex>> group_path(NodeIndex from, NodeIndex node) const;
  /// More than one instance of `node` can exist in one instance of `from`: it or a group between repeats.
  bool repeats_within(NodeIndex from, NodeIndex node) const;
  /// "PATIENT_RESULT.ORDER_OBSERVATION.OBR"; the names of choices are left out. kNoNode gives the structure's
  /// id.
  std::string path(NodeIndex node) const;
  /// The definition as an indented text, one node a line, for diagnostics: `  OBSERVATION [0..*]`. Below
  /// `from`.
  std::string print(NodeIndex from = kNoNode) const;

 private:
  friend class Matcher;
  enum Accept : std::uint8_t { kStrict = 1, kLenient = 2, kReopen = 4 };
  /// Child number `position` of a compound (message, group or choice) takes a segment; how is a set of
  /// Accept.
  struct Candidate {
    std::uint16_t position;
    std::uint8_t accept;
  };
  void add_nodes(const RecordList<NodeDef>& list, NodeIndex parent, NodeIndex group);
  void add_nodes(const std::vector<ProfileNode>& list, NodeIndex parent, NodeIndex group);
  void compile();
  using Accepts = std::vector<std::uint8_t>;  ///< per symbol; the column after the last is `any`
  Accepts accepts(NodeIndex node, const std::vector<Accepts>& below) const;
  /// Belongs to the segment before it (NTE, PRT, ROL): never opens a group whose first member is missing.
  static bool is_follower(std::uint32_t segment);
  std::uint16_t symbol_of(std::uint32_t segment) const;  ///< kNoNode when unknown
  std::span<const Candidate> candidates(std::uint16_t compound, std::uint16_t symbol) const;
  std::span<const NodeIndex> children(std::uint16_t compound) const;

  Version version_;
  std::string_view id_, variant_;
  std::deque<std::string> names_;  ///< of a structure that is not the dictionary's
  std::vector<StructureNode> nodes_;
  std::vector<std::uint32_t> symbols_;  ///< packed ids, sorted; a symbol is a position here
  std::vector<bool> forks_;             ///< symbol -> stands in several places
  std::vector<std::uint16_t>
      compound_of_;                     ///< node -> compound number (0 is the message), kNoNode for segments
  std::vector<NodeIndex> child_nodes_;  ///< children of all compounds, compound after compound
  std::vector<std::uint32_t> child_offsets_;  ///< compound -> first child; one more at the end
  std::vector<Candidate> candidates_;
  std::vector<std::uint32_t> candidate_offsets_;  ///< compound * symbols + symbol; one more at the end
};

/// One occurrence of a group in a message. Number 0 is the message itself.
struct GroupInstance {
  NodeIndex node;               ///< kNoNode for the message
  std::uint32_t parent;         ///< instance; kNoIndex for the message
  std::uint32_t ordinal;        ///< 1-based among the instances of `node` in `parent`
  std::uint32_t first_segment;  ///< segments first_segment … end_segment-1 lie in it or in its child groups
  std::uint32_t end_segment;
  std::uint32_t end_instance;  ///< instances below it are the numbers after its own, up to this one
};

enum class Placing : std::uint8_t {
  placed,
  out_of_order,  ///< it belongs to this instance, but a later member came before it
  local,         ///< a Z segment, attached where it stands
  unplaced,      ///< fits nowhere; `instance` is the group instance it followed
};

struct Placement {
  std::uint32_t instance;
  NodeIndex node;  ///< kNoNode when local or unplaced
  Placing placing;
};

/// A required node that an instance does not have.
struct MissingNode {
  std::uint32_t instance;
  NodeIndex node;
};

/// The group instances of one message over its segment indexes, in message order. Reusable: match() clears it
/// first and allocates only when it needs more room than before. Not thread-safe while being filled.
class GroupTree {
 public:
  explicit GroupTree(std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : instances_(memory), placements_(memory), unplaced_(memory), last_(memory) {}

  /// The structure of the last match; null before the first and for a flat tree.
  const Structure* structure() const { return structure_; }
  std::span<const GroupInstance> instances() const { return instances_; }
  /// One per segment of the message.
  std::span<const Placement> placements() const { return placements_; }
  /// Segment indexes that fit nowhere, in order; their Placement says which instance they followed.
  std::span<const std::uint32_t> unplaced() const { return unplaced_; }

  /// Occurrence n (1-based) of group `node` directly in `parent`, or kNoIndex.
  std::uint32_t find_group(std::uint32_t parent, NodeIndex node, std::uint32_t occurrence = 1) const;
  /// The next instance of the same group in the same parent, or kNoIndex.
  std::uint32_t next_group(std::uint32_t instance) const;
  /// Segment index of occurrence n (1-based) of segment node `node` directly in `instance`, or kNoIndex.
  std::uint32_t find_segment(std::uint32_t instance, NodeIndex node, std::uint32_t occurrence = 1) const;
  /// The next segment of the same node in the same instance, or kNoIndex.
  std::uint32_t next_segment(std::uint32_t segment) const;

  /// "ORDER[2].ORDER_DETAIL[1]"; ordinals are printed where the group repeats. "" for the message.
  std::string path(std::uint32_t instance) const;
  /// Required nodes without an occurrence, by instance and node; at most `limit`.
  std::vector<MissingNode> missing_nodes(std::size_t limit = 100) const;
  /// The same as text paths with the instance they miss in ("ORDER[2].ORC").
  std::vector<std::string> missing(std::size_t limit = 100) const;
  /// Indented text for people and goldens, one group or segment a line. `segments` as given to match().
  std::string print(std::span<const std::uint32_t> segments) const;

 private:
  friend class Matcher;
  friend void match(const Structure* structure, std::span<const std::uint32_t> segments, GroupTree& tree);
  std::uint32_t next_direct(std::uint32_t instance, std::uint32_t segment, std::uint32_t& child) const;
  std::uint32_t search_segment(std::uint32_t instance, NodeIndex node, std::uint32_t from,
                               std::uint32_t occurrence) const;

  const Structure* structure_ = nullptr;
  std::pmr::vector<GroupInstance> instances_;
  std::pmr::vector<Placement> placements_;
  std::pmr::vector<std::uint32_t> unplaced_;
  /// Per node while matching: the instance that holds its latest occurrence, and how many that one has.
  struct Last {
    std::uint32_t instance, count;
  };
  std::pmr::vector<Last> last_;
};

/// Assigns every segment to a group instance: one pass, no backtracking, at most 12 segments looked ahead,
/// time linear in the number of segments. Lenient: any list of segments gives a tree (hl7v2.md §7).
/// `segments[i]` is the packed id of segment i, 0 for an unnamed one. A null structure gives a flat tree in
/// which Z segments are local and all others unplaced.
void match(const Structure* structure, std::span<const std::uint32_t> segments, GroupTree& tree);

/// What MSH says about the structure, decoded. Empty = not valued.
struct MessageTypeText {
  std::string_view code;       ///< MSH-9.1
  std::string_view trigger;    ///< MSH-9.2
  std::string_view structure;  ///< MSH-9.3
  std::string_view version;    ///< MSH-12.1
};

struct StructureChoice {
  const Structure* structure = nullptr;  ///< null: neither MSH-9.3 nor the event is known to the version
  Version version = Version::v2_5_1;
  bool version_exact = true;  ///< false: diagnostic unknown-version
  bool conflict = false;      ///< MSH-9.3 is valued and is not the chosen one: diagnostic structure-conflict
};

/// MSH-9.3 if the version knows it, else the event map, else MSH-9.1 alone. When MSH-9.3 and the event map
/// name different structures, MSH-9.3 wins only if it places more of the segments.
StructureChoice choose_structure(const MessageTypeText& type, std::span<const std::uint32_t> segments);

}  // namespace kiln::hl7
