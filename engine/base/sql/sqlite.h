#pragma once
// A thin handle for SQLite with the storage rules of reliability.md §5 built in: WAL, synchronous=FULL, 16 KB
// pages, no mmap; exactly one connection per file commits and checkpoints, every other one is read-only and
// never checkpoints.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/result.h"

struct sqlite3_stmt;

namespace kiln::base {

struct DatabaseOptions {
  std::string path;
  bool read_only = false;    ///< true for every connection but the one that commits and checkpoints
  int page_size = 16384;     ///< bytes; takes effect when the file is created
  int cache_kib = 8 * 1024;  ///< page cache of this connection
  /// WAL length from which a commit() checkpoints (SQLite's own automatic checkpoint is off: it tells nobody
  /// when the disk does not confirm). 0: only Database::checkpoint() does.
  int wal_autocheckpoint_pages = 1000;
  int busy_timeout_ms = 5000;  ///< for readers that meet a recovery; the writer never waits in practice
  const char* vfs = nullptr;   ///< Env::sqlite_vfs() of the injected Env; nullptr for the default
};

namespace detail {
struct DatabaseState;
}

/// What one run of a statement cost.
struct StatementCost {
  std::string_view sql;               ///< as it was prepared; valid during the call
  std::uint64_t steps = 0;            ///< of SQLite's virtual machine
  std::uint64_t full_scan_steps = 0;  ///< rows passed over in a table that is read without an index
};
using StatementTrace = std::function<void(const StatementCost&)>;

/// A prepared statement. Lives shorter than its Database. One thread at a time. Move-only.
/// Bind, step, read columns; a statement taken from Database::cached() returns to the cache when destroyed.
class Statement {
 public:
  Statement() = default;
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  /// Parameters count from 1. A failed bind is reported by the next step(). Text and blobs are not copied:
  /// they must live until the statement is stepped to its end, reset or bound again.
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, const char* text) { return bind(index, std::string_view(text)); }
  Statement& bind_blob(int index, std::string_view bytes);
  Statement& bind_null(int index);

  /// True: a row is there. False: done (the statement is reset, bindings kept). Errors: disk_full, io_failed,
  /// database_conflict (a constraint), database_corrupt, limit_exceeded (the budget of Database::set_budget),
  /// database_failed.
  Result<bool> step();
  /// Runs to the end, ignoring rows, and resets.
  Status run();
  /// Makes the statement ready to be bound and stepped again; bindings stay.
  void reset();

  /// Position of a named parameter (":mrn"); 0 when the text has none of that name.
  int parameter(const std::string& name) const;
  int parameter_count() const;
  int column_count() const;
  std::string_view column_name(int column) const;

  /// Columns count from 0; only after step() said true. Views live until the next step() or reset().
  std::int64_t integer(int column) const;
  std::string_view text(int column) const;
  std::string_view blob(int column) const;
  bool is_null(int column) const;

 private:
  friend class Database;
  Statement(detail::DatabaseState* database, sqlite3_stmt* statement, bool cached);
  void release();
  detail::DatabaseState* database_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
  int bind_error_ = 0;
  bool cached_ = false;
};

/// One connection. Not thread-safe: use it from one thread at a time. Statements must be destroyed before it.
class Database {
 public:
  Database();
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  /// Opens, and creates the file unless read_only. Sets the pragmas of reliability.md §5 and reads each back;
  /// a file that cannot have them is refused with database_failed. A new file's folder is not synced: that is
  /// the caller's.
  static Result<Database> open(const DatabaseOptions& options);
  bool is_open() const { return state_ != nullptr; }

  /// Runs a text of one or more statements, ignoring rows.
  Status exec(const char* sql);
  /// A statement of your own; prepared once, reset between uses.
  Result<Statement> prepare(std::string_view sql);
  /// The same text gives the same prepared statement again (kept for the life of the connection; beyond
  /// limits::kSqlStatementCacheMax texts it is prepared each time). While one is in use a second one is
  /// prepared.
  Result<Statement> cached(std::string_view sql);

  /// BEGIN IMMEDIATE. The error of a full or read-only disk may only come at commit().
  Status begin();
  /// Also checkpoints when the WAL has reached DatabaseOptions::wal_autocheckpoint_pages. fsync_failed: the sync
  /// of the transaction or of that checkpoint failed; in the second case the transaction is durable, but in both
  /// nothing may be believed or answered any more (reliability.md R7). Any other failure of the checkpoint
  /// leaves everything in the WAL: it is tried again by the next commit, and checkpoint_failure() tells it.
  Status commit();
  /// What the last checkpoint of a commit() ended with.
  const Status& checkpoint_failure() const;
  /// Never fails: what SQLite rolled back by itself stays rolled back.
  void rollback();
  bool in_transaction() const;
  /// Nested: `savepoint(n)`, then `release(n)` or `rollback_to(n)` (which also releases). n names the nesting
  /// level.
  Status savepoint(int level);
  Status release(int level);
  Status rollback_to(int level);

  /// Moves the WAL into the file as far as readers allow; never blocks on them. Writer only. Errors:
  /// fsync_failed as for commit(), disk_full, io_failed.
  Status checkpoint();
  /// Copies the database, as this connection sees it, into a new file, which is synced; the picture of a read transaction
  /// that is open is what is copied. In parts of some pages with a pause in between when `gentle`, so that a disk that
  /// others write to is not taken up. `stop` is asked between the parts and may be empty. Errors: disk_full, io_failed,
  /// fsync_failed; cancelled when `stop` said so (what was begun is left).
  Status copy_to(const std::string& path, bool gentle, const std::function<bool()>& stop = {});
  std::int64_t last_insert_rowid() const;
  std::int64_t changes() const;  ///< rows changed by the last statement
  Result<std::int64_t> pragma_integer(const char* name);
  Result<std::string> pragma_text(const char* name);

  /// Ends statements with limit_exceeded after about that many virtual machine steps from now; 0 = no limit.
  void set_budget(std::uint64_t steps);
  /// Asked about every 1,000 virtual machine steps while a statement runs, on its thread; true ends the statement
  /// with `cancelled` (a writing one takes its transaction with it). Empty: nobody is asked.
  void set_stop(std::function<bool()> stop);
  /// Called at the end of each run of a statement, BEGIN and COMMIT included; empty: nothing is called. For tests that
  /// count statements and look at their plans.
  void set_trace(StatementTrace trace);
  /// Callable from another thread: the running statement ends with `cancelled`.
  void interrupt();

 private:
  explicit Database(std::unique_ptr<detail::DatabaseState> state);
  std::unique_ptr<detail::DatabaseState> state_;
};

}  // namespace kiln::base
