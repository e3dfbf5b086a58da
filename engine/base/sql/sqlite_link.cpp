#include <sqlite3.h>

#include <unordered_map>

#include "engine/base/env.h"
#include "engine/base/sql/sql_link.h"

namespace kiln::base {

namespace {

struct Finish {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using StatementPtr = std::unique_ptr<sqlite3_stmt, Finish>;

constexpr std::size_t kStatementsMax = 16;  ///< prepared at once

class SqliteLink final : public SqlLink {
 public:
  explicit SqliteLink(sqlite3* database) : database_(database) {}
  ~SqliteLink() override {
    statements_.clear();
    sqlite3_close(database_);
  }

  Status begin() override { return plain("BEGIN IMMEDIATE"); }
  Status commit() override { return plain("COMMIT"); }
  void rollback() override { sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr); }
  void interrupt() override { sqlite3_interrupt(database_); }
  bool is_open() const override { return true; }

  Result<SqlRows> run(const std::string& text, const SqlValues& values, std::size_t rows_max) override {
    TRY(sqlite3_stmt* const statement, prepare(text));
    const Status bound = bind(statement, values);
    SqlRows out;
    if (bound)
      for (int i = 0; i < sqlite3_column_count(statement); ++i) out.columns.emplace_back(sqlite3_column_name(statement, i));
    int code = bound ? SQLITE_ROW : SQLITE_MISUSE;
    while (code == SQLITE_ROW && out.rows.size() < rows_max) {
      code = sqlite3_step(statement);
      if (code == SQLITE_ROW) out.rows.push_back(row(statement));
    }
    out.changed = sqlite3_changes64(database_);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (!bound) return fail(bound.error());
    if (code != SQLITE_ROW && code != SQLITE_DONE) return failed(code);
    return out;
  }

 private:
  Status plain(const char* sql) {
    const int code = sqlite3_exec(database_, sql, nullptr, nullptr, nullptr);
    if (code == SQLITE_OK) return {};
    return failed(code);
  }

  tl::unexpected<Error> failed(int code) const {
    const std::string text = std::string("SQLite: ") + sqlite3_errstr(code & 0xff);
    switch (code & 0xff) {
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
        return fail(ErrorCode::timeout, "SQLite: the database is locked by somebody else");
      case SQLITE_INTERRUPT:
        return fail(ErrorCode::cancelled);
      case SQLITE_CONSTRAINT:
        return fail(ErrorCode::database_conflict, text);
      case SQLITE_MISMATCH:
      case SQLITE_TOOBIG:
        return fail(ErrorCode::bad_value, text);
      case SQLITE_FULL:
        return fail(ErrorCode::disk_full);
      case SQLITE_IOERR:
        return fail(ErrorCode::io_failed, text);
      case SQLITE_CORRUPT:
      case SQLITE_NOTADB:
        return fail(ErrorCode::database_corrupt, text);
      default:
        return fail(ErrorCode::database_failed, text);
    }
  }

  Result<sqlite3_stmt*> prepare(const std::string& text) {
    const auto known = statements_.find(text);
    if (known != statements_.end()) return known->second.get();
    sqlite3_stmt* made = nullptr;
    const char* rest = nullptr;
    const int code = sqlite3_prepare_v2(database_, text.c_str(), -1, &made, &rest);
    StatementPtr statement(made);
    if (code != SQLITE_OK) return failed(code);
    if (!statement || std::string_view(rest).find_first_not_of(" \t\r\n;") != std::string_view::npos)
      return fail(ErrorCode::database_failed, "one statement is expected");
    if (statements_.size() >= kStatementsMax) statements_.clear();
    return statements_.emplace(text, std::move(statement)).first->second.get();
  }

  Status bind(sqlite3_stmt* statement, const SqlValues& values) {
    for (int i = 1; i <= sqlite3_bind_parameter_count(statement); ++i) {
      const char* name = sqlite3_bind_parameter_name(statement, i);
      if (name == nullptr || *name != ':')
        return fail(ErrorCode::database_failed, "parameters are written :name");
      const auto value = values.find(std::string_view(name + 1));
      if (value == values.end())
        return fail(ErrorCode::bad_value, std::string("nothing gives the parameter ") + name);
      if (!value->second) continue;  // bindings are NULL at first
      const std::string& text = *value->second;
      const int code = sqlite3_bind_text64(statement, i, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
      if (code != SQLITE_OK) return failed(code);
    }
    return {};
  }

  static std::vector<SqlValue> row(sqlite3_stmt* statement) {
    std::vector<SqlValue> out;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      if (sqlite3_column_type(statement, i) == SQLITE_NULL) {
        out.emplace_back();
        continue;
      }
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
      out.emplace_back(std::string(text == nullptr ? "" : text, static_cast<std::size_t>(sqlite3_column_bytes(statement, i))));
    }
    return out;
  }

  sqlite3* database_;
  std::unordered_map<std::string, StatementPtr> statements_;
};

}  // namespace

Result<std::unique_ptr<SqlLink>> open_sqlite_link(const std::string& path, bool read_only, std::int64_t timeout_ms) {
  if (!system_env().exists(path)) return fail(ErrorCode::file_not_found, "there is no such database", path);
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &database, read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE, nullptr);
  auto link = std::make_unique<SqliteLink>(database);
  if (code != SQLITE_OK) return fail(ErrorCode::database_failed, "the database cannot be opened", path);
  sqlite3_busy_timeout(database, static_cast<int>(timeout_ms));
  sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return std::unique_ptr<SqlLink>(std::move(link));
}

}  // namespace kiln::base
