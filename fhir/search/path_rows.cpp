#include "fhir/search/detail/path_rows.h"

#include <algorithm>

#include "engine/base/limits.h"
#include "fhir/model/json.h"
#include "fhir/search/custom_parameters.h"
#include "fhir/search/detail/row_writer.h"
#include "fhir/search/extractor.h"
#include "fhir/search/search_path.h"

namespace kiln::fhir {
namespace {

using detail::LeafType;

/// Makes the rows of what an expression gave.
class PathCollector : private detail::RowWriter {
 public:
  PathCollector(const ReferenceRewrite* rewrite, std::string_view own_base, IndexRows& rows)
      : RowWriter(rewrite, own_base, rows), environment_(search_environment(rewrite, own_base)) {}

  /// Expressions of others run inside every write: a resource that costs more has no rows.
  void limit_steps() { environment_.steps_max = base::limits::kPathStepsMax / 100; }

  void collect(const Parameter& parameter, Node resource) {
    const PathExpression* path = parameter.custom ? &parameter.custom->path : search_path(*parameter.definition);
    parameter_ = parameter.ordinal;
    if (path) values(*path, parameter, resource);
  }

  void collect(const CompositeParameter& parameter, Node resource) {
    const PathExpression* path = search_path(*parameter.definition);
    if (!path || !path->evaluate(resource, environment_, found_)) return;
    for (const PathItem& element : found_.items()) {
      if (!element.is(PathKind::node)) continue;
      std::vector<IndexRows> components(parameter.components.size());
      for (std::size_t i = 0; i < components.size(); ++i) {
        PathCollector inner(rewrite_, own_base_, components[i]);
        inner.parameter_ = static_cast<std::uint16_t>(i);
        inner.with_texts_ = false;
        const PathExpression* component = component_path(*parameter.definition, i);
        if (component) inner.values(*component, parameter.components[i], element.node());
      }
      detail::combine(parameter.ordinal, components, rows_.composites);
    }
  }

 private:
  void values(const PathExpression& path, const Parameter& parameter, Node from) {
    if (!path.evaluate(from, environment_, found_)) return;
    for (const PathItem& item : found_.items()) {
      if (!item.is(PathKind::node)) {
        // "exists() and …": a truth value.
        if (item.is(PathKind::boolean) && parameter.kind == ParameterKind::token)
          token({}, item.boolean() ? "true" : "false");
        continue;
      }
      const Node node = item.node();
      if (node.is_resource()) {
        if (parameter.kind == ParameterKind::reference)
          this->resource(node.type()->name(), node["id"].text());
        continue;
      }
      if (!node.type()) continue;
      const LeafType leaf = detail::leaf_of(node.type()->name());
      const SearchType type = parameter.custom ? parameter.custom->search_type : parameter.definition->type();
      if (detail::fits(type, leaf)) emit(parameter.kind, leaf, node);
    }
  }

  void emit(ParameterKind kind, LeafType leaf, Node node) {
    switch (kind) {
      case ParameterKind::token:
        return emit_token(leaf, node);
      case ParameterKind::string:
        return emit_string(leaf, node);
      case ParameterKind::date:
        return emit_date(leaf, node);
      case ParameterKind::reference:
        return leaf == LeafType::reference ? reference(node) : canonical(node.text());
      case ParameterKind::uri:
        return uri(node.text());
      case ParameterKind::number:
      case ParameterKind::quantity:
        return number(leaf, node);
      default:
        return;
    }
  }

  template <class Visit>
  static void each(Node node, std::string_view name, Visit visit) {
    for (const Node child : node)
      if (child.name() == name) visit(child);
  }

  void emit_token(LeafType leaf, Node node) {
    switch (leaf) {
      case LeafType::coding:
        token_text(node["display"].text());
        return token(node["system"].text(), node["code"].text());
      case LeafType::codeable_concept:
        token_text(node["text"].text());
        return each(node, "coding", [this](Node coding) {
          token(coding["system"].text(), coding["code"].text());
          token_text(coding["display"].text());
        });
      case LeafType::identifier:
        token_text(node["type"]["text"].text());
        each(node["type"], "coding", [&](Node coding) {
          typed_identifier(coding["system"].text(), coding["code"].text(), node["value"].text());
        });
        return token(node["system"].text(), node["value"].text());
      case LeafType::contact_point:
        return token({}, node["value"].text());
      case LeafType::code: {
        const ElementDef* element = node.element();
        const ValueSet* set = element ? element->value_set() : nullptr;
        return token(set ? set->single_system() : std::string_view(), node.text());
      }
      default:
        return token({}, node.text());
    }
  }

