// Message profiles in XML (std 2.B.8). A profile restates the whole standard; what is kept is what differs
// from it, and the tree of segments and groups.

#include <map>
#include <pugixml.hpp>
#include <set>

#include "engine/base/limits.h"
#include "hl7/dictionary/dictionary.h"
#include "hl7/profile.h"
#include "hl7/segment_id.h"

namespace kiln::hl7 {

namespace {

using base::ErrorCode;
using pugi::xml_node;

tl::unexpected<base::Error> bad(std::string text, std::string place) {
  return base::fail(ErrorCode::bad_profile, std::move(text), std::move(place));
}

std::string line_of(std::string_view text, std::ptrdiff_t offset) {
  std::size_t line = 1;
  for (std::ptrdiff_t i = 0; i < offset && i < static_cast<std::ptrdiff_t>(text.size()); ++i)
    line += text[static_cast<std::size_t>(i)] == '\n';
  return "line " + std::to_string(line);
}

/// Entities and external parts of a document type are not looked at: pugixml resolves only the five of XML.
base::Status parse(pugi::xml_document& document, std::string_view text, const char* what) {
  if (text.size() > base::limits::kProfileBytesMax) return base::fail(ErrorCode::limit_exceeded, what);
  const pugi::xml_parse_result result =
      document.load_buffer(text.data(), text.size(), pugi::parse_default, pugi::encoding_auto);
  if (result) return {};
  return bad(std::string(what) + ": " + result.description(), line_of(text, result.offset));
}

std::optional<std::uint32_t> number_of(std::string_view text) {
  if (text == "*") return kUnbounded;
  if (text.empty() || text.size() > 9) return std::nullopt;
  std::uint32_t n = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    n = n * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return n;
}

bool is_element(const xml_node& node, std::string_view name) {
  return node.type() == pugi::node_element && name == node.name();
}

/// "0001" of "0001", "HL70001" and "1".
std::string table_id(std::string_view text) {
  if (text.starts_with("HL7")) text.remove_prefix(3);
  if (text == "None" || text == "none") return {};
  std::string id(text);
  const bool digits = id.find_first_not_of("0123456789") == id.npos;
  while (digits && !id.empty() && id.size() < 4) id.insert(0, "0");
  return id;
}

class Importer {
 public:
  explicit Importer(ImportedProfile& out) : out_(out), profile_(out.profile) {}

  base::Status read(const xml_node& root, const xml_node& tables) {
    const std::string_view version = root.attribute("HL7Version").value();
    const NearestVersion nearest = nearest_version(version);
    if (version.empty() || !nearest.exact)
      note("HL7Version",
           "`" + std::string(version) + "` read as " + std::string(version_text(nearest.version)));
    profile_.version = nearest.version;
    const xml_node definition = root.child("HL7v2xStaticDef");
    if (!definition) return bad("there is no HL7v2xStaticDef", "HL7v2xConformanceProfile");
    read_head(root, definition);
    read_tables(tables, 0);
    TRY_VOID(read_nodes(definition, profile_.message, 0));
    if (profile_.message.empty()) return bad("there is no Segment", "HL7v2xStaticDef");
    count_places(profile_.message);
    std::vector<std::string> groups;
    read_rules(definition, groups);
    if (root.child("DynamicDef"))
      note("DynamicDef", "acknowledgement conditions are settings of a channel, not of a profile");
    return {};
  }

 private:
  void note(const std::string& place, const std::string& text) { out_.notes.push_back(place + ": " + text); }

  void read_head(const xml_node& root, const xml_node& definition) {
    const xml_node data =
        definition.child("MetaData") ? definition.child("MetaData") : root.child("MetaData");
    profile_.name = data.attribute("Name").value();
    if (profile_.name.empty()) profile_.name = root.child("MetaData").attribute("Name").value();
    const std::string type = definition.attribute("MsgType").value();
    const std::string event = definition.attribute("EventType").value();
    profile_.structure = definition.attribute("MsgStructID").value();
    if (profile_.structure.empty()) {
      const auto known = Dictionary(profile_.version).event(type, event);
      profile_.structure = known ? std::string(known->id) : type + (event.empty() ? "" : "_" + event);
    }
    if (profile_.name.empty()) profile_.name = profile_.structure;
    profile_.description = definition.attribute("EventDesc").value();
    if (!event.empty()) profile_.events.push_back(event);
  }

