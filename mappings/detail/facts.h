#pragma once
// What the runtime derives from a compiled unit once, so that a run need not.

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hl7/structure.h"
#include "mappings/csv.h"
#include "mappings/detail/actions.h"
#include "mappings/detail/code_index.h"
#include "mappings/detail/conditions.h"
#include "mappings/detail/ir.h"
#include "mappings/detail/plans.h"
#include "mappings/detail/simple_pattern.h"
#include "mappings/targets/output_buffer.h"
#include "mappings/value.h"

namespace kiln::mappings::detail {

/// How a member prints. Borrowed from the unit and its Facts.
struct MemberFacts {
  PaddedText key;  ///< `,"name":`, of a list with its `[`
  std::string_view name;
  bool list = false, primitive = false, companion = false;
};

/// A text of the program between quotes. `data` views the text itself; the quotes stand around it, and
/// PaddedText::kBlock bytes can be read from the first of them on.
struct QuotedText {
  const char* data = nullptr;
  std::uint32_t size = 0;
  bool plain = false;  ///< nothing in it needs an escape: it prints as it stands, quotes included
};

/// How a FHIR shape prints, and slots that the runtime itself reads or writes; kNoSlot where it has none.
struct ShapeFacts {
  const MemberFacts* members = nullptr;
  PaddedText resource;  ///< `{"resourceType":"Patient"`
  std::uint16_t id = ir::kNoSlot;
  std::uint16_t identifier = ir::kNoSlot;
  std::uint16_t url = ir::kNoSlot;
  std::uint16_t reference = ir::kNoSlot;
};

/// What every text that a regular expression matches lies between; no limits where that is not known.
struct RegexFacts {
  std::optional<SimplePattern> simple;  ///< tells without the regular expression
  std::string least, most;
  bool limited = false;
  bool may_match(std::string_view text) const { return !limited || (text >= least && text <= most); }
};

/// Immutable; belongs to one unit and lives with the Program.
struct Facts {
  std::vector<ShapeFacts> shapes;    ///< parallel to Unit::shapes
  std::vector<MemberFacts> members;  ///< parallel to Unit::members
  std::vector<QuotedText> quoted;    ///< parallel to Unit::strings
  std::string texts, quoted_texts;   ///< what the PaddedTexts and the QuotedTexts view
  std::vector<const hl7::Structure*>
      structures;  ///< parallel to Unit::maps; nullptr where the source is not v2
  std::vector<const hl7::Structure*> expression_structures;  ///< parallel to Unit::expressions
  std::vector<CsvFormat> csv_formats;                        ///< parallel to Unit::csv_schemas
  std::vector<WriteFacts> writes;                            ///< parallel to Unit::writes
  Actions actions;
  std::vector<std::uint8_t> splits;          ///< parallel to Unit::functions (actions.h)
  std::vector<std::uint8_t> pure;            ///< parallel to Unit::functions (purity.h)
  std::vector<std::uint8_t> text_fns;        ///< parallel to Unit::functions (purity.h)
  std::vector<std::uint8_t> object_fns;      ///< parallel to Unit::functions (purity.h)
  std::vector<std::uint8_t> object_lookups;  ///< parallel to Unit::exprs (purity.h)
  std::vector<ConditionFacts> conditions;    ///< parallel to Unit::exprs
  std::vector<RegexFacts> regexes;           ///< parallel to Unit::regexes
  std::vector<PathKey> paths;                ///< parallel to Unit::v2_paths
  std::vector<TextPlan> plans;               ///< parallel to Unit::exprs
  CodeIndex codes;                           ///< the keys of literal tables
  std::vector<CodeIndex::Part> tables;       ///< parallel to Unit::tables
  std::vector<std::string> unmapped;  ///< parallel to Unit::tables: what a diagnostic says of a missing row
  std::vector<Value> constants;       ///< parallel to Unit::constants
  /// Parallel to Unit::lookups: the code system of HL7's table of the field, where it is or was a coded value
  /// without a system of its own (IS, ID); empty otherwise.
  std::vector<std::string> field_systems;
  std::vector<std::uint8_t> live_creates;  ///< parallel to Unit::creates: some rule in it is not constant
};

std::shared_ptr<const Facts> derive_facts(const ir::Unit& unit);

/// The facts of one unit for all who ask. Thread-safe.
class SharedFacts {
 public:
  /// `unit` is the same each time.
  std::shared_ptr<const Facts> of(const ir::Unit& unit) {
    std::call_once(derived_, [&] { facts_ = derive_facts(unit); });
    return facts_;
  }

 private:
  std::once_flag derived_;
  std::shared_ptr<const Facts> facts_;
};

/// Slot of the member with that name; kNoSlot when the shape has none.
std::uint16_t slot_of(const ir::Unit& unit, ir::Index shape, std::string_view member);

}  // namespace kiln::mappings::detail
