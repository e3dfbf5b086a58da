#include <libpq-fe.h>
#include <sys/socket.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "engine/base/sql/sql_link.h"

namespace kiln::base {

NumberedSql number_parameters(std::string_view sql) {
  NumberedSql out;
  const auto is_name = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
  const auto copy_to = [&](std::size_t& at, std::size_t end) {
    end = std::min(end, sql.size());
    out.text += sql.substr(at, end - at);
    at = end;
  };
  for (std::size_t at = 0; at < sql.size();) {
    const char c = sql[at];
    const char next = at + 1 < sql.size() ? sql[at + 1] : '\0';
    if (c == '\'' || c == '"') {  // a doubled quote ends one text and begins another, which comes to the same
      const std::size_t end = sql.find(c, at + 1);
      copy_to(at, end == sql.npos ? end : end + 1);
    } else if (c == '-' && next == '-') {
      copy_to(at, sql.find('\n', at));
    } else if (c == '/' && next == '*') {
      const std::size_t end = sql.find("*/", at + 2);
      copy_to(at, end == sql.npos ? end : end + 2);
    } else if (c == ':' && next == ':') {
      copy_to(at, at + 2);
    } else if (c == ':' && is_name(next)) {
      std::size_t end = at + 1;
      while (end < sql.size() && is_name(sql[end])) ++end;
      const std::string name(sql.substr(at + 1, end - at - 1));
      auto known = std::find(out.names.begin(), out.names.end(), name);
      if (known == out.names.end()) known = out.names.insert(out.names.end(), name);
      out.text += "$" + std::to_string(known - out.names.begin() + 1);
      at = end;
    } else {
      copy_to(at, at + 1);
    }
  }
  return out;
}

namespace {

struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, Clear>;

constexpr std::size_t kStatementsMax = 64;  ///< prepared at once

class PostgresLink final : public SqlLink {
 public:
  explicit PostgresLink(PGconn* connection) : connection_(connection) {}
  ~PostgresLink() override {
    const std::lock_guard lock(mutex_);
    PQfinish(connection_);
    connection_ = nullptr;
  }

  Status begin() override { return plain("BEGIN"); }
  Status commit() override { return plain("COMMIT"); }
  void rollback() override { ResultPtr(PQexec(connection_, "ROLLBACK")).reset(); }
  bool is_open() const override { return PQstatus(connection_) == CONNECTION_OK; }
  void interrupt() override {
    const std::lock_guard lock(mutex_);
    if (connection_ != nullptr && PQsocket(connection_) >= 0) ::shutdown(PQsocket(connection_), SHUT_RDWR);
  }

  Result<SqlRows> run(const std::string& text, const SqlValues& values, std::size_t rows_max) override {
    TRY(const Prepared* const prepared, prepare(text));
    std::vector<const char*> given;
    for (const std::string& name : prepared->names) {
      const auto value = values.find(name);
      if (value == values.end()) return fail(ErrorCode::bad_value, "nothing gives the parameter :" + name);
      if (value->second && value->second->find('\0') != std::string::npos)
        return fail(ErrorCode::bad_value, "a value holds a NUL character");
      given.push_back(value->second ? value->second->c_str() : nullptr);
    }
    if (PQsendQueryPrepared(connection_, prepared->id.c_str(), static_cast<int>(given.size()), given.data(), nullptr,
                            nullptr, 0) != 1)
      return lost();
    PQsetSingleRowMode(connection_);
    return read_rows(rows_max);
  }

 private:
  struct Prepared {
    std::string id;
    std::vector<std::string> names;
  };

  tl::unexpected<Error> lost() const { return fail(ErrorCode::connection_closed, "the connection to the database was lost"); }

  /// By the class of SQLSTATE; the server's text is left out, since it may quote values.
  tl::unexpected<Error> failed(const PGresult* result) const {
    if (PQstatus(connection_) != CONNECTION_OK) return lost();
    const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const std::string code = state == nullptr ? "" : state;
    const std::string text = "the database answered SQLSTATE " + code;
    if (code == "57014") return fail(ErrorCode::timeout, "the statement took too long");
    if (code.starts_with("22")) return fail(ErrorCode::bad_value, text);
    if (code.starts_with("23")) return fail(ErrorCode::database_conflict, text);
    if (code.starts_with("08") || code.starts_with("57")) return fail(ErrorCode::connection_closed, text);
    return fail(ErrorCode::database_failed, text);
  }

  Status plain(const char* sql) {
    const ResultPtr result(PQexec(connection_, sql));
    if (PQresultStatus(result.get()) == PGRES_COMMAND_OK) return {};
    return failed(result.get());
  }

