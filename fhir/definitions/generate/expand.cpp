// ValueSet expansion, as far as complete code systems and concept filters carry.

#include <optional>
#include <set>

#include "fhir/definitions/generate/generate.h"

namespace kiln::fhir {
namespace {

using Codes = std::map<std::pair<std::string, std::string>, std::string>;

/// Code systems whose codes are a syntax or a list kept by others.
ValueSetRule rule_of_system(const std::string& system) {
  if (system == "urn:ietf:bcp:13") return ValueSetRule::mime_type;
  if (system == "urn:ietf:bcp:47") return ValueSetRule::language;
  if (system == "http://unitsofmeasure.org") return ValueSetRule::ucum;
  if (system == "urn:iso:std:iso:4217") return ValueSetRule::currency;
  return ValueSetRule::unknown;
}

class Expander {
 public:
  explicit Expander(const DefinitionModel& model) : model_(model) {}

  std::optional<Codes> expand(const std::string& url) {
    const auto found = model_.value_sets.find(url);
    if (found == model_.value_sets.end() || found->second.includes.empty()) return std::nullopt;
    if (!open_.insert(url).second) return std::nullopt;  // a value set that includes itself
    auto codes = expand(found->second);
    open_.erase(url);
    return codes;
  }

 private:
  std::optional<Codes> expand(const ValueSetModel& value_set) {
    Codes result;
    for (const IncludeModel& include : value_set.includes) {
      auto codes = expand(include);
      if (!codes) return std::nullopt;
      result.merge(*codes);
    }
    for (const IncludeModel& exclude : value_set.excludes) {
      const auto codes = expand(exclude);
      if (!codes) return std::nullopt;
      for (const auto& [code, display] : *codes) result.erase(code);
    }
    return result;
  }

  /// The codes of the system and of every value set named: the intersection.
  std::optional<Codes> expand(const IncludeModel& include) {
    std::optional<Codes> result;
    if (!include.system.empty()) {
      result = expand_system(include);
      if (!result) return std::nullopt;
    }
    for (const std::string& url : include.value_sets) {
      auto codes = expand(url);
      if (!codes) return std::nullopt;
      if (result) {
        std::erase_if(*result, [&](const auto& entry) { return !codes->contains(entry.first); });
      } else {
        result = std::move(codes);
      }
    }
    return result;
  }

  std::optional<Codes> expand_system(const IncludeModel& include) const {
    const auto found = model_.code_systems.find(include.system);
    const CodeSystemModel* system = found == model_.code_systems.end() ? nullptr : &found->second;
    Codes codes;
    if (!include.concepts.empty()) {
      std::map<std::string_view, std::string_view> displays;
      if (system) {
        for (const ConceptModel& concept_ : system->concepts)
          displays.emplace(concept_.code, concept_.display);
      }
      for (const auto& [code, display] : include.concepts) {
        codes.emplace(std::pair(code, include.system),
                      display.empty() ? std::string(displays[code]) : display);
      }
      return codes;
    }
    if (!system || !system->is_complete || system->concepts.empty()) return std::nullopt;
    for (std::size_t i = 0; i < system->concepts.size(); ++i) {
      bool keep = true;
      for (const IncludeModel::Filter& filter : include.filters) {
        const auto matches = passes(*system, i, filter);
        if (!matches) return std::nullopt;
        keep = keep && *matches;
      }
      const ConceptModel& concept_ = system->concepts[i];
      if (keep) codes.emplace(std::pair(concept_.code, include.system), concept_.display);
    }
    return codes;
  }

  static std::optional<bool> passes(const CodeSystemModel& system, std::size_t index,
                                    const IncludeModel::Filter& filter) {
    if (filter.property != "concept" && filter.property != "code") return std::nullopt;
    const bool self = system.concepts[index].code == filter.value;
    bool below = false;
    std::size_t steps = 0;
    for (std::size_t at = system.concepts[index].parent; at != ConceptModel::npos && !below;
         at = system.concepts[at].parent) {
      if (++steps > system.concepts.size()) return std::nullopt;  // a ring of parents
      below = system.concepts[at].code == filter.value;
    }
    if (filter.op == "is-a") return self || below;
    if (filter.op == "is-not-a") return !self && !below;
    if (filter.op == "descendent-of") return below;
    if (filter.op == "=") return self;
    return std::nullopt;
  }

  const DefinitionModel& model_;
  std::set<std::string> open_;
};

}  // namespace

ExpansionModel expand_value_set(const DefinitionModel& model, const std::string& url) {
  ExpansionModel result;
  if (auto codes = Expander(model).expand(url)) {
    result.rule = ValueSetRule::list;
    result.codes = std::move(*codes);
    return result;
  }
  const auto found = model.value_sets.find(url);
  if (found == model.value_sets.end() || found->second.includes.size() != 1) return result;
  const IncludeModel& only = found->second.includes.front();
  if (only.concepts.empty() && only.filters.empty() && only.value_sets.empty()) {
    result.rule = rule_of_system(only.system);
    if (result.rule != ValueSetRule::unknown) result.rule_system = only.system;
  }
  return result;
}

}  // namespace kiln::fhir
