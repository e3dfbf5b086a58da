#include "channels/connectors/detail/csv_file.h"

#include "engine/base/limits.h"

namespace kiln::channels::detail {

std::size_t end_of_last_record(std::string_view text) {
  std::size_t end = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;  // a doubled quote toggles twice
    if (text[i] == '\n' && !quoted) end = i + 1;
  }
  return end;
}

base::Result<std::unique_ptr<CsvFile>> CsvFile::open(base::Env& env, const std::string& path) {
  TRY_VOID(env.make_folders(std::string(base::folder_of(path))));
  const bool is_new = !env.exists(path);
  TRY(auto file, env.open_append(path));
  if (is_new) {
    const base::Status synced = env.sync_folder(std::string(base::folder_of(path)));
    // Made anew the next time: a second sync of what a first one lost would prove nothing.
    if (!synced) return (void)env.remove(path), base::fail(synced.error());
  }
  if (file->size() != 0) {
    TRY(const std::string text, env.read_file(path, base::limits::kCsvRepairBytesMax));
    if (const std::size_t end = end_of_last_record(text); end != text.size()) {
      TRY_VOID(file->truncate(end));
      TRY_VOID(file->sync());
    }
  }
  return std::unique_ptr<CsvFile>(new CsvFile(env, path, std::move(file)));
}

base::Status CsvFile::append(std::string_view header, std::string_view rows) {
  const std::uint64_t before = file_->size();
  std::string text;
  text.reserve(header.size() + rows.size());
  if (before == 0) text += header;
  text += rows;
  auto appended = file_->append(text);
  if (!appended) (void)file_->truncate(before);  // what cannot be undone now, the next open() repairs
  return appended;
}

bool CsvFile::is_current() const {
  const auto info = env_.info(path_);
  return info && info->size == file_->size();
}

}  // namespace kiln::channels::detail
