#include "engine/journal/journal_files.h"

#include <algorithm>
#include <cstdlib>

#include "engine/journal/schema_history.h"

namespace kiln::engine {

using base::Result;

static Result<std::uint64_t> read_number(base::Database& database, const char* key, const std::string& file) {
  TRY(auto select, database.prepare("SELECT value FROM meta WHERE key=?"));
  TRY(const bool found, select.bind(1, key).step());
  const std::string text(found ? select.text(0) : std::string_view());
  char* end = nullptr;
  const std::uint64_t value = std::strtoull(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0')
    return base::fail(base::ErrorCode::database_corrupt, "the journal file has no " + std::string(key), file);
  return value;
}

Result<std::optional<JournalFile>> open_journal_file(base::Env& env, const std::string& folder, const DayFileName& name,
                                                     const MasterKeyPtr& master, int cache_kib) {
  JournalFile file;
  file.name = name;
  base::DatabaseOptions options;
  options.path = base::join_path(folder, name.print());
  options.read_only = true;
  options.vfs = env.sqlite_vfs();
  if (cache_kib != 0) options.cache_kib = cache_kib;
  TRY(file.database, base::Database::open(options));
  {
    TRY(auto tables, file.database.prepare("SELECT EXISTS(SELECT 1 FROM sqlite_schema WHERE name='meta')"));
    TRY_VOID(tables.step());
    if (tables.integer(0) == 0) return std::optional<JournalFile>();
  }
  TRY(file.first_id, read_number(file.database, "first_id", name.print()));
  TRY(const std::uint64_t format, read_number(file.database, "format", name.print()));
  file.format = static_cast<std::int64_t>(format);
  if (file.format > kJournalFormat)
    return base::fail(base::ErrorCode::journal_format, "the journal file has format " + std::to_string(file.format),
                      name.print(), "use the version of Kiln that wrote it, or a newer one");
  if (file.format < kJournalFormat) TRY_VOID(show_as_present(file.database, file.format));
  TRY(file.keys, FileKeys::load(file.database, name.generation, master));
  return std::optional<JournalFile>(std::move(file));
}

Result<std::vector<JournalFile>> open_journal_files(base::Env& env, const std::string& folder, const MasterKeyPtr& master) {
  std::vector<JournalFile> out;
  TRY(const auto entries, env.list(folder));
  for (const auto& entry : entries) {
    const auto name = DayFileName::parse(entry.name);
    if (!name) continue;
    TRY(auto file, open_journal_file(env, folder, *name, master));
    if (!file) continue;
    file->bytes = entry.size;
    if (const auto wal = env.info(base::join_path(folder, entry.name + "-wal"))) file->bytes += wal->size;
    out.push_back(std::move(*file));
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
