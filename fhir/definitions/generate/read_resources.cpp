// Terminology and profiles that are kept as resources: what machines read of them, without prose.

#include <algorithm>
#include <array>

#include "fhir/definitions/generate/detail/readers.h"

namespace kiln::fhir::detail {
namespace {

using base::JsonKind;
using base::JsonView;
using base::JsonWriter;

/// A larger text is left out; its url is then unknown, which is said wherever it matters.
constexpr std::size_t kResourceBytesMax = 512u << 10;

template <std::size_t size>
bool is_one_of(std::string_view name, const std::array<std::string_view, size>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Members that are for people, or that say nothing to a machine.
constexpr std::array<std::string_view, 26> kProse = {
    "text",        "description", "purpose",  "copyright",           "contact",      "publisher", "definition",
    "short",       "comment",     "comments", "requirements",        "alias",        "mapping",   "example",
    "human",       "xpath",       "meaningWhenMissing",  "orderMeaning", "base",      "isSummary",
    "designation", "useContext",  "meta",     "isModifierReason",    "identifier",   "condition"};
constexpr std::array<std::string_view, 6> kConceptProperties = {"parent", "subsumedBy", "notSelectable",
                                                                "status", "inactive",   "deprecated"};

void keep(JsonWriter& out, JsonView value);

void keep_object(JsonWriter& out, JsonView object) {
  out.begin_object();
  for (const JsonView member : object) {
    const std::string_view key = member.key();
    if (is_one_of(key, kProse) || key == "extension" || key.starts_with('_')) continue;
    out.key(key);
    keep(out, member);
  }
  out.end_object();
}

void keep(JsonWriter& out, JsonView value) {
  if (value.is_object()) return keep_object(out, value);
  if (!value.is_array()) {
    out.value(value);
    return;
  }
  out.begin_array();
  for (const JsonView item : value) keep(out, item);
  out.end_array();
}

void keep_member(JsonWriter& out, JsonView object, std::string_view name) {
  if (const JsonView value = object[name]) {
    out.key(name);
    keep(out, value);
  }
}

void keep_concepts(JsonWriter& out, JsonView concepts) {
  out.begin_array();
  for (const JsonView concept_ : concepts) {
    out.begin_object();
    keep_member(out, concept_, "code");
    if (concept_["display"].text() != concept_["code"].text()) keep_member(out, concept_, "display");
    bool any = false;
    for (const JsonView property : concept_["property"]) {
      if (!is_one_of(property["code"].text(), kConceptProperties)) continue;
      if (!any) out.key("property").begin_array();
      any = true;
      keep(out, property);
    }
    if (any) out.end_array();
    if (concept_["concept"]) {
      out.key("concept");
      keep_concepts(out, concept_["concept"]);
    }
    out.end_object();
  }
  out.end_array();
}

void keep_expansion(JsonWriter& out, JsonView expansion) {
  out.key("expansion").begin_object().key("contains").begin_array();
  for (const JsonView code : expansion["contains"]) keep(out, code);
  out.end_array().end_object();
}

/// `fixed*` and `pattern*` are kept as they stand: nothing in them is prose.
void keep_element(JsonWriter& out, JsonView element) {
  out.begin_object();
  for (const JsonView member : element) {
    const std::string_view key = member.key();
    if (is_one_of(key, kProse) || key == "extension" || key.starts_with('_')) continue;
    out.key(key);
    key.starts_with("fixed") || key.starts_with("pattern") ? (void)out.value(member) : keep(out, member);
  }
  out.end_object();
}

void keep_profile(JsonWriter& out, JsonView profile) {
  for (const char* name : {"kind", "abstract", "context", "contextInvariant", "type", "baseDefinition", "derivation"})
    keep_member(out, profile, name);
  out.key("differential").begin_object().key("element").begin_array();
  for (const JsonView element : profile["differential"]["element"]) keep_element(out, element);
  out.end_array().end_object();
}

}  // namespace

base::Status keep_resource(DefinitionModel& model, base::JsonView resource) {
  const std::string_view type = resource["resourceType"].text();
  const std::string_view url = resource["url"].text();
  // Types are tables of their own; only what constrains them is kept here.
  if (url.empty() || (type == "StructureDefinition" && resource["derivation"].text() != "constraint")) return {};
  const auto key = std::pair(std::string(type), std::string(url));
  if (model.resources.contains(key)) return {};
  JsonWriter out;
  out.begin_object().member("resourceType", type);
  for (const char* name : {"id", "url", "version", "name", "title", "status"}) keep_member(out, resource, name);
  if (type == "CodeSystem") {
    for (const char* name : {"caseSensitive", "valueSet", "hierarchyMeaning", "content", "supplements"})
      keep_member(out, resource, name);
    if (resource["concept"].size() != 0) {
      out.key("concept");
      keep_concepts(out, resource["concept"]);
    }
  } else if (type == "ValueSet") {
    keep_member(out, resource, "compose");
    if (!resource["compose"] && resource["expansion"]) keep_expansion(out, resource["expansion"]);
  } else if (type == "ConceptMap") {
    for (const char* name : {"sourceUri", "sourceCanonical", "targetUri", "targetCanonical", "group"})
      keep_member(out, resource, name);
  } else {
    keep_profile(out, resource);
  }
  out.end_object();
  if (out.str().size() <= kResourceBytesMax) model.resources.emplace(key, out.take());
  return {};
}

}  // namespace kiln::fhir::detail
