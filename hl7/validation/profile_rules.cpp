// A profile over the standard: every rule is laid on the elements its path names. Places of a segment that no
// rule tells apart share their rules.

#include <algorithm>

#include "hl7/path.h"
#include "hl7/segment_id.h"
#include "hl7/validation/rule_set.h"

namespace kiln::hl7::detail {

namespace {

tl::unexpected<base::Error> bad(const ProfileRule& rule, std::string text) {
  return base::fail(base::ErrorCode::bad_profile, std::move(text), "rules / " + rule.path);
}

/// "ORDER.OBX#2-5.1" in its parts.
struct RulePath {
  std::vector<std::string_view> groups;
  bool rooted = false;      ///< begins with the id of the structure
  std::string_view node;    ///< segment or group
  std::uint32_t place = 0;  ///< #n; 0: every place
  std::uint32_t numbers[3] = {0, 0, 0};
  std::size_t depth = 0;  ///< how many of the numbers are given
};

bool read_number(std::string_view text, std::uint32_t& out) {
  out = 0;
  if (text.empty() || text.size() > 4) return false;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    out = out * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return out != 0;
}

bool read_path(std::string_view text, RulePath& out) {
  std::string_view head = text, tail;
  if (const std::size_t dash = text.find('-'); dash != text.npos) {
    head = text.substr(0, dash);
    tail = text.substr(dash + 1);
    if (tail.empty()) return false;
  }
  while (!tail.empty()) {
    const std::size_t dot = tail.find('.');
    if (out.depth == 3 || !read_number(tail.substr(0, dot), out.numbers[out.depth++])) return false;
    if (dot == tail.npos) break;
    tail = tail.substr(dot + 1);
    if (tail.empty()) return false;
  }
  for (std::size_t dot = head.find('.'); dot != head.npos; dot = head.find('.')) {
    out.groups.push_back(head.substr(0, dot));
    head = head.substr(dot + 1);
  }
  if (const std::size_t hash = head.find('#'); hash != head.npos) {
    if (!read_number(head.substr(hash + 1), out.place)) return false;
    head = head.substr(0, hash);
  }
  out.node = head;
  return !head.empty() && (out.depth == 0 || segment_id(head) != 0);
}

std::size_t count_nodes(const std::vector<ProfileNode>& nodes) {
  std::size_t count = nodes.size();
  for (const ProfileNode& node : nodes) count += count_nodes(node.children);
  return count;
}

}  // namespace

class ProfileCompiler {
 public:
  ProfileCompiler(const Profile& profile, RuleSet& rules) : profile_(profile), rules_(rules) {}

  base::Status compile() {
    rules_.profile_ = &profile_;
    TRY_VOID(add_tables());
    TRY_VOID(add_structure());
    for (const ProfileRule& rule : profile_.rules) TRY_VOID(add_rule(rule));
    for (SegmentRules& segment : rules_.segments_) rules_.note_wanted(segment);
    for (Element& element : rules_.elements_)
      if (element.count != 0) rules_.note_demands(element);
    return {};
  }

 private:
  base::Status add_tables() {
    for (const ProfileTable& table : profile_.tables) {
      CodeTable made{table.id, table.title, table.open, {}, {}};
      for (const auto& code : table.codes) made.codes.push_back(code.first);
      made.index();
      const std::uint16_t position = rules_.table_position(table.id);
      if (position != kNone16)
        rules_.tables_[position] = std::move(made);
      else
        added_tables_.push_back(std::move(made));
    }
    if (rules_.tables_.size() + added_tables_.size() >= kNone16)
      return base::fail(base::ErrorCode::bad_profile, "too many tables", "tables");
    // Behind the standard's, whose positions the elements hold.
    for (CodeTable& table : added_tables_) rules_.tables_.push_back(std::move(table));
    return {};
  }

  /// Linear: a profile has few tables of its own.
  std::uint16_t find_table(std::string_view id) const {
    for (std::size_t i = 0; i < rules_.tables_.size(); ++i)
      if (rules_.tables_[i].id == id) return static_cast<std::uint16_t>(i);
    return kNone16;
  }

