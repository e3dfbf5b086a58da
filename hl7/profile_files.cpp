// Profiles in three files, as IGAMT exports them: the message with its segments and datatypes, constraints,
// value sets.

#include <map>
#include <pugixml.hpp>
#include <set>

#include "engine/base/limits.h"
#include "hl7/dictionary/dictionary.h"
#include "hl7/profile.h"

namespace kiln::hl7 {
namespace {

using base::ErrorCode;
using pugi::xml_node;

tl::unexpected<base::Error> bad(std::string text, std::string place) {
  return base::fail(ErrorCode::bad_profile, std::move(text), std::move(place));
}

/// Entities and external parts of a document type are not looked at: pugixml resolves only the five of XML.
base::Status parse(pugi::xml_document& document, std::string_view text, const char* what) {
  if (text.size() > base::limits::kProfileBytesMax) return base::fail(ErrorCode::limit_exceeded, what);
  const auto result =
      document.load_buffer(text.data(), text.size(), pugi::parse_default, pugi::encoding_auto);
  if (result) return {};
  return bad(std::string(what) + ": " + result.description(), "byte " + std::to_string(result.offset));
}

std::string attribute(const xml_node& node, const char* name) {
  return node.attribute(name).value();
}

bool is(const xml_node& node, std::string_view name) {
  return node.type() == pugi::node_element && name == node.name();
}

std::optional<std::uint32_t> number_of(std::string_view text) {
  if (text == "*") return kUnbounded;
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != text.npos)
    return std::nullopt;
  return static_cast<std::uint32_t>(std::stoul(std::string(text)));
}

/// "5[1].1[1]" of a segment -> "-5.1", of a datatype ("1[1].2[1]") -> ".1.2". Empty when it is no such path.
std::string below(std::string_view path, char first) {
  std::string out;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('.', at), path.size());
    std::string_view part = path.substr(at, end - at);
    part = part.substr(0, part.find('['));
    if (part.empty() || part.size() > 4 || part.find_first_not_of("0123456789") != part.npos) return {};
    out += out.empty() ? first : '.';
    out += part;
    at = end + 1;
  }
  return out;
}

class Importer {
 public:
  Importer(ImportedProfile& out, const xml_node& root, const xml_node& constraints, const xml_node& sets)
      : out_(out), profile_(out.profile), root_(root), constraints_(constraints), sets_(sets) {}

  base::Status read(std::string_view wanted) {
    const NearestVersion nearest = nearest_version(attribute(root_, "HL7Version"));
    profile_.version = nearest.version;
    if (!nearest.exact) note("HL7Version", "read as " + std::string(version_text(nearest.version)));
    TRY(const xml_node message, choose_message(wanted));
    for (const xml_node one : root_.child("Segments").children("Segment"))
      segments_[attribute(one, "ID")] = one;
    for (const xml_node one : root_.child("Datatypes").children("Datatype"))
      datatypes_[attribute(one, "ID")] = one;
    read_head(message);
    read_tables(sets_, 0);
    std::vector<std::string> groups;
    TRY_VOID(read_nodes(message, profile_.message, groups));
    if (profile_.message.empty()) return bad("there is no Segment", "Message");
    read_constraints();
    return {};
  }

 private:
  void note(const std::string& place, const std::string& text) { out_.notes.push_back(place + ": " + text); }

  base::Result<xml_node> choose_message(std::string_view wanted) const {
    xml_node chosen;
    std::string known;
    for (const xml_node message : root_.child("Messages").children("Message")) {
      const std::string id = attribute(message, "ID");
      known += (known.empty() ? "" : ", ") + id;
      if (wanted.empty() ? !chosen : id == wanted)
        chosen = message;
      else if (wanted.empty())
        return bad("the profile has several messages: name one", known + ", …");
    }
    if (!chosen) return bad(wanted.empty() ? "there is no Message" : "there is no such Message", known);
    return chosen;
  }

  void read_head(const xml_node& message) {
    profile_.name = attribute(root_.child("MetaData"), "Name");
    profile_.structure = attribute(message, "StructID");
    if (profile_.name.empty()) profile_.name = profile_.structure;
    profile_.description = attribute(message, "Description");
    if (const std::string event = attribute(message, "Event"); !event.empty())
      profile_.events.push_back(event);
  }

