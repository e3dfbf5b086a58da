#include <algorithm>

#include "engine/base/partial_date.h"
#include "fhir/search/detail/path_rows.h"
#include "fhir/search/extractor.h"

namespace kiln::fhir {
namespace {

using base::JsonView;
using base::PartialDate;
using detail::Extractor;
using detail::LeafType;
using detail::Path;
using detail::Step;
using detail::StepKind;

/// Collects the rows of one resource.
class Collector {
 public:
  Collector(const ReferenceRewrite* rewrite, std::string_view own_base, IndexRows& rows)
      : rewrite_(rewrite), own_base_(own_base), rows_(rows) {}

  void collect(const Parameter& parameter, JsonView resource) {
    parameter_ = parameter.ordinal;
    const Extractor& extractor = *parameter.extractor;
    if (extractor.exists_and_not_false) return collect_exists(extractor, resource);
    kind_ = extractor.kind;
    for (const Path& path : extractor.paths) walk(path, 0, resource);
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

  void walk(const Path& path, std::size_t at, JsonView node) {
    if (!node) return;
    if (node.is_array()) {
      for (const JsonView item : node) walk(path, at, item);
      return;
    }
    if (at == path.steps.size()) return emit(path, node);
    const Step& step = path.steps[at];
    switch (step.kind) {
      case StepKind::member:
        return walk(path, at + 1, node[step.key]);
      case StepKind::where_equals:
        if (node[step.key].text() == step.text) walk(path, at + 1, node);
        return;
      case StepKind::where_resolve:
        if (target_type(node) == step.key) walk(path, at + 1, node);
        return;
      case StepKind::extension:
        for (const JsonView extension : node["extension"])
          if (extension["url"].text() == step.text) walk(path, at + 1, extension);
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
        return emit_reference(path, node);
      case ParameterKind::uri:
        return emit_uri(node.text());
      case ParameterKind::number:
      case ParameterKind::quantity:
        return emit_number(path, node);
      case ParameterKind::id:
      case ParameterKind::last_updated:
        return;
    }
  }

  void token(std::string_view system, std::string_view code) {
    if (!code.empty() || !system.empty())
      rows_.tokens.push_back({parameter_, std::string(system), std::string(code)});
  }

  void emit_token(const Path& path, JsonView node) {
    switch (path.leaf) {
      case LeafType::coding:
        return token(node["system"].text(), node["code"].text());
      case LeafType::codeable_concept:
        for (const JsonView coding : node["coding"]) token(coding["system"].text(), coding["code"].text());
        return;
      case LeafType::identifier:
        return token(node["system"].text(), node["value"].text());
      case LeafType::contact_point:
        return token({}, node["value"].text());
      default:
        return token(path.system, node.text());
    }
  }

  void string(std::string_view text) {
    if (text.empty()) return;
    text = indexed_part(text);
    rows_.strings.push_back({parameter_, fold(text), std::string(text)});
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

  void date(std::string_view text) {
    if (const auto value = PartialDate::parse_fhir(text))
      rows_.dates.push_back({parameter_, value->lowest_micros(), value->highest_micros()});
  }

  void period(JsonView node) {
    const auto start = PartialDate::parse_fhir(node["start"].text()),
               end = PartialDate::parse_fhir(node["end"].text());
    if (!start && !end) return;
    rows_.dates.push_back({parameter_, start ? start->lowest_micros() : kDateLowest,
                           end ? end->highest_micros() : kDateHighest});
  }

  void emit_date(const Path& path, JsonView node) {
    if (path.leaf == LeafType::period) return period(node);
    if (path.leaf == LeafType::date) return date(node.text());
    for (const JsonView event : node["event"]) date(event.text());
    period(node["repeat"]["boundsPeriod"]);
  }

  /// Where a reference points: a type and id of this server, or a whole URL.
  void target(std::string_view text) {
    if (text.empty()) return;
    const ReferenceParts parts = parse_reference(text, own_base_);
    if (parts.form == ReferenceParts::Form::fragment) return;
    if (parts.form == ReferenceParts::Form::relative) {
      rows_.references.push_back({parameter_, std::string(parts.type), std::string(parts.id)});
    } else {
      rows_.references.push_back({parameter_, {}, std::string(text)});
    }
  }

  void emit_reference(const Path& path, JsonView node) {
    if (path.leaf == LeafType::reference) {
      const std::string_view text = node["reference"].text();
      const auto renamed = rewrite_ ? rewrite_->reference(text) : std::nullopt;
      target(renamed ? std::string_view(*renamed) : text);
      const JsonView identifier = node["identifier"];
      if (identifier) token(identifier["system"].text(), identifier["value"].text());
      return;
    }
    // A canonical is found with and without its version.
    const std::string_view text = node.text();
    if (text.empty()) return;
    rows_.references.push_back({parameter_, {}, std::string(text)});
    if (const std::size_t bar = text.find('|'); bar != std::string_view::npos)
      rows_.references.push_back({parameter_, {}, std::string(text.substr(0, bar))});
  }

  void emit_uri(std::string_view text) {
    if (!text.empty()) rows_.uris.push_back({parameter_, std::string(text)});
  }

  void quantity(std::string_view low, std::string_view high, std::string_view system, std::string_view code) {
    const auto low_key = sortable_decimal(low), high_key = sortable_decimal(high);
    if (!low_key && !high_key) return;
    // "" sorts before and "~" behind every number: the open ends of a Range.
    rows_.quantities.push_back(
        {parameter_, low_key.value_or(""), high_key.value_or("~"), std::string(system), std::string(code)});
  }

  void emit_number(const Path& path, JsonView node) {
    if (path.leaf == LeafType::number) return quantity(node.text(), node.text(), {}, {});
    if (path.leaf == LeafType::money)
      return quantity(node["value"].text(), node["value"].text(), "urn:iso:std:iso:4217",
                      node["currency"].text());
    if (path.leaf == LeafType::range) {
      const JsonView side = node["low"] ? node["low"] : node["high"];
      const std::string_view code = side["code"].text().empty() ? side["unit"].text() : side["code"].text();
      return quantity(node["low"]["value"].text(), node["high"]["value"].text(), side["system"].text(), code);
    }
    const std::string_view value = node["value"].text(), code = node["code"].text(),
                           unit = node["unit"].text();
    if (!code.empty() || unit.empty()) quantity(value, value, node["system"].text(), code);
    if (!unit.empty() && unit != code) quantity(value, value, {}, unit);
  }

  const ReferenceRewrite* rewrite_;
  std::string_view own_base_;
  IndexRows& rows_;
  std::uint16_t parameter_ = 0;
  ParameterKind kind_ = ParameterKind::token;
};

}  // namespace

IndexRows extract_rows(const TypeParameters& parameters, JsonView resource, const ReferenceRewrite* rewrite,
                       std::string_view own_base) {
  IndexRows rows;
  Collector collector(rewrite, own_base, rows);
  bool has_others = false;
  for (const Parameter& parameter : parameters.all()) {
    if (parameter.extractor)
      collector.collect(parameter, resource);
    else
      has_others = has_others || parameter.is_indexed();
  }
  if (has_others) detail::extract_by_path(parameters, resource, rewrite, own_base, rows);
  detail::tidy(rows);
  return rows;
}

}  // namespace kiln::fhir
