#include "mappings/detail/facts.h"

#include "mappings/detail/guards.h"

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

const hl7::Structure* structure_of(const ir::Unit& unit, const ir::Map& map) {
  if (map.source != ir::Side::hl7) return nullptr;
  const auto version = hl7::find_version(unit.text(map.source_version));
  return hl7::Structure::find(version.value_or(hl7::Version::v2_5_1), unit.text(map.source_type));
}

Value value_of(const ir::Unit& unit, const ir::Constant& constant) {
  switch (constant.kind) {
    case ir::ConstantKind::string:
      return Value::of_string(unit.text(constant.text));
    case ir::ConstantKind::decimal:
      return Value::of_decimal(unit.text(constant.text));
    case ir::ConstantKind::boolean:
      return Value::of_boolean(constant.number != 0);
    default:
      return Value::of_integer(constant.number);
  }
}

CsvFormat format_of(const ir::Unit& unit, const ir::CsvSchema& schema) {
  CsvFormat format;
  format.name = unit.text(schema.name);
  format.delimiter = schema.delimiter;
  format.header = schema.header;
  const std::string_view encoding = unit.text(schema.encoding);
  if (encoding == "windows-1252") format.encoding = CsvEncoding::windows1252;
  if (encoding == "iso-8859-1" || encoding == "latin1") format.encoding = CsvEncoding::latin1;
  if (schema.null_text != ir::kNone) format.null_text = std::string(unit.text(schema.null_text));
  for (ir::Index i = 0; i < schema.columns.count; ++i) {
    const ir::CsvColumn& column = unit.csv_columns[schema.columns.first + i];
    const std::string_view header =
        column.header == ir::kNone ? unit.text(column.name) : unit.text(column.header);
    format.columns.push_back(
        {std::string(unit.text(column.name)), std::string(header), column.from, column.to, column.required});
  }
  return format;
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
  facts->component_guards = component_guards(unit);
  for (const ir::TableRow& row : unit.table_rows) facts->table_keys.push_back(unit.text(row.key));
  for (const ir::Constant& constant : unit.constants) facts->constants.push_back(value_of(unit, constant));
  for (const ir::Map& map : unit.maps) facts->structures.push_back(structure_of(unit, map));
  for (const ir::Map& map : unit.expressions) facts->expression_structures.push_back(structure_of(unit, map));
  for (const ir::CsvSchema& schema : unit.csv_schemas) facts->csv_formats.push_back(format_of(unit, schema));
  return facts;
}

}  // namespace kiln::mappings::detail
