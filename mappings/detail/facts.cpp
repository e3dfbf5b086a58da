#include "mappings/detail/facts.h"

namespace kiln::mappings::detail {
namespace {

bool has_live_write(const ir::Unit& unit, ir::Range body, std::uint16_t reg);

bool is_live(const ir::Unit& unit, const ir::Stmt& stmt, std::uint16_t reg) {
  switch (stmt.op) {
    case ir::StmtOp::write: {
      const ir::Write& write = unit.writes[stmt.index];
      return write.base == reg && !write.constant;
    }
    case ir::StmtOp::loop:
      return has_live_write(unit, unit.loops[stmt.index].body, reg);
    case ir::StmtOp::create:
      return has_live_write(unit, unit.creates[stmt.index].body, reg);
    case ir::StmtOp::when: {
      const ir::When& when = unit.whens[stmt.index];
      for (ir::Index i = 0; i < when.branches.count; ++i) {
        if (has_live_write(unit, unit.when_branches[when.branches.first + i].body, reg)) return true;
      }
      return false;
    }
    default:
      return false;
  }
}

bool has_live_write(const ir::Unit& unit, ir::Range body, std::uint16_t reg) {
  for (ir::Index i = 0; i < body.count; ++i) {
    if (is_live(unit, unit.stmts[body.first + i], reg)) return true;
  }
  return false;
}

}  // namespace

std::uint16_t slot_of(const ir::Unit& unit, ir::Index shape, std::string_view member) {
  const ir::Range members = unit.shapes[shape].members;
  for (ir::Index i = 0; i < members.count; ++i) {
    if (unit.text(unit.members[members.first + i].name) == member) return static_cast<std::uint16_t>(i);
  }
  return ir::kNoSlot;
}

std::shared_ptr<const Facts> derive_facts(const ir::Unit& unit) {
  auto facts = std::make_shared<Facts>();
  facts->shapes.resize(unit.shapes.size());
  for (ir::Index i = 0; i < unit.shapes.size(); ++i) {
    if (unit.shapes[i].kind != ir::ShapeKind::fhir) continue;
    facts->shapes[i] = {slot_of(unit, i, "id"), slot_of(unit, i, "identifier"), slot_of(unit, i, "url"),
                        slot_of(unit, i, "reference")};
  }
  for (const ir::Member& member : unit.members) {
    facts->members.push_back({unit.text(member.key), member.list});
  }
  for (const ir::Create& create : unit.creates) {
    facts->live_creates.push_back(has_live_write(unit, create.body, create.reg));
  }
  return facts;
}

}  // namespace kiln::mappings::detail
