#pragma once
// Bytes of files that are too large to be held: hashes and copies.

#include <cstdint>
#include <string>

#include "engine/base/result.h"

namespace kiln::engine {

struct FileDigest {
  std::uint64_t bytes = 0;
  std::string sha256;  ///< hex
};
/// Errors: file_not_found, io_failed.
base::Result<FileDigest> digest_file(const std::string& path);

/// Copies and syncs; the target must not exist. Errors: file_not_found, io_failed, disk_full, fsync_failed.
base::Result<FileDigest> copy_file(const std::string& from, const std::string& to);

/// Bytes that are free for this process on the disk of a folder.
base::Result<std::uint64_t> free_bytes(const std::string& folder);

}  // namespace kiln::engine
