#pragma once
// Transactions without HTTP: the way a channel writes into the built-in store (fhir.md §8).

#include <string>
#include <vector>

#include "engine/base/json.h"
#include "fhir/outcome.h"
#include "fhir/router.h"
#include "fhir/store.h"

namespace kiln::fhir {

/// What became of one entry, in request order.
struct EntryOutcome {
  int status = 200;      ///< HTTP status: 201, 200, 204
  std::string type, id;  ///< empty for a deletion that matched nothing, and for searches
  std::int64_t vid = 0;  ///< 0 when there is no version
  base::WallTime updated;
  bool unchanged = false;  ///< a conditional create that matched, or an identical update
  std::string body;        ///< the resource (or searchset) as JSON; empty for a deletion
};

struct TransactionOutcome {
  std::vector<EntryOutcome> entries;
};

struct ApplyOptions {
  std::string_view origin = kClientOrigin;
  const Principal* principal = nullptr;  ///< nullptr: no access checks (a channel's own delivery)
};

/// Applies a Bundle of type transaction inside a savepoint of its own: whole, or not at all. The failure
/// names the first wrong entry by processing order as "Bundle.entry[n]…". Runs on the writing store.
Answer<TransactionOutcome> apply_transaction(Store& store, base::JsonView bundle,
                                             const ServerContext& context, const ApplyOptions& options);

/// For channel deliveries: a transaction Bundle as above; a batch Bundle, entry by entry, failing on the
/// first bad entry; or a single resource, which is updated when it has an id and created when it has none.
Answer<TransactionOutcome> apply_bundle(Store& store, base::JsonView bundle, const ServerContext& context,
                                        const ApplyOptions& options);

}  // namespace kiln::fhir
