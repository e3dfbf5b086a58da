#include "fhir/search/detail/path_rows.h"

#include <algorithm>

#include "engine/base/partial_date.h"
#include "fhir/model/json.h"
#include "fhir/search/extractor.h"
#include "fhir/search/search_path.h"

namespace kiln::fhir {
namespace {

using base::PartialDate;
using detail::LeafType;

/// Makes the rows of what an expression gave.
class PathCollector {
 public:
  PathCollector(const ReferenceRewrite* rewrite, std::string_view own_base, IndexRows& rows)
      : rewrite_(rewrite),
        own_base_(own_base),
        environment_(search_environment(rewrite, own_base)),
        rows_(rows) {}

  void collect(const Parameter& parameter, Node resource) {
    const PathExpression* path = search_path(*parameter.definition);
    if (!path || !path->evaluate(resource, environment_, found_)) return;
    parameter_ = parameter.ordinal;
    for (const PathItem& item : found_.items()) {
      if (!item.is(PathKind::node)) {
        // "exists() and …": a truth value.
        if (item.is(PathKind::boolean) && parameter.kind == ParameterKind::token)
          token({}, item.boolean() ? "true" : "false");
        continue;
      }
      const Node node = item.node();
      if (node.is_resource()) {
        if (parameter.kind == ParameterKind::reference && node["id"])
          rows_.references.push_back(
              {parameter_, std::string(node.type()->name()), std::string(node["id"].text())});
        continue;
      }
      if (!node.type()) continue;
      const LeafType leaf = detail::leaf_of(node.type()->name());
      if (detail::fits(parameter.definition->type(), leaf)) emit(parameter.kind, leaf, node);
    }
  }

 private:
  void emit(ParameterKind kind, LeafType leaf, Node node) {
    switch (kind) {
      case ParameterKind::token:
        return emit_token(leaf, node);
      case ParameterKind::string:
        return emit_string(leaf, node);
      case ParameterKind::date:
        return emit_date(leaf, node);
      case ParameterKind::reference:
        return emit_reference(leaf, node);
      case ParameterKind::uri:
        if (!node.text().empty()) rows_.uris.push_back({parameter_, std::string(node.text())});
        return;
      case ParameterKind::number:
      case ParameterKind::quantity:
        return emit_number(leaf, node);
      default:
        return;
    }
  }

  template <class Visit>
  static void each(Node node, std::string_view name, Visit visit) {
    for (const Node child : node)
      if (child.name() == name) visit(child);
  }

  void token(std::string_view system, std::string_view code) {
    if (!code.empty() || !system.empty())
      rows_.tokens.push_back({parameter_, std::string(system), std::string(code)});
  }

