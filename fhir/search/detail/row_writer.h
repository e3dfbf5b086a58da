#pragma once
// From values of a resource to index rows, however the values were found. Private to fhir/search.

#include <string>
#include <string_view>

#include "engine/base/partial_date.h"
#include "fhir/search/extractor.h"
#include "fhir/search/parameters.h"
#include "fhir/search/query.h"

namespace kiln::fhir::detail {

/// Appends to `rows` for the parameter that is set. A view is a JsonView or a Node: what the templates need
/// is text() and members by name.
class RowWriter {
 public:
  RowWriter(const ReferenceRewrite* rewrite, std::string_view own_base, IndexRows& rows)
      : rewrite_(rewrite), own_base_(own_base), rows_(rows) {}

  void token(std::string_view system, std::string_view code) {
    if (!code.empty() || !system.empty())
      rows_.tokens.push_back({parameter_, std::string(system), std::string(code)});
  }

  /// What :text of a token searches: display and text beside the code.
  void token_text(std::string_view text) {
    if (with_texts_) string(text);
  }

  /// A token for :of-type.
  void typed_identifier(std::string_view type_system, std::string_view type_code, std::string_view value) {
    if (with_texts_ && !type_code.empty() && !value.empty())
      rows_.tokens.push_back({parameter_, {}, of_type_code(type_system, type_code, value)});
  }

  void string(std::string_view text) {
    if (text.empty()) return;
    text = indexed_part(text);
    rows_.strings.push_back({parameter_, fold(text), std::string(text)});
  }

  void date(std::string_view text) {
    if (const auto value = base::PartialDate::parse_fhir(text))
      rows_.dates.push_back({parameter_, value->lowest_micros(), value->highest_micros()});
  }

  template <class View>
  void period(View node) {
    const auto start = base::PartialDate::parse_fhir(node["start"].text()),
               end = base::PartialDate::parse_fhir(node["end"].text());
    if (!start && !end) return;
    rows_.dates.push_back({parameter_, start ? start->lowest_micros() : kDateLowest,
                           end ? end->highest_micros() : kDateHighest});
  }

  void uri(std::string_view text) {
    if (!text.empty()) rows_.uris.push_back({parameter_, std::string(text)});
  }

  template <class View>
  void reference(View node) {
    const std::string_view text = node["reference"].text();
    const auto renamed = rewrite_ ? rewrite_->reference(text) : std::nullopt;
    target(renamed ? std::string_view(*renamed) : text);
    if (const View identifier = node["identifier"])
      token(identifier["system"].text(), identifier["value"].text());
  }

  void resource(std::string_view type, std::string_view id) {
    if (!type.empty() && !id.empty())
      rows_.references.push_back({parameter_, std::string(type), std::string(id)});
  }

  /// A canonical is found with and without its version.
  void canonical(std::string_view text) {
    if (text.empty()) return;
    rows_.references.push_back({parameter_, {}, std::string(text)});
    if (const std::size_t bar = text.find('|'); bar != std::string_view::npos)
      rows_.references.push_back({parameter_, {}, std::string(text.substr(0, bar))});
  }

  /// A number, Money, Range or Quantity.
  template <class View>
  void number(LeafType leaf, View node) {
    if (leaf == LeafType::number) return quantity(node.text(), node.text(), {}, {});
    const std::string_view value = node["value"].text();
    if (leaf == LeafType::money)
      return quantity(value, value, "urn:iso:std:iso:4217", node["currency"].text());
    if (leaf == LeafType::range) {
      const View side = node["low"] ? node["low"] : node["high"];
      const std::string_view code = side["code"].text().empty() ? side["unit"].text() : side["code"].text();
      return quantity(node["low"]["value"].text(), node["high"]["value"].text(), side["system"].text(), code);
    }
    const std::string_view code = node["code"].text(), unit = node["unit"].text();
    if (!code.empty() || unit.empty()) quantity(value, value, node["system"].text(), code);
    if (!unit.empty() && unit != code) quantity(value, value, {}, unit);
  }

 protected:
  const ReferenceRewrite* rewrite_;
  std::string_view own_base_;
  IndexRows& rows_;
  std::uint16_t parameter_ = 0;
  bool with_texts_ = true;  ///< off for the components of a composite, which take no modifiers

 private:
  /// Where a reference points: a type and id of this server, or a whole URL.
  void target(std::string_view text) {
    if (text.empty()) return;
    const ReferenceParts parts = parse_reference(text, own_base_);
    if (parts.form == ReferenceParts::Form::fragment) return;
    if (parts.form == ReferenceParts::Form::relative)
      rows_.references.push_back({parameter_, std::string(parts.type), std::string(parts.id)});
    else
      rows_.references.push_back({parameter_, {}, std::string(text)});
  }

  void quantity(std::string_view low, std::string_view high, std::string_view system, std::string_view code) {
    const auto low_key = sortable_decimal(low), high_key = sortable_decimal(high);
    if (!low_key && !high_key) return;
    // "" sorts before and "~" behind every number: the open ends of a Range.
    rows_.quantities.push_back(
        {parameter_, low_key.value_or(""), high_key.value_or("~"), std::string(system), std::string(code)});
  }
};

}  // namespace kiln::fhir::detail
