#pragma once
// Which rules the tests ran: `kiln test --coverage` (hmap.md §15).

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "mappings/compiler.h"
#include "mappings/package.h"
#include "mappings/program.h"

namespace kiln::mappings {

struct CoveredRule {
  std::string address;       ///< "module:map/handle.path@label"
  std::string place;         ///< "maps/adt.hmap:21"
  std::uint64_t values = 0;  ///< output values that it wrote, or that were made from its value; 0: never run
};

/// Counts over the results of one compiled library. A rule counts when a value of some output is its own,
/// when a rule inside its value wrote one, or when a datatype map made one from its source at its target.
/// Fragments count once, however often they are included.
class RuleCoverage {
 public:
  /// Rules of the site's own files; of shipped ones too with `shipped`.
  RuleCoverage(const Library& library, const CompiledLibrary& compiled, bool shipped = false);
  /// `runner` must have made the result last.
  void add(const RunResult& result, const Runner& runner);

  /// In order of file and line.
  std::vector<CoveredRule> rules() const;

 private:
  struct Rule {
    base::Span span;
    std::string address, target;       ///< target: last step, "name"
    std::vector<std::string> sources;  ///< v2 paths of its text
    std::uint64_t values = 0;
  };
  void add_conversion(const std::string& path, const std::vector<std::string>& sources);

  const Library& library_;
  const CompiledLibrary& compiled_;
  std::vector<Rule> rules_;                    ///< by place
  std::vector<std::uint32_t> rule_of_record_;  ///< unit's rule -> rules_, UINT32_MAX where it is not counted
};

/// Share of rules that ran, then those that never did.
std::string render(const std::vector<CoveredRule>& rules);

}  // namespace kiln::mappings
