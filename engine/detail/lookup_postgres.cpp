#include "engine/detail/lookup_postgres.h"

#include <algorithm>

#include "engine/base/limits.h"

namespace kiln::engine::detail {

using base::ErrorCode;
using base::Status;

Status PostgresLookup::check_parameters() const {
  for (const std::string& name : base::number_parameters(sql_).names)
    if (std::find(shape_.parameters.begin(), shape_.parameters.end(), name) == shape_.parameters.end())
      return base::fail(ErrorCode::E0411, "the query has parameters that the lookup does not have", "query " + shape_.query,
                        "name them as the lookup does: `:" + shape_.parameters.front() + "`");
  return {};
}

Status PostgresLookup::connect() {
  TRY(link_, base::open_postgres_link(server_));
  TRY_VOID(link_->run("SET default_transaction_read_only = on", {}, 0));
  return {};
}

/// From now, which is behind the timeout.
void PostgresLookup::hold_off(const base::Error& error) {
  link_.reset();
  failure_ = error;
  again_micros_ = clock_.wall().micros + kAgainMicros;
}

Status PostgresLookup::open() {
  if (link_ && link_->is_open()) return {};
  TRY_VOID(check_parameters());
  const std::int64_t now = clock_.wall().micros;
  if (again_micros_ != 0 && now < again_micros_ && again_micros_ - now <= kAgainMicros) return base::fail(failure_);
  const Status connected = connect();
  again_micros_ = 0;
  if (!connected) hold_off(connected.error());
  return connected;
}

base::Result<mappings::LookupAnswer> PostgresLookup::ask(const mappings::LookupKey& key) {
  base::SqlValues values;
  for (std::size_t i = 0; i < shape_.parameters.size(); ++i) values[shape_.parameters[i]] = key.arguments[i];
  auto asked = link_->run(sql_, values, 1);
  if (!asked) {
    const bool gone = asked.error().code == ErrorCode::timeout || asked.error().code == ErrorCode::connection_closed;
    if (gone) hold_off(asked.error());
    link_.reset();
    return base::fail(asked.error());
  }
  mappings::LookupAnswer answer;
  answer.key = key;
  std::size_t bytes = 0;
  for (const std::string& name : shape_.columns) {
    const auto at = std::find(asked->columns.begin(), asked->columns.end(), name);
    if (at == asked->columns.end())
      return base::fail(ErrorCode::E0411, "the query gives no column `" + name + "`", "query " + shape_.query);
    if (asked->rows.empty()) continue;
    answer.columns.push_back(asked->rows.front()[static_cast<std::size_t>(at - asked->columns.begin())]);
    bytes += answer.columns.back() ? answer.columns.back()->size() : 0;
  }
  if (bytes > base::limits::kLookupAnswerBytesMax) return base::fail(ErrorCode::limit_exceeded, "the row is too large");
  if (!asked->rows.empty()) answer.state = mappings::LookupAnswer::State::found;
  return answer;
}

}  // namespace kiln::engine::detail
