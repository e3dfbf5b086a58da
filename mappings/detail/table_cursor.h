#pragma once
// What a Value of kind table_row points to; lives in the arena of the run.

#include "mappings/detail/ir.h"
#include "mappings/program.h"
#include "mappings/tables.h"

namespace kiln::mappings {

/// A row of a loaded table, of a lookup (answer not null) or of a written table (literal not null).
struct TableCursor {
  const TableData* table = nullptr;
  TableData::Row row = 0;
  const LookupAnswer* answer = nullptr;
  const ir::TableRow* literal = nullptr;  ///< of a table written in the map, with the table's system
  std::string_view system;
};

}  // namespace kiln::mappings
