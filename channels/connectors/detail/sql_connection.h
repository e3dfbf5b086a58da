#pragma once
// What the `sql` source and destination share: which database, and the thread that waits for it.

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "channels/connector.h"
#include "engine/base/sql/sql_link.h"

namespace kiln::channels::detail {

inline constexpr const char* kSqlInsecureWords[] = {"accept_risk"};
inline constexpr FieldSpec kPostgresFields[] = {
    {.name = "host", .type = FieldType::string, .summary = "name or IP address of the server", .required = true},
    {.name = "port",
     .type = FieldType::integer,
     .summary = "TCP port",
     .default_value = "5432",
     .min = 1,
     .max = 65535},
    {.name = "database", .type = FieldType::string, .summary = "name of the database", .required = true},
    {.name = "user", .type = FieldType::string, .summary = "name of the account", .required = true},
    {.name = "password", .type = FieldType::secret, .summary = "password of the account"},
    {.name = "ca",
     .type = FieldType::path,
     .summary = "authorities that may sign the server's certificate (PEM); chain and name are checked"},
    {.name = "insecure",
     .type = FieldType::word,
     .summary = "no encryption beyond loopback, knowingly",
     .words = kSqlInsecureWords},
};
inline constexpr FieldSpec kSqlFile{
    .name = "file", .type = FieldType::path, .summary = "an existing SQLite database, relative to the site"};
inline constexpr FieldSpec kSqlPostgres{.name = "postgres",
                                        .type = FieldType::block,
                                        .summary = "a PostgreSQL server",
                                        .fields = kPostgresFields,
                                        .optional_block = true};
inline constexpr FieldSpec kSqlTimeout{.name = "timeout",
                                       .type = FieldType::duration,
                                       .summary = "for the connection, for a lock and for each statement",
                                       .default_value = "30s",
                                       .min = 100,
                                       .max = 3'600'000};

/// Exactly one of `file` and `postgres`; a server beyond loopback needs `ca` or `insecure`.
std::vector<OptionProblem> check_sql(const Options& options);

/// The database of one connector. link() on its thread only; interrupt() from any.
class SqlConnection {
 public:
  SqlConnection(const Options& options, const Surroundings& around, bool read_only);
  ~SqlConnection();

  /// Connects when there is no connection. The pointer lives until the next call.
  base::Result<base::SqlLink*> link();
  void interrupt();
  base::Executor& thread() { return *thread_; }

 private:
  Options options_;
  std::string file_, ca_file_;
  bool read_only_;
  std::mutex mutex_;  ///< keeps interrupt() from a link that is being replaced
  std::unique_ptr<base::SqlLink> link_;
  std::unique_ptr<base::ThreadExecutor> thread_;
};

}  // namespace kiln::channels::detail
