#pragma once
// Paths as the guide writes them: targets such as `identifier[4].type.coding.code`, sources such as `PID-5`
// or `CX.4`.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::mappings {

struct GuideStep {
  std::string name;
  std::string index;  ///< the number of an instance, "1" when none is written
};

/// Nothing for paths with types, ranges, `$this`, several resources or prose.
std::optional<std::vector<GuideStep>> guide_steps(std::string_view target);

/// A field or component as hmap reads it.
struct GuideSource {
  std::string path;      ///< "PID-5", ".4"
  std::string datatype;  ///< in 2.5.1, else in the first version that has the field
  std::string since;     ///< "2.7" when 2.5.1 does not have it
  bool repeats = false;
  bool composite = false;
};

class GuideSources {
 public:
  /// `owner`: segment or datatype; `self` as for translate().
  GuideSources(std::string_view owner, bool segment, std::string_view self)
      : owner_(owner), segment_(segment), self_(self) {}
  /// `datatype`: what the guide says the field is; a coded field of an older version is read as one.
  std::optional<GuideSource> find(std::string_view text, std::string_view datatype = {}) const;

 private:
  std::string owner_;
  bool segment_;
  std::string self_;
};

/// `performer[1].actor(Practitioner)` -> "performer.actor(Practitioner)": as the keys of plain paths are
/// written, to see which of them it belongs to.
std::string guide_key(std::string_view target);

/// What the version bridge makes of a datatype: CE -> CWE.
std::string bridged_datatype(std::string_view datatype);

}  // namespace kiln::mappings
