#include "channels/connectors/detail/sql_connection.h"

#include "channels/connectors/detail/common.h"

namespace kiln::channels::detail {

SqlConnection::SqlConnection(const Options& options, const Surroundings& around, bool read_only)
    : options_(options), read_only_(read_only), thread_(std::make_unique<base::ThreadExecutor>("kiln-sql")) {
  if (options.has("file")) file_ = site_path(around, options.text("file"));
  folder_ = around.site;
}

SqlConnection::~SqlConnection() {
  thread_.reset();
}

base::Result<base::SqlLink*> SqlConnection::link() {
  if (link_ && link_->is_open()) return link_.get();
  base::Result<std::unique_ptr<base::SqlLink>> made = base::fail(base::ErrorCode::internal);
  if (!file_.empty()) {
    made = base::open_sqlite_link(file_, read_only_, options_.number("timeout"));
  } else {
    made = base::open_postgres_link(postgres_options(options_.block("postgres"), folder_, options_.number("timeout")));
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
