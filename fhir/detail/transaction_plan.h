#pragma once
// The steps of a transaction (fhir.md §8): take the entries apart, delete, decide every identity, resolve
// references, write. Everything is decided before the first POST or PUT is written, so that the result does
// not depend on the order of the entries.

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "fhir/detail/new_content.h"
#include "fhir/detail/operations.h"
#include "fhir/search/query.h"
#include "fhir/transaction.h"

namespace kiln::fhir::detail {

enum class EntryMethod : std::uint8_t { get, post, put, patch, remove };

/// One entry.request, taken apart. Views into the bundle.
struct PlannedEntry {
  std::size_t index = 0;  ///< in the request
  EntryMethod method = EntryMethod::get;
  base::JsonView request, resource;
  std::string target;                ///< request.url relative to the base, with a leading '/'
  std::string type, id;              ///< id empty until decided
  std::optional<std::string> query;  ///< criteria of PUT and DELETE, still encoded
  std::string full_url, base;        ///< base: fullUrl without Type/id, when it is an http URL
  std::optional<SearchQuery> criteria;
  bool matched = false;        ///< nothing is written: a conditional create that found a resource, a patch of a new one
  base::JsonDocument patched;  ///< of a patch: owns `resource` from the moment its identity is known
  bool writes() const {
    return !matched && (method == EntryMethod::post || method == EntryMethod::put || method == EntryMethod::patch);
  }
};

/// Takes a bundle apart and checks what can be checked without the store.
Answer<std::vector<PlannedEntry>> plan_entries(base::JsonView bundle, const ServerContext& server);

/// Names the entry of a failure: "Bundle.entry[n]" in front of the places of its issues.
Failure at_entry(Failure failure, std::size_t index, std::string_view part = {});

/// Works off a plan.
class TransactionRun {
 public:
  TransactionRun(Store& store, std::vector<PlannedEntry> entries, const ServerContext& server,
                 const ApplyOptions& options)
      : store_(store), entries_(std::move(entries)), server_(server), options_(options) {
    server_.origin = options.origin;
  }
  Answer<TransactionOutcome> run();

 private:
  Answer<void> check_access();
  Answer<void> run_deletes();
  Answer<void> decide_identity(PlannedEntry& entry);
  Answer<void> claim(PlannedEntry& entry);
  Answer<void> decide_patch(PlannedEntry& entry, const std::optional<Match>& match);
  /// The conditional create of this Bundle whose condition is that of the patch, when it creates.
  PlannedEntry* created_under(const PlannedEntry& patch);
  /// Criteria that another entry's new content would meet as well.
  Answer<void> check_criteria_overlap();
  Answer<void> map_full_urls();
  Answer<void> resolve_references(const PlannedEntry& entry);
  Answer<std::string> resolve_conditional(const ReferenceParts& parts);
  Answer<void> write(const PlannedEntry& entry);
  Answer<void> run_get(const PlannedEntry& entry);
  /// The entries whose new content meets the query, in request order.
  std::vector<const PlannedEntry*> would_match(const SearchQuery& query);
  Answer<void> for_entries(EntryMethod method, Answer<void> (TransactionRun::*step)(PlannedEntry&));

  Store& store_;
  std::vector<PlannedEntry> entries_;
  ServerContext server_;
  const ApplyOptions& options_;
  TransactionOutcome outcome_;
  ReferenceMap map_;
  std::size_t read_bytes_ = 0;  ///< of the answers to GET entries
  std::unordered_map<std::string, std::size_t> claimed_;  ///< "Type/id" → entry that writes or deletes it
  /// Rows of what is written, when criteria are held against them; by position in entries_.
  std::unordered_map<std::size_t, IndexRows> rows_;
  NewContent new_content_;
  bool has_content_ = false;
  std::unordered_map<std::string, std::string> conditional_;  ///< resolved conditional references
};

}  // namespace kiln::fhir::detail
