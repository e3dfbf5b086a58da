#pragma once
// Files as an editor shows them: open documents in place of what is on the disk.

#include <functional>
#include <map>
#include <string>

#include "engine/base/env.h"

namespace kiln::mappings {

/// Reads go to the open documents first; every change is refused (io_failed). `texts` holds the documents by
/// absolute path; both arguments outlive the object. As thread-safe as `texts` is left alone.
class OverlayEnv : public base::Env {
 public:
  using Texts = std::map<std::string, const std::string*, std::less<>>;
  OverlayEnv(base::Env& disk, const Texts& texts) : disk_(disk), texts_(texts) {}

  base::Result<std::string> read_file(const std::string& path, std::uint64_t max_bytes) override;
  base::Status write_file_atomic(const std::string& path, std::string_view bytes) override;
  base::Result<std::unique_ptr<base::AppendFile>> open_append(const std::string& path) override;
  base::Result<std::vector<base::FileInfo>> list(const std::string& folder) override;
  base::Result<base::FileInfo> info(const std::string& path) override;
  bool exists(const std::string& path) override;
  base::Status make_folders(const std::string& path) override;
  base::Status rename(const std::string& from, const std::string& to, bool replace) override;
  base::Status remove(const std::string& path) override;
  base::Status sync_folder(const std::string& path) override;

 private:
  bool holds_folder(const std::string& path) const;
  base::Env& disk_;
  const Texts& texts_;
};

}  // namespace kiln::mappings
