#pragma once
// One code system, ready for look-ups. Private to fhir/terminology.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fhir/terminology/terminology.h"

namespace kiln::fhir::detail {

struct CodeSystemConcept {
  std::string_view code, display;
  std::vector<std::string_view> parents;
  bool is_abstract = false;
};

struct CodeSystemIndex {
  explicit CodeSystemIndex(Node code_system);

  bool exists = false;
  bool is_complete = false;  ///< all codes are here
  bool is_case_sensitive = true;
  std::string_view name, version;
  std::vector<CodeSystemConcept> concepts;  ///< in the order of the definition
  std::map<std::string, std::size_t, std::less<>> positions;

  const CodeSystemConcept* find(std::string_view code) const;
  /// `code` is `ancestor` or below it.
  bool is_a(std::string_view code, std::string_view ancestor) const;
  /// What one filter of a value set says about a code of this system.
  Membership matches(const CodeSystemConcept& concept_, std::string_view property, std::string_view op,
                     std::string_view value) const;

 private:
  void add(Node concepts, std::string_view parent, int depth);
  std::string key_of(std::string_view code) const;
};

/// Systems whose codes are a syntax: MIME types, languages, units, currencies.
bool has_syntax(std::string_view system);
Membership syntax_contains(std::string_view system, std::string_view code);

}  // namespace kiln::fhir::detail
