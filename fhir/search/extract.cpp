#include <algorithm>

#include "fhir/search/custom_parameters.h"
#include "fhir/search/detail/path_rows.h"
#include "fhir/search/detail/row_writer.h"
#include "fhir/search/extractor.h"

namespace kiln::fhir {
namespace {

using base::JsonView;
using detail::Extractor;
using detail::LeafType;
using detail::Path;
using detail::Step;
using detail::StepKind;

/// Collects the rows of one resource.
class Collector : private detail::RowWriter {
 public:
  Collector(const ReferenceRewrite* rewrite, std::string_view own_base, IndexRows& rows)
      : RowWriter(rewrite, own_base, rows) {}

  void collect(const Parameter& parameter, JsonView resource) {
    parameter_ = parameter.ordinal;
    const Extractor& extractor = *parameter.extractor;
    if (extractor.exists_and_not_false) return collect_exists(extractor, resource);
    values(extractor, resource, resource);
  }

  void collect(const CompositeParameter& parameter, JsonView resource) {
    for (const detail::CompositePath& path : parameter.extractor->paths) {
      walk(path.at, 0, resource, [&](JsonView element) {
        std::vector<IndexRows> components(path.components.size());
        for (std::size_t i = 0; i < components.size(); ++i) {
          Collector inner(rewrite_, own_base_, components[i]);
          inner.parameter_ = static_cast<std::uint16_t>(i);
          inner.with_texts_ = false;
          inner.values(path.components[i], element, resource);
        }
        detail::combine(parameter.ordinal, components, rows_.composites);
      });
    }
  }

 private:
  void collect_exists(const Extractor& extractor, JsonView resource) {
    bool value = false;
    for (const Path& path : extractor.paths) {
      const JsonView found = resource[path.steps.front().key];
      if (found && path.steps.size() == 1 && !(found.is(base::JsonKind::boolean) && !found.boolean()))
        value = true;
    }
    rows_.tokens.push_back({parameter_, {}, value ? "true" : "false"});
  }

  void values(const Extractor& extractor, JsonView from, JsonView resource) {
    kind_ = extractor.kind;
    for (const Path& path : extractor.paths)
      walk(path, 0, path.from_resource ? resource : from, [&](JsonView leaf) { emit(path, leaf); });
  }

  template <class Visit>
  void walk(const Path& path, std::size_t at, JsonView node, const Visit& visit) {
    if (!node) return;
    if (node.is_array()) {
      for (const JsonView item : node) walk(path, at, item, visit);
      return;
    }
    if (at == path.steps.size()) return visit(node);
    const Step& step = path.steps[at];
    switch (step.kind) {
      case StepKind::member:
        return walk(path, at + 1, node[step.key], visit);
      case StepKind::first: {
        const JsonView found = node[step.key];
        if (!found.is_array()) return walk(path, at + 1, found, visit);
        for (const JsonView item : found) return walk(path, at + 1, item, visit);
        return;
      }
      case StepKind::where_equals:
        if (node[step.key].text() == step.text) walk(path, at + 1, node, visit);
        return;
      case StepKind::where_resolve:
        if (target_type(node) == step.key) walk(path, at + 1, node, visit);
        return;
      case StepKind::where_extension:
        for (const JsonView extension : node["extension"])
          if (extension["url"].text() == step.text) return walk(path, at + 1, node, visit);
        return;
      case StepKind::extension:
        for (const JsonView extension : node["extension"])
          if (extension["url"].text() == step.text) walk(path, at + 1, extension, visit);
        return;
    }
  }

  /// The resource type a Reference points at, as far as its text says.
  std::string target_type(JsonView reference) {
    std::string_view text = reference["reference"].text();
    std::optional<std::string> renamed = rewrite_ ? rewrite_->reference(text) : std::nullopt;
    if (renamed) text = *renamed;
    const ReferenceParts parts = parse_reference(text, own_base_);
    if (!parts.type.empty()) return std::string(parts.type);
    return std::string(reference["type"].text());
  }

