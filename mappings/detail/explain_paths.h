#pragma once
// Paths as `kiln explain` compares them.

#include <string>
#include <string_view>
#include <vector>

namespace kiln::mappings::detail {

/// `entry[0]`; index is -1 when none is written.
struct PathStep {
  std::string_view name;
  int index = -1;
};
/// Steps of a FHIRPath-like path; views into `path`.
std::vector<PathStep> path_steps(std::string_view path);

/// `query` leads to `path` or to something around it.
bool is_at_or_below(std::string_view path, std::string_view query);

/// "NK1[2]-5[1].1.2"; 0 = not written, -1 = "[*]".
struct Hl7Place {
  std::string_view segment;
  int occurrence = 0, field = 0, repetition = 0, component = 0, subcomponent = 0;
  bool valid = false;
};
Hl7Place hl7_place(std::string_view text);

}  // namespace kiln::mappings::detail
