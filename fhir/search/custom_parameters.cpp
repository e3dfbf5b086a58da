#include "fhir/search/custom_parameters.h"

#include <algorithm>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "fhir/definitions/definitions.h"
#include "fhir/primitives.h"

namespace kiln::fhir {

using base::ErrorCode;
using base::fail;
using base::JsonView;

namespace {

std::optional<SearchType> search_type_of(std::string_view name) {
  for (const SearchType type :
       {SearchType::token, SearchType::string, SearchType::date, SearchType::reference, SearchType::uri,
        SearchType::number, SearchType::quantity})
    if (name_of(type) == name) return type;
  return std::nullopt;
}

tl::unexpected<Failure> broken(std::string text, const char* member) {
  return tl::unexpected(Failure(
      base::Error{ErrorCode::fhir_rule, std::move(text), std::string("SearchParameter.") + member, {}}));
}

bool is_code(std::string_view text) {
  if (text.empty() || text.size() > 64 || text.front() == '_') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

Answer<std::unique_ptr<CustomDefinition>> read_one(JsonView resource, std::string_view base,
                                                   SearchType type) {
  if (!find_resource_type(base)) return broken("a base is not a resource type of R4", "base");
  auto out = std::make_unique<CustomDefinition>();
  out->type = base;
  out->code = resource["code"].text();
  out->url = resource["url"].text();
  out->expression = resource["expression"].text();
  out->search_type = type;
  for (const JsonView target : resource["target"]) out->targets.emplace_back(target.text());
  auto simple = detail::compile_expression(out->expression, base, type);
  if (simple && !simple->paths.empty())
    out->extractor = std::make_unique<detail::Extractor>(std::move(*simple));
  CompileOptions options;
  options.as_filters = true;
  options.type = find_resource_type(base);
  auto compiled = PathExpression::compile(out->expression, options);
  if (!compiled) return broken("the expression: " + compiled.error().message(), "expression");
  out->path = std::move(*compiled);
  return out;
}

}  // namespace

std::string CustomDefinition::fingerprint() const {
  return base::sha256_hex(type + "\n" + code + "\n" + std::string(name_of(search_type)) + "\n" + expression)
      .substr(0, 16);
}

Answer<std::vector<std::unique_ptr<CustomDefinition>>> read_search_parameter(JsonView resource) {
  std::vector<std::unique_ptr<CustomDefinition>> out;
  if (resource["status"].text() != "active") return out;
  // What R4 has by that code stays as it is; the resource is only kept.
  const std::string_view code = resource["code"].text();
  std::vector<std::string_view> bases;
  for (const JsonView base : resource["base"])
    if (!search_parameter(base.text(), code)) bases.push_back(base.text());
  if (bases.empty()) return out;
  const auto type = search_type_of(resource["type"].text());
  if (!type) return broken("composite and special parameters cannot be added", "type");
  if (!is_code(code)) return broken("the code must be letters, digits, '-' and '_'", "code");
  if (resource["expression"].text().empty())
    return broken("an active parameter needs an expression", "expression");
  if (resource["expression"].text().size() > base::limits::kPathExpressionBytesMax)
    return broken("the expression is too long", "expression");
  for (const std::string_view base : bases) {
    TRY(auto one, read_one(resource, base, *type));
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace kiln::fhir
