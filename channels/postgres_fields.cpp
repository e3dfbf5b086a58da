#include "channels/postgres_fields.h"

#include "channels/connectors/detail/common.h"
#include "engine/base/env.h"

namespace kiln::channels {

using base::ErrorCode;

namespace {

bool is_local(const std::string& host) {
  return detail::is_this_machine(host) || host.starts_with("/");
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

base::PostgresOptions postgres_options(const Options& server, const std::string& folder, std::int64_t timeout_ms) {
  base::PostgresOptions out;
  out.host = server.text("host");
  out.port = static_cast<std::uint16_t>(server.number("port"));
  out.database = server.text("database");
  out.user = server.text("user");
  out.password = server.text("password");
  if (const std::string ca = server.text("ca"); !ca.empty()) out.ca_file = base::join_path(folder, ca);
  out.plaintext = out.ca_file.empty() && (server.has("insecure") || is_local(out.host));
  out.timeout_ms = timeout_ms;
  return out;
}

}  // namespace kiln::channels
