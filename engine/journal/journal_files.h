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
  base::Database database;  ///< read-only; shows a file of an older format as one of the present
  FileKeys keys;
  MessageId first_id = 0;
  std::int64_t format = 0;
  std::uint64_t bytes = 0;  ///< of the file and its WAL
  RowSource rows() { return {database, keys}; }
};

/// Nothing when the file is being made: its first transaction is not committed. Errors: journal_format for a newer one. Keys that
/// cannot be opened are no error: FileKeys::usable() tells. `cache_kib`: page cache of the connection; 0: as usual.
base::Result<std::optional<JournalFile>> open_journal_file(base::Env& env, const std::string& folder, const DayFileName& name,
                                                           const MasterKeyPtr& master, int cache_kib = 0);

/// Every complete file of the folder, by generation; none: an empty list. Errors: as open_journal_file().
base::Result<std::vector<JournalFile>> open_journal_files(base::Env& env, const std::string& folder,
                                                          const MasterKeyPtr& master = {});

/// Numbers that a journal knows to be absent: skipped at a start (they were given before), or removed by retention.
struct AbsentRange {
  MessageId first = 0, last = 0;
  bool removed = false;
};
base::Result<std::vector<AbsentRange>> read_absent_ranges(base::Database& newest);

}  // namespace kiln::engine
