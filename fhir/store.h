#pragma once
// The resource store, as the FHIR side and the engine see it (fhir.md §5). Implemented by engine/store.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "engine/base/result.h"
#include "fhir/reference.h"

namespace kiln::fhir {

struct SearchQuery;  // fhir/search/query.h

/// How a version came about. The numbers are stored.
enum class WriteMethod : std::uint8_t { create = 1, update = 2, patch = 3, remove = 4 };
/// "POST", "PUT", "PATCH", "DELETE".
std::string_view http_method(WriteMethod method);

/// Who made a version: a client of the API, or a channel. A `source fhir` channel uses it to not see its own
/// writes.
inline constexpr std::string_view kClientOrigin = "client";
/// Of a client that logged in.
inline std::string client_origin(std::string_view name) {
  return name.empty() ? std::string(kClientOrigin) : std::string(kClientOrigin) + ":" + std::string(name);
}
inline bool is_client_origin(std::string_view origin) {
  return origin == kClientOrigin || (origin.starts_with(kClientOrigin) && origin.substr(kClientOrigin.size(), 1) == ":");
}
/// The user in such an origin; empty when nobody logged in.
inline std::string_view client_name(std::string_view origin) {
  return origin.substr(std::min(origin.size(), kClientOrigin.size() + 1));
}
inline std::string channel_origin(std::string_view channel) {
  return "channel:" + std::string(channel);
}

/// One version of a resource. Owns its text.
struct StoredVersion {
  std::string type, id;
  std::int64_t vid = 0;    ///< meta.versionId, from 1; goes on after a deletion
  std::int64_t seq = 0;    ///< position in the change feed: store-wide, in commit order, may have gaps
  base::WallTime updated;  ///< meta.lastUpdated; milliseconds; never goes back along seq
  WriteMethod method = WriteMethod::create;
  std::string origin;  ///< only filled by changes_since()
  std::string body;    ///< JSON with id and meta as stored; empty for a deletion

  bool deleted() const { return method == WriteMethod::remove; }
};

/// A resource to write. All views must live until put() returns.
struct Write {
  std::string_view type;        ///< resourceType of `resource`
  std::string_view id;          ///< valid FHIR id; replaces that of `resource`
  base::JsonView resource;      ///< as sent: id, meta.versionId and meta.lastUpdated in it are ignored
  ReferenceRewrite references;  ///< applied while writing and indexing
  WriteMethod method = WriteMethod::update;
  std::string_view origin = kClientOrigin;
  bool skip_identical = true;  ///< the same content as the current version makes no new version (fhir.md §6)
};

struct WriteResult {
  std::int64_t vid = 0, seq = 0;
  base::WallTime updated;
  bool created = false;    ///< it did not exist, or was deleted
  bool unchanged = false;  ///< identical to the current version; nothing was written
  std::string body;        ///< the stored text
};

/// One hit of a search, without its text.
struct Match {
  std::string type, id;
  std::int64_t rid = 0, vid = 0, seq = 0;
};

struct SearchPage {
  std::vector<StoredVersion> rows;  ///< in the order of the query
  /// Sort keys of the first and the last row (of a search sorted by values: their seq): SearchQuery::after goes on there.
  std::int64_t first_key = 0, last_key = 0;
  bool more = false;
};

struct HistoryRange {
  std::string_view type;                ///< empty: all types
  std::string_view id;                  ///< empty: all resources of the type
  std::int64_t below_seq = 0;           ///< only seq < this; 0: from the newest
  std::optional<base::WallTime> since;  ///< inclusive
  /// Only what was current at some time from `at_low` to `at_high` (microseconds UTC, inclusive); both or none.
  std::optional<std::int64_t> at_low, at_high;
  std::size_t limit = 0;
  std::size_t bytes_max = 0;  ///< of the bodies; one version in any case; 0: no limit
};

struct HistoryPage {
  std::vector<StoredVersion> rows;  ///< newest first
  bool more = false;
};

/// A walk over the resources of a type as they were when the change feed stood at `up_to_seq`: later changes are not
/// seen, however long the walk takes, and no transaction stays open between its pages.
struct SnapshotRange {
  std::string_view type;
  std::int64_t up_to_seq = 0;
  std::int64_t after_rid = 0;           ///< last_rid of the page before; 0: the first page
  std::optional<base::WallTime> since;  ///< only what changed then or later; with it deletions are given as well
  std::size_t limit = 0;                ///< resources looked at
  std::size_t bytes = 0;                ///< a page ends after so many bytes of bodies
};

struct SnapshotPage {
  std::vector<StoredVersion> rows;  ///< in order of creation
  std::int64_t last_rid = 0;        ///< of the last resource that was looked at
  bool more = false;
};

/// How far the index of a search parameter is that was added to the store.
struct ReindexState {
  std::string type, code;
  std::int64_t done = 0, last = 0;  ///< of the numbers that the resources of the type have
  bool ready = false;               ///< it can be searched by
};

struct StoreCounts {
  std::vector<std::pair<std::string, std::int64_t>>
      resources;  ///< current, not deleted, per type, sorted by type
  std::int64_t versions = 0;
  std::int64_t last_seq = 0;
};

/// One connection to the store. Not thread-safe: one thread (executor) at a time.
///
/// There is one writing Store per database, owned by the executor that commits; it may be read as well and
/// sees its own uncommitted writes. Other threads use their own read-only Store from open_reader(). Errors of
/// every method: disk_full, io_failed, database_*; a write on a reader gives database_failed.
///
/// Group commit: begin(); for each request { savepoint(); work; release() or rollback_to(); } commit(); then
/// answer all. Nothing may be answered as done before commit() has returned success.
class Store {
 public:
  virtual ~Store() = default;

