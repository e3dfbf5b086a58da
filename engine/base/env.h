#pragma once
// Files as a seam. Paths are UTF-8, '/'-separated, relative to the process or absolute.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/result.h"

namespace kiln::base {

struct FileInfo {
  std::string name;  ///< without its folder
  std::uint64_t size = 0;
  WallTime modified;
  bool is_directory = false;
  bool is_regular = true;  ///< false for symbolic links, devices, sockets, also when a link leads to a file
};

/// Appends to one file. The destructor closes without syncing.
class AppendFile {
 public:
  virtual ~AppendFile() = default;
  virtual Status append(std::string_view bytes) = 0;
  virtual Status sync() = 0;           ///< returns after fdatasync; errors: fsync_failed
  virtual std::uint64_t size() const = 0;
  virtual Status truncate(std::uint64_t size) = 0;
};

/// Thread-safe. Errors: file_not_found, disk_full, io_failed; fsync_failed, which no later sync heals (R7).
class Env {
 public:
  virtual ~Env() = default;
  virtual Result<std::string> read_file(const std::string& path, std::uint64_t max_bytes) = 0;
  /// Whole or not at all, also after power loss: temporary file, fsync, rename, fsync of the folder.
  virtual Status write_file_atomic(const std::string& path, std::string_view bytes) = 0;
  virtual Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) = 0;
  /// Sorted by name.
  virtual Result<std::vector<FileInfo>> list(const std::string& folder) = 0;
  virtual Result<FileInfo> info(const std::string& path) = 0;
  virtual bool exists(const std::string& path) = 0;
  virtual Status make_folders(const std::string& path) = 0;
  /// Atomic, then fsyncs both folders. Refuses to replace an existing target unless `replace`.
  virtual Status rename(const std::string& from, const std::string& to, bool replace) = 0;
  virtual Status remove(const std::string& path) = 0;
  virtual Status sync_folder(const std::string& path) = 0;
  /// The name of the SQLite VFS that goes with these files; nullptr for the default one.
  virtual const char* sqlite_vfs() const { return nullptr; }
};

/// The operating system's files; umask 077 for what it creates. Lives as long as the process.
Env& system_env();

/// "a/b" + "c" -> "a/b/c"; an absolute second part wins.
std::string join_path(std::string_view folder, std::string_view name);
std::string_view folder_of(std::string_view path);  ///< "." when there is none
std::string_view name_of(std::string_view path);

}  // namespace kiln::base
