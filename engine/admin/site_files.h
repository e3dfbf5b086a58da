#pragma once
// One site as files below "/site", read-only, with changed files laid over it: what the playground, its
// language server and the check of a draft see. Nothing outside the site can be named, and nothing of its
// data folder.

#include <map>
#include <string>

#include "engine/base/env.h"

namespace kiln::engine {

class SiteFiles final : public base::Env {
 public:
  static constexpr const char* kRoot = "/site";
  /// `data_folder` relative to the site, or absolute.
  SiteFiles(base::Env& disk, std::string folder, const std::string& data_folder);

  /// `path` relative to the site. Error: bad_value for one that could not be a file of a site.
  base::Status lay_over(const std::string& path, std::string text);
  /// Whether it is kiln.conf or a file of channels/, maps/, tables/, samples/ or tests/.
  bool is_site_path(std::string_view path) const;
  /// Every such file, sorted.
  base::Result<std::vector<base::FileInfo>> files();

  base::Result<std::string> read_file(const std::string& path, std::uint64_t max_bytes) override;
  base::Result<std::vector<base::FileInfo>> list(const std::string& folder) override;
  base::Result<base::FileInfo> info(const std::string& path) override;
  bool exists(const std::string& path) override;
  base::Status write_file_atomic(const std::string&, std::string_view) override { return refuse(); }
  base::Result<std::unique_ptr<base::AppendFile>> open_append(const std::string&) override {
    return base::fail(refuse().error());
  }
  base::Status make_folders(const std::string&) override { return refuse(); }
  base::Status rename(const std::string&, const std::string&, bool) override { return refuse(); }
  base::Status remove(const std::string&) override { return refuse(); }
  base::Status sync_folder(const std::string&) override { return refuse(); }

 private:
  static base::Status refuse() {
    return base::fail(base::ErrorCode::io_failed, "the site is read only here");
  }
  /// The place on disk of "/site/…"; empty when it is outside.
  std::string real(const std::string& path) const;
  std::string inside(const std::string& path) const;
  base::Env& disk_;
  std::string folder_, data_;
  std::map<std::string, std::string> over_;  ///< by path relative to the site
};

}  // namespace kiln::engine
