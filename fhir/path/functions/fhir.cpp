// The functions that FHIR adds (fhirpath.html#functions).

#include "fhir/path/detail/evaluator.h"
#include "fhir/model/xhtml.h"
#include "fhir/primitives.h"

namespace kiln::fhir {
namespace {

using namespace detail;

bool extension(PathCall& call) {
  std::string_view url;
  bool found = false;
  if (!call.arg_text(0, url, found)) return false;
  if (!found) return true;
  static const NameId extension_name = find_name("extension"), url_name = find_name("url");
  for (const PathItem& item : call.input) {
    if (!item.is(PathKind::node)) continue;
    for (const Node child : item.node())
      if (child.name_id() == extension_name && child.child(url_name).text() == url)
        call.out.push(PathItem::of(child));
  }
  return true;
}

bool has_extension(PathCall& call) {
  Collection found = call.ev.make();
  PathCall inner{call.ev, call.expr, call.scope, call.input, found};
  return extension(inner) && call.give(!found.empty());
}

bool has_value(PathCall& call) {
  if (call.input.size() != 1) return call.give(false);
  const PathItem& item = call.input[0];
  return call.give(item.is(PathKind::node) ? item.node().has_value() : !item.is(PathKind::type));
}

bool get_value(PathCall& call) {
  PathItem item;
  bool found = false;
  if (!call.one(call.input, item, found)) return false;
  return !found || item.is(PathKind::node) || call.give(item);
}

/// "#id" of a contained resource; "#" is the container itself.
Node find_contained(Node from, std::string_view id) {
  static const NameId contained = find_name("contained");
  Node container = from.resource();
  while (container.name_id() == contained && container.parent()) container = container.parent().resource();
  if (id.empty()) return container;
  for (const Node child : container)
    if (child.name_id() == contained && child["id"].text() == id) return child;
  return {};
}

/// An entry of the Bundle that the node is in, by fullUrl, or by type and id.
Node find_entry(PathCall& call, Node from, std::string_view reference) {
  Node bundle = from.resource();
  while (bundle && bundle.type()->name() != "Bundle") bundle = bundle.parent().resource();
  for (const Node entry : bundle) {
    if (entry.name() != "entry") continue;
    if (!call.ev.step()) return {};
    const Node resource = entry["resource"];
    const std::string_view url = entry["fullUrl"].text();
    if (url == reference || (url.size() > reference.size() && url.ends_with(reference) &&
                             url[url.size() - reference.size() - 1] == '/' && !reference.starts_with("urn:")))
      return resource;
    if (!resource.type()) continue;
    const std::string own = std::string(resource.type()->name()) + "/" + std::string(resource["id"].text());
    if (url.empty() && own == reference) return resource;
  }
  return {};
}

bool resolve(PathCall& call) {
  for (const PathItem& item : call.input) {
    std::string_view text;
    Node from;
    if (item.is(PathKind::node)) {
      from = item.node();
      const Node reference = from.is_object() ? from["reference"] : from;
      text = reference.text();
    } else if (item.is(PathKind::string)) {
      text = item.text();
    }
    if (text.empty() || !call.ev.step()) continue;
    const Node place = from ? from : call.ev.resource_of(call.ev.context());
    Node found;
    if (text.starts_with('#')) {
      found = place ? find_contained(place, text.substr(1)) : Node();
    } else if (call.ev.environment().resolve) {
      found = call.ev.environment().resolve(text, from);
    } else if (place) {
      found = find_entry(call, place, text);
    }
    if (found) call.out.push(PathItem::of(found));
  }
  return call.ev.step();
}

bool member_of(PathCall& call) {
  std::string_view url;
  bool found = false;
  if (!call.arg_text(0, url, found)) return false;
  if (!found || call.input.empty()) return true;
  if (call.input.size() > 1) return call.fail("several items where one is needed");
  if (!call.input[0].is(PathKind::node) || !call.ev.environment().member_of) return true;
  const auto member = call.ev.environment().member_of(call.input[0].node(), url);
  return !member || call.give(*member);
}

bool conforms_to(PathCall& call) {
  std::string_view url;
  bool found = false;
  if (!call.arg_text(0, url, found)) return false;
  if (!found || call.input.empty()) return true;
  if (call.input.size() > 1) return call.fail("several items where one is needed");
  if (!call.input[0].is(PathKind::node)) return call.fail("not for " + type_name(call.input[0]));
  const Node node = call.input[0].node();
  constexpr std::string_view kBase = "http://hl7.org/fhir/StructureDefinition/";
  if (url.starts_with(kBase)) {
    const TypeDef* type = find_type(url.substr(kBase.size()));
    if (type && node.type()) return call.give(node.type()->is_a(type->name()));
  }
  const auto& ask = call.ev.environment().conforms_to;
  const auto conforms = ask ? ask(node, url) : std::nullopt;
  return conforms ? call.give(*conforms) : call.fail("the profile is not known");
}

bool html_checks(PathCall& call) {
  if (call.input.size() != 1) return call.input.empty() || call.fail("several items where one is needed");
  const PathItem value = call.ev.value(call.input[0]);
  if (!value.is(PathKind::string)) return true;
  return call.ev.step(value.text().size() / 8) &&
         call.give(is_allowed_xhtml(value.text()));
}

}  // namespace

const PathFunctionGroup& fhir_spec() {
  using S = PathShape;
  static const PathFunction functions[] = {
      {"extension", 1, 1, 0, S::any, S::extension, extension},
      {"hasExtension", 1, 1, 0, S::any, S::boolean, has_extension},
      {"hasValue", 0, 0, 0, S::any, S::boolean, has_value},
      {"getValue", 0, 0, 0, S::any, S::any, get_value},
      {"resolve", 0, 0, 0, S::any, S::any, resolve},
      {"memberOf", 1, 1, 0, S::any, S::boolean, member_of},
      {"conformsTo", 1, 1, 0, S::any, S::boolean, conforms_to},
      {"htmlChecks", 0, 0, 0, S::any, S::boolean, html_checks},
  };
  static const PathFunctionGroup group{functions};
  return group;
}

}  // namespace kiln::fhir
