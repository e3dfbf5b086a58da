#include "fhir/terminology/terminology.h"

#include <algorithm>

#include "engine/base/limits.h"
#include "fhir/terminology/code_system_index.h"
#include "fhir/units/ucum.h"

namespace kiln::fhir {
namespace {

using detail::CodeSystemConcept;
using detail::CodeSystemIndex;

constexpr int kNestingMax = 20;  ///< value sets that name value sets
constexpr std::size_t kAnswerBytesMax = 1'000;  ///< url, system and code of one that is kept

/// Both must hold.
Membership both(Membership a, Membership b) {
  if (a == Membership::no || b == Membership::no) return Membership::no;
  return a == Membership::yes && b == Membership::yes ? Membership::yes : Membership::unknown;
}

Membership expansion_contains(Node contains, std::string_view system, std::string_view code, int depth) {
  for (const Node node : contains) {
    if (node.name() != "contains") continue;
    if (node["code"].text() == code && (system.empty() || node["system"].text() == system)) return Membership::yes;
    if (depth < kNestingMax && expansion_contains(node, system, code, depth + 1) == Membership::yes)
      return Membership::yes;
  }
  return Membership::no;
}

}  // namespace

Terminology::Terminology(const Library& library) : library_(library) {}
Terminology::~Terminology() = default;

const CodeSystemIndex* Terminology::system(std::string_view canonical) const {
  const std::lock_guard lock(mutex_);
  auto at = systems_.find(canonical);
  if (at == systems_.end()) {
    auto index = std::make_unique<CodeSystemIndex>(library_.find("CodeSystem", canonical));
    at = systems_.emplace(std::string(canonical), std::move(index)).first;
  }
  return at->second->exists ? at->second.get() : nullptr;
}

Membership Terminology::in_code_system(std::string_view system_url, std::string_view code) const {
  if (detail::has_syntax(system_url)) return detail::syntax_contains(system_url, code);
  const CodeSystemIndex* index = system(system_url);
  if (!index) return Membership::unknown;
  if (index->find(code)) return Membership::yes;
  return index->is_complete ? Membership::no : Membership::unknown;
}

Membership Terminology::subsumes(std::string_view system_url, std::string_view ancestor, std::string_view code) const {
  const CodeSystemIndex* index = system(system_url);
  if (!index) return Membership::unknown;
  if (index->find(ancestor) && index->find(code))
    return index->is_a(code, ancestor) ? Membership::yes : index->is_complete ? Membership::no : Membership::unknown;
  return index->is_complete ? Membership::no : Membership::unknown;
}

std::string_view Terminology::display_of(std::string_view system_url, std::string_view code) const {
  const CodeSystemIndex* index = system(system_url);
  const CodeSystemConcept* found = index ? index->find(code) : nullptr;
  return found ? found->display : std::string_view();
}

bool Terminology::is_known_system(std::string_view system_url) const {
  if (detail::has_syntax(system_url)) return true;
  const CodeSystemIndex* index = system(system_url);
  return index && index->is_complete;
}

Membership Terminology::in_value_set(std::string_view canonical, std::string_view system_url,
                                     std::string_view code) const {
  std::string key;
  key.reserve(canonical.size() + system_url.size() + code.size() + 2);
  key.append(canonical).append(1, '\0').append(system_url).append(1, '\0').append(code);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = answers_.find(key); found != answers_.end()) return found->second;
  }
  const Node value_set = library_.find("ValueSet", canonical);
  const Membership answer = value_set ? value_set_contains(value_set, system_url, code, 0) : Membership::unknown;
  const std::lock_guard lock(mutex_);
  if (answers_.size() >= base::limits::kTerminologyAnswersMax) answers_.clear();
  if (key.size() <= kAnswerBytesMax) answers_.emplace(std::move(key), answer);
  return answer;
}

Membership Terminology::in_value_set(Node value_set, std::string_view system_url, std::string_view code) const {
  return value_set_contains(value_set, system_url, code, 0);
}

