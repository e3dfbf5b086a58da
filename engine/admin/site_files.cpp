#include "engine/admin/site_files.h"

#include <algorithm>

#include "engine/base/text.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::FileInfo;
using base::Result;

constexpr std::string_view kFolders[] = {"channels", "maps", "tables", "samples", "tests", "profiles"};

base::Error absent(const std::string& path) {
  return {ErrorCode::file_not_found, {}, path, {}};
}

bool has_odd_step(std::string_view path) {
  return std::ranges::any_of(base::split(path, '/'), [](std::string_view step) {
    return step.empty() || step.front() == '.' || step.find('\0') != std::string_view::npos ||
           step.find('\\') != std::string_view::npos;
  });
}

}  // namespace

SiteFiles::SiteFiles(base::Env& disk, std::string folder, const std::string& data_folder)
    : disk_(disk), folder_(std::move(folder)), data_(data_folder) {
  if (data_.starts_with(folder_ + "/")) data_ = data_.substr(folder_.size() + 1);
}

bool SiteFiles::is_site_path(std::string_view path) const {
  if (path == "kiln.conf") return true;
  if (has_odd_step(path) || path == data_ || path.starts_with(data_ + "/")) return false;
  return std::ranges::any_of(kFolders, [path](std::string_view folder) {
    return path.starts_with(folder) && path.size() > folder.size() + 1 && path[folder.size()] == '/';
  });
}

base::Status SiteFiles::lay_over(const std::string& path, std::string text) {
  if (!is_site_path(path)) return base::fail(ErrorCode::bad_value, "no file of a site has this name", path);
  over_[path] = std::move(text);
  return {};
}

std::string SiteFiles::inside(const std::string& path) const {
  const std::string root = std::string(kRoot) + "/";
  return path.starts_with(root) ? path.substr(root.size()) : std::string();
}

std::string SiteFiles::real(const std::string& path) const {
  const std::string name = inside(path);
  const bool folder = std::ranges::find(kFolders, name) != std::end(kFolders);
  return folder || is_site_path(name) ? base::join_path(folder_, name) : std::string();
}

Result<std::string> SiteFiles::read_file(const std::string& path, std::uint64_t max_bytes) {
  if (const auto over = over_.find(inside(path)); over != over_.end()) {
    if (over->second.size() > max_bytes)
      return base::fail(ErrorCode::limit_exceeded, "the file is too large", path);
    return over->second;
  }
  const std::string place = real(path);
  if (place.empty()) return base::fail(absent(path));
  auto text = disk_.read_file(place, max_bytes);
  if (!text) return base::fail(text.error().code, text.error().text, path);
  return text;
}

Result<std::vector<FileInfo>> SiteFiles::list(const std::string& folder) {
  std::vector<FileInfo> out;
  const std::string name = folder == kRoot ? std::string() : inside(folder);
  if (folder != kRoot && real(folder).empty()) return base::fail(absent(folder));
  auto there = disk_.list(name.empty() ? folder_ : base::join_path(folder_, name));
  if (there)
    for (FileInfo& info : *there) {
      const std::string path = name.empty() ? info.name : name + "/" + info.name;
      const bool top = name.empty() && std::ranges::find(kFolders, path) != std::end(kFolders);
      if (top || is_site_path(path)) out.push_back(std::move(info));
    }
  for (const auto& [path, text] : over_) {
    const auto slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? std::string() : path.substr(0, slash);
    if (parent != name) continue;
    const std::string file(base::name_of(path));
    if (std::ranges::none_of(out, [&](const FileInfo& info) { return info.name == file; })) {
      FileInfo info;
      info.name = file;
      info.size = text.size();
      out.push_back(std::move(info));
    }
  }
  if (!there && out.empty()) return base::fail(absent(folder));
  std::ranges::sort(out, {}, &FileInfo::name);
  return out;
}

Result<FileInfo> SiteFiles::info(const std::string& path) {
  if (const auto over = over_.find(inside(path)); over != over_.end()) {
    FileInfo out;
    out.name = base::name_of(path);
    out.size = over->second.size();
    return out;
  }
  if (path == kRoot) return disk_.info(folder_);
  const std::string place = real(path);
  if (place.empty()) return base::fail(absent(path));
  return disk_.info(place);
}

bool SiteFiles::exists(const std::string& path) {
  return info(path).has_value();
}

Result<std::vector<FileInfo>> SiteFiles::files() {
  std::vector<FileInfo> out;
  std::vector<std::string> folders = {""};
  while (!folders.empty()) {
    const std::string folder = folders.back();
    folders.pop_back();
    auto entries = list(folder.empty() ? kRoot : std::string(kRoot) + "/" + folder);
    if (!entries) continue;
    for (FileInfo& info : *entries) {
      info.name = folder.empty() ? info.name : folder + "/" + info.name;
      if (info.is_directory)
        folders.push_back(info.name);
      else if (info.is_regular)
        out.push_back(std::move(info));
    }
  }
  std::ranges::sort(out, {}, &FileInfo::name);
  return out;
}

}  // namespace kiln::engine
