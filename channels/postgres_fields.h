#pragma once
// The options of `postgres { … }`: a PostgreSQL server, of the sql connectors and of the queries of lookups.

#include <cstdint>
#include <string>
#include <vector>

#include "channels/connector.h"
#include "channels/field_spec.h"
#include "engine/base/sql/sql_link.h"

namespace kiln::channels {

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

/// Exactly one of `file` and `postgres`; a server beyond loopback needs `ca` or `insecure`.
std::vector<OptionProblem> check_sql(const Options& options);

/// `server` is a resolved `postgres { … }`; relative paths in it are relative to `folder`.
base::PostgresOptions postgres_options(const Options& server, const std::string& folder, std::int64_t timeout_ms);

}  // namespace kiln::channels
