#pragma once
// One journal file as JournalReader sees it.

#include <optional>

#include "engine/index/index_file.h"
#include "engine/journal/journal_files.h"
#include "engine/journal/reader.h"

namespace kiln::engine {

struct JournalReader::File : JournalFile {
  explicit File(JournalFile file) : JournalFile(std::move(file)) {}
  std::optional<IndexReader> index;  ///< opened by the first search that finds it
};

}  // namespace kiln::engine
