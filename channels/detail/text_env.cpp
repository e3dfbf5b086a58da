#include "channels/detail/text_env.h"

namespace kiln::channels::detail {

namespace {

using base::ErrorCode;

std::string plain(std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  while (path.ends_with('/')) path.remove_suffix(1);
  return path == "." ? std::string() : std::string(path);
}

class TextEnv final : public base::Env {
 public:
  explicit TextEnv(std::vector<std::pair<std::string, std::string>> files) {
    for (auto& [name, text] : files) files_.emplace(plain(name), std::move(text));
  }

  base::Result<std::string> read_file(const std::string& path, std::uint64_t max_bytes) override {
    const auto found = files_.find(plain(path));
    if (found == files_.end()) return base::fail(ErrorCode::file_not_found, "there is no such file", path);
    if (found->second.size() > max_bytes)
      return base::fail(ErrorCode::limit_exceeded, "the file is too large", path);
    return found->second;
  }
  base::Result<std::vector<base::FileInfo>> list(const std::string& folder) override {
    const std::string name = plain(folder);
    const std::string prefix = name.empty() ? name : name + "/";
    std::map<std::string, base::FileInfo> found;
    for (const auto& [path, text] : files_) {
      if (!path.starts_with(prefix)) continue;
      const auto slash = path.find('/', prefix.size());
      base::FileInfo info;
      info.name = path.substr(prefix.size(), slash == std::string::npos ? slash : slash - prefix.size());
      info.is_directory = slash != std::string::npos;
      info.is_regular = !info.is_directory;
      info.size = info.is_directory ? 0 : text.size();
      found.emplace(info.name, info);
    }
    if (found.empty() && !name.empty())
      return base::fail(ErrorCode::file_not_found, "there is no such folder", folder);
    std::vector<base::FileInfo> out;
    for (auto& [file, info] : found) out.push_back(std::move(info));
    return out;
  }
  base::Result<base::FileInfo> info(const std::string& path) override {
    const std::string name = plain(path);
    base::FileInfo out;
    out.name = std::string(base::name_of(name));
    if (const auto found = files_.find(name); found != files_.end()) {
      out.size = found->second.size();
      return out;
    }
    if (!list(path)) return base::fail(ErrorCode::file_not_found, "there is no such file", path);
    out.is_directory = true;
    out.is_regular = false;
    return out;
  }
  bool exists(const std::string& path) override { return info(path).has_value(); }

  base::Status write_file_atomic(const std::string& path, std::string_view) override { return refuse(path); }
  base::Result<std::unique_ptr<base::AppendFile>> open_append(const std::string& path) override {
    return refuse(path);
  }
  base::Status make_folders(const std::string& path) override { return refuse(path); }
  base::Status rename(const std::string& from, const std::string&, bool) override { return refuse(from); }
  base::Status remove(const std::string& path) override { return refuse(path); }
  base::Status sync_folder(const std::string& path) override { return refuse(path); }

 private:
  static tl::unexpected<base::Error> refuse(const std::string& path) {
    return base::fail(ErrorCode::io_failed, "files given as text cannot be changed", path);
  }
  std::map<std::string, std::string> files_;
};

}  // namespace

std::unique_ptr<base::Env> make_text_env(std::vector<std::pair<std::string, std::string>> files) {
  return std::make_unique<TextEnv>(std::move(files));
}

}  // namespace kiln::channels::detail
