#include "fhir/detail/terminology_input.h"

#include <algorithm>

#include "fhir/detail/operations.h"
#include "fhir/model/json.h"
#include "fhir/search/query.h"
#include "fhir/validation/validator.h"

namespace kiln::fhir::detail {

using base::ErrorCode;
using base::fail;
using base::JsonView;

namespace {

CodeInput code_of(JsonView coding) {
  return {std::string(coding["system"].text()), std::string(coding["version"].text()),
          std::string(coding["code"].text()), std::string(coding["display"].text())};
}

/// Stored resources that one question may pull in.
constexpr std::size_t kStoredMax = 100;

}  // namespace

Answer<std::vector<CodeInput>> read_codes(const OperationInput& input, std::string_view system_name) {
  std::vector<CodeInput> codes;
  if (const auto code = input.text("code"); !code.empty())
    codes.push_back({std::string(input.text(system_name)), std::string(input.text("version")),
                     std::string(code), std::string(input.text("display"))});
  if (const JsonView coding = input.value("coding")) codes.push_back(code_of(coding));
  for (const JsonView coding : input.value("codeableConcept")["coding"]) codes.push_back(code_of(coding));
  if (codes.empty() || codes.front().code.empty())
    return fail(ErrorCode::fhir_required, "a code is missing (code, coding or codeableConcept)", "code");
  return codes;
}

Answer<std::string> TerminologyScope::add(std::string_view json) {
  ReadOptions options;
  options.unknown = UnknownElements::keep;
  TRY(Tree tree, read_json(json, options));
  std::string url(tree.root()["url"].text());
  // Without a url it still needs a name to be asked for.
  if (url.empty()) return fail(ErrorCode::fhir_required, "the resource has no url", "url");
  seen_.push_back(std::string(tree.root().type()->name()) + " " + url);
  library_.add(tree);
  own_ = nullptr;
  TRY_VOID(add_parts(tree.root()));
  return url;
}

Answer<std::string> TerminologyScope::add_given(JsonView resource) {
  return add(base::print_json(resource));
}

Answer<std::string> TerminologyScope::add_instance() {
  TRY(const auto found, call_.store->read(call_.type, call_.id));
  if (!found) return fail(ErrorCode::fhir_not_found);
  if (found->deleted()) return tl::unexpected(gone(*found));
  return add(found->body);
}

Answer<std::string> TerminologyScope::add_subject(const OperationInput& input, std::string_view type,
                                                  std::string_view member) {
  if (!call_.id.empty()) return add_instance();
  if (const JsonView given = input.resource(member)) return add_given(given);
  std::string url(input.text("url"));
  TRY_VOID(add_stored(type, url));
  return url;
}

Answer<void> TerminologyScope::add_stored(std::string_view type, std::string_view canonical) {
  const std::string_view url = canonical.substr(0, canonical.find('|'));
  const std::string key = std::string(type) + " " + std::string(url);
  if (url.empty() || seen_.size() >= kStoredMax || std::find(seen_.begin(), seen_.end(), key) != seen_.end())
    return {};
  seen_.push_back(key);
  SearchQuery query;
  query.type = type;
  query.count = 1;
  SearchClause clause;
  clause.parameter = type_parameters(type)->find("url");
  SearchValue value;
  value.text = url;
  clause.values.push_back(std::move(value));
  query.clauses.push_back(std::move(clause));
  query.descending = true;  // of several versions the one that came last
  TRY(const SearchPage page, call_.store->search(query));
  if (page.rows.empty()) return {};
  TRY_VOID(add(page.rows.front().body));
  return {};
}

/// Value sets and code systems that a value set names.
Answer<void> TerminologyScope::add_parts(Node resource) {
  for (const char* list : {"include", "exclude"}) {
    for (const Node part : resource["compose"]) {
      if (part.name() != list) continue;
      TRY_VOID(add_stored("CodeSystem", part["system"].text()));
      for (const Node set : part)
        if (set.name() == "valueSet") TRY_VOID(add_stored("ValueSet", set.text()));
    }
  }
  return {};
}

const Terminology& TerminologyScope::terminology() {
  if (library_.loaded() == 0) return validator_of(*call_.server).terminology();
  if (!own_) own_ = std::make_unique<Terminology>(library_);
  return *own_;
}

}  // namespace kiln::fhir::detail
