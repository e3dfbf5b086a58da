// The functions of FHIR that ask definitions and code systems (fhirpath.html#functions).

#include <map>
#include <memory>
#include <mutex>

#include "fhir/model/tree_builder.h"
#include "fhir/path/detail/evaluator.h"

namespace kiln::fhir {
namespace {

using namespace detail;

constexpr std::string_view kStructures = "http://hl7.org/fhir/StructureDefinition/";

void add_type(TreeBuilder& builder, std::string_view code, const ElementType* type) {
  builder.open("type");
  builder.add("code", code);
  if (type) {
    for (const TypeDef& target : type->targets())
      builder.add("targetProfile", std::string(kStructures).append(target.name()));
  }
  builder.close();
}

std::string_view name_of(BindingStrength strength) {
  switch (strength) {
    case BindingStrength::required:
      return "required";
    case BindingStrength::extensible:
      return "extensible";
    case BindingStrength::preferred:
      return "preferred";
    default:
      return "example";
  }
}

/// What R4 says of an element, as ElementDefinition has it; constraints are left out.
Tree make_definition(const ElementDef& element) {
  TreeBuilder builder;
  builder.open_root(find_type("ElementDefinition"));
  std::string path = std::string(element.owner().name()) + "." + std::string(element.name());
  if (element.is_choice()) path += "[x]";
  builder.add("id", path);
  builder.add("path", path);
  builder.add("min", std::to_string(element.min()));
  builder.add("max", element.max() ? std::to_string(element.max()) : "*");
  if (const TypeDef* inline_content = element.backbone())
    add_type(builder, inline_content->base() ? inline_content->base()->name() : "Element", nullptr);
  for (const ElementType& type : element.types()) add_type(builder, type.name(), &type);
  builder.add("isModifier", element.is_modifier() ? "true" : "false");
  builder.add("isSummary", element.is_summary() ? "true" : "false");
  if (element.binding() != BindingStrength::none) {
    builder.open("binding");
    builder.add("strength", name_of(element.binding()));
    if (element.value_set()) builder.add("valueSet", element.value_set()->url());
    builder.close();
  }
  builder.close();
  return builder.finish();
}

/// Made once for each element that is asked for, and kept: there are 7,675.
Node definition_of(const ElementDef& element) {
  static std::mutex mutex;
  static std::map<const ElementDef*, Tree> made;
  const std::lock_guard lock(mutex);
  const auto [at, is_new] = made.try_emplace(&element);
  if (is_new) at->second = make_definition(element);
  return at->second.root();
}

bool element_definition(PathCall& call) {
  for (const PathItem& item : call.input) {
    const ElementDef* element = item.is(PathKind::node) ? item.node().element() : nullptr;
    if (element) call.out.push(PathItem::of(definition_of(*element)));
  }
  return call.ev.step(call.input.size());
}

bool slice(PathCall& call) {
  std::string_view structure, name;
  bool has_structure = false, has_name = false;
  if (!call.arg_text(0, structure, has_structure) || !call.arg_text(1, name, has_name)) return false;
  const auto& ask = call.ev.environment().in_slice;
  if (!has_structure || !has_name || !ask) return true;
  for (const PathItem& item : call.input) {
    if (!call.ev.step(16)) return false;
    if (item.is(PathKind::node) && ask(item.node(), structure, name).value_or(false)) call.out.push(item);
  }
  return true;
}

bool check_modifiers(PathCall& call) {
  Collection allowed = call.ev.make();
  for (std::size_t i = 0; i < call.arg_count(); ++i)
    if (!call.arg(i, allowed)) return false;
  for (const PathItem& item : call.input) {
    if (!item.is(PathKind::node)) continue;
    for (const Node child : item.node()) {
      if (child.name() != "modifierExtension") continue;
      bool known = false;
      for (const PathItem& url : allowed) {
        const PathItem text = call.ev.value(url);
        known = known || (text.is(PathKind::string) && text.text() == child["url"].text());
      }
      if (!known) return call.fail("a modifier extension that is not allowed");
      if (!call.ev.step()) return false;
    }
    call.out.push(item);
  }
  return true;
}

/// The Codings of a Coding or CodeableConcept; fails for anything else.
bool codings_of(PathCall& call, const Collection& from, std::vector<Node>& codings) {
  if (from.size() > 1) return call.fail("several items where one is needed");
  for (const PathItem& item : from) {
    const Node node = item.is(PathKind::node) ? item.node() : Node();
    const TypeDef* type = node.type();
    if (type && type->name() == "Coding") {
      codings.push_back(node);
    } else if (type && type->name() == "CodeableConcept") {
      for (const Node child : node)
        if (child.name() == "coding") codings.push_back(child);
    } else {
      return call.fail("not for " + type_name(item));
    }
  }
  return true;
}

/// Whether a code of `above` subsumes one of `below`; nothing when that cannot be told.
bool give_subsumes(PathCall& call, const std::vector<Node>& above, const std::vector<Node>& below) {
  bool unknown = false, comparable = false;
  for (const Node ancestor : above) {
    for (const Node code : below) {
      if (!call.ev.step()) return false;
      const std::string_view system = ancestor["system"].text();
      if (system != code["system"].text()) continue;
      comparable = true;
      std::optional<bool> answer;
      if (ancestor["code"].has_value() && ancestor["code"].text() == code["code"].text()) answer = true;
      const auto& ask = call.ev.environment().subsumes;
      if (!answer && ask) answer = ask(system, ancestor["code"].text(), code["code"].text());
      if (answer && *answer) return call.give(true);
      unknown = unknown || !answer;
    }
  }
  if (!comparable) return call.fail("codes of different systems");
  return unknown || call.give(false);
}

bool subsumption(PathCall& call, bool input_is_above) {
  Collection argument = call.ev.make();
  std::vector<Node> own, other;
  if (!call.arg(0, argument) || !codings_of(call, call.input, own) || !codings_of(call, argument, other))
    return false;
  if (own.empty() || other.empty()) return true;
  return input_is_above ? give_subsumes(call, own, other) : give_subsumes(call, other, own);
}

bool subsumes(PathCall& call) {
  return subsumption(call, true);
}
bool subsumed_by(PathCall& call) {
  return subsumption(call, false);
}

}  // namespace

const PathFunctionGroup& conformance_spec() {
  using S = PathShape;
  static const PathFunction functions[] = {
      {"elementDefinition", 0, 0, 0, S::any, S::any, element_definition},
      {"slice", 2, 2, 0, S::any, S::same, slice},
      {"checkModifiers", 0, 32, 0, S::any, S::same, check_modifiers},
      {"subsumes", 1, 1, 0, S::any, S::boolean, subsumes},
      {"subsumedBy", 1, 1, 0, S::any, S::boolean, subsumed_by},
  };
  static const PathFunctionGroup group{functions};
  return group;
}

}  // namespace kiln::fhir
