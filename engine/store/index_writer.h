#pragma once
// Keeps the ix_* tables in step with the current version of each resource (fhir.md S2).

#include <cstdint>

#include "engine/base/sql/sqlite.h"
#include "engine/store/dictionary.h"
#include "fhir/search/parameters.h"

namespace kiln::engine {

class IndexWriter {
 public:
  IndexWriter(base::Database& database, Dictionary& dictionary)
      : database_(&database), dictionary_(&dictionary) {}
  /// Removes the rows that are only in `before` and adds those that are only in `after`.
  base::Status replace(const fhir::TypeParameters& type, std::int64_t rid, const fhir::IndexRows& before,
                       const fhir::IndexRows& after);
  base::Status clear_all();

 private:
  base::Database* database_;
  Dictionary* dictionary_;
};

}  // namespace kiln::engine
