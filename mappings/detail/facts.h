#pragma once
// What the runtime derives from a compiled unit once, so that a run need not.

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "hl7/structure.h"
#include "mappings/csv.h"
#include "mappings/detail/ir.h"
#include "mappings/value.h"

namespace kiln::mappings::detail {

/// Slots of a shape that the runtime itself reads or writes; kNoSlot where the shape has none.
struct ShapeFacts {
  std::uint16_t id = ir::kNoSlot;
  std::uint16_t identifier = ir::kNoSlot;
  std::uint16_t url = ir::kNoSlot;
  std::uint16_t reference = ir::kNoSlot;
};

/// How a member prints: views into the unit.
struct MemberFacts {
  std::string_view key;
  bool list = false;
};

/// Immutable; belongs to one unit and lives with the Program.
struct Facts {
  std::vector<ShapeFacts> shapes;    ///< parallel to Unit::shapes
  std::vector<MemberFacts> members;  ///< parallel to Unit::members
  std::vector<const hl7::Structure*>
      structures;  ///< parallel to Unit::maps; nullptr where the source is not v2
  std::vector<const hl7::Structure*> expression_structures;  ///< parallel to Unit::expressions
  std::vector<CsvFormat> csv_formats;                        ///< parallel to Unit::csv_schemas
  std::vector<std::uint32_t> component_guards;               ///< parallel to Unit::writes, see guards.h
  std::vector<std::string_view> table_keys;                  ///< parallel to Unit::table_rows
  std::vector<Value> constants;                              ///< parallel to Unit::constants
  std::vector<std::uint8_t> live_creates;  ///< parallel to Unit::creates: some rule in it is not constant
};

std::shared_ptr<const Facts> derive_facts(const ir::Unit& unit);
/// Slot of the member with that name; kNoSlot when the shape has none.
std::uint16_t slot_of(const ir::Unit& unit, ir::Index shape, std::string_view member);

}  // namespace kiln::mappings::detail
