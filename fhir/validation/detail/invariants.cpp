// Layer 5: the invariants of R4. Each is compiled once for the process. A few that hold nearly everywhere are done by
// hand; a test shows that they and FHIRPath agree.

#include <algorithm>
#include <string>

#include "fhir/validation/detail/invariants.h"
#include "fhir/validation/detail/session.h"

namespace kiln::fhir::detail {
namespace {

/// ele-1: the readers refuse an element without value and children, and children of a primitive are ids or extensions.
bool has_value_or_children(Node node) {
  if (node.has_value()) return true;
  for (const Node child : node) {
    if (child.name() != "id") return true;
  }
  return false;
}

bool extension_or_value(Node node) { return static_cast<bool>(node["extension"]) != static_cast<bool>(node["value"]); }

bool period_in_order_is_trivial(Node node) { return !node["start"].has_value() || !node["end"].has_value(); }

bool no_contained(Node node) { return !node["contained"]; }

/// The narrative shows a contained resource: <img src="#id"/>.
bool narrative_shows(Node resource, std::string_view id) {
  const std::string wanted = "\"#" + std::string(id) + "\"";
  // Sections of a Composition have narratives of their own.
  for (const Node child : resource) {
    if (child["div"].text().find(wanted) != std::string_view::npos ||
        child["text"]["div"].text().find(wanted) != std::string_view::npos)
      return true;
  }
  return false;
}

/// dom-3 looks at references only; a narrative may use a contained resource too.
bool contained_is_in_narrative(Node node) {
  for (const Node child : node) {
    if (child.name() == "contained" && !narrative_shows(node, child["id"].text())) return false;
  }
  return true;
}

bool has_narrative(Node node) { return static_cast<bool>(node["text"]["div"]); }

bool code_has_system(Node node) { return !node["code"] || node["system"]; }

/// "#" alone is the container itself (references.html#contained).
bool reference_is_not_local(Node node) {
  const std::string_view text = node["reference"].text();
  return !text.starts_with('#') || text == "#";
}

/// que-7 says "answer is Boolean" and means the FHIR type, which FHIRPath spells "boolean".
bool exists_asks_for_boolean(Node node) {
  const TypeDef* type = node["answer"].type();
  return node["operator"].text() != "exists" || !type || type->name() == "boolean";
}

bool is_checked_elsewhere(Node) { return true; }

/// What holds without FHIRPath. `decides` false: when the check says no, FHIRPath has the last word.
constexpr HandInvariant kByHand[] = {
    {"ele-1", has_value_or_children, true},      {"ext-1", extension_or_value, true},
    {"dom-2", no_contained, false},              {"dom-3", contained_is_in_narrative, false},
    {"dom-4", no_contained, false},              {"dom-5", no_contained, false},
    {"dom-6", has_narrative, true},              {"qty-3", code_has_system, true},
    {"ref-1", reference_is_not_local, false},    {"per-1", period_in_order_is_trivial, false},
    {"que-7", exists_asks_for_boolean, true},
    // The narrative is looked at by its own layer.
    {"txt-1", is_checked_elsewhere, true},      {"txt-2", is_checked_elsewhere, true},
};

const HandInvariant* by_hand(std::string_view key) {
  const auto* at =
      std::find_if(std::begin(kByHand), std::end(kByHand), [&](const HandInvariant& rule) { return rule.key == key; });
  return at == std::end(kByHand) ? nullptr : at;
}

/// The rules of R4 use `as` on lists (dom-3), as its search parameters do.
const CompileOptions kInvariantOptions{nullptr, false, true};

std::vector<CompiledInvariant> compile_all() {
  std::vector<CompiledInvariant> list;
  for (const Invariant& invariant : all_invariants()) {
    CompiledInvariant compiled;
    compiled.hand = by_hand(invariant.key());
    const bool needed = !compiled.hand || !compiled.hand->decides;
    if (needed && !invariant.expression().empty()) {
      if (auto expression = PathExpression::compile(invariant.expression(), kInvariantOptions)) compiled.expression = *expression;
    }
    list.push_back(std::move(compiled));
  }
  return list;
}

/// ele-1 holds by the way documents are read; what else an element has is checked.
void check_list(Session& session, Node node, InvariantList list) {
  for (const Invariant& invariant : list) {
    const std::size_t index = static_cast<std::size_t>(&invariant - all_invariants().data());
    const CompiledInvariant& compiled = compiled_invariants()[index];
    if (compiled.hand) {
      if (compiled.hand->check(node)) continue;
      if (compiled.hand->decides) {
        report_invariant(session, node, invariant.key(), invariant.is_error());
        continue;
      }
    }
    if (!compiled.expression.compiled()) continue;
    check_expression(session, node, compiled.expression, invariant.key(), invariant.is_error());
  }
}

}  // namespace

const std::vector<CompiledInvariant>& compiled_invariants() {
  static const std::vector<CompiledInvariant> list = compile_all();
  return list;
}

std::span<const HandInvariant> hand_invariants() {
  return kByHand;
}

void report_invariant(Session& session, Node node, std::string_view key, bool is_error) {
  session.issues.add(is_error ? IssueSeverity::error : IssueSeverity::warning, "invariant", node,
                     "the rule " + std::string(key) + " does not hold");
}

void check_expression(Session& session, Node node, const PathExpression& expression, std::string_view key,
                      bool is_error) {
  const auto holds = expression.holds(node, session.environment, session.scratch);
  if (!holds) {
    session.warning("exception", node,
                    "the rule " + std::string(key) + " could not be evaluated: " + holds.error().text);
  } else if (!holds->value_or(true)) {
    // A rule about something that is not there gives nothing, and holds: bdl-8 without fullUrl, ras-2 without a
    // probability. FHIR does not say so in so many words; its own examples need it.
    report_invariant(session, node, key, is_error);
  }
}

void check_invariants(Session& session, Node node) {
  if (const TypeDef* type = node.type()) check_list(session, node, type->invariants());
  const ElementDef* element = node.element();
  if (element && !node.is_resource()) check_list(session, node, element->invariants());
}

}  // namespace kiln::fhir::detail