  /// What the nested scopes of a transaction are. An undoable scope costs a copy of every page it touches; an
  /// assumed one costs nothing, since it is expected to be kept, and undoing it spoils the transaction.
  enum class Scopes { undoable, assumed };

  base::Status begin() { return begin(Scopes::undoable); }
  virtual base::Status begin(Scopes scopes) = 0;
  /// True when the transaction can only be rolled back: an assumed scope was undone, or the database gave the
  /// transaction up by itself. Its work may be done again in another one.
  virtual bool is_spoiled() const = 0;
  /// Durable when it returns success. On failure everything since begin() is gone. A spoiled one fails.
  virtual base::Status commit() = 0;
  virtual void rollback() = 0;
  /// Opens a nested scope; scopes nest. Outside a transaction the outermost release() commits durably.
  virtual base::Status savepoint() = 0;
  virtual base::Status release() = 0;
  /// Undoes and closes the innermost scope.
  virtual base::Status rollback_to() = 0;

  /// The current version, which may be a deletion. nullopt: never existed.
  virtual base::Result<std::optional<StoredVersion>> read(std::string_view type, std::string_view id) = 0;
  virtual base::Result<std::optional<StoredVersion>> read_version(std::string_view type, std::string_view id,
                                                                  std::int64_t vid) = 0;
  virtual base::Result<HistoryPage> history(const HistoryRange& range) = 0;
  /// Number of versions of the range (below_seq, limit and bytes_max do not count), counted up to `most`.
  virtual base::Result<std::int64_t> history_count(const HistoryRange& range, std::int64_t most) = 0;
  /// The version at this place of the change feed, deletions too.
  virtual base::Result<std::optional<StoredVersion>> version_at(std::int64_t seq) = 0;
  virtual base::Result<std::int64_t> version_count(std::string_view type, std::string_view id) = 0;

  /// Writes a new version and its index rows; creates the resource when it is not there.
  virtual base::Result<WriteResult> put(const Write& write) = 0;
  /// Writes a deletion version. nullopt: it never existed or was deleted already; nothing was written.
  virtual base::Result<std::optional<WriteResult>> remove(std::string_view type, std::string_view id,
                                                          std::string_view origin) = 0;

