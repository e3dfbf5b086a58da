// Table declarations: rows as far as they are known at load, reversed tables (hmap.md §8).

#include <algorithm>
#include <map>

#include "mappings/detail/compiler_state.h"
#include "mappings/tables.h"

namespace kiln::mappings::detail {

using base::ErrorCode;
using Source = ast::TableDecl::Source;

ir::Range CompilerState::table_rows(std::vector<ir::TableRow> rows) {
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const auto& a, const auto& b) { return unit().text(a.key) < unit().text(b.key); });
  const ir::Range range{static_cast<ir::Index>(unit().table_rows.size()),
                        static_cast<ir::Index>(rows.size())};
  unit().table_rows.insert(unit().table_rows.end(), rows.begin(), rows.end());
  return range;
}

void CompilerState::written_rows(TableModel& model) {
  std::map<std::string, base::Span> keys;
  for (const auto& row : model.decl->rows) {
    for (const auto& key : row.keys) {
      if (!keys.emplace(key.text, key.span).second) {
        const auto line = library.sources().position(keys[key.text].file, keys[key.text].begin).line;
        report(ErrorCode::W0408, key.span,
               "row \"" + key.text + "\" is unreachable: matched by line " + std::to_string(line));
        continue;
      }
      // Of several keys of one row the first is the preferred one.
      const bool preferred = row.preferred && &key == &row.keys.front();
      model.rows.push_back(
          {key.text, row.value.text, row.display ? row.display->text : "", preferred, row.value.span,
                            row.system ? row.system->text : ""});
    }
  }
  const auto has_system = [](const ast::TableRow& row) { return row.system.has_value(); };
  const auto& rows = model.decl->rows;
  model.has_system = model.has_system || (!rows.empty() && std::all_of(rows.begin(), rows.end(), has_system));
  model.rows_known = true;
  model.columns = {"key", "code", "display", "system"};
}

/// The codes of an HL7 table, of all versions; the newest display counts.
void CompilerState::hl7_rows(TableModel& model, ir::Table& made) {
  const std::string& id = model.decl->location->text;
  std::map<std::string_view, bool> seen;
  for (std::size_t v = hl7::kVersionCount; v-- > 0;) {
    const auto table = hl7::Dictionary(hl7::kVersions[v]).table(id);
    if (!table) continue;
    for (const auto& code : table->codes) {
      if (!seen.emplace(code.code, true).second) continue;
      model.rows.push_back(
          {std::string(code.code), std::string(code.code), std::string(code.display), false, model.decl->name.span});
    }
  }
  if (model.rows.empty()) {
    report(ErrorCode::E0410, model.decl->location->span, "HL7 has no table " + id)
        .helps.push_back("four digits: `hl7table \"0001\"`");
  }
  if (!model.decl->system) made.system = builder.string("http://terminology.hl7.org/CodeSystem/v2-" + id);
  model.rows_known = true;
  model.has_system = true;
  model.columns = {"key", "code", "display", "system"};
}

void CompilerState::loaded_rows(TableModel& model) {
  const TableData* data =
      library.tables() == nullptr ? nullptr : library.tables()->find(model.declaration->qualified());
  model.has_system = true;  // unless the file shows that it has none
  if (data == nullptr) return;
  model.columns = data->columns();
  model.total = data->unmapped() != TableData::Unmapped::policy;
  const bool concept_map = model.decl->source == Source::conceptmap;
  model.has_system = concept_map || model.decl->system || data->column("system") != TableData::kNoColumn;
  model.rows_known = data->has_code();
  if (!model.rows_known) return;
  for (TableData::Row row = 0; row < data->rows(); ++row) {
    model.rows.push_back({std::string(data->key(row)), std::string(data->code(row)),
                          std::string(data->display(row)), false, model.decl->location->span});
  }
}

TableModel& CompilerState::table(const Declaration& declaration) {
  auto& model = tables_[declaration.decl];
  if (model) return *model;
  model = std::make_unique<TableModel>();
  model->declaration = &declaration;
  model->decl = declaration.decl->get_if<ast::TableDecl>();
  const ast::TableDecl& decl = *model->decl;
  ir::Table made;
  made.name = builder.string(declaration.qualified());
  if (decl.system) made.system = builder.string(decl.system->text);
  model->has_system = decl.system.has_value();
  if (decl.otherwise) made.otherwise = policy(*decl.otherwise);
  for (std::size_t i = 0; i < library.declarations().size(); ++i) {
    if (library.declarations()[i].get() == &declaration) made.declaration = static_cast<ir::Index>(i);
  }
  if (decl.source == Source::csv || decl.source == Source::conceptmap) {
    made.kind = ir::TableKind::csv;
    made.path = builder.string(decl.location->text);
    if (decl.key) made.key_column = builder.string(decl.key->text);
    if (decl.reload) made.reload_ms = decl.reload->milliseconds;
    loaded_rows(*model);
  } else {
    if (decl.source == Source::hl7table)
      hl7_rows(*model, made);
    else
      written_rows(*model);
    std::vector<ir::TableRow> rows;
    for (const TableModel::Row& row : model->rows) {
      rows.push_back({builder.string(row.key), builder.string(row.value),
                      row.display.empty() ? ir::kNone : builder.string(row.display),
                      row.system.empty() ? ir::kNone : builder.string(row.system)});
    }
    made.rows = table_rows(std::move(rows));
  }
  model->table = static_cast<ir::Index>(unit().tables.size());
  unit().tables.push_back(made);
  return *model;
}

ir::Index CompilerState::inverse(TableModel& table, base::Span use) {
  if (table.inverse != ir::kNone) return table.inverse;
  std::map<std::string, std::vector<const TableModel::Row*>> sources;
  for (const TableModel::Row& row : table.rows) sources[row.value].push_back(&row);
  std::vector<ir::TableRow> rows;
  for (const auto& [value, from] : sources) {
    const auto preferred = std::find_if(from.begin(), from.end(), [](const auto* row) { return row->preferred; });
    if (from.size() > 1 && preferred == from.end()) {
      std::vector<std::string> keys;
      for (const auto* row : from) keys.push_back(row->key);
      auto& diagnostic = report(ErrorCode::E0405, use,
                                std::string(table.declaration->name) + ".inverse is not unique: \"" + value +
                                    "\" comes from " + listed(keys));
      diagnostic.helps.push_back("mark one row `preferred`");
    }
    const TableModel::Row& row = preferred == from.end() ? *from.front() : **preferred;
    rows.push_back({builder.string(value), builder.string(row.key), ir::kNone});
  }
  ir::Table made = unit().tables[table.table];
  if (made.kind == ir::TableKind::csv) {
    made.inverse = true;  // the rows of the snapshot, by their codes
    made.otherwise = ir::kNone;
  } else {
    made = {};
    made.name = builder.string(table.declaration->qualified() + ".inverse");
    made.rows = table_rows(std::move(rows));
  }
  table.inverse = static_cast<ir::Index>(unit().tables.size());
  unit().tables.push_back(made);
  return table.inverse;
}

}  // namespace kiln::mappings::detail
