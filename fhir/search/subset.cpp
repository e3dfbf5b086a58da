#include "fhir/search/subset.h"

#include <algorithm>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "fhir/model/json.h"
#include "fhir/model/tree_builder.h"

namespace kiln::fhir {
namespace {

using base::ErrorCode;
using base::fail;

constexpr std::string_view kTagSystem = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
constexpr std::string_view kTagCode = "SUBSETTED";

bool is_kept(Node child, const Subset& subset) {
  const std::string_view name = child.name();
  if (name == "id" || name == "meta") return true;
  const ElementDef* element = child.element();
  if (!element) return subset.mode == Subset::Mode::data;
  switch (subset.mode) {
    case Subset::Mode::all:
      return true;
    case Subset::Mode::summary:
      return element->is_summary() || element->is_required();
    case Subset::Mode::text:
      return name == "text" || element->is_required();
    case Subset::Mode::data:
      return name != "text";
    case Subset::Mode::elements:
      return element->is_required() || element->is_modifier() ||
             std::find(subset.elements.begin(), subset.elements.end(), name) != subset.elements.end();
  }
  return true;
}

void copy_part(TreeBuilder& out, Node from, const Subset& subset);

/// A kept child: of inline content again only the part; other types are taken whole.
void copy_child(TreeBuilder& out, Node child, const Subset& subset) {
  const bool is_inline = child.type() && child.type()->kind() == TypeKind::backbone && child.element();
  if (subset.mode != Subset::Mode::summary || !is_inline) return out.copy(child);
  out.open(*child.element(), child.type());
  copy_part(out, child, subset);
  out.close();
}

void copy_part(TreeBuilder& out, Node from, const Subset& subset) {
  for (const Node child : from)
    if (is_kept(child, subset)) copy_child(out, child, subset);
}

void add_tag(TreeBuilder& out) {
  out.open("tag");
  out.add("system", kTagSystem);
  out.add("code", kTagCode);
  out.close();
}

/// meta with the tag behind the others.
void copy_meta(TreeBuilder& out, Node meta) {
  out.open(*meta.element(), meta.type());
  for (const Node child : meta)
    if (child.name() != "tag") out.copy(child);
  for (const Node child : meta)
    if (child.name() == "tag") out.copy(child);
  add_tag(out);
  out.close();
}

}  // namespace

Answer<bool> parse_subset(Subset& subset, std::string_view type, std::string_view name,
                          std::string_view value) {
  if (name == "_summary") {
    if (value == "true") {
      subset.mode = Subset::Mode::summary;
    } else if (value == "text") {
      subset.mode = Subset::Mode::text;
    } else if (value == "data") {
      subset.mode = Subset::Mode::data;
    } else if (value != "false") {
      return fail(ErrorCode::fhir_search_invalid,
                  "parameter '_summary': expected true, text, data, count or false");
    }
    return true;
  }
  if (name != "_elements") return false;
  subset.mode = Subset::Mode::elements;
  for (std::string_view part : base::split(value, ',')) {
    part = base::trim(part);
    if (const std::size_t dot = part.find('.'); dot != std::string_view::npos) {
      if (part.substr(0, dot) != type) continue;
      part.remove_prefix(dot + 1);
    }
    if (!part.empty()) subset.elements.emplace_back(part);
  }
  if (subset.elements.size() > base::limits::kSearchValuesMax)
    return fail(ErrorCode::fhir_search_invalid, "parameter '_elements': too many names");
  return true;
}

std::string apply_subset(std::string resource, const Subset& subset) {
  if (subset.is_all()) return resource;
  ReadOptions options;
  options.unknown = UnknownElements::keep;
  options.bytes_max = base::limits::kArchiveFileBytesMax;
  const auto tree = read_json(resource, options);
  if (!tree || !tree->root().is_resource()) return resource;
  TreeBuilder out(resource.size());
  out.open_root(tree->root().type());
  bool tagged = false;
  for (const Node child : tree->root()) {
    if (child.name() == "meta" && child.element()) {
      copy_meta(out, child);
      tagged = true;
    } else if (is_kept(child, subset)) {
      copy_child(out, child, subset);
    }
  }
  if (!tagged) {
    out.open("meta");
    add_tag(out);
    out.close();
  }
  out.close();
  const Tree part = out.finish();
  return write_json(part.root());
}

bool is_subsetted(base::JsonView resource) {
  for (const base::JsonView tag : resource["meta"]["tag"])
    if (tag["code"].text() == kTagCode && tag["system"].text() == kTagSystem) return true;
  return false;
}

}  // namespace kiln::fhir
