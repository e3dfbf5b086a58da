#include "engine/base/sql/sqlite.h"

#include <sqlite3.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <string>
#include <unordered_map>
#include <utility>

#include "engine/base/failpoint.h"
#include "engine/base/limits.h"

namespace kiln::base {

namespace detail {
struct DatabaseState {
  sqlite3* handle = nullptr;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  /// nullptr while the statement is lent out.
  std::unordered_map<std::string, sqlite3_stmt*, Hash, std::equal_to<>> cache;
  std::uint64_t budget_calls = 0;
  bool budget_spent = false;
  std::function<bool()> stop;
  StatementTrace trace;
  int checkpoint_pages = 0;     ///< DatabaseOptions::wal_autocheckpoint_pages of a writer
  bool checkpoint_due = false;  ///< the WAL has reached that many
  Status checkpoint_failure;

  ~DatabaseState() {
    for (auto& [sql, statement] : cache) sqlite3_finalize(statement);
    sqlite3_close_v2(handle);
  }
};
}  // namespace detail

namespace {

constexpr int kBudgetStepsPerCall = 1000;

/// Texts of SQLite errors name tables and columns, never values.
Error error_of(const detail::DatabaseState& database, int code) {
  const int primary = code & 0xff;
  std::string text = sqlite3_errstr(code);
  switch (primary) {
    case SQLITE_FULL:
    case SQLITE_READONLY:
      return {ErrorCode::disk_full, std::move(text), {}, {}};
    case SQLITE_IOERR:
      if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC)
        return {ErrorCode::fsync_failed, std::move(text), {}, {}};
      if (const int cause = sqlite3_system_errno(database.handle); cause == EROFS || cause == EDQUOT || cause == ENOSPC)
        return {ErrorCode::disk_full, std::move(text), {}, {}};
      return {ErrorCode::io_failed, std::move(text), {}, {}};
    case SQLITE_CANTOPEN:
      if (const int cause = sqlite3_system_errno(database.handle); cause == EROFS || cause == EDQUOT || cause == ENOSPC)
        return {ErrorCode::disk_full, std::move(text), {}, {}};
      return {ErrorCode::io_failed, std::move(text), {}, {}};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::io_failed, std::move(text), {}, {}};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorCode::database_corrupt, std::move(text), {}, {}};
    case SQLITE_CONSTRAINT:
      return {ErrorCode::database_conflict, sqlite3_errmsg(database.handle), {}, {}};
    case SQLITE_INTERRUPT:
      if (database.budget_spent) return {ErrorCode::limit_exceeded, "the query exceeded its budget", {}, {}};
      return {ErrorCode::cancelled, {}, {}, {}};
    default:
      return {ErrorCode::database_failed, sqlite3_errmsg(database.handle), {}, {}};
  }
}

Result<sqlite3_stmt*> compile(detail::DatabaseState& database, std::string_view sql, unsigned flags) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(database.handle, sql.data(), static_cast<int>(sql.size()), flags,
                                      &statement, nullptr);
  if (code != SQLITE_OK) return fail(error_of(database, code));
  if (!statement) return fail(ErrorCode::database_failed, "empty SQL text");
  return statement;
}

int on_progress(void* context) {
  auto& database = *static_cast<detail::DatabaseState*>(context);
  if (database.budget_calls > 0 && --database.budget_calls == 0) database.budget_spent = true;
  return database.budget_spent || (database.stop && database.stop()) ? 1 : 0;
}

/// After each commit: how long the WAL is now. Errors cannot be returned from here to whoever commits, so the
/// checkpoint itself is run by Database::commit().
int on_wal(void* context, sqlite3*, const char*, int pages) {
  auto& database = *static_cast<detail::DatabaseState*>(context);
  database.checkpoint_due = database.checkpoint_pages > 0 && pages >= database.checkpoint_pages;
  return SQLITE_OK;
}

Status check_pragma(Database& database, const char* name, std::int64_t wanted) {
  TRY(const std::int64_t found, database.pragma_integer(name));
  if (found == wanted) return {};
  return fail(ErrorCode::database_failed, std::string("PRAGMA ") + name + " is " + std::to_string(found) +
                                              ", not " + std::to_string(wanted));
}

