#pragma once
// Statements and writes as the runtime walks them: what a write needs in one place, what a statement needs to
// be passed over (hmap.md §17).

#include <cstdint>
#include <vector>

#include "mappings/detail/conditions.h"
#include "mappings/detail/guards.h"
#include "mappings/detail/ir.h"
#include "mappings/detail/plans.h"

namespace kiln::mappings::detail {

/// How a write is done.
enum class WriteKind : std::uint8_t {
  part,   ///< one component of the parameter of a datatype map, perhaps translated, to a member of its object
  text,   ///< a value that has an exact TextPlan, to a member
  value,  ///< any other scalar to a member
  object,     ///< an object or a datatype map to a member
  reference,  ///< `ref` of a resource to a member
  call,       ///< what a fn of texts gives (purity.h), to a member
  general,    ///< everything else: override, extensions, choices by the value, values with branches
};

/// How the condition of a write is told.
enum class TestKind : std::uint8_t {
  none,
  general,
  part_equals,  ///< a component of the parameter of a datatype map is a literal text
  part_valued   ///< a component of the parameter of a datatype map is valued
};

/// A write, and what is known of its place. The member is one of the object that `base` holds, or (walks) of
/// the one that the write's path leads to from there.
struct alignas(64) WriteFacts {
  WriteKind kind = WriteKind::general;
  bool builds = false;         ///< the value is built in its place
  bool dynamic = false;        ///< builds, and a non-constant rule writes below it
  bool list = false;           ///< kind part: the member is a list
  bool constant = false;       ///< Write::constant
  bool walks = false;          ///< the path has more than one step
  bool only_if_unset = false;  ///< `?=`
  TestKind test = TestKind::none;
  std::uint8_t tested_part = 0;
  bool late_guard = false;  ///< Write::guard_segment has to be looked at with the write
  std::uint16_t slot = 0;   ///< the member; not of kind general
  std::uint16_t base = 0;
  ir::Index rule = ir::kNone, condition = ir::kNone;
  ir::Index value = ir::kNone;  ///< Expr; without the step that names the variant of a choice
  TextPlan plan;                ///< of value
  ir::StringId tested_text = ir::kNone;
  const ir::Write* write = nullptr;
};

/// One statement, as those of a body stand one behind the other.
struct Action {
  ir::StmtOp op = ir::StmtOp::let;
  std::uint8_t steps = 1;  ///< what reaching it costs
  std::uint16_t creates =
      ir::kNoSlot;  ///< register of a `create`: it holds nothing when the statement is passed over
  ir::Index index = ir::kNone;  ///< as Stmt::index
  ir::Index guard_of = StatementGuard::kNothing;
  /// So many statements from here on, this one included, have a guard of the same: the run.
  std::uint8_t run = 1;
  bool run_creates = false;     ///< one of the run is a `create`
  std::uint16_t run_steps = 1;  ///< what passing over the run costs
  std::uint64_t mask = 1;       ///< StatementGuard::mask
  std::uint64_t run_mask = 1;   ///< of the whole run
};
static_assert(sizeof(Action) == 32);

/// The statements of a unit. A `when` whose branch is known before the run is gone: the statements of the
/// branch stand in its place.
struct Actions {
  std::vector<Action> all;
  /// Parallel to Unit::stmts: where the actions of the body stand that begins with that statement.
  std::vector<ir::Range> bodies;
};

/// Parallel to Unit::writes. `splits`, parallel to Unit::functions, becomes 1 for a fn whose objects read the
/// components of its first argument: these are found before it runs.
std::vector<WriteFacts> derive_writes(const ir::Unit& unit, const std::vector<TextPlan>& plans,
                                      const std::vector<std::uint8_t>& texts,
                                      std::vector<std::uint8_t>& splits);
/// Guards that become those of a statement are taken from its write.
Actions derive_actions(const ir::Unit& unit, const std::vector<ConditionFacts>& conditions,
                       std::vector<WriteFacts>& writes);

}  // namespace kiln::mappings::detail
