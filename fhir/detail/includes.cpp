#include "fhir/detail/includes.h"

#include <algorithm>
#include <unordered_set>

#include "engine/base/limits.h"

namespace kiln::fhir::detail {
namespace {

/// Collects by rounds: what the matches bring, then (for :iterate) what that brings.
class Collector {
 public:
  Collector(const Call& call, const std::vector<Include>& includes) : call_(call), includes_(includes) {}

  Answer<Included> run(const std::vector<StoredVersion>& matches) {
    for (const StoredVersion& match : matches) seen_.insert(match.type + "/" + match.id);
    TRY_VOID(follow(matches, false));
    for (std::size_t round = 0, begin = 0; round < base::limits::kSearchIncludeRoundsMax; ++round) {
      const std::vector<StoredVersion> fresh(found_.rows.begin() + static_cast<std::ptrdiff_t>(begin),
                                             found_.rows.end());
      begin = found_.rows.size();
      if (fresh.empty()) break;
      TRY_VOID(follow(fresh, true));
    }
    return std::move(found_);
  }

 private:
  bool is_full() {
    found_.is_cut = found_.is_cut || found_.rows.size() >= base::limits::kSearchIncludedMax ||
                    bytes_ >= base::limits::kSearchIncludedBytesMax;
    return found_.is_cut;
  }

  void add(StoredVersion row) {
    bytes_ += row.body.size();
    found_.rows.push_back(std::move(row));
  }

  bool is_allowed(std::string_view type) const {
    const Access* access = call_.server->access;
    return access && access->allow(*call_.principal, "search", type, {});
  }

  Answer<void> follow(const std::vector<StoredVersion>& from, bool only_iterating) {
    for (const Include& include : includes_) {
      if (only_iterating && !include.iterate) continue;
      if (include.reverse) {
        TRY_VOID(add_referring(include, from));
        continue;
      }
      for (const StoredVersion& version : from)
        if (include.source.empty() || include.source == version.type) TRY_VOID(add_targets(include, version));
    }
    return {};
  }

  Answer<void> add_targets(const Include& include, const StoredVersion& from) {
    TRY(const base::JsonDocument document,
        base::parse_json(from.body, {base::limits::kArchiveFileBytesMax, base::limits::kJsonDepthMax}));
    std::vector<ReferenceRow> targets;
    for (const Parameter& parameter : type_parameters(from.type)->all()) {
      if (parameter.kind != ParameterKind::reference ||
          (include.parameter && include.parameter != &parameter))
        continue;
      auto rows = extract_rows(parameter, document.root(), call_.server->base_url).references;
      targets.insert(targets.end(), rows.begin(), rows.end());
    }
    for (const ReferenceRow& target : targets) {
      if (target.target_type.empty() || (!include.target.empty() && include.target != target.target_type))
        continue;
      if (!is_allowed(target.target_type) ||
          !seen_.insert(target.target_type + "/" + target.target_id).second)
        continue;
      if (is_full()) return {};
      TRY(auto found, call_.store->read(target.target_type, target.target_id));
      if (found && !found->deleted()) add(std::move(*found));
    }
    return {};
  }

  /// Those that refer to any of `from`, some hundred of them at a time.
  Answer<void> add_referring(const Include& include, const std::vector<StoredVersion>& from) {
    if (!is_allowed(include.source)) return {};
    for (const Parameter& parameter : type_parameters(include.source)->all()) {
      if (parameter.kind != ParameterKind::reference ||
          (include.parameter && include.parameter != &parameter))
        continue;
      SearchClause clause;
      clause.parameter = &parameter;
      for (const StoredVersion& version : from) {
        if (!include.target.empty() && include.target != version.type) continue;
        SearchValue value;
        value.target_type = version.type;
        value.target_id = version.id;
        clause.values.push_back(std::move(value));
        if (clause.values.size() == kValuesAtOnce) TRY_VOID(add_matches(include.source, clause));
      }
      if (!clause.values.empty()) TRY_VOID(add_matches(include.source, clause));
    }
    return {};
  }

  Answer<void> add_matches(const std::string& type, SearchClause& clause) {
    if (is_full()) return {};
    SearchQuery query;
    query.type = type;
    query.clauses.push_back(clause);
    clause.values.clear();
    query.count = base::limits::kSearchIncludedMax;
    query.bytes_max = base::limits::kSearchIncludedBytesMax - bytes_;
    TRY(SearchPage page, call_.store->search(query));
    found_.is_cut = found_.is_cut || page.more;
    for (StoredVersion& row : page.rows) {
      if (!seen_.insert(row.type + "/" + row.id).second) continue;
      if (is_full()) return {};
      add(std::move(row));
    }
    return {};
  }

  static constexpr std::size_t kValuesAtOnce = 200;
  const Call& call_;
  const std::vector<Include>& includes_;
  std::unordered_set<std::string> seen_;
  std::size_t bytes_ = 0;  ///< of found_
  Included found_;
};

}  // namespace

Answer<Included> find_included(const Call& call, const std::vector<Include>& includes,
                               const std::vector<StoredVersion>& matches) {
  if (includes.empty()) return Included{};
  return Collector(call, includes).run(matches);
}

}  // namespace kiln::fhir::detail