/// What every connection has; the settings a file keeps are checked too, so that a foreign file is noticed at
/// open.
Status set_common_pragmas(Database& database, const DatabaseOptions& options) {
  const std::string text = "PRAGMA busy_timeout=" + std::to_string(options.busy_timeout_ms) +
                           "; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
                           " PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA cache_size=-" +
                           std::to_string(options.cache_kib) + ";";
  TRY_VOID(database.exec(text.c_str()));
  TRY_VOID(check_pragma(database, "foreign_keys", 1));
  TRY_VOID(check_pragma(database, "trusted_schema", 0));
  TRY_VOID(check_pragma(database, "cell_size_check", 1));
  return check_pragma(database, "temp_store", 2);
}

Status set_writer_pragmas(Database& database, const DatabaseOptions& options) {
  const std::string text =
      "PRAGMA page_size=" + std::to_string(options.page_size) +
      "; PRAGMA auto_vacuum=NONE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
      " PRAGMA journal_size_limit=67108864; PRAGMA locking_mode=NORMAL; PRAGMA wal_autocheckpoint=0;";
  TRY_VOID(database.exec(text.c_str()));
  TRY(const std::string mode, database.pragma_text("journal_mode"));
  if (mode != "wal") return fail(ErrorCode::database_failed, "PRAGMA journal_mode is " + mode + ", not wal");
  TRY_VOID(check_pragma(database, "synchronous", 2));
  TRY_VOID(check_pragma(database, "auto_vacuum", 0));
  return check_pragma(database, "wal_autocheckpoint", 0);
}

}  // namespace

// ---- Statement ----

Statement::Statement(detail::DatabaseState* database, sqlite3_stmt* statement, bool cached)
    : database_(database), statement_(statement), cached_(cached) {}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      bind_error_(other.bind_error_),
      cached_(other.cached_) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  if (this != &other) {
    release();
    database_ = other.database_;
    statement_ = std::exchange(other.statement_, nullptr);
    bind_error_ = other.bind_error_;
    cached_ = other.cached_;
  }
  return *this;
}

Statement::~Statement() {
  release();
}

void Statement::release() {
  if (!statement_) return;
  if (cached_) {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
    const auto found = database_->cache.find(std::string_view(sqlite3_sql(statement_)));
    if (found != database_->cache.end() && !found->second) {
      found->second = std::exchange(statement_, nullptr);
      return;
    }
  }
  sqlite3_finalize(std::exchange(statement_, nullptr));
}

Statement& Statement::bind(int index, std::int64_t value) {
  bind_error_ |= sqlite3_bind_int64(statement_, index, value);
  return *this;
}

Statement& Statement::bind(int index, std::string_view text) {
  // A null pointer would bind NULL, not the empty text.
  const char* data = text.data() ? text.data() : "";
  bind_error_ |= sqlite3_bind_text64(statement_, index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_blob(int index, std::string_view bytes) {
  const char* data = bytes.data() ? bytes.data() : "";
  bind_error_ |= sqlite3_bind_blob64(statement_, index, data, bytes.size(), SQLITE_STATIC);
  return *this;
}

Statement& Statement::bind_null(int index) {
  bind_error_ |= sqlite3_bind_null(statement_, index);
  return *this;
}

Result<bool> Statement::step() {
  if (bind_error_ != 0) {
    bind_error_ = 0;
    return fail(ErrorCode::database_failed, "a value could not be bound");
  }
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_);
    return false;
  }
  Error error = error_of(*database_, sqlite3_extended_errcode(database_->handle));
  sqlite3_reset(statement_);
  return fail(std::move(error));
}

Status Statement::run() {
  for (;;) {
    TRY(const bool more, step());
    if (!more) return {};
  }
}

void Statement::reset() {
  sqlite3_reset(statement_);
}

int Statement::parameter(const std::string& name) const {
  return sqlite3_bind_parameter_index(statement_, name.c_str());
}

