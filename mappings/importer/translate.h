#pragma once
// Rows of the guide as rules of hmap, as far as a row says by itself what becomes of its field: an element
// that R4 has, a conversion or a code table that exists, a condition about fields of the same segment.
// Everything else (narrative conditions, prose, rows that make another resource, rows that write one value
// together) is left to people, with the reason.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mappings/importer/guide.h"

namespace kiln::mappings {

/// What rules may refer to.
struct RuleNames {
  std::set<std::string, std::less<>> tables;       ///< code tables with a system: "MaritalStatus"
  std::set<std::string, std::less<>> conversions;  ///< "CX -> Identifier"
};

struct GuideRule {
  std::vector<int> rows;
  std::string path;       ///< "identifier", "deceased", "ext(religion)"
  std::string text;       ///< one line, without a comment
  std::string condition;  ///< behind `if`; may be empty
  std::string since;      ///< "2.7": the first version with its field, when 2.5.1 has it not
  bool constant = false;  ///< only literals
};

struct GuideExtension {
  std::string name, url, type;
};

struct Translation {
  std::string source, target;  ///< "PID", "Patient"
  std::vector<GuideRule> rules;
  std::vector<GuideExtension> extensions;
  std::map<int, std::string> by_hand;  ///< row -> why no rule is made of it
};

/// Segment and datatype sheets. `left_out`: rows that do not count, since the overlay has them. `self` is
/// what stands before a component: "" for `.1` in a datatype map, "x" for a fragment's parameter.
Translation translate(const GuideSheet& sheet, const RuleNames& names,
                      const std::function<bool(int)>& left_out, std::string_view self = {});

}  // namespace kiln::mappings
