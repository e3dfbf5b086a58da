#include "engine/store/sqlite_store.h"

#include <utility>

#include "engine/base/failpoint.h"
#include "engine/base/limits.h"
#include "engine/store/schema.h"
#include "engine/store/sqlite_connection.h"
#include "engine/store/text_columns.h"

namespace kiln::engine {

using base::Database;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

SqliteConnection::SqliteConnection(StoreOptions options, Database database, bool read_only)
    : options_(std::move(options)),
      database_(std::move(database)),
      read_only_(read_only),
      dictionary_(!read_only),
      index_(database_, dictionary_) {
  dictionary_.attach(&database_);
  if (!options_.texts) options_.texts = std::make_shared<TextColumns>();
}

Status SqliteConnection::start() {
  {
    TRY(auto secret, database_.prepare("SELECT value FROM meta WHERE key='page_secret'"));
    TRY(const bool row, secret.step());
    if (!row) return fail(ErrorCode::database_corrupt, "the store has no page secret");
    page_secret_ = secret.blob(0);
  }
  if (read_only_) return {};
  TRY_VOID(read_counters());
  std::int64_t index_version = 0;
  {
    TRY(auto select, database_.prepare("SELECT value FROM meta WHERE key='index_version'"));
    TRY(const bool row, select.step());
    if (row) index_version = select.integer(0);
  }
  if (index_version != fhir::kIndexVersion) TRY_VOID(rebuild_index());
  return load_parameters();
}

Status SqliteConnection::read_counters() {
  last_seq_ = 0;
  last_updated_ = {};
  {
    TRY(auto select, database_.prepare("SELECT seq, updated_us FROM version ORDER BY seq DESC LIMIT 1"));
    TRY(const bool row, select.step());
    if (row) {
      last_seq_ = select.integer(0);
      last_updated_.micros = select.integer(1);
    }
  }
  last_rids_.clear();
  return {};
}

Status SqliteConnection::rebuild_index() {
  TRY_VOID(begin());
  const auto work = [&]() -> Status {
    TRY_VOID(index_.clear_all());
    TRY_VOID(database_.exec("DELETE FROM cursor WHERE name GLOB 'index:*'"));
    TRY(auto select,
        database_.prepare("SELECT r.rid, r.type, v.body FROM resource r JOIN version v ON v.seq=r.seq"
                          " WHERE r.deleted=0 AND r.rid>? ORDER BY r.rid LIMIT 1"));
    for (std::int64_t rid = 0;;) {
      select.reset();
      select.bind(1, rid);
      TRY(const bool row, select.step());
      if (!row) break;
      rid = select.integer(0);
      TRY(const std::string name, dictionary_.type_name(select.integer(1)));
      const fhir::TypeParameters* parameters = fhir::type_parameters(name);
      if (!parameters) continue;
      TRY(const fhir::IndexRows rows, rows_of_body(*parameters, select.text(2)));
      TRY_VOID(index_.replace(*parameters, rid, {}, rows));
    }
    TRY(auto note, database_.prepare("INSERT OR REPLACE INTO meta VALUES('index_version', ?)"));
    note.bind(1, fhir::kIndexVersion);
    return note.run();
  };
  auto done = work();
  if (done) done = commit();
  if (!done) rollback();
  return done;
}

Status SqliteConnection::require_writer() const {
  if (read_only_) return fail(ErrorCode::database_failed, "this connection only reads");
  return {};
}

Status SqliteConnection::begin(Scopes scopes) {
  if (read_only_) return database_.exec("BEGIN");
  TRY_VOID(database_.begin());
  at_begin_ = {last_seq_, last_updated_};
  kind_ = scopes;
  in_transaction_ = true;
  spoiled_ = false;
  return {};
}

bool SqliteConnection::is_spoiled() const {
  return spoiled_ || (in_transaction_ && !database_.in_transaction());
}

Status SqliteConnection::commit() {
  if (is_spoiled()) {
    rollback();
    return fail(ErrorCode::database_failed, "the transaction was given up before its commit");
  }
  auto done = base::failpoint("store.commit.before");
  if (done) done = database_.commit();
  base::failpoint_here("store.commit.after");
  if (done) {
    dictionary_.ended();
    scopes_.clear();
    in_transaction_ = false;
    return {};
  }
  rollback();
  return done;
}

void SqliteConnection::rollback() {
  database_.rollback();
  scopes_.clear();
  in_transaction_ = spoiled_ = false;
  dictionary_.rolled_back();
  dictionary_.ended();
  if (read_only_) return;
  last_seq_ = at_begin_.seq;
  last_updated_ = at_begin_.updated;
  last_rids_.clear();
}

Status SqliteConnection::savepoint() {
  if (is_spoiled()) return fail(ErrorCode::database_failed, "the transaction was given up");
  if (!read_only_ && !database_.in_transaction()) {
    // A deferred savepoint would take the write lock late; there is one writer, so it may as well be taken
    // now.
    TRY_VOID(begin());
    scopes_.push_back({-1, {}});
    return {};
  }
  if (kind_ == Scopes::undoable) TRY_VOID(database_.savepoint(static_cast<int>(scopes_.size())));
  scopes_.push_back({last_seq_, last_updated_});
  return {};
}

Status SqliteConnection::release() {
  const Counters scope = scopes_.back();
  if (scope.seq < 0) return commit();
  scopes_.pop_back();
  if (kind_ == Scopes::assumed) return {};
  return database_.release(static_cast<int>(scopes_.size()));
}

Status SqliteConnection::rollback_to() {
  const Counters scope = scopes_.back();
  if (scope.seq < 0) {
    rollback();
    return {};
  }
  scopes_.pop_back();
  if (kind_ == Scopes::assumed) {
    spoiled_ = true;
    return {};
  }
  dictionary_.rolled_back();
  last_seq_ = scope.seq;
  last_updated_ = scope.updated;
  last_rids_.clear();
  return database_.rollback_to(static_cast<int>(scopes_.size()));
}

Status SqliteConnection::checkpoint() {
  return read_only_ ? Status() : database_.checkpoint();
}

Result<std::unique_ptr<fhir::Store>> SqliteConnection::open_reader() {
  return open_store_reader(options_);
}

Result<std::unique_ptr<fhir::Store>> open_store(const StoreOptions& options) {
  const bool fresh = !options.env->exists(options.path);
  if (fresh) {
    // Made here rather than by SQLite: the file, and with it WAL and shared memory, belongs to its owner
    // only.
    TRY(auto file, options.env->open_append(options.path));
    TRY_VOID(file->sync());
  }
  TRY(Database database,
      Database::open(
          {.path = options.path,
                       .cache_kib = options.cache_kib,
                       .wal_autocheckpoint_pages = options.checkpoint_pages,
                       .vfs = options.env->sqlite_vfs()}));
  TRY_VOID(migrate_store(database));
  if (fresh) TRY_VOID(options.env->sync_folder(std::string(base::folder_of(options.path))));
  auto store = std::make_unique<SqliteConnection>(options, std::move(database), false);
  TRY_VOID(store->start());
  if (options.trace) store->set_trace(options.trace);
  return store;
}

Result<std::unique_ptr<fhir::Store>> open_store_reader(const StoreOptions& options) {
  TRY(Database database, Database::open({.path = options.path,
                                         .read_only = true,
                                         .cache_kib = options.cache_kib / 4,
                                         .vfs = options.env->sqlite_vfs()}));
  TRY_VOID(check_store_format(database));
  auto store = std::make_unique<SqliteConnection>(options, std::move(database), true);
  TRY_VOID(store->start());
  if (options.trace) store->set_trace(options.trace);
  return store;
}

}  // namespace kiln::engine
