#include "channels/change_filter.h"

#include <algorithm>

#include "engine/base/json.h"
#include "fhir/definitions/definitions.h"

namespace kiln::channels {

using base::ErrorCode;
using base::Result;
using Kind = fhir::SearchClause::Kind;

namespace {

/// The name of a clause that one version cannot answer; empty when there is none.
std::string beyond_one_version(const std::vector<fhir::SearchClause>& clauses) {
  for (const fhir::SearchClause& clause : clauses) {
    const bool follows = clause.kind == Kind::chain || clause.kind == Kind::has;
    const bool by_time = clause.kind == Kind::value && clause.parameter != nullptr &&
                         clause.parameter->kind == fhir::ParameterKind::last_updated;
    if (follows || by_time) return clause.name;
    if (std::string inner = beyond_one_version(clause.any); !inner.empty()) return inner;
  }
  return {};
}

base::Error refusal(const std::string& criterion, const std::string& why) {
  return {ErrorCode::channel_option, "criteria \"" + criterion + "\": " + why, {}, {}};
}

}  // namespace

Result<ChangeFilter> ChangeFilter::parse(const std::vector<std::string>& criteria, std::string own_base) {
  ChangeFilter out;
  out.own_base_ = std::move(own_base);
  for (const std::string& criterion : criteria) {
    const std::size_t question = criterion.find('?');
    Entry entry;
    entry.type = criterion.substr(0, question);
    if (!fhir::find_resource_type(entry.type))
      return base::fail(refusal(criterion, "`" + entry.type + "` is no R4 resource type"));
    if (question != std::string::npos && question + 1 < criterion.size()) {
      const auto query =
          fhir::parse_criteria(entry.type, std::string_view(criterion).substr(question + 1), out.own_base_);
      if (!query) return base::fail(refusal(criterion, query.error().shown().front().text));
      entry.query = *query;
      const std::string beyond = beyond_one_version(entry.query.clauses);
      if (!beyond.empty())
        return base::fail(
            refusal(criterion, "`" + beyond + "` cannot be told from the changed resource alone"));
    }
    out.entries_.push_back(std::move(entry));
  }
  return out;
}

bool ChangeFilter::names_type(std::string_view type) const {
  return entries_.empty() || std::any_of(entries_.begin(), entries_.end(),
                                         [&](const Entry& entry) { return entry.type == type; });
}

bool ChangeFilter::matches(const Change& change) const {
  if (entries_.empty()) return true;
  if (!names_type(change.type)) return false;
  const auto whole = std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.type == change.type && entry.query.clauses.empty();
  });
  if (whole) return true;
  const auto document = base::parse_json(change.resource);
  const fhir::TypeParameters* parameters = fhir::type_parameters(change.type);
  if (!document || parameters == nullptr) return false;
  const fhir::IndexRows rows = fhir::extract_rows(*parameters, document->root(), nullptr, own_base_);
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.type == change.type && fhir::matches(entry.query, rows, change.id);
  });
}

}  // namespace kiln::channels
