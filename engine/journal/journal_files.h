#pragma once
// The files of a journal folder, opened for reading one by one: for checks, retention and copies (engine/vault).

#include <string>
#include <vector>

#include "engine/base/env.h"
#include "engine/base/sql/sqlite.h"
#include "engine/journal/day_file.h"

namespace kiln::engine {

struct JournalFile {
  DayFileName name;
  base::Database database;  ///< read-only
  MessageId first_id = 0;
  std::int64_t format = 0;
  std::uint64_t bytes = 0;  ///< of the file and its WAL
};

/// Every complete file of the folder, by generation; none: an empty list. Errors: journal_format for a newer one.
base::Result<std::vector<JournalFile>> open_journal_files(base::Env& env, const std::string& folder);

/// Numbers that a journal knows to be absent: skipped at a start (they were given before), or removed by retention.
struct AbsentRange {
  MessageId first = 0, last = 0;
  bool removed = false;
};
base::Result<std::vector<AbsentRange>> read_absent_ranges(base::Database& newest);

}  // namespace kiln::engine
