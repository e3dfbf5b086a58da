#include "engine/admin/console_files.h"

namespace kiln::engine {

std::span<const base::EmbeddedFile> console_files() { return {}; }

}  // namespace kiln::engine
