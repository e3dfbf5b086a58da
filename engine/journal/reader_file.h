#pragma once
// One journal file as JournalReader sees it.

#include <optional>

#include "engine/base/sql/sqlite.h"
#include "engine/index/index_file.h"
#include "engine/journal/reader.h"

namespace kiln::engine {

struct JournalReader::File {
  DayFileName name;
  base::Database database;
  MessageId first_id = 0;
  std::optional<IndexReader> index;  ///< opened by the first search that finds it
};

}  // namespace kiln::engine
