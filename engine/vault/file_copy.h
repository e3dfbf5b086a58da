#pragma once
// Bytes of files that are too large to be held: hashes and copies.

#include <cstdint>
#include <functional>
#include <string>

#include "engine/base/result.h"

namespace kiln::engine {

struct FileDigest {
  std::uint64_t bytes = 0;
  std::string sha256;  ///< hex
};
/// Asked between parts of a long piece of work; true ends it with `cancelled`. May be empty.
using StopAsked = std::function<bool()>;

/// What is read here once pushes nothing out of the memory that intake uses: it leaves the page cache again.
/// Errors: file_not_found, io_failed, cancelled.
base::Result<FileDigest> digest_file(const std::string& path, const StopAsked& stop = {});

/// Copies and syncs; the target must not exist. Errors: file_not_found, io_failed, disk_full, fsync_failed, cancelled.
base::Result<FileDigest> copy_file(const std::string& from, const std::string& to, const StopAsked& stop = {});

/// Takes a file out of the page cache: what is read next comes from the disk. Nothing happens when there is no such file.
void drop_cached(const std::string& path);

/// Bytes that are free for this process on the disk of a folder.
base::Result<std::uint64_t> free_bytes(const std::string& folder);

}  // namespace kiln::engine