  Result<const Prepared*> prepare(const std::string& text) {
    const auto known = statements_.find(text);
    if (known != statements_.end()) return &known->second;
    if (statements_.size() >= kStatementsMax) {
      ResultPtr(PQexec(connection_, "DEALLOCATE ALL")).reset();
      statements_.clear();
    }
    NumberedSql numbered = number_parameters(text);
    Prepared made{"kiln" + std::to_string(++last_), std::move(numbered.names)};
    const ResultPtr result(PQprepare(connection_, made.id.c_str(), numbered.text.c_str(), 0, nullptr));
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) return failed(result.get());
    return &statements_.emplace(text, std::move(made)).first->second;
  }

  /// What is beyond the limit is not fetched: the server is told to stop, and what is on its way is passed over.
  Result<SqlRows> read_rows(std::size_t rows_max) {
    SqlRows out;
    std::optional<Error> error;
    bool enough = false;
    for (ResultPtr result(PQgetResult(connection_)); result; result.reset(PQgetResult(connection_))) {
      const ExecStatusType status = PQresultStatus(result.get());
      if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        if (!enough && !error) error = failed(result.get()).value();
        continue;
      }
      if (out.columns.empty())
        for (int i = 0; i < PQnfields(result.get()); ++i) out.columns.emplace_back(PQfname(result.get(), i));
      const std::string changed = PQcmdTuples(result.get());
      if (!changed.empty()) out.changed = std::atoll(changed.c_str());
      for (int row = 0; row < PQntuples(result.get()) && out.rows.size() < rows_max; ++row) out.rows.push_back(row_of(result.get(), row));
      if (out.rows.size() < rows_max || enough || status != PGRES_SINGLE_TUPLE) continue;
      enough = true;
      cancel();
    }
    if (error) return fail(std::move(*error));
    if (PQstatus(connection_) != CONNECTION_OK) return lost();
    return out;
  }

  void cancel() {
    PGcancel* asked = PQgetCancel(connection_);
    char ignored[256];
    if (asked != nullptr) PQcancel(asked, ignored, sizeof ignored);
    PQfreeCancel(asked);
  }

  static std::vector<SqlValue> row_of(const PGresult* result, int row) {
    std::vector<SqlValue> out;
    for (int i = 0; i < PQnfields(result); ++i) {
      if (PQgetisnull(result, row, i) != 0)
        out.emplace_back();
      else
        out.emplace_back(std::string(PQgetvalue(result, row, i), static_cast<std::size_t>(PQgetlength(result, row, i))));
    }
    return out;
  }

  std::mutex mutex_;  ///< keeps interrupt() from a connection that is being closed
  PGconn* connection_;
  std::unordered_map<std::string, Prepared> statements_;
  std::uint64_t last_ = 0;
};

}  // namespace

Result<std::unique_ptr<SqlLink>> open_postgres_link(const PostgresOptions& options) {
  const std::string port = std::to_string(options.port);
  const std::string seconds = std::to_string(std::max<std::int64_t>(2, (options.timeout_ms + 999) / 1000));
  const std::string milliseconds = std::to_string(options.timeout_ms);
  const std::string settings = "-c statement_timeout=" + milliseconds + " -c lock_timeout=" + milliseconds;
  const char* mode = !options.ca_file.empty() ? "verify-full" : options.plaintext ? "disable" : "require";
  std::vector<std::pair<const char*, const char*>> given = {
      {"host", options.host.c_str()},
      {"port", port.c_str()},
      {"dbname", options.database.c_str()},
      {"user", options.user.c_str()},
      {"password", options.password.c_str()},
      {"connect_timeout", seconds.c_str()},
      {"tcp_user_timeout", milliseconds.c_str()},
      {"options", settings.c_str()},
      {"client_encoding", "UTF8"},
      {"application_name", "kiln"},
      {"passfile", "/dev/null"},
      {"gssencmode", "disable"},
      {"sslmode", mode},
  };
  if (!options.ca_file.empty()) given.emplace_back("sslrootcert", options.ca_file.c_str());
  std::vector<const char*> names, values;
  for (const auto& [name, value] : given) {
    names.push_back(name);
    values.push_back(value);
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  PGconn* connection = PQconnectdbParams(names.data(), values.data(), 0);
  auto link = std::make_unique<PostgresLink>(connection);
  if (PQstatus(connection) == CONNECTION_OK) return std::unique_ptr<SqlLink>(std::move(link));
  const std::string place = options.host + ":" + port;
  // The server's word, which is in its language: the code tells refused logins from servers that are not there.
  const bool answered = PQconnectionNeedsPassword(connection) != 0 || PQconnectionUsedPassword(connection) != 0;
  if (answered) return fail(ErrorCode::peer_login_refused, "", place);
  return fail(ErrorCode::connect_failed, "no connection to the database", place);
}

}  // namespace kiln::base