  void read_tables(const xml_node& node, std::size_t depth) {
    for (const xml_node child : node.children()) {
      if (!is_element(child, "hl7table")) {
        if (child.type() == pugi::node_element && depth < base::limits::kProfileDepthMax)
          read_tables(child, depth + 1);
        continue;
      }
      ProfileTable table;
      table.id = table_id(child.attribute("id").value());
      table.title = child.attribute("name").value();
      table.open = std::string_view(child.attribute("type").value()) == "User";
      for (const xml_node element : child.children("tableElement"))
        table.codes.emplace_back(element.attribute("code").value(),
                                 element.attribute("displayName") ? element.attribute("displayName").value()
                                                                  : element.attribute("description").value());
      if (table.id.empty() || !tables_.insert(table.id).second)
        note("table " + table.id, "without an id of its own, left out");
      else
        profile_.tables.push_back(std::move(table));
    }
  }

  base::Status read_nodes(const xml_node& parent, std::vector<ProfileNode>& out, std::size_t depth) {
    if (depth > base::limits::kProfileDepthMax) return bad("groups nested too deeply", parent.name());
    for (const xml_node child : parent.children()) {
      const bool group = is_element(child, "SegGroup");
      if (!group && !is_element(child, "Segment")) continue;
      ProfileNode node;
      node.kind = group ? ProfileNode::Kind::group : ProfileNode::Kind::segment;
      node.name = name_of_node(child);
      if (node.name.empty() || (!group && segment_id(node.name) == 0))
        return bad(std::string(child.name()) + " without a usable name", "HL7v2xStaticDef");
      const std::uint32_t min = number_of(child.attribute("Min").value()).value_or(0);
      const std::uint32_t max = number_of(child.attribute("Max").value()).value_or(1);
      node.required = min > 0 || std::string_view(child.attribute("Usage").value()) == "R";
      node.repeats = max > 1;
      if (group) TRY_VOID(read_nodes(child, node.children, depth + 1));
      out.push_back(std::move(node));
    }
    return {};
  }