  /// The page of a query, with bodies. Errors of this and the next three: fhir_too_costly when the query costs
  /// more than its budget, fhir_search_time after limits::kSearchMs, cancelled (set_stop).
  virtual base::Result<SearchPage> search(const SearchQuery& query) = 0;
  /// The same rows one by one, so that only one body is in memory; an error that `on_row` gives ends it. True:
  /// there are more than query.count.
  virtual base::Result<bool> each(const SearchQuery& query,
                                  const std::function<base::Status(StoredVersion)>& on_row) = 0;
  /// At most `limit` hits without bodies, in no promised order: for conditional interactions.
  virtual base::Result<std::vector<Match>> find(const SearchQuery& query, std::size_t limit) = 0;
  /// Number of hits, counted up to `limit`.
  virtual base::Result<std::int64_t> count(const SearchQuery& query, std::int64_t limit) = 0;

  /// The change feed: versions with seq > `seq`, ascending, deletions included; at most `limit`, fewer when their
  /// bodies exceed limits::kPageBytesMax.
  virtual base::Result<std::vector<StoredVersion>> changes_since(std::int64_t seq, std::size_t limit) = 0;
  virtual base::Result<std::int64_t> last_seq() = 0;
  /// Durable position of a reader of the feed; 0 when it has none yet.
  virtual base::Result<std::int64_t> cursor(std::string_view name) = 0;
  virtual base::Status set_cursor(std::string_view name, std::int64_t seq) = 0;

  /// Effectively-once deliveries: inside the transaction of the write itself.
  virtual base::Result<bool> delivered(std::int64_t msg_id, std::string_view dest) = 0;
  virtual base::Status mark_delivered(std::int64_t msg_id, std::string_view dest) = 0;
  /// The highest msg_id that was ever marked and not forgotten; 0 when there is none.
  virtual base::Result<std::int64_t> last_delivered() = 0;
  /// Forgets deliveries of messages with a smaller id (their journal file is gone).
  virtual base::Status forget_delivered_below(std::int64_t msg_id) = 0;

  virtual base::Result<StoreCounts> counts() = 0;
  /// Brings what can be searched by in line with the active SearchParameters of the store, in a transaction of its own:
  /// the rows of those that are gone are removed. Done at opening; again when take_parameters_changed().
  virtual base::Status load_parameters() = 0;
  virtual base::Result<std::vector<ReindexState>> parameters_state() = 0;
  /// Indexes some resources (limits::kReindexStepResources) for a parameter that is not ready, inside the transaction of
  /// the caller, with the durable position. False: all are ready.
  virtual base::Result<bool> reindex_step() = 0;
  virtual bool has_pending_parameters() const = 0;
  /// The transaction of the last step was committed.
  virtual void reindex_committed() = 0;
  /// Whether a SearchParameter was written since it was last asked (also one that was rolled back).
  virtual bool take_parameters_changed() = 0;
  /// 32 random bytes made when the store was created; signs paging links.
  virtual std::string_view page_secret() const = 0;
  /// Lets the writer move the WAL into the file; call when idle. No effect on a reader.
  virtual base::Status checkpoint() = 0;
  /// Asked now and then while a search, count or history runs, on its thread; true ends it with `cancelled`.
  virtual void set_stop(std::function<bool()> stop) = 0;
  /// A read-only connection of its own for another thread.
  virtual base::Result<std::unique_ptr<Store>> open_reader() = 0;
  virtual base::Result<SnapshotPage> snapshot(const SnapshotRange& range) = 0;
};

/// A savepoint that is undone unless keep() was called.
class StoreScope {
 public:
  static base::Result<StoreScope> open(Store& store) {
    TRY_VOID(store.savepoint());
    return StoreScope(&store);
  }
  StoreScope(StoreScope&& other) noexcept : store_(std::exchange(other.store_, nullptr)) {}
  StoreScope& operator=(StoreScope&&) = delete;
  ~StoreScope() {
    if (store_) (void)store_->rollback_to();
  }
  base::Status keep() { return std::exchange(store_, nullptr)->release(); }

 private:
  explicit StoreScope(Store* store) : store_(store) {}
  Store* store_;
};

}  // namespace kiln::fhir
