#pragma once
#include <span>

#include "engine/base/embedded_file.h"

namespace kiln::engine {

/// The web console as the build has made it (engine/admin/console). Paths are relative to /console/ and end in ".gz"
/// ("index.html.gz", "assets/index-3f2a91c0.js.gz"); every text is gzip. Names below assets/ change with their content.
/// A binary built with KILN_CONSOLE=OFF has index.html.gz only, which says so. Static storage, any thread.
std::span<const base::EmbeddedFile> console_files();

}  // namespace kiln::engine