Membership Terminology::value_set_contains(Node value_set, std::string_view system_url, std::string_view code,
                                           int depth) const {
  if (depth > kNestingMax) return Membership::unknown;
  const Node compose = value_set["compose"];
  if (!compose) {
    const Node expansion = value_set["expansion"];
    return expansion ? expansion_contains(expansion, system_url, code, 0) : Membership::unknown;
  }
  Membership result = Membership::no;
  for (const Node include : compose) {
    if (include.name() != "include" || result == Membership::yes) continue;
    const Membership found = include_contains(include, system_url, code, depth);
    if (found != Membership::no) result = found;
  }
  if (result == Membership::no) return result;
  for (const Node exclude : compose) {
    if (exclude.name() != "exclude") continue;
    const Membership found = include_contains(exclude, system_url, code, depth);
    if (found == Membership::yes) return Membership::no;
    if (found == Membership::unknown) result = Membership::unknown;
  }
  return result;
}

Membership Terminology::include_contains(Node include, std::string_view system_url, std::string_view code,
                                         int depth) const {
  Membership result = Membership::yes;
  if (const Node named = include["system"]) {
    if (!system_url.empty() && system_url != named.text()) return Membership::no;
    if (include["concept"]) {
      result = Membership::no;
      for (const Node concept_ : include) {
        if (concept_.name() == "concept" && concept_["code"].text() == code) result = Membership::yes;
      }
    } else if (include["filter"]) {
      result = filters_match(include, named.text(), code);
    } else {
      result = in_code_system(named.text(), code);
    }
  }
  for (const Node value_set : include) {
    if (value_set.name() != "valueSet" || result == Membership::no) continue;
    const Node other = library_.find("ValueSet", value_set.text());
    result = both(result, other ? value_set_contains(other, system_url, code, depth + 1) : Membership::unknown);
  }
  return result;
}

Membership Terminology::filters_match(Node include, std::string_view system_url, std::string_view code) const {
  const CodeSystemIndex* index = system(system_url);
  if (!index) return Membership::unknown;
  const CodeSystemConcept* concept_ = index->find(code);
  if (!concept_) return index->is_complete ? Membership::no : Membership::unknown;
  Membership result = Membership::yes;
  for (const Node filter : include) {
    if (filter.name() != "filter") continue;
    result = both(result, index->matches(*concept_, filter["property"].text(), filter["op"].text(),
                                         filter["value"].text()));
  }
  return result;
}

base::Result<CodeLookup> Terminology::lookup(std::string_view system_url, std::string_view code) const {
  if (system_url == "http://unitsofmeasure.org") {
    const auto unit = parse_unit(code);
    if (!unit)
      return base::fail(base::ErrorCode::fhir_unknown_code, "not a unit of the table that is at hand", std::string(system_url));
    CodeLookup result{"UCUM", {}, std::string(code), {}, false, {}, {}, base_units(*unit)};
    return result;
  }
  const CodeSystemIndex* index = system(system_url);
  if (!index)
    return base::fail(base::ErrorCode::fhir_not_supported, "the code system is not at hand", std::string(system_url));
  const CodeSystemConcept* found = index->find(code);
  if (!found) {
    return base::fail(base::ErrorCode::fhir_unknown_code,
                      index->is_complete ? "the code system has no such code"
                                         : "the part of the code system that is at hand has no such code",
                      std::string(system_url));
  }
  CodeLookup result{std::string(index->name),     std::string(index->version), std::string(found->code),
                    std::string(found->display), found->is_abstract,          {},
                    {},                          {}};
  for (const std::string_view parent : found->parents) result.parents.emplace_back(parent);
  for (const CodeSystemConcept& other : index->concepts) {
    if (std::find(other.parents.begin(), other.parents.end(), found->code) != other.parents.end())
      result.children.emplace_back(other.code);
  }
  return result;
}

}  // namespace kiln::fhir
