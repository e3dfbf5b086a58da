#include "engine/journal/journal_files.h"

#include <algorithm>
#include <cstdlib>

namespace kiln::engine {

using base::Result;

Result<std::vector<JournalFile>> open_journal_files(base::Env& env, const std::string& folder) {
  std::vector<JournalFile> out;
  TRY(const auto entries, env.list(folder));
  for (const auto& entry : entries) {
    const auto name = DayFileName::parse(entry.name);
    if (!name) continue;
    JournalFile file;
    file.name = *name;
    file.bytes = entry.size;
    if (const auto wal = env.info(base::join_path(folder, entry.name + "-wal"))) file.bytes += wal->size;
    base::DatabaseOptions options;
    options.path = base::join_path(folder, entry.name);
    options.read_only = true;
    options.vfs = env.sqlite_vfs();
    TRY(file.database, base::Database::open(options));
    TRY(auto tables, file.database.prepare("SELECT EXISTS(SELECT 1 FROM sqlite_schema WHERE name='meta')"));
    TRY_VOID(tables.step());
    if (tables.integer(0) == 0) continue;  // created, but its first transaction is not committed: it holds nothing
    tables.reset();
    TRY(auto select, file.database.prepare("SELECT value FROM meta WHERE key=?"));
    for (const auto& [key, value] : {std::pair{"first_id", &file.first_id}}) {
      TRY(const bool found, select.bind(1, key).step());
      if (!found) return base::fail(base::ErrorCode::database_corrupt, "the journal file has no first_id", entry.name);
      *value = std::strtoull(std::string(select.text(0)).c_str(), nullptr, 10);
      select.reset();
    }
    TRY(const bool found, select.bind(1, "format").step());
    if (!found) return base::fail(base::ErrorCode::database_corrupt, "the journal file has no format number", entry.name);
    file.format = std::strtoll(std::string(select.text(0)).c_str(), nullptr, 10);
    select.reset();
    if (file.format > kJournalFormat)
      return base::fail(base::ErrorCode::journal_format, "the journal file has format " + std::to_string(file.format),
                        entry.name, "use the version of Kiln that wrote it, or a newer one");
    out.push_back(std::move(file));
  }
  std::sort(out.begin(), out.end(), [](const JournalFile& a, const JournalFile& b) {
    return a.name.generation < b.name.generation;
  });
  return out;
}

Result<std::vector<AbsentRange>> read_absent_ranges(base::Database& newest) {
  std::vector<AbsentRange> out;
  TRY(auto select, newest.prepare("SELECT key, value FROM meta WHERE key GLOB 'removed:*' OR key GLOB 'skipped:*'"));
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) return out;
    const std::string key(select.text(0)), value(select.text(1));
    AbsentRange& range = out.emplace_back();
    range.removed = key[0] == 'r';
    range.first = std::strtoull(key.c_str() + key.find(':') + 1, nullptr, 10);
    range.last = std::strtoull(value.c_str(), nullptr, 10);
  }
}

}  // namespace kiln::engine
