// CSV rows and tables (hmap.md §8).

#include <algorithm>

#include "mappings/csv.h"
#include "mappings/detail/conversions.h"
#include "mappings/detail/run_objects.h"
#include "mappings/detail/run_text.h"
#include "mappings/detail/table_cursor.h"
#include "mappings/tables.h"

namespace kiln::mappings {
namespace detail {

/// What a lookup found: the row's columns, or what the policy put in their place.
struct Run::Found {
  bool hit = false;
  std::string_view code, display, system;
  const TableData* data = nullptr;
  TableData::Row row = 0;
  const ir::TableRow* literal = nullptr;
  Value key;
  Value instead;      ///< no hit: result of the policy
  bool keep = false;  ///< no hit: the untranslated value stays
};

std::string_view Run::csv_pattern(SourceRef source) const {
  if (map_ == nullptr || map_->source_csv == ir::kNone) return {};
  const ir::Range columns = unit_->csv_schemas[map_->source_csv].columns;
  const std::uint32_t column = csv_column(source);
  return column < columns.count ? text(unit_->csv_columns[columns.first + column].pattern)
                                : std::string_view();
}

Value Run::column_of(const ir::Expr& expr) {
  if (expr.op == ir::Op::all_rows) {
    const std::size_t count = csv_.columns == 0 ? 0 : csv_.cells.size() / csv_.columns;
    const std::span<Value> rows = arena_.array<Value>(count);
    for (std::size_t i = 0; i < count; ++i) {
      rows[i].kind = ValueKind::row;
      rows[i].row = static_cast<std::uint32_t>(i);
    }
    return count == 0 ? Value() : Value::of_list(rows);
  }
  Value base = eval(expr.a);
  if (expr.op == ir::Op::group_rows) {
    if (base.kind == ValueKind::rows) base.kind = ValueKind::list;
    return base;
  }
  if (base.kind == ValueKind::rows || base.kind == ValueKind::list)
    base = base.size > 0 ? base.items[0] : Value();
  if (base.kind != ValueKind::row || expr.b >= csv_.columns) return {};
  const std::size_t index = base.row * csv_.columns + expr.b;
  const std::string_view cell = csv_.cells[index];
  if (cell.data() == nullptr) return {};
  mark_node(static_cast<std::uint32_t>(index));
  const SourceRef source = csv_source(base.row, expr.b);
  if (CsvFile::is_null(cell)) return Value::null().from(source);
  const Value written = Value::of_string(cell).from(source);
  const Value typed = typed_cell(written, unit_->types[expr.type].primitive);
  return typed.is_bad() ? handle_bad(expr, typed, written) : typed;
}

/// A cell as its column is declared; what does not fit goes by `on bad`.
Value Run::typed_cell(const Value& cell, ir::Primitive type) {
  using ir::Conversion;
  switch (type) {
    case ir::Primitive::date:
      return convert_value(cell, Conversion::to_date);
    case ir::Primitive::date_time:
      return convert_value(cell, Conversion::to_date_time);
    case ir::Primitive::instant:
      return convert_value(cell, Conversion::to_instant);
    case ir::Primitive::time:
      return convert_value(cell, Conversion::to_time);
    case ir::Primitive::boolean:
      return convert_value(cell, Conversion::to_boolean);
    case ir::Primitive::integer:
      return convert_value(cell, Conversion::to_integer);
    case ir::Primitive::decimal:
      return convert_value(cell, Conversion::to_decimal);
    default:
      return cell;
  }
}

const ir::TableRow* Run::literal_row(ir::Index table, std::string_view key) const {
  const std::uint32_t row = facts_->codes.find(facts_->tables[table], key);
  return row == CodeIndex::kNoRow ? nullptr : &unit_->table_rows[unit_->tables[table].rows.first + row];
}

Run::Found Run::find_row(const ir::Expr& expr, const ir::Lookup& lookup, const Value& looked_up) {
  Found found;
  const ir::Table& table = unit_->tables[lookup.table];
  found.key = looked_up;
  if (!found.key.is_value()) {
    if (!found.key.is_null() && lookup.covers_absent && lookup.otherwise != ir::kNone) {
      found.instead =
          Value::of_string(text(unit_->constants[unit_->policies[lookup.otherwise].literal].text));
    } else {
      found.instead = found.key;
    }
    return found;
  }
  const std::string_view key = text_of(found.key);
  if (table.kind == ir::TableKind::literal) {
    if (const ir::TableRow* row = literal_row(lookup.table, key)) {
      found.hit = true;
      found.literal = row;
      found.code = text(row->value);
      found.display = text(row->display);
      found.system = text(row->system != ir::kNone ? row->system : table.system);
      return found;
    }
  } else if (context_->tables != nullptr) {
    found.data = context_->tables->find(text(table.name));
    if (found.data != nullptr) {
      if (const auto row = table.inverse ? found.data->find_inverse(key) : found.data->find(key)) {
        found.hit = true;
        found.row = *row;
        if (table.inverse) {
          found.code = found.data->key(*row);
          return found;
        }
        found.code = found.data->has_code() ? found.data->code(*row) : std::string_view();
        found.display = found.data->display(*row);
        found.system = found.data->system(*row);
        return found;
      }
      if (!table.inverse && found.data->unmapped() != TableData::Unmapped::policy) {
        const bool keeps = found.data->unmapped() == TableData::Unmapped::keep;
        found.hit = true;
        found.row = TableData::kNoRow;
        found.code = keeps ? key : found.data->unmapped_code();
        found.system = keeps ? std::string_view() : found.data->unmapped_system();
        return found;
      }
    }
  }
  ir::Index policy = lookup.otherwise;
  if (policy == ir::kNone) policy = table.otherwise;
  if (policy == ir::kNone) policy = unit_->policy_sets[expr.policies].unmapped;
  if (policy == ir::kNone) return found;
  found.keep = unit_->policies[policy].kind == ir::PolicyKind::keep;
  found.instead = apply_policy(policy, "unmapped-code", facts_->unmapped[lookup.table], found.key);
  // A literal in `else` is a code of the table's system (hmap.md §8).
  if (unit_->policies[policy].kind == ir::PolicyKind::literal) found.system = text(table.system);
  return found;
}

Value Run::lookup(const ir::Expr& expr) {
  const ir::Lookup& lookup = unit_->lookups[expr.a];
  const Value key = eval_text(lookup.key);
  const Found found = find_row(expr, lookup, key);
  if (!found.hit) return found.instead;
  if (lookup.mode == ir::LookupMode::row) {
    Value value;
    value.kind = ValueKind::table_row;
    value.table_row =
        arena_.make<TableCursor>(TableCursor{found.data, found.row, nullptr, found.literal, found.system});
    value.source = found.key.source;
    return value;
  }
  std::string_view result = found.code;
  if (lookup.mode == ir::LookupMode::column) {
    const std::string_view column = text(lookup.column);
    if (found.data != nullptr) {
      result = found.data->cell(found.row, found.data->column(column));
    } else if (column == "display") {
      result = found.display;
    } else if (column == "system") {
      result = found.system;
    }
  }
  if (result.empty()) return {};
  return Value::of_string(result).from(found.key.source);
}

Value Run::table_column(const ir::Expr& expr) {
  const Value row = eval(expr.a);
  if (row.kind != ValueKind::table_row) return row.is_value() ? Value() : row;
  const TableCursor& at = *row.table_row;
  const std::string_view name = text(expr.b);
  std::string_view cell;
  if (at.literal != nullptr) {
    cell = name == "key"       ? text(at.literal->key)
           : name == "code"    ? text(at.literal->value)
           : name == "display" ? text(at.literal->display)
                               : at.system;
    return cell.empty() ? Value() : Value::of_string(cell).from(row.source);
  }
  if (at.table == nullptr) return {};
  const TableData& table = *at.table;
  cell = table.cell(at.row, table.column(name));
  return cell.data() == nullptr ? Value() : Value::of_string(cell).from(row.source);
}

/// Coding and CodeableConcept from a table: system, code and display; a concept keeps its original codings
/// beside.
bool Run::emit_lookup(const ir::Expr& expr, Dest& dest) {
  const ir::Lookup& lookup = unit_->lookups[expr.a];
  const auto index = static_cast<std::size_t>(&expr - unit_->exprs.data());
  if (facts_->object_lookups[index] == 0 || !takes_object(dest))
    return emit_found(expr, eval_text(lookup.key), dest);
  const Value key = eval(lookup.key);
  return emit_once(unit_->functions.size() + index, {&key, 1}, dest,
                   [&] { return emit_found(expr, key, dest); });
}

bool Run::emit_found(const ir::Expr& expr, const Value& key, Dest& dest) {
  const ir::Lookup& lookup = unit_->lookups[expr.a];
  const Found found = find_row(expr, lookup, key);
  if (halt_ != Halt::none) return false;
  const bool concept_mode = lookup.mode == ir::LookupMode::codeable_concept;
  if (!found.hit && !found.instead.is_value()) return found.instead.is_null() && emit_null(dest);
  OutputNode* const before =
      dest.list != nullptr && dest.list->kind == NodeKind::list ? dest.list->last : nullptr;
  OutputNode& node = place(dest);
  if (!found.hit && found.keep && concept_mode && lookup.original != ir::kNone) {
    Dest inner = dest;
    inner.list = nullptr;
    inner.node = &node;
    if (!emit(lookup.original, inner)) return false;
    name_systems(facts_->field_systems[expr.a], node);
    return true;
  }
  make_object(arena_, node, lookup.shape, members_of(lookup.shape));
  node.needs_live = true;
  OutputNode* coding = &node;
  if (concept_mode) {
    if (unit_->concept_coding == ir::kNoSlot) return false;
    OutputNode& codings = slot(arena_, node, unit_->concept_coding);
    coding = &append_item(arena_, codings);
    const ir::Member& member =
        unit_->members[unit_->shapes[lookup.shape].members.first + unit_->concept_coding];
    make_object(arena_, *coding, member.shape, members_of(member.shape));
  }
  const std::string_view code = found.hit ? found.code : text_of(found.instead);
  const std::string_view system = found.hit || !found.keep ? found.system : std::string_view();
  const auto write_part = [&](std::uint16_t at, std::string_view part) {
    if (at == ir::kNoSlot || part.empty()) return;
    OutputNode& leaf = slot(arena_, *coding, at);
    set_text(leaf, NodeKind::text, part);
    leaf.rule = rule_;
    leaf.source = found.key.source;
    mark_live(&leaf);
  };
  write_part(unit_->coding_system, system);
  write_part(unit_->coding_code, code);
  write_part(unit_->coding_display, found.display);
  if (concept_mode && found.hit && lookup.original != ir::kNone)
    add_original(lookup, facts_->field_systems[expr.a], node);
  if (!node.live && dest.list != nullptr) {
    dest.list->last = before;
    (before == nullptr ? dest.list->first : before->next) = nullptr;
    --dest.list->size;
  }
  return node.live;
}

/// The original coding of a table that keeps the code: the same code of the same system, or of none.
bool Run::says_no_more(const OutputNode& translated, const OutputNode& original) const {
  if (translated.kind != NodeKind::object || original.kind != NodeKind::object ||
      translated.shape != original.shape)
    return false;
  const auto text_at = [](const OutputNode& coding, std::uint16_t at) {
    const OutputNode* leaf = at < coding.size ? coding.slots[at] : nullptr;
    return leaf == nullptr || is_vacant(*leaf) ? std::string_view() : leaf->text();
  };
  const std::string_view system = text_at(original, unit_->coding_system);
  return text_at(translated, unit_->coding_code) == text_at(original, unit_->coding_code) &&
         (system.empty() || system == text_at(translated, unit_->coding_system));
}

/// A code of a field that has no place for a system is one of HL7's table of that field: a code without
/// system says nothing.
void Run::name_systems(std::string_view system, OutputNode& node) {
  if (system.empty() || node.kind != NodeKind::object || unit_->concept_coding >= node.size) return;
  if (node.kept) own_members(arena_, node);
  const OutputNode* const codings = node.slots[unit_->concept_coding];
  if (codings == nullptr || codings->kind != NodeKind::list) return;
  for (OutputNode* item = codings->first; item != nullptr; item = item->next) {
    if (item->kind != NodeKind::object || unit_->coding_code >= item->size) continue;
    const OutputNode* const code = item->slots[unit_->coding_code];
    if (code == nullptr || is_vacant(*code)) continue;
    OutputNode& leaf = slot(arena_, *item, unit_->coding_system);
    if (!is_vacant(leaf)) continue;
    set_text(leaf, NodeKind::text, system);
    leaf.rule = code->rule;
    leaf.source = code->source;
    mark_live(&leaf);
  }
}

void Run::add_original(const ir::Lookup& lookup, std::string_view system, OutputNode& node) {
  OutputNode& apart = new_node(arena_, nullptr);
  Dest dest;
  static const ir::Write kPlain{};
  dest.write = &kPlain;
  dest.node = &apart;
  if (!emit(lookup.original, dest) || apart.kind != NodeKind::object || apart.shape != node.shape) return;
  if (apart.kept) own_members(arena_, apart);
  name_systems(system, apart);
  for (std::uint32_t i = 0; i < apart.size; ++i) {
    if (apart.slots[i] == nullptr || is_vacant(*apart.slots[i])) continue;
    OutputNode& to = slot(arena_, node, i);
    if (i != unit_->concept_coding) {
      if (is_vacant(to)) graft(arena_, to, *apart.slots[i]);
      continue;
    }
    for (const OutputNode* item = apart.slots[i]->first; item != nullptr; item = item->next) {
      if (is_vacant(*item) || equal_content(*to.first, *item) || says_no_more(*to.first, *item)) continue;
      if (item->kind == NodeKind::object) {
        adopt(append_item(arena_, to), *item);
      } else {
        graft(arena_, append_item(arena_, to), *item);
      }
    }
  }
}

}  // namespace detail
}  // namespace kiln::mappings
