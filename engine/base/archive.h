#pragma once
// Reading .tgz archives (gzip over tar), as published packages are. Reading only, in memory, one file at a
// time.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "engine/base/limits.h"
#include "engine/base/result.h"

namespace kiln::base {

struct ArchiveLimits {
  std::uint64_t unpacked_bytes = limits::kArchiveUnpackedBytesMax;  ///< all files together
  std::uint64_t file_bytes = limits::kArchiveFileBytesMax;          ///< one file
};

/// Called for each regular file in archive order; both views are valid during the call only. The name is the
/// path as stored ("package/Patient.json"), checked: relative, no "..". A failure ends the reading and is
/// returned.
using ArchiveVisitor = std::function<Status(std::string_view name, std::string_view bytes)>;

/// Reads a gzip-compressed tar archive (POSIX ustar, pax path and size, GNU long names). Folders, links and
/// devices are passed over. Errors: bad_archive (damaged, truncated, unsafe name), limit_exceeded, or what
/// `visit` returned.
Status read_tgz(std::string_view bytes, const ArchiveVisitor& visit, const ArchiveLimits& limits = {});

/// Unpacks one gzip stream (members may follow each other). Errors: bad_archive, limit_exceeded.
Result<std::string> gunzip(std::string_view bytes, std::uint64_t max_bytes);

}  // namespace kiln::base