  void emit(const Path& path, JsonView node) {
    switch (kind_) {
      case ParameterKind::token:
        return emit_token(path, node);
      case ParameterKind::string:
        return emit_string(path, node);
      case ParameterKind::date:
        return emit_date(path, node);
      case ParameterKind::reference:
        if (path.leaf == LeafType::resource) return resource(node["resourceType"].text(), node["id"].text());
        return path.leaf == LeafType::reference ? reference(node) : canonical(node.text());
      case ParameterKind::uri:
        return uri(node.text());
      case ParameterKind::number:
      case ParameterKind::quantity:
        return number(path.leaf, node);
      case ParameterKind::id:
      case ParameterKind::last_updated:
        return;
    }
  }

  void emit_token(const Path& path, JsonView node) {
    switch (path.leaf) {
      case LeafType::coding:
        token_text(node["display"].text());
        return token(node["system"].text(), node["code"].text());
      case LeafType::codeable_concept:
        token_text(node["text"].text());
        for (const JsonView coding : node["coding"]) {
          token(coding["system"].text(), coding["code"].text());
          token_text(coding["display"].text());
        }
        return;
      case LeafType::identifier:
        token_text(node["type"]["text"].text());
        for (const JsonView coding : node["type"]["coding"])
          typed_identifier(coding["system"].text(), coding["code"].text(), node["value"].text());
        return token(node["system"].text(), node["value"].text());
      case LeafType::contact_point:
        return token({}, node["value"].text());
      default:
        return token(path.system, node.text());
    }
  }

  void strings(JsonView node) {
    if (node.is_array()) {
      for (const JsonView item : node) string(item.text());
    } else {
      string(node.text());
    }
  }

  void emit_string(const Path& path, JsonView node) {
    if (path.leaf == LeafType::human_name) {
      for (const char* part : {"family", "given", "prefix", "suffix", "text"}) strings(node[part]);
    } else if (path.leaf == LeafType::address) {
      for (const char* part : {"line", "city", "district", "state", "postalCode", "country", "text"})
        strings(node[part]);
    } else {
      string(node.text());
    }
  }

  void emit_date(const Path& path, JsonView node) {
    if (path.leaf == LeafType::period) return period(node);
    if (path.leaf == LeafType::date) return date(node.text());
    for (const JsonView event : node["event"]) date(event.text());
    period(node["repeat"]["boundsPeriod"]);
  }

  ParameterKind kind_ = ParameterKind::token;
};

}  // namespace

IndexRows extract_rows(const Parameter& parameter, JsonView resource, std::string_view own_base) {
  IndexRows rows;
  Collector collector(nullptr, own_base, rows);
  if (parameter.extractor)
    collector.collect(parameter, resource);
  else
    detail::collect_by_path({&parameter, 1}, resource, nullptr, own_base, rows);
  detail::tidy(rows);
  return rows;
}

std::optional<std::vector<std::string_view>> members_of(const Parameter& parameter) {
  if (!parameter.extractor) return std::nullopt;
  std::vector<std::string_view> names;
  for (const Path& path : parameter.extractor->paths) {
    const bool is_member = !path.steps.empty() && (path.steps[0].kind == StepKind::member || path.steps[0].kind == StepKind::first);
    if (!is_member) return std::nullopt;
    names.push_back(path.steps[0].key);
  }
  return names;
}

IndexRows extract_rows(const TypeParameters& parameters, JsonView resource, const ReferenceRewrite* rewrite,
                       std::string_view own_base) {
  IndexRows rows;
  Collector collector(rewrite, own_base, rows);
  for (const Parameter& parameter : parameters.all())
    if (parameter.extractor && !(parameter.custom && parameter.custom->is_removed))
      collector.collect(parameter, resource);
  detail::collect_by_path(parameters.all(), resource, rewrite, own_base, rows);
  for (const CompositeParameter& parameter : parameters.composites()) collector.collect(parameter, resource);
  detail::tidy(rows);
  return rows;
}

}  // namespace kiln::fhir