  void read_tables(const xml_node& node, std::size_t depth) {
    for (const xml_node child : node.children()) {
      if (!is(child, "ValueSetDefinition")) {
        if (child.type() == pugi::node_element && depth < base::limits::kProfileDepthMax)
          read_tables(child, depth + 1);
        continue;
      }
      ProfileTable table;
      table.id = attribute(child, "BindingIdentifier");
      table.title = attribute(child, "Name");
      table.open = attribute(child, "Extensibility") == "Open";
      for (const xml_node element : child.children("ValueElement"))
        if (attribute(element, "Usage") != "E")
          table.codes.emplace_back(attribute(element, "Value"), attribute(element, "DisplayName"));
      if (table.id.empty() || tables_.contains(table.id)) {
        note("value set " + table.id, "without an identifier of its own, left out");
      } else if (table.codes.empty()) {
        note("value set " + table.id, "lists no codes, left out");
      } else {
        tables_.insert(table.id);
        profile_.tables.push_back(std::move(table));
      }
    }
  }

  base::Status read_nodes(const xml_node& parent, std::vector<ProfileNode>& out,
                          std::vector<std::string>& groups) {
    if (groups.size() > base::limits::kProfileDepthMax) return bad("groups nested too deeply", parent.name());
    for (const xml_node child : parent.children()) {
      if (!is(child, "Segment") && !is(child, "Group")) continue;
      const bool group = is(child, "Group");
      const xml_node segment = group ? xml_node() : find(segments_, attribute(child, "Ref"));
      ProfileNode node;
      node.kind = group ? ProfileNode::Kind::group : ProfileNode::Kind::segment;
      node.name = attribute(group ? child : segment, "Name");
      // "ORU_R01.PATIENT_RESULT" in some exports: the last part is the name.
      if (group) node.name = node.name.substr(node.name.rfind('.') + 1);
      if (node.name.empty()) return bad("a segment that is not described", attribute(child, "Ref"));
      node.required = attribute(child, "Usage") == "R";
      const std::string max = attribute(child, "Max");
      node.repeats = max != "1" && max != "0" && !max.empty();
      std::string path;
      for (const std::string& name : groups) path += name + ".";
      path += node.name;
      add_node_rule(child, path);
      if (group) {
        groups.push_back(node.name);
        TRY_VOID(read_nodes(child, node.children, groups));
        groups.pop_back();
      } else {
        read_fields(segment, node.name, path);
      }
      out.push_back(std::move(node));
    }
    return {};
  }

  static xml_node find(const std::map<std::string, xml_node>& known, const std::string& id) {
    const auto found = known.find(id);
    return found == known.end() ? xml_node() : found->second;
  }

  void add_node_rule(const xml_node& node, const std::string& path) {
    ProfileRule rule;
    rule.path = path;
    const std::string usage = attribute(node, "Usage");
    if (usage == "X") rule.usage = Usage::not_supported;
    if (usage.starts_with("C")) note(path, "the condition of usage " + usage + " is not applied");
    const std::uint32_t min = number_of(attribute(node, "Min")).value_or(0);
    const std::uint32_t max = number_of(attribute(node, "Max")).value_or(1);
    if (min > 1) rule.min = min;
    if (max > 1 && max != kUnbounded) rule.max = max;
    if (rule.usage || rule.min || rule.max) profile_.rules.push_back(std::move(rule));
  }

  void read_fields(const xml_node& segment, const std::string& name, const std::string& path) {
    places_["Segment " + attribute(segment, "ID")].push_back({path, '-'});
    const auto standard = Dictionary(profile_.version).segment(name);
    std::uint32_t n = 0;
    for (const xml_node field : segment.children("Field")) {
      ++n;
      read_element(field, "DataType", standard ? standard->field(n) : std::nullopt,
                   path + "-" + std::to_string(n), 0);
    }
  }

