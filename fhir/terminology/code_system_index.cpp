#include "fhir/terminology/code_system_index.h"

#include <algorithm>

#include "fhir/definitions/code_forms.h"
#include "fhir/units/ucum.h"

namespace kiln::fhir::detail {
namespace {

constexpr int kNestingMax = 200;

struct SyntaxRule {
  std::string_view system;
  ValueSetRule rule;
};
constexpr SyntaxRule kSyntaxRules[] = {
    {"urn:ietf:bcp:13", ValueSetRule::mime_type},
    {"urn:ietf:bcp:47", ValueSetRule::language},
    {"http://unitsofmeasure.org", ValueSetRule::ucum},
    {"urn:iso:std:iso:4217", ValueSetRule::currency},
};

}  // namespace

bool has_syntax(std::string_view system) {
  return std::any_of(std::begin(kSyntaxRules), std::end(kSyntaxRules),
                     [&](const SyntaxRule& rule) { return rule.system == system; });
}

Membership syntax_contains(std::string_view system, std::string_view code) {
  for (const SyntaxRule& rule : kSyntaxRules) {
    if (rule.system != system) continue;
    if (!has_code_form(rule.rule, code)) return Membership::no;
    // A unit that is not in the table may be one all the same.
    return rule.rule != ValueSetRule::ucum || parse_unit(code) ? Membership::yes : Membership::unknown;
  }
  return Membership::unknown;
}

CodeSystemIndex::CodeSystemIndex(Node code_system) {
  if (!code_system) return;
  exists = true;
  is_complete = code_system["content"].text() == "complete";
  is_case_sensitive = code_system["caseSensitive"].text() != "false";
  name = code_system["name"].text();
  version = code_system["version"].text();
  add(code_system, {}, 0);
}

std::string CodeSystemIndex::key_of(std::string_view code) const {
  std::string key(code);
  if (!is_case_sensitive) {
    for (char& c : key) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return key;
}

void CodeSystemIndex::add(Node parent_node, std::string_view parent, int depth) {
  if (depth > kNestingMax) return;
  for (const Node node : parent_node) {
    if (node.name() != "concept") continue;
    CodeSystemConcept concept_{node["code"].text(), node["display"].text(), {}, false};
    if (!parent.empty()) concept_.parents.push_back(parent);
    for (const Node property : node) {
      if (property.name() != "property") continue;
      const std::string_view property_code = property["code"].text();
      const std::string_view value = property["value"].text();
      if (property_code == "parent" || property_code == "subsumedBy") concept_.parents.push_back(value);
      if (property_code == "notSelectable" && value == "true") concept_.is_abstract = true;
    }
    positions.emplace(key_of(concept_.code), concepts.size());
    const std::string_view self = concept_.code;
    concepts.push_back(std::move(concept_));
    add(node, self, depth + 1);
  }
}

const CodeSystemConcept* CodeSystemIndex::find(std::string_view code) const {
  const auto found = positions.find(key_of(code));
  return found == positions.end() ? nullptr : &concepts[found->second];
}

bool CodeSystemIndex::is_a(std::string_view code, std::string_view ancestor) const {
  std::vector<std::string_view> open{code}, seen;
  while (!open.empty()) {
    const std::string_view at = open.back();
    open.pop_back();
    if (at == ancestor) return true;
    if (std::find(seen.begin(), seen.end(), at) != seen.end()) continue;
    seen.push_back(at);
    if (const CodeSystemConcept* concept_ = find(at))
      open.insert(open.end(), concept_->parents.begin(), concept_->parents.end());
  }
  return false;
}

Membership CodeSystemIndex::matches(const CodeSystemConcept& concept_, std::string_view property, std::string_view op,
                                    std::string_view value) const {
  const auto of = [](bool is) { return is ? Membership::yes : Membership::no; };
  if (property == "concept" || property == "code") {
    const bool below = is_a(concept_.code, value), self = concept_.code == value;
    if (op == "is-a") return of(below);
    if (op == "descendent-of") return of(below && !self);
    if (op == "is-not-a") return of(!below);
    if (op == "=") return of(self);
    if (op == "generalizes") return of(is_a(value, concept_.code));
    if (op == "in" || op == "not-in") {
      const std::string list = "," + std::string(value) + ",";
      const bool in = list.find("," + std::string(concept_.code) + ",") != list.npos;
      return of(in == (op == "in"));
    }
  }
  if ((property == "parent" || property == "subsumedBy") && op == "=")
    return of(std::find(concept_.parents.begin(), concept_.parents.end(), value) != concept_.parents.end());
  if (property == "display" && op == "=") return of(concept_.display == value);
  if (property == "notSelectable" && op == "=") return of(concept_.is_abstract == (value == "true"));
  return Membership::unknown;
}

}  // namespace kiln::fhir::detail
