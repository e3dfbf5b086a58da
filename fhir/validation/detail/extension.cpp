// Extensions: their definition, and where it allows them to stand.

#include <algorithm>

#include "fhir/validation/detail/invariants.h"
#include "fhir/validation/detail/profile_check.h"

namespace kiln::fhir::detail {
namespace {

constexpr std::string_view kOfficial = "http://hl7.org/fhir/StructureDefinition/";

/// "Patient.name" of the element that carries the extension.
std::string element_path(Node node) {
  const ElementDef* element = node.element();
  return element ? std::string(element->owner().name()) + "." + std::string(element->name()) : std::string();
}

bool element_matches(Node carrier, std::string_view expression) {
  if (expression.ends_with("[x]")) expression.remove_suffix(3);
  const TypeDef* type = carrier.type();
  if (type && type->is_a(expression)) return true;
  // R4 uses "Element" for what may stand anywhere; the other two are interfaces of later versions.
  if (expression == "Element") return true;
  if (expression == "CanonicalResource" || expression == "MetadataResource")
    return type && type->is_resource() && type->element("url");
  // From the resource, or from any type on the way: "Patient.name.family", "HumanName.family".
  std::string path;
  for (Node at = carrier; at; at = at.parent()) {
    if (at.type() && !path.empty() && std::string(at.type()->name()) + "." + path == expression) return true;
    if (at.type() && at.type()->is_resource() && !path.empty()) {
      for (const TypeDef* base = at.type(); base; base = base->base()) {
        if (std::string(base->name()) + "." + path == expression) return true;
      }
      break;
    }
    path = std::string(at.name()) + (path.empty() ? "" : "." + path);
  }
  // The definitions of R4 carry this extension one level above the element that its own definition names.
  if (expression == "ElementDefinition.type.code" && element_path(carrier) == "ElementDefinition.type")
    return true;
  return element_path(carrier) == expression;
}

bool extension_matches(Node carrier, std::string_view expression) {
  const std::size_t hash = expression.find('#');
  const std::string_view url = expression.substr(0, hash);
  Node extension = carrier;
  // "url#value" and "url.extension.value" mean elements inside; the extension that is carried decides.
  while (extension && !(extension.type() && extension.type()->name() == "Extension"))
    extension = extension.parent();
  for (Node at = extension; at; at = at.parent()) {
    if (at.type() && at.type()->name() == "Extension" && at["url"].text() == url) return true;
  }
  return false;
}

bool path_matches(Session& session, Node carrier, std::string_view expression) {
  const auto compiled = PathExpression::compile(expression);
  if (!compiled) return true;  // a context that cannot be evaluated allows everything
  const Node root = carrier.resource();
  if (!compiled->evaluate(root, session.environment, session.scratch)) return true;
  for (const PathItem& item : session.scratch.items()) {
    if (item.is(PathKind::node) && item.node() == carrier) return true;
    if (item.is(PathKind::boolean) && item.boolean()) return true;
  }
  return false;
}

bool context_allows(Session& session, Node carrier, const ContextRule& context) {
  if (context.kind == "extension") return extension_matches(carrier, context.expression);
  if (context.kind == "fhirpath") return path_matches(session, carrier, context.expression);
  return element_matches(carrier, context.expression);
}

/// Where the definitions of R4 themselves carry extensions whose own definitions do not say so.
bool r4_carries(Node carrier, std::string_view url) {
  static constexpr struct {
    std::string_view url, expression;
  } kPlaces[] = {{"structuredefinition-normative-version", "CanonicalResource"},
                 {"structuredefinition-normative-version", "ElementDefinition"},
                 {"regex", "ElementDefinition.type"}};
  if (!url.starts_with(kOfficial)) return false;
  return std::any_of(std::begin(kPlaces), std::end(kPlaces), [&](const auto& place) {
    return url.substr(kOfficial.size()) == place.url && element_matches(carrier, place.expression);
  });
}

void check_context(Session& session, Node extension, const Profile& profile) {
  const Node carrier = extension.parent();
  if (!carrier || profile.contexts.empty() || r4_carries(carrier, profile.url)) return;
  for (const ContextRule& context : profile.contexts) {
    if (context_allows(session, carrier, context)) {
      for (const RuleConstraint& rule : profile.context_invariants) {
        if (rule.expression.compiled())
          check_expression(session, carrier, rule.expression, "of the extension's context", true);
      }
      return;
    }
  }
  session.error("structure", extension, "the extension " + profile.url + " is not allowed on this element");
}

/// Published under the same base by the package of extensions (hl7.fhir.uv.extensions) for R4 too, but not among the
/// definitions of R4: not checked, and no mistake.
bool of_extension_package(std::string_view url) {
  static constexpr std::string_view kPublished[] = {"alternate-codes"};
  return std::find(std::begin(kPublished), std::end(kPublished), url.substr(kOfficial.size())) !=
         std::end(kPublished);
}

/// A url that may be shown: one that names no person.
std::string shown(std::string_view url) {
  return url.size() <= 200 && url.find_first_of("?@ ") == url.npos ? std::string(url)
                                                                   : std::string("of that url");
}

}  // namespace

void check_example_url(Session& session, Node url) {
  std::string_view rest = url.text();
  if (!rest.starts_with("http://") && !rest.starts_with("https://")) return;
  rest.remove_prefix(rest.find("//") + 2);
  const std::string_view host = rest.substr(0, rest.find_first_of("/:?#"));
  for (const std::string_view example : {"example.org", "example.com", "example.net", "acme.com"}) {
    if (host == example || (host.ends_with(example) && host[host.size() - example.size() - 1] == '.'))
      return session.error("invalid", url, "a url of an example, which is not meant to be used");
  }
}

void check_extension(Session& session, Node extension) {
  const Node url = extension["url"];
  const std::string_view text = url.text();
  // A name without a scheme belongs to the complex extension around it, whose definition checks it.
  if (text.find(':') == text.npos) {
    const Node carrier = extension.parent();
    const bool inside = carrier && carrier.type() && carrier.type()->name() == "Extension";
    if (url.has_value() && !inside) session.error("value", url, "the url of an extension must be absolute");
    return;
  }
  if (text.find('|') != text.npos)
    return session.error("value", url, "the url of an extension must not have a version");
  const Profile* profile = session.profiles->find(text);
  const bool is_modifier = extension.name() == "modifierExtension";
  if (!profile) {
    const std::string told = "the extension " + shown(text) + " is not known";
    if (session.options.refuse_examples) check_example_url(session, url);
    if (text.starts_with(kOfficial) && !of_extension_package(text))
      session.error("structure", extension, told);
    else if (is_modifier)
      session.warning("structure", extension, told + ", and it may change the meaning of the element");
    else
      session.note("informational", extension, "not checked: " + told);
    return;
  }
  check_context(session, extension, *profile);
  check_profile(session, extension, text);
}

}  // namespace kiln::fhir::detail
