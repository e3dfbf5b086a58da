#pragma once
// Packing for HTTP (RFC 1952); unpacking is gunzip() of archive.h.

#include <string>
#include <string_view>

namespace kiln::base {

/// One gzip member of fast compression without name or time: the same bytes give the same bytes. Memory: 256
/// KiB besides the result.
std::string gzip(std::string_view bytes);

}  // namespace kiln::base
