#pragma once
// Terminology without a server: what can be told from the code systems, value sets and concept maps at hand. Whatever
// cannot be told is `unknown`, never a guess.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/base/result.h"
#include "fhir/conformance/library.h"

namespace kiln::fhir {

/// Is a code in a value set or code system?
enum class Membership : std::uint8_t { no, yes, unknown };

namespace detail {
struct CodeSystemIndex;
}

struct CodeEntry {
  std::string system, code, display;
  bool is_abstract = false;  ///< only groups others: not to be chosen
};

struct ExpandOptions {
  std::string filter;  ///< part of the display or code, without regard to case
  std::size_t offset = 0;
  std::size_t count = 0;  ///< 0: all
};

struct Expansion {
  std::vector<CodeEntry> codes;
  std::size_t total = 0;  ///< before offset and count
};

struct CodeLookup {
  std::string system_name, version, code, display;
  bool is_abstract = false;
  std::vector<std::string> parents, children;
  std::string canonical;  ///< of a UCUM unit: its base units
};

struct CodeTranslation {
  std::string equivalence, system, code, display, map_url;
};

/// Thread-safe once the library is loaded. Borrows the library.
class Terminology {
 public:
  explicit Terminology(const Library& library);
  ~Terminology();

  /// `system` empty: a code without system (a `code` element) is looked for in whatever system the set has.
  Membership in_value_set(std::string_view canonical, std::string_view system, std::string_view code) const;
  Membership in_value_set(Node value_set, std::string_view system, std::string_view code) const;
  /// `unknown` when the system is not at hand or only in part.
  Membership in_code_system(std::string_view system, std::string_view code) const;
  /// Whether `code` is `ancestor` or below it.
  Membership subsumes(std::string_view system, std::string_view ancestor, std::string_view code) const;
  /// The code's display; empty when it is unknown or has none.
  std::string_view display_of(std::string_view system, std::string_view code) const;
  /// The system is at hand with all its codes, or its codes are a syntax that is checked.
  bool is_known_system(std::string_view system) const;

  /// Errors: fhir_not_found (no such set), fhir_no_expansion (it names what is missing), limit_exceeded.
  base::Result<Expansion> expand(std::string_view canonical, const ExpandOptions& options = {}) const;
  /// Errors: fhir_not_supported (the system is not at hand), fhir_unknown_code.
  base::Result<CodeLookup> lookup(std::string_view system, std::string_view code) const;
  /// Through one concept map, or (empty `map`) through every one that has the source system; of `target` only when it
  /// is not empty. No match gives an empty list. Errors: fhir_not_found (no such map).
  base::Result<std::vector<CodeTranslation>> translate(std::string_view map, std::string_view system,
                                                       std::string_view code, std::string_view target = {}) const;

 private:
  friend class Expander;
  const detail::CodeSystemIndex* system(std::string_view canonical) const;
  Membership include_contains(Node include, std::string_view system, std::string_view code, int depth) const;
  Membership filters_match(Node include, std::string_view system, std::string_view code) const;
  Membership value_set_contains(Node value_set, std::string_view system, std::string_view code, int depth) const;

  const Library& library_;
  mutable std::mutex mutex_;  ///< guards systems_ and answers_
  mutable std::map<std::string, std::unique_ptr<detail::CodeSystemIndex>, std::less<>> systems_;
  mutable std::unordered_map<std::string, Membership> answers_;  ///< of in_value_set(), asked for again and again
};

}  // namespace kiln::fhir
