#pragma once
// Collects the issues of one validation: FHIRPath place, position in the text, a cap.

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "fhir/outcome.h"

namespace kiln::fhir::detail {

/// Where the walk is: a chain on the stack, printed only when there is an issue.
struct Place {
  const Place* parent = nullptr;
  std::string_view name;
  std::ptrdiff_t index = -1;  ///< position in a list; -1: not in a list

  std::string print() const;
};

class IssueList {
 public:
  IssueList(std::string_view source, std::size_t issues_max) : source_(source), max_(issues_max) {}

  /// Adds an error at the value's position. `code` is an issue type.
  void add(std::string_view code, const Place& place, base::JsonView value, std::string text);
  /// The cap is reached: there is no use in looking further.
  bool full() const { return full_; }
  std::vector<Issue> take() { return std::move(issues_); }

 private:
  std::string position_of(std::size_t offset);

  std::string_view source_;
  std::size_t max_;
  bool full_ = false;
  std::vector<Issue> issues_;
  // Where position_of stopped last: issues come mostly in the order of the text.
  std::size_t seen_offset_ = 0, seen_line_ = 1, line_begin_ = 0;
};

/// "a string of 10 characters", "an array of 2": what was found without its value.
std::string shape_of(base::JsonView value);

}  // namespace kiln::fhir::detail
