#include "mappings/profile.h"

#include <memory>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "fhir/definitions/definitions.h"

namespace kiln::mappings {

using base::ErrorCode;

namespace {

/// Constants of a slice, merged from its own pattern and from the elements below it.
struct Node {
  base::JsonView value;  ///< set for what is copied whole
  bool is_value = false;
  std::vector<std::pair<std::string, std::unique_ptr<Node>>> members;

  Node& member(std::string_view name) {
    for (auto& [known, node] : members)
      if (known == name) return *node;
    members.emplace_back(std::string(name), std::make_unique<Node>());
    return *members.back().second;
  }
  bool empty() const { return !is_value && members.empty(); }
};

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == '$') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + "\"";
}

const fhir::TypeDef* content_of(const fhir::TypeDef* type, std::string_view name) {
  const fhir::ElementDef* element = type == nullptr ? nullptr : type->element(name);
  return element == nullptr || element->is_choice() ? nullptr : element->only_type();
}

bool is_list(const fhir::TypeDef* type, std::string_view name) {
  const fhir::ElementDef* element = type == nullptr ? nullptr : type->element(name);
  return element != nullptr && element->is_list();
}

void print_json(const base::JsonView& object, const fhir::TypeDef* type, std::string& out);

void print_value(std::string_view name, const base::JsonView& value, const fhir::TypeDef* type, std::string& out) {
  if (value.kind() == base::JsonKind::array) {
    for (const base::JsonView item : value) print_value(name, item, type, out);
    return;
  }
  out += std::string(name) + (is_list(type, name) ? " += " : " = ");
  if (value.kind() == base::JsonKind::object) {
    out += "{ ";
    print_json(value, content_of(type, name), out);
    out += "}";
  } else if (value.kind() == base::JsonKind::string) {
    out += quoted(value.text());
  } else {
    out += value.text();
  }
  out += "\n";
}

void print_json(const base::JsonView& object, const fhir::TypeDef* type, std::string& out) {
  for (const base::JsonView value : object) print_value(value.key(), value, type, out);
}

void print_node(const Node& node, const fhir::TypeDef* type, std::string& out) {
  if (node.is_value && node.value.kind() == base::JsonKind::object) print_json(node.value, type, out);
  for (const auto& [name, member] : node.members) {
    if (member->empty()) continue;
    if (member->is_value && member->members.empty()) {
      print_value(name, member->value, type, out);
      continue;
    }
    out += name + (is_list(type, name) ? " += { " : " = { ");
    print_node(*member, content_of(type, name), out);
    out += "}\n";
  }
}

/// The fixed or pattern value of an element definition; does not exist when there is none.
base::JsonView constant_of(const base::JsonView& element) {
  for (const base::JsonView value : element)
    if (value.key().starts_with("fixed") || value.key().starts_with("pattern")) return value;
  return {};
}

/// "Observation.category:laboratory.coding" below "Observation.category:laboratory" -> "coding".
std::string_view below(std::string_view id, std::string_view slice) {
  if (!id.starts_with(slice) || id.size() <= slice.size() || id[slice.size()] != '.') return {};
  return id.substr(slice.size() + 1);
}

/// The type of the element that a path names ("component:systolic.code.coding:loinc"); nullptr when it goes through
/// a choice, whose slices are types and no list.
const fhir::TypeDef* type_at(const fhir::TypeDef* type, std::string_view path) {
  for (const std::string_view part : base::split(path, '.')) {
    if (part.find("[x]") != std::string_view::npos) return nullptr;
    type = content_of(type, part.substr(0, part.find(':')));
  }
  return type;
}

/// A slice of any depth, also one inside another slice: its path holds the names of those around it.
void read_slice(const base::JsonView& elements, std::string_view id, std::string_view type, Profile& out) {
  const std::string_view path = id.substr(type.size() + 1);
  const fhir::TypeDef* content = type_at(fhir::find_resource_type(type), path);
  const std::size_t dot = path.rfind('.');
  const bool sliced = path.find(':', dot == std::string_view::npos ? 0 : dot) != std::string_view::npos;
  if (content == nullptr || !sliced) return;
  Node root;
  for (const base::JsonView element : elements) {
    const std::string_view other = element["id"].text();
    const base::JsonView constant = constant_of(element);
    if (!constant.exists()) continue;
    if (other == id) {
      root.value = constant;
      root.is_value = true;
      continue;
    }
    const std::string_view rest = below(other, id);
    if (rest.empty() || rest.find(':') != std::string_view::npos) continue;
    Node* at = &root;
    for (const std::string_view part : base::split(rest, '.')) at = &at->member(part);
    at->value = constant;
    at->is_value = true;
  }
  std::string text;
  print_node(root, content, text);
  out.slices.emplace(std::string(path), std::move(text));
}

}  // namespace

base::Result<Profile> read_profile(std::string_view json) {
  TRY(const base::JsonDocument document, base::parse_json(json, {base::limits::kTableBytesMax, base::limits::kJsonDepthMax}));
  const base::JsonView root = document.root();
  if (root["resourceType"].text() != "StructureDefinition")
    return base::fail(ErrorCode::bad_value, "this is no StructureDefinition");
  Profile out;
  out.id = root["id"].text();
  out.url = root["url"].text();
  out.type = root["type"].text();
  if (out.url.empty() || fhir::find_resource_type(out.type) == nullptr)
    return base::fail(ErrorCode::bad_value, "this is no profile of an R4 resource type");
  const base::JsonView snapshot = root["snapshot"]["element"];
  const base::JsonView elements = snapshot.exists() ? snapshot : root["differential"]["element"];
  for (const base::JsonView element : elements) {
    const std::string_view id = element["id"].text();
    if (!element["sliceName"].text().empty() && id.starts_with(out.type + ".")) read_slice(elements, id, out.type, out);
  }
  return out;
}

}  // namespace kiln::mappings
