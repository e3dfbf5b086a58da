// Messages and rows into somebody's database: one prepared statement, one transaction a message.

#include "channels/connectors/detail/common.h"
#include "channels/connectors/detail/sql_connection.h"
#include "channels/limits.h"
#include "mappings/csv.h"

namespace kiln::channels {

namespace {

using base::ErrorCode;
using Kind = SendOutcome::Kind;

constexpr FieldSpec kOptions[] = {
    kSqlFile,
    kSqlPostgres,
    {.name = "statement",
     .type = FieldType::string,
     .summary = "run for each row of a csv, with its columns as `:column`; for hl7 and fhir once, with `:message`, "
                "`:control_id`; always with `:id`, the message's number. One that may run twice for the same message",
     .required = true},
    {.name = "delimiter",
     .type = FieldType::string,
     .summary = "of the csv declaration that the rows are of",
     .default_value = "\",\""},
    detail::kSqlTimeout,
};
constexpr ConnectorExample kExamples[] = {
    {"{ file \"census.db\"; statement \"insert into census(id, mrn) values (:id, :mrn) on conflict do nothing\" }"},
    {"{ postgres { host \"db.example.org\"; database \"his\"; user \"kiln\"; password env(\"PGPASSWORD\"); ca "
     "\"certs/db.crt\" }; statement \"insert into hl7_in(id, body) values (:id, :message) on conflict do nothing\"; "
     "timeout 10s }"},
    {"{ file \"census.db\" }", false},
    {"{ statement \"select 1\" }", false},
    {"{ postgres { host \"db.example.org\"; database \"his\"; user \"kiln\" }; statement \"select 1\" }", false},
    {"{ postgres { host \"localhost\"; database \"his\"; user \"kiln\"; password \"x\" }; statement \"select 1\" }", false},
};

class SqlDestination final : public Destination {
 public:
  SqlDestination(const Options& options, const Surroundings& around)
      : statement_(options.text("statement")),
        delimiter_(options.text("delimiter") == "\\t" ? '\t' : options.text("delimiter").front()),
        database_(options, around, false),
        around_(around),
        idle_(around.network.executor()) {}

  base::Status start() override { return {}; }

  base::Task<SendOutcome> send(Outgoing message) override {
    sending_ = true;
    const auto shared = std::make_shared<const Outgoing>(std::move(message));
    std::function<SendOutcome()> work = [this, shared] { return write(*shared); };
    const auto writing = detail::offload(database_.thread(), around_.network.executor(), std::move(work));
    SendOutcome outcome = co_await writing;
    const bool sent = outcome.kind == Kind::sent;
    if (sent) ++status_.messages;
    status_.last_error = sent ? std::string() : outcome.detail;
    status_.state = sent ? ConnectorStatus::State::up : ConnectorStatus::State::down;
    sending_ = false;
    idle_.notify();
    co_return outcome;
  }

  base::Task<void> stop() override {
    if (sending_) database_.interrupt();
    while (sending_) {
      auto wait = idle_.wait(std::chrono::nanoseconds(-1));
      co_await wait;
    }
    status_.state = ConnectorStatus::State::down;
  }
  ConnectorStatus status() const override { return status_; }

 private:
  /// The values of each run of the statement.
  base::Result<std::vector<base::SqlValues>> values_of(const Outgoing& message) const {
    std::vector<base::SqlValues> out;
    base::SqlValues common{{"id", std::to_string(message.msg_id)}, {"control_id", message.control_id}};
    if (message.kind != ContentKind::csv) {
      common["message"] = message.bytes;
      out.push_back(std::move(common));
      return out;
    }
    if (message.csv_header.empty())
      return base::fail(ErrorCode::cannot_deliver, "the csv declaration has no header line: its columns have no names");
    TRY(const mappings::CsvFile rows,
        mappings::CsvFile::read_any(message.csv_header + message.bytes, delimiter_, mappings::CsvEncoding::utf8));
    for (std::size_t row = 0; row < rows.rows(); ++row) {
      base::SqlValues values = common;
      for (std::size_t column = 0; column < rows.columns(); ++column) {
        const std::string_view cell = rows.cell(row, column);
        values[rows.column_names()[column]] = cell.empty() ? base::SqlValue() : base::SqlValue(std::string(cell));
      }
      out.push_back(std::move(values));
    }
    return out;
  }

  /// Values that do not fit never will; what is wrong with statement or table an operator can mend.
  static Kind kind_of(ErrorCode code) {
    return code == ErrorCode::bad_value || code == ErrorCode::database_conflict ? Kind::bad : Kind::retry;
  }

  SendOutcome write(const Outgoing& message) {
    const auto values = values_of(message);
    if (!values) return SendOutcome::failed(Kind::bad, values.error());
    const auto link = database_.link();
    if (!link) return SendOutcome::failed(Kind::retry, link.error());
    const auto begun = (*link)->begin();
    if (!begun) return SendOutcome::failed(Kind::retry, begun.error());
    for (const base::SqlValues& one : *values) {
      const auto done = (*link)->run(statement_, one, limits::kSqlRowsPerLook);
      if (done) continue;
      (*link)->rollback();
      return SendOutcome::failed(kind_of(done.error().code), done.error());
    }
    const auto committed = (*link)->commit();
    if (committed) return SendOutcome::sent();
    (*link)->rollback();
    const bool lost = committed.error().code == ErrorCode::connection_closed;
    return SendOutcome::failed(lost ? Kind::in_doubt : kind_of(committed.error().code), committed.error());
  }

  std::string statement_;
  char delimiter_;
  detail::SqlConnection database_;
  Surroundings around_;
  base::Event idle_;
  bool sending_ = false;
  ConnectorStatus status_;
};

std::vector<OptionProblem> check(const Options& options) {
  std::vector<OptionProblem> out = check_sql(options);
  const std::string delimiter = options.text("delimiter");
  if (delimiter.size() != 1 && delimiter != "\\t")
    out.push_back({ErrorCode::E0917, "delimiter", "one character is expected", "\";\""});
  return out;
}

std::unique_ptr<Destination> make(const Options& options, const Surroundings& around) {
  return std::make_unique<SqlDestination>(options, around);
}

}  // namespace

const ConnectorSpec& sql_destination_spec() {
  static const ConnectorSpec spec{.name = "sql",
                                  .role = ConnectorRole::destination,
                                  .summary = "runs a prepared statement of a database for each message or row",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .check = &check,
                                  .make_destination = &make};
  return spec;
}

}  // namespace kiln::channels
