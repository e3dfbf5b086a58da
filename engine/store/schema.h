#pragma once
// The tables of the FHIR store and how they came to be. README.md beside this file describes each.

#include "engine/base/result.h"
#include "engine/base/sql/sqlite.h"

namespace kiln::engine {

/// Creates the tables in an empty file, or brings an older file up to date, one transaction per migration.
/// Refuses a newer file (store_format) and one whose tables are not the expected ones (database_corrupt).
base::Status migrate_store(base::Database& database);
/// For readers: only checks.
base::Status check_store_format(base::Database& database);

}  // namespace kiln::engine