  void read_element(const xml_node& node, const char* type_name, const std::optional<FieldDef>& standard,
                    const std::string& path, int depth) {
    ProfileRule rule;
    rule.path = path;
    if (!standard) rule.name = attribute(node, "Name");
    const std::string usage = attribute(node, "Usage");
    if (usage.starts_with("C")) {
      conditional_.insert(path);
    } else if (const auto known = usage_of(usage)) {
      const bool same =
          standard && (*known == Usage::optional ? standard->usage == 'O' || standard->usage == '-'
                                                 : *known == Usage::required && standard->usage == 'R');
      if (!same) rule.usage = known;
    } else if (!usage.empty()) {
      note(path, "usage `" + usage + "` is not known, left out");
    }
    const std::string type_id = attribute(node, node.attribute(type_name) ? type_name : "Datatype");
    const xml_node type = find(datatypes_, type_id);
    const std::string base = type ? attribute(type, "Name") : type_id;
    const auto definition = Dictionary(profile_.version).datatype(base);
    if (!definition && base != "varies" && base != "VARIES") {
      if (!base.empty()) note(path, "datatype `" + base + "` is not known, left out");
    } else if (definition && (!standard || standard->datatype != base)) {
      rule.type = base;
    }
    if (depth == 0) read_repetitions(node, standard, rule);
    read_length(node, standard, rule);
    read_binding(node, standard, path, rule);
    if (rule.usage || rule.min || rule.max || rule.length_min || rule.length_max || !rule.type.empty() ||
        !rule.table.empty() || !rule.name.empty())
      profile_.rules.push_back(std::move(rule));
    if (!type || depth == 2) return;
    places_["Datatype " + type_id].push_back({path, '.'});
    std::uint32_t n = 0;
    for (const xml_node component : type.children("Component")) {
      ++n;
      read_element(component, "Datatype", definition ? definition->component(n) : std::nullopt,
                   path + "." + std::to_string(n), depth + 1);
    }
  }

  static void read_repetitions(const xml_node& node, const std::optional<FieldDef>& standard,
                               ProfileRule& rule) {
    const auto min = number_of(attribute(node, "Min")), max = number_of(attribute(node, "Max"));
    if (min && *min > 1) rule.min = min;
    const std::uint32_t usual =
        standard ? (standard->repetition_max == 0 ? kUnbounded : standard->repetition_max) : 1;
    if (max && *max != 0 && *max != usual) rule.max = max;
  }

  static void read_length(const xml_node& node, const std::optional<FieldDef>& standard, ProfileRule& rule) {
    const auto min = number_of(attribute(node, "MinLength")), max = number_of(attribute(node, "MaxLength"));
    if (max && *max != kUnbounded && *max != 0 && (!standard || *max != standard->max_length)) {
      rule.length_max = max;
      if (min && *min > 1 && *min <= *max) rule.length_min = min;
    }
  }

  void read_binding(const xml_node& node, const std::optional<FieldDef>& standard, const std::string& path,
                    ProfileRule& rule) {
    std::string set = attribute(node, "Binding");
    if (set.empty()) set = attribute(node, "Table");
    set = set.substr(0, set.find_first_of(":, "));
    if (set.empty()) return;
    const bool known = tables_.contains(set) || Dictionary(profile_.version).table(set).has_value();
    if (!known) note(path, "value set `" + set + "` is not there, left out");
    if (known && (tables_.contains(set) || !standard || standard->table != set)) rule.table = set;
  }

  // ---- constraints ----

  struct Scope {
    std::string path;
    char first;  ///< what stands before the first number
  };

  void read_constraints() {
    for (const char* kind : {"Predicates", "Constraints"}) {
      for (const xml_node level : constraints_.child(kind).children()) {
        if (level.type() != pugi::node_element) continue;
        for (const xml_node scope : level.children()) read_scope(std::string(level.name()), scope);
      }
    }
    for (const std::string& path : conditional_) note(path, "conditional, but its condition is not applied");
  }

  void read_scope(const std::string& level, const xml_node& scope) {
    const std::string id = attribute(scope, "ID");
    const auto places = places_.find(level + " " + id);
    for (const xml_node item : scope.children()) {
      const bool predicate = is(item, "Predicate");
      if (!predicate && !is(item, "Constraint")) continue;
      const std::string name = predicate ? attribute(item, "Target") : attribute(item, "ID");
      const std::string place = level + " " + (id.empty() ? attribute(scope, "Name") : id) + ", " + name;
      bool applied = places != places_.end();
      for (std::size_t i = 0; applied && i < places->second.size(); ++i)
        applied = predicate ? add_predicate(item, places->second[i])
                            : add_assertion(item.child("Assertion").first_child(), places->second[i]);
      if (!applied) note(place, std::string("not applied: ") + item.child("Description").text().get());
    }
  }

  bool add_predicate(const xml_node& item, const Scope& scope) {
    const std::string target = below(attribute(item, "Target"), scope.first);
    ProfileRule rule;
    rule.path = scope.path + target;
    rule.usage = Usage::conditional;
    const auto then = usage_of(attribute(item, "TrueUsage")),
               otherwise = usage_of(attribute(item, "FalseUsage"));
    ProfileCondition condition;
    if (target.empty() || !then || !otherwise ||
        !read_condition(item.child("Condition").first_child(), scope, condition, 0))
      return false;
    rule.condition = std::move(condition);
    rule.then = *then;
    rule.otherwise = *otherwise;
    conditional_.erase(rule.path);
    profile_.rules.push_back(std::move(rule));
    return true;
  }

