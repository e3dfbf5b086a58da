#pragma once
// The FHIR store in one SQLite file (fhir.md §5; tables: README.md).

#include <memory>
#include <string>

#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/sql/sqlite.h"
#include "fhir/store.h"

namespace kiln::engine {

class TextColumns;  // text_columns.h

struct StoreOptions {
  std::string path;
  std::string base_url;  ///< own base, so that own absolute references are found as relative ones
  const base::Clock* clock = nullptr;  ///< for meta.lastUpdated; borrowed
  base::Env* env = nullptr;            ///< creates the file (owner only) and names the SQLite VFS; borrowed
  int cache_kib = 64 * 1024;           ///< page cache of the writer; a reader gets a quarter
  base::StatementTrace trace;          ///< of the writer and the readers it opens; for tests
  int checkpoint_pages = 1000;         ///< of the log, after which a commit moves it into the file
  /// Steps of SQLite's virtual machine after which the walk of a sorted search is made with the matches as bits.
  std::uint64_t sort_walk_steps = 1'500'000;
  std::shared_ptr<TextColumns> texts;  ///< shared by the readers that a store opens; empty: it makes some
};

/// Opens or creates the store for writing: the one connection that commits and checkpoints. The folder must
/// exist. Errors: store_format, database_*, disk_full, io_failed.
base::Result<std::unique_ptr<fhir::Store>> open_store(const StoreOptions& options);
/// A read-only connection to an existing store; never commits nor checkpoints, also when no writer is
/// running.
base::Result<std::unique_ptr<fhir::Store>> open_store_reader(const StoreOptions& options);

}  // namespace kiln::engine
