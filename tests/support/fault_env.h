#pragma once
// The operating system's files with faults where a test says so: syncs of database files, of their WALs and of
// folders that fail once. Also counts what SQLite reads, which says how much of a file a start looks at.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/env.h"

namespace kiln::test {

/// Counters are shared by all objects: SQLite knows one file system by name. One test at a time.
class FaultEnv final : public base::Env {
 public:
  /// Which sync fails: 1 the next one, 2 the one after it, …; 0 none. Each fails once.
  struct Syncs {
    std::atomic<int> database{0}, wal{0}, folder{0};
  };

  FaultEnv();
  ~FaultEnv() override;
  Syncs& fail_sync();
  /// Bytes of database files (not of WALs) that were read since reset_counts().
  std::uint64_t bytes_read() const;
  void reset_counts();

  base::Result<std::string> read_file(const std::string& path, std::uint64_t max_bytes) override {
    return inner_.read_file(path, max_bytes);
  }
  base::Status write_file_atomic(const std::string& path, std::string_view bytes) override {
    return inner_.write_file_atomic(path, bytes);
  }
  base::Result<std::unique_ptr<base::AppendFile>> open_append(const std::string& path) override {
    return inner_.open_append(path);
  }
  base::Result<std::vector<base::FileInfo>> list(const std::string& folder) override { return inner_.list(folder); }
  base::Result<base::FileInfo> info(const std::string& path) override { return inner_.info(path); }
  bool exists(const std::string& path) override { return inner_.exists(path); }
  base::Status make_folders(const std::string& path) override { return inner_.make_folders(path); }
  base::Status rename(const std::string& from, const std::string& to, bool replace) override {
    return inner_.rename(from, to, replace);
  }
  base::Status remove(const std::string& path) override { return inner_.remove(path); }
  base::Status sync_folder(const std::string& path) override;
  const char* sqlite_vfs() const override;

 private:
  base::Env& inner_ = base::system_env();
};

}  // namespace kiln::test