  static std::vector<std::string> texts_of(const xml_node& node) {
    std::vector<std::string> out;
    if (is(node, "PlainText")) return {attribute(node, "Text")};
    const std::string list = attribute(node, "CSV");
    for (std::size_t at = 0; at <= list.size();) {
      const std::size_t end = std::min(list.find(',', at), list.size());
      out.push_back(list.substr(at, end - at));
      at = end + 1;
    }
    return out;
  }

  /// Of the kinds of assertions those that a rule or condition can say exactly.
  static bool is_value(const xml_node& node) {
    return (is(node, "PlainText") && attribute(node, "IgnoreCase") != "true") || is(node, "StringList");
  }

  static bool read_condition(const xml_node& node, const Scope& scope, ProfileCondition& out,
                             std::size_t depth) {
    if (!node || depth > base::limits::kProfileDepthMax) return false;
    if (is(node, "Presence") || is_value(node)) {
      const std::string path = below(attribute(node, "Path"), scope.first);
      // A condition names the segment under test by its name alone.
      const std::size_t dash = scope.path.find('-');
      const std::size_t dot = scope.path.rfind('.', dash);
      out.path = (dot == std::string::npos ? scope.path : scope.path.substr(dot + 1)) + path;
      out.kind = is(node, "Presence") ? ProfileCondition::Kind::valued : ProfileCondition::Kind::equals;
      if (out.kind == ProfileCondition::Kind::equals) out.values = texts_of(node);
      return !path.empty();
    }
    if (is(node, "AND"))
      out.kind = ProfileCondition::Kind::all;
    else if (is(node, "OR"))
      out.kind = ProfileCondition::Kind::any;
    else if (is(node, "NOT"))
      out.kind = ProfileCondition::Kind::not_;
    else
      return false;
    for (const xml_node child : node.children()) {
      if (child.type() != pugi::node_element) continue;
      ProfileCondition part;
      if (!read_condition(child, scope, part, depth + 1)) return false;
      out.parts.push_back(std::move(part));
    }
    return !out.parts.empty() && (out.kind != ProfileCondition::Kind::not_ || out.parts.size() == 1);
  }

  bool add_assertion(const xml_node& node, const Scope& scope) {
    if (is(node, "AND")) {
      bool all = true;
      for (const xml_node child : node.children())
        if (child.type() == pugi::node_element) all = add_assertion(child, scope) && all;
      return all;
    }
    const bool never = is(node, "NOT") && is(node.first_child(), "Presence");
    const xml_node inner = never ? node.first_child() : node;
    const std::string path = below(attribute(inner, "Path"), scope.first);
    if (path.empty() || !(never || is(node, "Presence") || is_value(node))) return false;
    ProfileRule rule;
    rule.path = scope.path + path;
    if (never)
      rule.usage = Usage::not_supported;
    else if (is(node, "Presence"))
      rule.usage = Usage::required;
    else
      rule.one_of = texts_of(node);
    profile_.rules.push_back(std::move(rule));
    return true;
  }

  ImportedProfile& out_;
  Profile& profile_;
  const xml_node root_, constraints_, sets_;
  std::map<std::string, xml_node> segments_, datatypes_;
  std::map<std::string, std::vector<Scope>> places_;  ///< "Segment ID", "Datatype ID" -> where it is used
  std::set<std::string> tables_;
  std::set<std::string> conditional_;
};

}  // namespace

base::Result<ImportedProfile> import_profile_files(const ProfileFiles& files) {
  pugi::xml_document profile, constraints, sets;
  TRY_VOID(parse(profile, files.profile, "profile"));
  if (!files.constraints.empty()) TRY_VOID(parse(constraints, files.constraints, "constraints"));
  if (!files.value_sets.empty()) TRY_VOID(parse(sets, files.value_sets, "value sets"));
  const xml_node root = profile.child("ConformanceProfile");
  if (!root) return bad("there is no ConformanceProfile", profile.document_element().name());
  if (!files.constraints.empty() && !constraints.child("ConformanceContext"))
    return bad("there is no ConformanceContext", constraints.document_element().name());
  ImportedProfile out;
  TRY_VOID(Importer(out, root, constraints.child("ConformanceContext"), sets).read(files.message));
  return out;
}

}  // namespace kiln::hl7
