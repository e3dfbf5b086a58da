#pragma once
// Databases that belong to somebody else: SQLite files and PostgreSQL servers, asked with prepared statements and named
// parameters. Kiln's own storage is sqlite.h.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace kiln::base {

using SqlValue = std::optional<std::string>;  ///< text form; nothing: NULL
/// Values by parameter name, without colon.
using SqlValues = std::map<std::string, SqlValue, std::less<>>;

struct SqlRows {
  std::vector<std::string> columns;
  std::vector<std::vector<SqlValue>> rows;
  std::int64_t changed = 0;  ///< rows that the statement changed
};

/// One connection. One thread at a time, but for interrupt(). No error text holds a value: databases put some into theirs.
class SqlLink {
 public:
  virtual ~SqlLink() = default;
  virtual Status begin() = 0;
  /// Errors as run(); connection_closed: nobody knows whether it was done.
  virtual Status commit() = 0;
  virtual void rollback() = 0;
  /// Runs one statement with its `:name` parameters bound (prepared once per text); reads at most `rows_max` rows, the rest
  /// is left. A parameter without a value is bad_value. Errors: bad_value and database_conflict: the values do not fit the
  /// table or a rule of it; database_failed: the statement does not fit the database; connection_closed, timeout.
  virtual Result<SqlRows> run(const std::string& statement, const SqlValues& values, std::size_t rows_max) = 0;
  /// From any thread: what runs ends with cancelled or connection_closed.
  virtual void interrupt() = 0;
  virtual bool is_open() const = 0;  ///< false after a lost connection: open another
};

/// An existing SQLite file, in the journal mode that it has. Errors: file_not_found, database_failed.
Result<std::unique_ptr<SqlLink>> open_sqlite_link(const std::string& path, bool read_only, std::int64_t timeout_ms);

struct PostgresOptions {
  std::string host, database, user, password;
  std::uint16_t port = 5432;
  std::string ca_file;     ///< PEM; with it the connection is encrypted and chain and name are checked
  bool plaintext = false;  ///< no encryption at all
  std::int64_t timeout_ms = 30'000;  ///< to connect, and of each statement
};
/// Errors: connect_failed, timeout, peer_login_refused.
Result<std::unique_ptr<SqlLink>> open_postgres_link(const PostgresOptions& options);

/// The statement with `:name` as `$1`, `$2` …, and the names in that order, each once. Texts, quoted names, comments and
/// `::type` are passed over.
struct NumberedSql {
  std::string text;
  std::vector<std::string> names;
};
NumberedSql number_parameters(std::string_view statement);

}  // namespace kiln::base