  base::Status add_structure() {
    if (!profile_.message.empty()) {
      if (count_nodes(profile_.message) >= kNoNode)
        return base::fail(base::ErrorCode::bad_profile, "too many segments and groups", "message");
      rules_.own_structure_ =
          std::make_unique<const Structure>(profile_.version, profile_.structure, profile_.message);
      rules_.structure_ = rules_.own_structure_.get();
    } else if (!profile_.structure.empty()) {
      rules_.structure_ = Structure::find(profile_.version, profile_.structure);
      if (rules_.structure_ == nullptr)
        return base::fail(base::ErrorCode::bad_profile, "the version has no such structure", "structure");
    }
    if (rules_.structure_ == nullptr) return {};
    for (const StructureNode& node : rules_.structure_->nodes())
      rules_.nodes_.push_back({node.required ? 1u : 0u, node.repeats ? kUnbounded : 1u,
                               node.required ? Usage::required : Usage::optional, 0});
    return {};
  }

  base::Status add_rule(const ProfileRule& rule) {
    RulePath path;
    if (!read_path(rule.path, path)) return bad(rule, "not a path of a profile");
    if (rule.usage == Usage::conditional && !rule.condition && path.depth == 0)
      return bad(rule, "usage C needs a condition");
    if (!path.groups.empty() && path.groups.front() == profile_.structure) {
      path.rooted = true;
      path.groups.erase(path.groups.begin());
    }
    if (path.depth != 0 && path.groups.empty() && path.place == 0 && !path.rooted) {
      // Every place of the segment: the rules all of them share, and those told apart so far.
      const std::uint32_t id = segment_id(path.node);
      bool found = false;
      for (std::size_t i = 0; i < rules_.segments_.size(); ++i) {
        if (rules_.segments_[i].id != id) continue;
        found = true;
        TRY_VOID(add_field(rule, path, i));
      }
      return found ? base::Status() : add_new_segment(rule, path);
    }
    const std::vector<NodeIndex> places = find_places(path);
    if (places.empty()) return bad(rule, "the structure has no such place");
    for (const NodeIndex node : places) {
      if (path.depth == 0) {
        TRY_VOID(add_node(rule, node));
      } else {
        TRY(const std::size_t segment, own_segment(rule, node));
        TRY_VOID(add_field(rule, path, segment));
      }
    }
    return {};
  }

  /// Nodes of that name that lie in the given groups, as near to the last one as any does.
  std::vector<NodeIndex> find_places(const RulePath& path) const {
    std::vector<NodeIndex> found;
    if (rules_.structure_ == nullptr) return found;
    const auto nodes = rules_.structure_->nodes();
    std::vector<std::uint32_t> numbers(nodes.size() + 1, 0);  // per group: places of the name so far
    std::size_t nearest = nodes.size();
    for (NodeIndex i = 0; i < nodes.size(); ++i) {
      if (nodes[i].name != path.node) continue;
      const std::uint32_t number = ++numbers[nodes[i].group == kNoNode ? nodes.size() : nodes[i].group];
      if (path.place != 0 && number != path.place) continue;
      const auto between = groups_between(path, nodes[i].group);
      if (!between || *between > nearest) continue;
      if (*between < nearest) found.clear();
      nearest = *between;
      found.push_back(i);
    }
    return found;
  }

  /// How many groups stand between `group` and the named ones that the path does not name; nothing when it
  /// does not lie in them. A path without groups names every place.
  std::optional<std::size_t> groups_between(const RulePath& path, NodeIndex group) const {
    const auto nodes = rules_.structure_->nodes();
    std::size_t left = path.groups.size(), skipped = 0;
    if (left == 0 && !path.rooted) return 0;
    for (; group != kNoNode && (left != 0 || path.rooted); group = nodes[group].group) {
      if (left != 0 && nodes[group].name == path.groups[left - 1])
        --left;
      else
        ++skipped;
    }
    if (left != 0) return std::nullopt;
    return skipped;
  }

