#include "mappings/language/overlay_env.h"

#include <algorithm>

namespace kiln::mappings {

namespace {

base::Status refused(const std::string& path) {
  return base::fail(base::ErrorCode::io_failed, "an editor's view of the files is read-only", path);
}

base::FileInfo info_of(std::string_view name, std::uint64_t size, bool folder) {
  base::FileInfo info;
  info.name = name;
  info.size = size;
  info.is_directory = folder;
  info.is_regular = !folder;
  return info;
}

}  // namespace

bool OverlayEnv::holds_folder(const std::string& path) const {
  const auto next = texts_.lower_bound(path + "/");
  return next != texts_.end() && next->first.starts_with(path + "/");
}

base::Result<std::string> OverlayEnv::read_file(const std::string& path, std::uint64_t max_bytes) {
  const auto open = texts_.find(path);
  if (open == texts_.end()) return disk_.read_file(path, max_bytes);
  return *open->second;
}

base::Result<std::vector<base::FileInfo>> OverlayEnv::list(const std::string& folder) {
  auto entries = disk_.list(folder);
  if (!entries && !holds_folder(folder)) return entries;
  std::vector<base::FileInfo> out = entries ? std::move(*entries) : std::vector<base::FileInfo>();
  for (auto at = texts_.lower_bound(folder + "/"); at != texts_.end() && at->first.starts_with(folder + "/");
       ++at) {
    const std::string_view below = std::string_view(at->first).substr(folder.size() + 1);
    const std::string_view name = below.substr(0, below.find('/'));
    const bool known =
        std::any_of(out.begin(), out.end(), [&](const auto& entry) { return entry.name == name; });
    if (!known) out.push_back(info_of(name, at->second->size(), name.size() != below.size()));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

base::Result<base::FileInfo> OverlayEnv::info(const std::string& path) {
  const auto open = texts_.find(path);
  if (open != texts_.end()) return info_of(base::name_of(path), open->second->size(), false);
  auto on_disk = disk_.info(path);
  if (!on_disk && holds_folder(path)) return info_of(base::name_of(path), 0, true);
  return on_disk;
}

bool OverlayEnv::exists(const std::string& path) {
  return texts_.contains(path) || holds_folder(path) || disk_.exists(path);
}

base::Status OverlayEnv::write_file_atomic(const std::string& path, std::string_view) {
  return refused(path);
}
base::Result<std::unique_ptr<base::AppendFile>> OverlayEnv::open_append(const std::string& path) {
  return base::fail(refused(path).error());
}
base::Status OverlayEnv::make_folders(const std::string& path) {
  return refused(path);
}
base::Status OverlayEnv::rename(const std::string& from, const std::string&, bool) {
  return refused(from);
}
base::Status OverlayEnv::remove(const std::string& path) {
  return refused(path);
}
base::Status OverlayEnv::sync_folder(const std::string& path) {
  return refused(path);
}

}  // namespace kiln::mappings
