#include "channels/connectors/detail/sql_connection.h"

#include "channels/connectors/detail/common.h"

namespace kiln::channels::detail {

using base::ErrorCode;

namespace {

bool is_local(const std::string& host) {
  return is_this_machine(host) || host.starts_with("/");
}

}  // namespace

std::vector<OptionProblem> check_sql(const Options& options) {
  std::vector<OptionProblem> out;
  if (options.has("file") == options.has("postgres"))
    out.push_back({ErrorCode::E0905, options.has("file") ? "file" : "", "sql needs one of `file` and `postgres`",
                   "file \"orders.db\", or postgres { host \"…\"; database \"…\"; user \"…\" }"});
  if (!options.has("postgres")) return out;
  const Options& server = options.block("postgres");
  const auto* host = server.find("host");
  if (host != nullptr && host->resolved && !is_local(host->text) && !server.has("ca") && !server.has("insecure"))
    out.push_back({ErrorCode::E0910, "postgres", "the server is beyond this machine, and nothing checks its certificate",
                   "ca \"certs/database-ca.crt\", or insecure accept_risk"});
  return out;
}

SqlConnection::SqlConnection(const Options& options, const Surroundings& around, bool read_only)
    : options_(options), read_only_(read_only), thread_(std::make_unique<base::ThreadExecutor>("kiln-sql")) {
  if (options.has("file")) file_ = site_path(around, options.text("file"));
  const std::string ca = options.block("postgres").text("ca");
  if (!ca.empty()) ca_file_ = site_path(around, ca);
}

SqlConnection::~SqlConnection() {
  thread_.reset();
}

base::Result<base::SqlLink*> SqlConnection::link() {
  if (link_ && link_->is_open()) return link_.get();
  base::Result<std::unique_ptr<base::SqlLink>> made = base::fail(ErrorCode::internal);
  if (!file_.empty()) {
    made = base::open_sqlite_link(file_, read_only_, options_.number("timeout"));
  } else {
    const Options& server = options_.block("postgres");
    base::PostgresOptions postgres;
    postgres.host = server.text("host");
    postgres.port = static_cast<std::uint16_t>(server.number("port"));
    postgres.database = server.text("database");
    postgres.user = server.text("user");
    postgres.password = server.text("password");
    postgres.ca_file = ca_file_;
    postgres.plaintext = ca_file_.empty() && (server.has("insecure") || is_local(postgres.host));
    postgres.timeout_ms = options_.number("timeout");
    made = base::open_postgres_link(postgres);
  }
  const std::lock_guard lock(mutex_);
  link_ = made ? std::move(*made) : nullptr;
  if (!made) return base::fail(made.error());
  return link_.get();
}

void SqlConnection::interrupt() {
  const std::lock_guard lock(mutex_);
  if (link_) link_->interrupt();
}

}  // namespace kiln::channels::detail
