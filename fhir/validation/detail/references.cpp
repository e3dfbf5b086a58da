// Layer 6: references, contained resources and Bundles.

#include <string>

#include "fhir/reference.h"
#include "fhir/validation/detail/session.h"

namespace kiln::fhir::detail {
namespace {

/// The Bundle around a node, the innermost first; absent when there is none.
Node bundle_around(Node node) {
  for (Node at = node.parent(); at; at = at.parent()) {
    if (at.is_resource() && at.type()->name() == "Bundle") return at;
  }
  return {};
}

/// The resource that may have `contained`: the entry's, or the root.
Node container_of(Node node) {
  Node resource = node.resource();
  while (resource && resource.name() == "contained") resource = resource.parent().resource();
  return resource;
}

Node find_contained(Node from, std::string_view id) {
  const Node container = container_of(from);
  if (id.empty()) return container;
  for (const Node child : container) {
    if (child.name() == "contained" && child["id"].text() == id) return child;
  }
  return {};
}

std::string_view without_version(std::string_view reference) {
  return reference.substr(0, reference.find("/_history/"));
}

/// "http://x/Patient/1" of the fullUrl around `from` tells the base of relative references.
Node find_relative(const BundleIndex& index, std::string_view reference, Node from) {
  Node entry = from;
  while (entry && !(entry.name() == "entry" && entry.parent().is_resource())) entry = entry.parent();
  const std::string_view full_url = entry["fullUrl"].text();
  if (full_url.starts_with("http")) {
    const std::size_t id = full_url.rfind('/');
    const std::size_t type = id == full_url.npos || id == 0 ? full_url.npos : full_url.rfind('/', id - 1);
    if (type != full_url.npos) {
      const std::string absolute = std::string(full_url.substr(0, type + 1)) + std::string(reference);
      const auto found = index.by_full_url.find(absolute);
      if (found != index.by_full_url.end()) return found->second;
    }
  }
  if (full_url.starts_with("urn:uuid:")) {
    const std::string urn = "urn:uuid:" + std::string(reference.substr(reference.find('/') + 1));
    if (const auto found = index.by_full_url.find(urn); found != index.by_full_url.end()) return found->second;
  }
  const auto found = index.by_type_id.find(std::string(reference));
  return found == index.by_type_id.end() ? Node() : found->second;
}

std::string allowed_text(const ElementType& type) {
  std::string allowed;
  for (const TypeDef& target : type.targets()) allowed += (allowed.empty() ? "" : ", ") + std::string(target.name());
  return allowed;
}

/// The kinds of Bundle whose entries stand for themselves: what they refer to by urn must be in them.
bool must_resolve(Node bundle) {
  const std::string_view type = bundle["type"].text();
  return type == "document" || type == "message" || type == "transaction" || type == "batch";
}

}  // namespace

Node resolve_reference(Session& session, std::string_view reference, Node from) {
  if (reference.starts_with('#')) return find_contained(from, reference.substr(1));
  reference = without_version(reference.substr(0, reference.find('#')));
  for (Node bundle = bundle_around(from); bundle; bundle = bundle_around(bundle)) {
    const BundleIndex& index = session.bundle_index(bundle);
    if (const auto found = index.by_full_url.find(reference); found != index.by_full_url.end()) return found->second;
    if (reference.find(':') == reference.npos) {
      if (const Node found = find_relative(index, reference, from)) return found;
    }
  }
  return {};
}

void check_reference(Session& session, Node reference) {
  const Node literal = reference["reference"];
  const std::string_view text = literal.text();
  if (text.empty() || literal.kind() != NodeKind::string) return;
  const ReferenceParts parts = parse_reference(text);
  if (parts.form == ReferenceParts::Form::other && text.find(':') == text.npos) {
    return session.error("value", literal,
                         "the reference is neither Type/id of an R4 resource type, #id nor an absolute URL");
  }
  const TypeDef* target = find_resource_type(parts.type);
  const bool knows_more = session.checks_invariants();
  const Node bundle = knows_more ? bundle_around(reference) : Node();
  Node found;
  if (knows_more && (bundle || text.starts_with('#'))) {
    found = resolve_reference(session, text, reference);
    if (!found && (text.starts_with("urn:uuid:") || text.starts_with("urn:oid:")) && must_resolve(bundle)) {
      session.error("not-found", literal, "the Bundle has no entry with this fullUrl");
    }
  }
  if (found && found.type()) {
    if (target && target != found.type())
      session.error("structure", literal, "the reference names another type than the resource that it leads to has");
    target = found.type();
  }
  const ElementDef* element = reference.element();
  const ElementType* type = element ? element->find_type("Reference") : nullptr;
  if (!target || !type || type->allows_target(target->name())) return;
  session.error("value", literal,
                "a reference to " + std::string(target->name()) + " is not allowed here; allowed: " + allowed_text(*type));
}

void check_bundle(Session& session, Node bundle) {
  if (!session.checks_invariants()) return;
  for (const Node entry : bundle) {
    if (entry.name() != "entry") continue;
    const Node resource = entry["resource"], full_url = entry["fullUrl"];
    const std::string_view kind = bundle["type"].text();
    if (resource && !full_url && (kind == "document" || kind == "message"))
      session.error("required", entry, "an entry of a document or message needs a fullUrl");
    if (!resource || !resource.type() || !full_url.has_value()) continue;
    const std::string_view url = full_url.text(), id = resource["id"].text();
    if (!url.starts_with("http:") && !url.starts_with("https:")) {
      if (!url.starts_with("urn:") && url.find(':') == url.npos)
        session.error("value", full_url, "a fullUrl must be an absolute URL or a URN");
      continue;
    }
    const ReferenceParts parts = parse_reference(url);
    if (parts.type.empty()) continue;
    if (id.empty()) {
      if (kind == "document")
        session.error("invalid", entry, "the fullUrl names an id, and the resource of the entry has none");
      continue;
    }
    if (parts.type != resource.type()->name() || parts.id != id)
      session.error("value", full_url, "the fullUrl does not end with the type and id of the entry's resource");
  }
}

}  // namespace kiln::fhir::detail