int Statement::parameter_count() const {
  return sqlite3_bind_parameter_count(statement_);
}

int Statement::column_count() const {
  return sqlite3_column_count(statement_);
}

std::string_view Statement::column_name(int column) const {
  const char* name = sqlite3_column_name(statement_, column);
  return name == nullptr ? std::string_view() : std::string_view(name);
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return data ? std::string_view(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)))
              : std::string_view();
}

std::string_view Statement::blob(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return data ? std::string_view(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)))
              : std::string_view();
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

// ---- Database ----

Database::Database() = default;
Database::Database(std::unique_ptr<detail::DatabaseState> state) : state_(std::move(state)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

Result<Database> Database::open(const DatabaseOptions& options) {
  // Nobody reads SQLite's memory statistics, and keeping them takes a lock, shared by all threads, at each allocation.
  [[maybe_unused]] static const int no_statistics = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  auto state = std::make_unique<detail::DatabaseState>();
  const int flags = (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
                    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(options.path.c_str(), &state->handle, flags, options.vfs);
  if (code != SQLITE_OK) {
    Error error = error_of(*state, code);
    error.place = options.path;
    return fail(std::move(error));
  }
  // Double-quoted strings off, so that a misspelt column is an error; readers must never checkpoint
  // (WAL-reset bug).
  sqlite3_db_config(state->handle, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(state->handle, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  sqlite3_db_config(state->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  if (options.read_only) sqlite3_db_config(state->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_limit(state->handle, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_progress_handler(state->handle, kBudgetStepsPerCall, on_progress, state.get());

  Database database(std::move(state));
  auto set = set_common_pragmas(database, options);
  if (set && !options.read_only) {
    set = set_writer_pragmas(database, options);
    // After the pragma, which would take the place of the hook.
    database.state_->checkpoint_pages = options.wal_autocheckpoint_pages;
    sqlite3_wal_hook(database.state_->handle, on_wal, database.state_.get());
  }
  if (set && options.read_only) {
    // A read-only connection has no business with checkpoints even when somebody opens the file read-write
    // later.
    set = database.exec("PRAGMA query_only=ON; PRAGMA wal_autocheckpoint=0;");
  }
  if (!set) {
    Error error = std::move(set).error();
    error.place = options.path;
    return fail(std::move(error));
  }
  return database;
}

Status Database::exec(const char* sql) {
  const int code = sqlite3_exec(state_->handle, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(error_of(*state_, sqlite3_extended_errcode(state_->handle)));
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  TRY(sqlite3_stmt * statement, compile(*state_, sql, SQLITE_PREPARE_PERSISTENT));
  return Statement(state_.get(), statement, false);
}

Result<Statement> Database::cached(std::string_view sql) {
  const auto found = state_->cache.find(sql);
  if (found != state_->cache.end()) {
    if (found->second) return Statement(state_.get(), std::exchange(found->second, nullptr), true);
    TRY(sqlite3_stmt * second, compile(*state_, sql, 0));
    return Statement(state_.get(), second, false);
  }
  const bool keep = state_->cache.size() < limits::kSqlStatementCacheMax;
  TRY(sqlite3_stmt * statement, compile(*state_, sql, keep ? SQLITE_PREPARE_PERSISTENT : 0u));
  if (keep) state_->cache.emplace(std::string(sql), nullptr);
  return Statement(state_.get(), statement, keep);
}

Status Database::begin() {
  TRY(Statement statement, cached("BEGIN IMMEDIATE"));
  return statement.run();
}

Status Database::commit() {
  {
    TRY(Statement statement, cached("COMMIT"));
    TRY_VOID(statement.run());
  }
  if (!state_->checkpoint_due) return {};
  state_->checkpoint_failure = checkpoint();
  const Status& failure = state_->checkpoint_failure;
  if (!failure && failure.error().code == ErrorCode::fsync_failed) return failure;
  return {};
}

const Status& Database::checkpoint_failure() const {
  return state_->checkpoint_failure;
}

void Database::rollback() {
  if (!in_transaction()) return;
  if (auto statement = cached("ROLLBACK")) (void)statement->run();
}

bool Database::in_transaction() const {
  return sqlite3_get_autocommit(state_->handle) == 0;
}

Status Database::savepoint(int level) {
  TRY(Statement statement, cached("SAVEPOINT level" + std::to_string(level)));
  return statement.run();
}

Status Database::release(int level) {
  TRY(Statement statement, cached("RELEASE level" + std::to_string(level)));
  return statement.run();
}

Status Database::rollback_to(int level) {
  {
    TRY(Statement statement, cached("ROLLBACK TO level" + std::to_string(level)));
    TRY_VOID(statement.run());
  }
  return release(level);
}

Status Database::checkpoint() {
  state_->checkpoint_due = false;
  TRY_VOID(failpoint("sql.checkpoint.before"));
  const int code =
      sqlite3_wal_checkpoint_v2(state_->handle, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) return fail(error_of(*state_, code));
  return failpoint("sql.checkpoint.after");
}

Status Database::copy_to(const std::string& path, bool gentle, const std::function<bool()>& stop) {
  sqlite3* target = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &target, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXCLUSIVE, nullptr);
  sqlite3_backup* backup = code == SQLITE_OK ? sqlite3_backup_init(target, "main", state_->handle, "main") : nullptr;
  if (backup == nullptr) {
    sqlite3_close_v2(target);
    return fail(ErrorCode::io_failed, "the copy could not be begun", path);
  }
  constexpr int kPages = 256;
  bool stopped = false;
  do {
    stopped = stop && stop();
    if (stopped) break;
    code = sqlite3_backup_step(backup, kPages);
    if (gentle && code == SQLITE_OK) sqlite3_sleep(2);
  } while (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED);
  sqlite3_backup_finish(backup);
  Status done = stopped              ? Status(fail(ErrorCode::cancelled, "the copy was stopped", path))
                : code == SQLITE_DONE ? Status{}
                                      : Status(fail(error_of(*state_, code)));
  if (sqlite3_close_v2(target) != SQLITE_OK && done) done = fail(ErrorCode::io_failed, "the copy could not be closed", path);
  return done;
}

std::int64_t Database::last_insert_rowid() const {
  return sqlite3_last_insert_rowid(state_->handle);
}
std::int64_t Database::changes() const {
  return sqlite3_changes64(state_->handle);
}

Result<std::int64_t> Database::pragma_integer(const char* name) {
  TRY(Statement statement, prepare(std::string("PRAGMA ") + name));
  TRY(const bool row, statement.step());
  return row ? statement.integer(0) : std::int64_t{-1};
}

Result<std::string> Database::pragma_text(const char* name) {
  TRY(Statement statement, prepare(std::string("PRAGMA ") + name));
  TRY(const bool row, statement.step());
  return row ? std::string(statement.text(0)) : std::string();
}

void Database::set_budget(std::uint64_t steps) {
  state_->budget_calls = steps == 0 ? 0 : steps / kBudgetStepsPerCall + 1;
  state_->budget_spent = false;
}

void Database::set_stop(std::function<bool()> stop) {
  state_->stop = std::move(stop);
}

namespace {

int on_statement_end(unsigned, void* context, void* statement, void*) {
  auto* handle = static_cast<sqlite3_stmt*>(statement);
  const auto count = [handle](int what) {
    return static_cast<std::uint64_t>(sqlite3_stmt_status(handle, what, 1));
  };
  const char* sql = sqlite3_sql(handle);
  static_cast<detail::DatabaseState*>(context)->trace(
      {sql ? sql : "", count(SQLITE_STMTSTATUS_VM_STEP), count(SQLITE_STMTSTATUS_FULLSCAN_STEP)});
  return 0;
}

}  // namespace

void Database::set_trace(StatementTrace trace) {
  state_->trace = std::move(trace);
  sqlite3_trace_v2(state_->handle, state_->trace ? SQLITE_TRACE_PROFILE : 0u, on_statement_end, state_.get());
}

void Database::interrupt() {
  sqlite3_interrupt(state_->handle);
}

}  // namespace kiln::base