  void emit_token(LeafType leaf, Node node) {
    switch (leaf) {
      case LeafType::coding:
        return token(node["system"].text(), node["code"].text());
      case LeafType::codeable_concept:
        return each(node, "coding",
                    [this](Node coding) { token(coding["system"].text(), coding["code"].text()); });
      case LeafType::identifier:
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

  void string(std::string_view text) {
    if (text.empty()) return;
    text = indexed_part(text);
    rows_.strings.push_back({parameter_, fold(text), std::string(text)});
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

  void date(std::string_view text) {
    if (const auto value = PartialDate::parse_fhir(text))
      rows_.dates.push_back({parameter_, value->lowest_micros(), value->highest_micros()});
  }

  void period(Node node) {
    const auto start = PartialDate::parse_fhir(node["start"].text()),
               end = PartialDate::parse_fhir(node["end"].text());
    if (!start && !end) return;
    rows_.dates.push_back({parameter_, start ? start->lowest_micros() : kDateLowest,
                           end ? end->highest_micros() : kDateHighest});
  }

  void emit_date(LeafType leaf, Node node) {
    if (leaf == LeafType::period) return period(node);
    if (leaf == LeafType::date) return date(node.text());
    each(node, "event", [this](Node event) { date(event.text()); });
    const Node bounds = node["repeat"]["bounds"];
    if (bounds.type() && bounds.type()->name() == "Period") period(bounds);
  }

  void target(std::string_view text) {
    if (text.empty()) return;
    const ReferenceParts parts = parse_reference(text, own_base_);
    if (parts.form == ReferenceParts::Form::fragment) return;
    if (parts.form == ReferenceParts::Form::relative)
      rows_.references.push_back({parameter_, std::string(parts.type), std::string(parts.id)});
    else
      rows_.references.push_back({parameter_, {}, std::string(text)});
  }

  void emit_reference(LeafType leaf, Node node) {
    if (leaf == LeafType::reference) {
      const std::string_view text = node["reference"].text();
      const auto renamed = rewrite_ ? rewrite_->reference(text) : std::nullopt;
      target(renamed ? std::string_view(*renamed) : text);
      if (const Node identifier = node["identifier"])
        token(identifier["system"].text(), identifier["value"].text());
      return;
    }
    // A canonical is found with and without its version.
    const std::string_view text = node.text();
    if (text.empty()) return;
    rows_.references.push_back({parameter_, {}, std::string(text)});
    if (const std::size_t bar = text.find('|'); bar != std::string_view::npos)
      rows_.references.push_back({parameter_, {}, std::string(text.substr(0, bar))});
  }

  void quantity(std::string_view low, std::string_view high, std::string_view system, std::string_view code) {
    const auto low_key = sortable_decimal(low), high_key = sortable_decimal(high);
    if (!low_key && !high_key) return;
    // "" sorts before and "~" behind every number: the open ends of a Range.
    rows_.quantities.push_back(
        {parameter_, low_key.value_or(""), high_key.value_or("~"), std::string(system), std::string(code)});
  }

  void emit_number(LeafType leaf, Node node) {
    if (leaf == LeafType::number) return quantity(node.text(), node.text(), {}, {});
    const std::string_view value = node["value"].text();
    if (leaf == LeafType::money)
      return quantity(value, value, "urn:iso:std:iso:4217", node["currency"].text());
    if (leaf == LeafType::range) {
      const Node side = node["low"] ? node["low"] : node["high"];
      const std::string_view code = side["code"].text().empty() ? side["unit"].text() : side["code"].text();
      return quantity(node["low"]["value"].text(), node["high"]["value"].text(), side["system"].text(), code);
    }
    const std::string_view code = node["code"].text(), unit = node["unit"].text();
    if (!code.empty() || unit.empty()) quantity(value, value, node["system"].text(), code);
    if (!unit.empty() && unit != code) quantity(value, value, {}, unit);
  }

  const ReferenceRewrite* rewrite_;
  std::string_view own_base_;
  PathEnvironment environment_;
  IndexRows& rows_;
  PathResult found_;
  std::uint16_t parameter_ = 0;
};

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
}

void extract_by_path(const TypeParameters& parameters, base::JsonView resource,
                     const ReferenceRewrite* rewrite, std::string_view own_base, IndexRows& rows) {
  ReadOptions options;
  options.unknown = UnknownElements::keep;
  options.bytes_max = base::limits::kArchiveFileBytesMax;
  const auto tree = read_json(base::print_json(resource), options);
  if (!tree) return;
  PathCollector collector(rewrite, own_base, rows);
  for (const Parameter& parameter : parameters.all())
    if (parameter.is_indexed() && !parameter.extractor) collector.collect(parameter, tree->root());
}

}  // namespace detail

IndexRows extract_rows(const TypeParameters& parameters, Node resource, const ReferenceRewrite* rewrite,
                       std::string_view own_base) {
  IndexRows rows;
  PathCollector collector(rewrite, own_base, rows);
  for (const Parameter& parameter : parameters.all())
    if (parameter.is_indexed()) collector.collect(parameter, resource);
  detail::tidy(rows);
  return rows;
}

}  // namespace kiln::fhir
