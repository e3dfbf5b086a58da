#include "engine/journal/schema_history.h"

#include "engine/base/failpoint.h"
#include "engine/journal/day_file.h"
#include "engine/journal/rows.h"
#include "engine/journal/schema.h"

namespace kiln::engine {

using base::Status;

Status raise_format(base::Database& database, std::int64_t format) {
  TRY_VOID(base::failpoint("journal.migrate.before"));
  if (format < 3) {
    TRY_VOID(database.exec(kFormat2To3));
    TRY_VOID(database.exec(kFormat3Schema));
  }
  TRY_VOID(base::failpoint("journal.migrate.half"));
  for (const AddedColumns& added : kFormat3To4)
    for (const char* column : added.columns)
      if (column != nullptr)
        TRY_VOID(database.exec((std::string("ALTER TABLE ") + added.table + " ADD COLUMN " + column).c_str()));
  TRY_VOID(database.exec(kFormat4Schema));
  TRY_VOID(database.exec(("UPDATE meta SET value='" + std::to_string(kJournalFormat) + "' WHERE key='format'").c_str()));
  return base::failpoint("journal.migrate.commit");
}

/// A table of that name in `temp` is met before the one of the file.
Status show_as_present(base::Database& database) {
  TRY_VOID(database.exec("PRAGMA query_only=OFF"));  // of a file that is opened read-only: nothing in it can change
  for (const AddedColumns& added : kFormat3To4) {
    const std::string table = added.table;
    TRY(const bool there, has_table(database, table));
    if (!there) continue;
    TRY_VOID(database.exec(("CREATE TEMP VIEW " + table + " AS SELECT *, " + added.defaults + " FROM main." + table).c_str()));
  }
  return database.exec("PRAGMA query_only=ON");
}

}  // namespace kiln::engine
