// Layers 2 and 3: elements, cardinality, types, primitive formats; calls the other layers for each node.

#include <algorithm>
#include <cstdint>

#include "fhir/primitives.h"
#include "fhir/validation/detail/session.h"

namespace kiln::fhir::detail {
namespace {

/// A type has at most 54 elements; a test holds the tables to this.
constexpr std::size_t kElementsMax = 64;

/// What the walk needs of each type, so that it needs no look-up by name.
struct TypeFacts {
  std::uint64_t required = 0;  ///< by order: elements with a minimum
  std::uint64_t choices = 0;
  bool is_extension = false, is_reference = false, is_xhtml = false;
};

std::vector<TypeFacts> make_facts() {
  std::vector<TypeFacts> facts(all_types().size());
  for (const TypeDef& type : all_types()) {
    TypeFacts& fact = facts[type.index()];
    for (const ElementDef& element : type.elements()) {
      if (element.order() >= kElementsMax) continue;
      const std::uint64_t bit = std::uint64_t{1} << element.order();
      if (element.is_required()) fact.required |= bit;
      if (element.is_choice()) fact.choices |= bit;
    }
    fact.is_extension = type.name() == "Extension";
    fact.is_reference = type.name() == "Reference";
    fact.is_xhtml = type.name() == "xhtml";
  }
  return facts;
}

const TypeFacts& facts_of(const TypeDef& type) {
  static const std::vector<TypeFacts> facts = make_facts();
  return facts[type.index()];
}

class Walk {
 public:
  explicit Walk(Session& session) : session_(session) {}

  void resource(Node node) {
    const TypeDef* type = node.type();
    if (!type) return;  // the reader has said so
    children(node, *type);
    if (type->name() == "Bundle") check_bundle(session_, node);
    if (session_.checks_profiles()) {
      check_profiles(session_, node);
      if (type->name() == "StructureDefinition") check_definition(session_, node);
      if (type->name() == "Questionnaire") check_questionnaire(session_, node);
      if (type->name() == "QuestionnaireResponse") check_questionnaire_response(session_, node);
    }
  }

 private:
  void children(Node node, const TypeDef& type) {
    const TypeFacts& facts = facts_of(type);
    std::uint64_t seen = 0;
    for (const Node child : node) {
      if (session_.issues.full()) return;
      if (const ElementDef* element = child.element(); element && element->order() < kElementsMax) {
        const std::uint64_t bit = std::uint64_t{1} << element->order();
        if (seen & bit & facts.choices && !session_.choices_checked)
          session_.error("structure", child, "a choice element is given in two types");
        seen |= bit;
      }
      visit(child);
    }
    if (const std::uint64_t lacking = facts.required & ~seen; lacking != 0) report_missing(node, type, lacking);
    if (session_.checks_invariants()) check_invariants(session_, node);
  }

  void report_missing(Node node, const TypeDef& type, std::uint64_t lacking) {
    if (node.is_primitive()) return;
    for (const ElementDef& element : type.elements()) {
      if (element.order() >= kElementsMax || !(lacking >> element.order() & 1)) continue;
      session_.missing("required", node, element.name(),
                       "a mandatory element is missing: " + std::string(element.name()) +
                           (element.is_choice() ? "[x]" : ""));
    }
  }

  void visit(Node node) {
    const TypeDef* type = node.type();
    if (!type) return;
    if (type->is_resource()) return resource(node);
    const TypeFacts& facts = facts_of(*type);
    if (type->is_primitive()) {
      primitive(node, *type, facts);
    } else {
      if (!node.is_object()) return;  // of the wrong kind; the reader has said so
      children(node, *type);
      if (facts.is_reference) check_reference(session_, node);
      if (facts.is_extension && session_.checks_profiles()) check_extension(session_, node);
    }
    if (const ElementDef* element = node.element(); element && element->binding() != BindingStrength::none)
      check_binding(session_, node, element->binding(),
                    element->value_set() ? element->value_set()->url() : std::string_view());
  }

  void primitive(Node node, const TypeDef& type, const TypeFacts& facts) {
    if (node.has_value()) {
      const Primitive form = primitive_of(type);
      const base::JsonKind wanted = json_kind_of(form);
      const NodeKind kind = wanted == base::JsonKind::boolean  ? NodeKind::boolean
                            : wanted == base::JsonKind::number ? NodeKind::number
                                                               : NodeKind::string;
      if (node.kind() != kind) return;  // the reader has said so
      if (node.text().empty()) return;
      if (!is_valid_primitive(form, node.text())) {
        session_.error("value", node, "not a valid " + std::string(type.name()) + ": found " + shape_of(node));
      } else if (session_.options.refuse_markup && kind == NodeKind::string) {
        check_markup(node, form);
      }
      if (session_.options.refuse_examples && (form == Primitive::uri || form == Primitive::url || form == Primitive::canonical))
        check_example_url(session_, node);
      if (facts.is_xhtml && session_.checks_invariants()) check_xhtml(session_, node);
    }
    bool any = false;
    for (const Node child : node) {
      any = true;
      visit(child);
    }
    if (session_.checks_invariants() && (any || !node.has_value())) check_invariants(session_, node);
  }

  void check_markup(Node node, Primitive form) {
    if (form == Primitive::xhtml || form == Primitive::base64_binary) return;
    const std::string_view text = node.text();
    for (std::size_t at = text.find('<'); at != text.npos; at = text.find('<', at + 1)) {
      if (at + 1 >= text.size()) break;
      const char next = text[at + 1];
      if ((next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z') || next == '/' || next == '!')
        return session_.error("value", node, "the string contains markup");
    }
  }

  Session& session_;
};

}  // namespace

void check_resource(Session& session, Node resource) {
  Walk(session).resource(resource);
}

}  // namespace kiln::fhir::detail