  base::Status add_node(const ProfileRule& rule, NodeIndex node) {
    NodeRules& rules = rules_.nodes_[node];
    if (rule.usage) {
      rules.usage = *rule.usage;
      if (*rule.usage == Usage::required) rules.min = std::max(rules.min, 1u);
    }
    if (rule.min) rules.min = *rule.min;
    if (rule.max) rules.max = *rule.max;
    if (rules.min > rules.max) return bad(rule, "min is above max");
    if (rule.usage == Usage::conditional) return bad(rule, "a segment or group cannot be conditional here");
    if (!rule.type.empty() || !rule.table.empty() || rule.length_max || rule.length_min ||
        !rule.one_of.empty())
      return bad(rule, "a segment or group has no type, table, length or constant");
    return {};
  }

  /// The rules of one place of a segment, a copy of the shared ones at first.
  base::Result<std::size_t> own_segment(const ProfileRule& rule, NodeIndex node) {
    NodeRules& place = rules_.nodes_[node];
    if (place.segment != 0) return place.segment - 1u;
    const std::uint32_t id = rules_.structure_->nodes()[node].segment;
    const SegmentRules* shared = rules_.find_segment(id);
    for (std::size_t i = rules_.named_segments_; shared == nullptr && i < rules_.segments_.size(); ++i)
      if (rules_.segments_[i].id == id) shared = &rules_.segments_[i];
    if (shared == nullptr) return bad(rule, "the version has no such segment");
    SegmentRules copy = *shared;
    copy.first = copy_elements(copy.first, copy.count);
    rules_.segments_.push_back(std::move(copy));
    place.segment = static_cast<std::uint32_t>(rules_.segments_.size());
    return rules_.segments_.size() - 1;
  }

  std::uint32_t copy_elements(std::uint32_t first, std::uint32_t count) {
    const auto made = static_cast<std::uint32_t>(rules_.elements_.size());
    rules_.elements_.reserve(made + count);
    for (std::uint32_t i = 0; i < count; ++i) rules_.elements_.push_back(rules_.elements_[first + i]);
    return made;
  }

  /// A segment the standard does not have: fields are added as rules name them.
  base::Status add_new_segment(const ProfileRule& rule, const RulePath& path) {
    SegmentRules segment;
    segment.id = segment_id(path.node);
    segment.title = path.node;
    segment.first = static_cast<std::uint32_t>(rules_.elements_.size());
    const auto at = std::lower_bound(
        rules_.segments_.begin(),
        rules_.segments_.begin() + static_cast<std::ptrdiff_t>(rules_.named_segments_), segment.id,
        [](const SegmentRules& other, std::uint32_t id) { return other.id < id; });
    const auto position = static_cast<std::size_t>(at - rules_.segments_.begin());
    rules_.segments_.insert(at, std::move(segment));
    ++rules_.named_segments_;
    for (NodeRules& node : rules_.nodes_)
      if (node.segment > position) ++node.segment;
    return add_field(rule, path, position);
  }

  base::Status add_field(const ProfileRule& rule, const RulePath& path, std::size_t segment) {
    SegmentRules& rules = rules_.segments_[segment];
    if (path.numbers[0] > base::limits::kFieldsMax) return bad(rule, "no such field");
    if (path.numbers[0] > rules.count) {
      const std::uint32_t before = rules.count;
      rules.first = copy_elements(rules.first, rules.count);
      rules.count = path.numbers[0];
      for (std::uint32_t n = before; n < rules.count; ++n) {
        Element added;
        added.opaque = true;  // until a rule names its type
        added.repetition_max = kUnbounded;
        rules_.elements_.push_back(added);
      }
    }
    std::uint32_t element = rules.first + path.numbers[0] - 1;
    for (std::size_t level = 1; level < path.depth; ++level) {
      Element& parent = rules_.elements_[element];
      if (path.numbers[level] > parent.count)
        return bad(rule, "datatype " + std::string(parent.type) + " has no such component");
      const std::uint32_t first = own_components(element);
      element = first + path.numbers[level] - 1;
    }
    return apply(rule, element);
  }

