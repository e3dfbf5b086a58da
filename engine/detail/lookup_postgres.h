#pragma once
// A lookup that a PostgreSQL server answers (hmap.md §8): `query NAME { postgres { … } sql "…" }`.

#include <memory>
#include <string>

#include "engine/base/clock.h"
#include "engine/base/sql/sql_link.h"
#include "mappings/lookup.h"

namespace kiln::engine::detail {

/// One connection, read-only, made when it is needed. A message waits for it: after a failed attempt to connect or to ask there
/// is none for kAgainMicros, so that a server that is down costs one timeout and not one a message. One thread at a time.
class PostgresLookup {
 public:
  PostgresLookup(base::PostgresOptions server, std::string sql, mappings::LookupShape shape, const base::Clock& clock)
      : server_(std::move(server)), sql_(std::move(sql)), shape_(std::move(shape)), clock_(clock) {}

  /// Connects where there is no connection. Errors: E0411 (a parameter that the lookup does not have), those of
  /// open_postgres_link().
  base::Status open();
  /// After open(). The first row counts. Errors: E0411 (no such column), limit_exceeded, those of SqlLink::run().
  base::Result<mappings::LookupAnswer> ask(const mappings::LookupKey& key);

 private:
  static constexpr std::int64_t kAgainMicros = 5'000'000;

  base::Status connect();
  base::Status check_parameters() const;
  void hold_off(const base::Error& error);

  base::PostgresOptions server_;
  std::string sql_;
  mappings::LookupShape shape_;
  const base::Clock& clock_;
  std::unique_ptr<base::SqlLink> link_;
  base::Error failure_;
  std::int64_t again_micros_ = 0;  ///< 0: the last attempt did not fail
};

}  // namespace kiln::engine::detail
