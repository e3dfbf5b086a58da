#pragma once
// What the `sql` source and destination share: which database, and the thread that waits for it.

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "channels/connector.h"
#include "channels/postgres_fields.h"
#include "engine/base/sql/sql_link.h"

namespace kiln::channels::detail {

inline constexpr FieldSpec kSqlTimeout{.name = "timeout",
                                       .type = FieldType::duration,
                                       .summary = "for the connection, for a lock and for each statement",
                                       .default_value = "30s",
                                       .min = 100,
                                       .max = 3'600'000};

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
  std::string file_, folder_;
  bool read_only_;
  std::mutex mutex_;  ///< keeps interrupt() from a link that is being replaced
  std::unique_ptr<base::SqlLink> link_;
  std::unique_ptr<base::ThreadExecutor> thread_;
};

}  // namespace kiln::channels::detail