  /// The components of an element, its own from now on: those of the type belong to all.
  std::uint32_t own_components(std::uint32_t element) {
    if (element < owned_.size() && owned_[element]) return rules_.elements_[element].first;
    const std::uint32_t first =
        copy_elements(rules_.elements_[element].first, rules_.elements_[element].count);
    rules_.elements_[element].first = first;
    owned_.resize(std::max<std::size_t>(owned_.size(), element + 1u), false);
    owned_[element] = true;
    return first;
  }

  base::Status apply(const ProfileRule& rule, std::uint32_t index) {
    Element& element = rules_.elements_[index];
    if (!rule.name.empty()) element.name = rule.name;
    if (!rule.type.empty() && rule.type != element.type) {
      if (rules_.find_type(rule.type) == nullptr && rule.type != "varies")
        return bad(rule, "the version has no datatype " + rule.type);
      rules_.set_type(element, rule.type);
      if (element.repetition_max == kUnbounded && !rule.max && element.name.empty())
        element.repetition_max = 1;
      if (index < owned_.size()) owned_[index] = false;
    }
    if (rule.usage) element.usage = *rule.usage;
    if (rule.min) element.repetition_min = *rule.min;
    if (rule.max) element.repetition_max = *rule.max;
    if (element.repetition_min > element.repetition_max && element.usage != Usage::not_supported)
      return bad(rule, "min is above max");
    if (rule.length_min) element.length_min = *rule.length_min;
    if (rule.length_max) element.length_max = *rule.length_max;
    if (!rule.table.empty()) {
      element.table = find_table(rule.table);
      if (element.table == kNone16) return bad(rule, "there is no table " + rule.table);
    }
    if (!rule.one_of.empty()) {
      element.constants = static_cast<std::uint16_t>(rules_.constants_.size());
      rules_.constants_.push_back(rule.one_of);
    }
    if (rule.condition) return add_condition(rule, element);
    return {};
  }

  base::Status add_condition(const ProfileRule& rule, Element& element) {
    CompiledCondition compiled{{}, rule.then, rule.otherwise};
    TRY_VOID(compile_test(rule, *rule.condition, compiled.test));
    if (rules_.conditions_.size() + 1 >= kNone16 || rules_.constants_.size() + 1 >= kNone16)
      return bad(rule, "too many conditions");
    element.condition = static_cast<std::uint16_t>(rules_.conditions_.size());
    rules_.conditions_.push_back(std::move(compiled));
    return {};
  }

  base::Status compile_test(const ProfileRule& rule, const ProfileCondition& from, CompiledTest& to) const {
    to.kind = from.kind;
    to.values = from.values;
    if (from.kind == ProfileCondition::Kind::valued || from.kind == ProfileCondition::Kind::equals) {
      RulePath path;
      if (!read_path(from.path, path) || !path.groups.empty() || path.place != 0 ||
          segment_id(path.node) == 0)
        return bad(rule, "condition: `" + from.path + "` is not a plain path");
      if (from.kind == ProfileCondition::Kind::equals && path.depth == 0)
        return bad(rule, "condition: a segment has no text");
      to.segment = segment_id(path.node);
      to.field = path.numbers[0];
      to.component = path.numbers[1];
      to.subcomponent = path.numbers[2];
      return {};
    }
    if (from.parts.empty() || (from.kind == ProfileCondition::Kind::not_ && from.parts.size() != 1))
      return bad(rule, "condition: a part is missing");
    for (const ProfileCondition& part : from.parts)
      TRY_VOID(compile_test(rule, part, to.parts.emplace_back()));
    return {};
  }

  const Profile& profile_;
  RuleSet& rules_;
  std::vector<CodeTable> added_tables_;
  std::vector<bool> owned_;  ///< per element: its components are its own
};

base::Result<std::unique_ptr<const RuleSet>> RuleSet::make(const Profile& profile) {
  auto rules = std::make_unique<RuleSet>(profile.version);
  TRY_VOID(ProfileCompiler(profile, *rules).compile());
  return std::unique_ptr<const RuleSet>(std::move(rules));
}

}  // namespace kiln::hl7::detail
