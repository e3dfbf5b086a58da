#include "engine/journal/schema_history.h"

#include <map>

#include "engine/base/failpoint.h"
#include "engine/journal/day_file.h"
#include "engine/journal/rows.h"
#include "engine/journal/schema.h"

namespace kiln::engine {

using base::Status;

namespace {

Status add_columns(base::Database& database, const AddedColumns& added) {
  for (const char* column : added.columns)
    if (column != nullptr)
      TRY_VOID(database.exec((std::string("ALTER TABLE ") + added.table + " ADD COLUMN " + column).c_str()));
  return {};
}

}  // namespace

Status raise_format(base::Database& database, std::int64_t format) {
  TRY_VOID(base::failpoint("journal.migrate.before"));
  if (format < 3) {
    TRY_VOID(database.exec(kFormat2To3));
    TRY_VOID(database.exec(kFormat3Schema));
  }
  TRY_VOID(base::failpoint("journal.migrate.half"));
  if (format < 4) {
    for (const AddedColumns& added : kFormat3To4) TRY_VOID(add_columns(database, added));
    TRY_VOID(database.exec(kFormat4Schema));
  }
  for (const AddedColumns& added : kFormat4To5) {
    TRY(const bool there, has_table(database, added.table));
    if (there && (format == 4 || std::string_view(added.table) != "attachment")) TRY_VOID(add_columns(database, added));
  }
  for (const char* table : kFormat5Schema) TRY_VOID(database.exec(table));
  TRY_VOID(database.exec(("UPDATE meta SET value='" + std::to_string(kJournalFormat) + "' WHERE key='format'").c_str()));
  return base::failpoint("journal.migrate.commit");
}

/// A table of that name in `temp` is met before the one of the file.
Status show_as_present(base::Database& database, std::int64_t format) {
  std::map<std::string, std::string> lacks;
  if (format < 4)
    for (const AddedColumns& added : kFormat3To4) lacks[added.table] += std::string(", ") + added.defaults;
  for (const AddedColumns& added : kFormat4To5) lacks[added.table] += std::string(", ") + added.defaults;
  TRY_VOID(database.exec("PRAGMA query_only=OFF"));  // of a file that is opened read-only: nothing in it can change
  for (const auto& [table, columns] : lacks) {
    TRY(const bool there, has_table(database, table));
    if (!there) continue;
    TRY_VOID(database.exec(("CREATE TEMP VIEW " + table + " AS SELECT *" + columns + " FROM main." + table).c_str()));
  }
  return database.exec("PRAGMA query_only=ON");
}

}  // namespace kiln::engine