  void emit_string(LeafType leaf, Node node) {
    const auto parts = [&](std::initializer_list<const char*> names) {
      for (const char* name : names) each(node, name, [this](Node part) { string(part.text()); });
    };
    if (leaf == LeafType::human_name) return parts({"family", "given", "prefix", "suffix", "text"});
    if (leaf == LeafType::address)
      return parts({"line", "city", "district", "state", "postalCode", "country", "text"});
    string(node.text());
  }

  void emit_date(LeafType leaf, Node node) {
    if (leaf == LeafType::period) return period(node);
    if (leaf == LeafType::date) return date(node.text());
    each(node, "event", [this](Node event) { date(event.text()); });
    const Node bounds = node["repeat"]["bounds"];
    if (bounds.type() && bounds.type()->name() == "Period") period(bounds);
  }

  PathEnvironment environment_;
  PathResult found_;
};

bool is_removed(const Parameter& parameter) {
  return parameter.custom && parameter.custom->is_removed;
}

template <class Row>
void sort_once(std::vector<Row>& rows) {
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
}

}  // namespace

namespace detail {

void tidy(IndexRows& rows) {
  sort_once(rows.tokens);
  sort_once(rows.strings);
  sort_once(rows.dates);
  sort_once(rows.references);
  sort_once(rows.uris);
  sort_once(rows.quantities);
  sort_once(rows.composites);
}

void collect_by_path(std::span<const Parameter> parameters, base::JsonView resource, const ReferenceRewrite* rewrite,
                     std::string_view own_base, IndexRows& rows) {
  const auto needs_path = [](const Parameter& one) { return one.custom && !one.extractor && !is_removed(one); };
  if (std::none_of(parameters.begin(), parameters.end(), needs_path)) return;
  const auto tree = read_json(base::print_json(resource));
  if (!tree) return;
  PathCollector collector(rewrite, own_base, rows);
  collector.limit_steps();
  for (const Parameter& parameter : parameters)
    if (needs_path(parameter)) collector.collect(parameter, tree->root());
}

void combine(std::uint16_t parameter, std::vector<IndexRows>& components, std::vector<CompositeRow>& out) {
  std::vector<std::vector<CompositeRow::Value>> values;
  for (IndexRows& rows : components) {
    tidy(rows);
    auto& list = values.emplace_back();
    const auto take = [&list](auto& from) {
      for (auto& row : from) list.emplace_back(std::move(row));
    };
    take(rows.tokens), take(rows.strings), take(rows.dates);
    take(rows.references), take(rows.uris), take(rows.quantities);
    if (list.empty()) return;
  }
  std::vector<std::size_t> at(values.size());
  while (out.size() < base::limits::kCompositeRowsMax) {
    CompositeRow& row = out.emplace_back(CompositeRow{parameter, {}});
    for (std::size_t i = 0; i < values.size(); ++i) row.values.push_back(values[i][at[i]]);
    std::size_t i = values.size();
    while (i > 0 && ++at[i - 1] == values[i - 1].size()) at[--i] = 0;
    if (i == 0) return;
  }
}

}  // namespace detail

IndexRows extract_rows(const TypeParameters& parameters, Node resource, const ReferenceRewrite* rewrite,
                       std::string_view own_base) {
  IndexRows rows;
  PathCollector collector(rewrite, own_base, rows);
  for (const Parameter& parameter : parameters.all())
    if (parameter.is_indexed() && !is_removed(parameter)) collector.collect(parameter, resource);
  for (const CompositeParameter& parameter : parameters.composites()) collector.collect(parameter, resource);
  detail::tidy(rows);
  return rows;
}

}  // namespace kiln::fhir