  /// Names of groups may hold what paths cannot.
  static std::string name_of_node(const xml_node& node) {
    std::string name = node.attribute("Name").value();
    for (char& c : name)
      if ((c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9')) c = '_';
    return name;
  }

  void count_places(const std::vector<ProfileNode>& nodes) {
    for (const ProfileNode& node : nodes) {
      ++places_[node.name];
      count_places(node.children);
    }
  }

  void read_rules(const xml_node& parent, std::vector<std::string>& groups) {
    std::map<std::string, int> seen;
    for (const xml_node child : parent.children()) {
      const bool group = is_element(child, "SegGroup");
      if (!group && !is_element(child, "Segment")) continue;
      const std::string name = name_of_node(child);
      const int number = ++seen[name];
      std::string path = name;
      if (places_[name] > 1) {
        std::string prefix = profile_.structure + ".";
        for (const std::string& one : groups) prefix += one + ".";
        path = prefix + name + (number > 1 || has_twin(child, name) ? "#" + std::to_string(number) : "");
      }
      add_node_rule(child, path);
      if (group) {
        groups.push_back(name);
        read_rules(child, groups);
        groups.pop_back();
      } else {
        read_fields(child, name, path);
      }
    }
  }

  static bool has_twin(const xml_node& node, const std::string& name) {
    for (const xml_node other : node.parent().children())
      if (other != node && name_of_node(other) == name &&
          (is_element(other, "Segment") || is_element(other, "SegGroup")))
        return true;
    return false;
  }

  void add_node_rule(const xml_node& node, const std::string& path) {
    ProfileRule rule;
    rule.path = path;
    const std::uint32_t min = number_of(node.attribute("Min").value()).value_or(0);
    const std::uint32_t max = number_of(node.attribute("Max").value()).value_or(1);
    rule.usage = read_usage(node, path);
    if (rule.usage == Usage::required || rule.usage == Usage::optional || rule.usage == Usage::conditional)
      rule.usage.reset();  // the tree says it; a condition in words is in the notes
    if (min > 1) rule.min = min;
    if (max > 1 && max != kUnbounded) rule.max = max;
    if (rule.usage || rule.min || rule.max) profile_.rules.push_back(std::move(rule));
  }

  std::optional<Usage> read_usage(const xml_node& node, const std::string& path) {
    const std::string text = node.attribute("Usage").value();
    const xml_node predicate = node.child("Predicate");
    const bool conditional = text.starts_with("C");
    if (conditional || predicate)
      note(path, std::string("the condition of usage ") + text + " is not applied" +
                     (predicate ? std::string(": ") + predicate.text().get() : std::string()));
    if (conditional) return Usage::conditional;
    if (text.empty()) return std::nullopt;
    const auto usage = usage_of(text);
    if (!usage) note(path, "usage `" + text + "` is not known, left out");
    return usage;
  }

  void read_fields(const xml_node& segment, const std::string& name, const std::string& path) {
    const auto standard = Dictionary(profile_.version).segment(name);
    std::uint32_t n = 0;
    for (const xml_node field : segment.children("Field")) {
      ++n;
      const auto definition = standard ? standard->field(n) : std::nullopt;
      read_element(field, definition, path + "-" + std::to_string(n), true);
    }
  }

  void read_element(const xml_node& node, const std::optional<FieldDef>& standard, const std::string& path,
                    bool field) {
    ProfileRule rule;
    rule.path = path;
    if (!standard) rule.name = node.attribute("Name").value();
    rule.usage = read_usage(node, path);
    if (standard && rule.usage && same_usage(*standard, *rule.usage)) rule.usage.reset();
    const std::string type = read_type(node, standard, path, rule);
    if (const auto length = number_of(node.attribute("Length").value());
        length && *length != 0 && (!standard || *length != standard->max_length))
      rule.length_max = length;
    read_table(node, standard, path, rule);
    if (const char* constant = node.attribute("ConstantValue").value(); *constant != 0)
      rule.one_of.emplace_back(constant);
    if (field) read_repetitions(node, standard, rule);
    if (rule.usage || rule.min || rule.max || rule.length_max || !rule.type.empty() || !rule.table.empty() ||
        !rule.one_of.empty() || !rule.name.empty())
      profile_.rules.push_back(std::move(rule));
    read_parts(node, type, path);
  }

  static bool same_usage(const FieldDef& standard, Usage usage) {
    if (usage == Usage::required) return standard.usage == 'R';
    if (usage == Usage::optional) return standard.usage == 'O' || standard.usage == '-';
    return false;
  }

  std::string read_type(const xml_node& node, const std::optional<FieldDef>& standard,
                        const std::string& path, ProfileRule& rule) {
    const std::string type = node.attribute("Datatype").value();
    const std::string before = standard ? std::string(standard->datatype) : std::string();
    if (type.empty() || type == before) return before;
    if (type == "var" || type == "Varies" || type == "*" || type == "CM") return before;
    if (!Dictionary(profile_.version).datatype(type)) {
      note(path, "datatype " + type + " is not of this version, left out");
      return before;
    }
    rule.type = type;
    return type;
  }

  void read_table(const xml_node& node, const std::optional<FieldDef>& standard, const std::string& path,
                  ProfileRule& rule) {
    const std::string table = table_id(node.attribute("Table").value());
    if (table.empty() || (standard && table == standard->table)) return;
    if (tables_.contains(table) || Dictionary(profile_.version).table(table))
      rule.table = table;
    else
      note(path, "table " + table + " is not known, left out");
  }

  static void read_repetitions(const xml_node& node, const std::optional<FieldDef>& standard,
                               ProfileRule& rule) {
    const std::uint32_t min = number_of(node.attribute("Min").value()).value_or(0);
    const std::uint32_t max = number_of(node.attribute("Max").value()).value_or(1);
    if (min > 1) rule.min = min;
    const std::uint32_t before = !standard                       ? 1
                                 : standard->repetition_max == 0 ? kUnbounded
                                                                 : standard->repetition_max;
    if (max != before && max != 0) rule.max = max;
  }

  void read_parts(const xml_node& node, const std::string& type, const std::string& path) {
    const auto definition = Dictionary(profile_.version).datatype(type);
    std::uint32_t n = 0;
    for (const xml_node child : node.children()) {
      if (!is_element(child, "Component") && !is_element(child, "SubComponent")) continue;
      ++n;
      const std::string place = path + "." + std::to_string(n);
      const auto standard = definition ? definition->component(n) : std::nullopt;
      if (!standard) {
        note(place,
             "the type " + (type.empty() ? "of the field" : type) + " has no such component, left out");
        continue;
      }
      read_element(child, standard, place, false);
    }
  }

  ImportedProfile& out_;
  Profile& profile_;
  std::set<std::string> tables_;
  std::map<std::string, int> places_;  ///< how often a name stands in the message
};

}  // namespace

base::Result<ImportedProfile> import_profile_xml(std::string_view xml, std::string_view tables) {
  pugi::xml_document document, table_document;
  TRY_VOID(parse(document, xml, "profile"));
  if (!tables.empty()) TRY_VOID(parse(table_document, tables, "tables"));
  const xml_node root = document.child("HL7v2xConformanceProfile");
  if (!root) return bad("the root is not HL7v2xConformanceProfile", document.document_element().name());
  ImportedProfile out;
  TRY_VOID(Importer(out).read(root, table_document));
  return out;
}

}  // namespace kiln::hl7
