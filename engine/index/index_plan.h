#pragma once
// What the index can say about a query.

#include "engine/index/index_file.h"
#include "engine/journal/query.h"

namespace kiln::engine {

struct IndexPlan {
  /// Holds for every message for which the query does, and may for others; empty: the index cannot help.
  KeyNode keys;
  /// Something in it is of few messages: a control id, a patient, a word; not only a channel or a type.
  bool selective = false;
};
/// Errors: those of reading the index.
base::Result<IndexPlan> plan_index(const Query& query, IndexReader& index, const IndexRules& rules);

/// The times of receipt and the numbers that terms of the whole query leave.
struct QueryRange {
  std::int64_t received_from = INT64_MIN, received_to = INT64_MAX;  ///< µs
  MessageId first = 0, last = INT64_MAX;
};
QueryRange range_of(const Query& query);

}  // namespace kiln::engine
