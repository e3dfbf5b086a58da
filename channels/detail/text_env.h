#pragma once
// Files given as text, as an Env: a site out of the journal, a test or an editor loads by the same code as a
// folder.

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/env.h"

namespace kiln::channels::detail {

/// Read-only: every change is io_failed. Names are relative to the site; "./" in front is ignored.
std::unique_ptr<base::Env> make_text_env(std::vector<std::pair<std::string, std::string>> files);

}  // namespace kiln::channels::detail
