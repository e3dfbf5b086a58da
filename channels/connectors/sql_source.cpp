// Rows of somebody's database as messages: a query that is asked again and again, with the place it came to.

#include "channels/connectors/detail/loop_source.h"
#include "channels/connectors/detail/sql_connection.h"
#include "channels/detail/validation.h"
#include "channels/limits.h"
#include "engine/base/text.h"
#include "mappings/csv.h"

namespace kiln::channels {

namespace {

using base::ErrorCode;

constexpr const char* kContentWords[] = {"hl7", "fhir", "csv"};
constexpr FieldSpec kOptions[] = {
    kSqlFile,
    kSqlPostgres,
    {.name = "query",
     .type = FieldType::string,
     .summary = "gives the rows to take, in order; `:after` is the `cursor` of the last row that was taken",
     .required = true},
    {.name = "cursor",
     .type = FieldType::string,
     .summary = "column that grows from row to row and never has a value twice"},
    {.name = "first",
     .type = FieldType::string,
     .summary = "`:after` before any row was taken",
     .default_value = "\"0\""},
    {.name = "done",
     .type = FieldType::string,
     .summary = "statement run for each row that was taken, with its columns as `:column`"},
    {.name = "content",
     .type = FieldType::word,
     .summary = "what a row is: a csv of one row, or a message in the column `body`",
     .default_value = "csv",
     .words = kContentWords},
    {.name = "body",
     .type = FieldType::string,
     .summary = "column that holds the message, of hl7 and fhir",
     .default_value = "\"message\""},
    {.name = "delimiter",
     .type = FieldType::string,
     .summary = "of the csv declaration that the rows are read by",
     .default_value = "\",\""},
    {.name = "charset",
     .type = FieldType::string,
     .summary = "character set when MSH-18 is empty",
     .lead = "default"},
    {.name = "timezone",
     .type = FieldType::string,
     .summary = "IANA zone of times without offset; default: the server's"},
    {.name = "poll",
     .type = FieldType::duration,
     .summary = "pause after a look that found nothing",
     .default_value = "10s",
     .min = 10},
    detail::kSqlTimeout,
    detail::kValidateOption,
};
constexpr ConnectorExample kExamples[] = {
    {"{ file \"orders.db\"; query \"select id, mrn, code from orders where id > :after order by id\"; cursor \"id\" }"},
    {"{ postgres { host \"localhost\"; database \"his\"; user \"kiln\"; password file(\"/run/secrets/pg\") }; query "
     "\"select seq, message from outbox where sent is null order by seq limit 100\"; done \"update outbox set sent = "
     "now() where seq = :seq\"; content hl7; poll 2s }"},
    {"{ file \"orders.db\"; query \"select id from orders\" }", false},
    {"{ file \"orders.db\"; cursor \"id\" }", false},
    {"{ query \"select id from orders where id > :after\"; cursor \"id\" }", false},
};

/// What one look found. Columns and rows are kept for `done`.
struct Look {
  base::SqlRows found;
  std::optional<base::Error> error;
};

class SqlSource final : public detail::LoopSource {
 public:
  SqlSource(const Options& options, const Surroundings& around)
      : LoopSource(options, around), database_(options, around, options.text("done").empty()) {
    const std::string content = options.text("content");
    content_ = content == "hl7" ? ContentKind::hl7 : content == "fhir" ? ContentKind::fhir : ContentKind::csv;
    format_.delimiter = options.text("delimiter") == "\\t" ? '\t' : options.text("delimiter").front();
  }

 private:
  void interrupt() override { database_.interrupt(); }

  std::string position_file() const { return base::join_path(around_.state, around_.channel + ".position"); }

  /// The position belongs to the query: another one begins anew.
  std::string position_head() const { return base::sha256_hex(options_.text("query")).substr(0, 16) + "\n"; }

  base::Status read_position() {
    if (position_) return {};
    if (options_.has("cursor") && !around_.state.empty()) {
      auto kept = around_.env.read_file(position_file(), limits::kSqlPositionBytesMax);
      if (!kept && kept.error().code != ErrorCode::file_not_found) return base::fail(kept.error());
      if (kept && kept->starts_with(position_head())) {
        position_ = kept->substr(position_head().size());
        return {};
      }
    }
    position_ = options_.text("first");
    return {};
  }

  base::Status keep_position(const std::string& after) {
    position_ = after;
    if (around_.state.empty()) return {};
    TRY_VOID(around_.env.make_folders(around_.state));
    return around_.env.write_file_atomic(position_file(), position_head() + after);
  }

  static std::optional<std::size_t> column(const base::SqlRows& rows, const std::string& name) {
    for (std::size_t i = 0; i < rows.columns.size(); ++i)
      if (rows.columns[i] == name) return i;
    return std::nullopt;
  }

  Look look() {
    Look out;
    const auto known = read_position();
    if (!known) {
      out.error = known.error();
      return out;
    }
    const auto link = database_.link();
    if (!link) {
      out.error = link.error();
      return out;
    }
    base::SqlValues values;
    values["after"] = position_;
    auto found = (*link)->run(options_.text("query"), values, limits::kSqlRowsPerLook);
    if (found)
      out.found = std::move(*found);
    else
      out.error = found.error();
    for (const char* needed : {"cursor", "body"})
      if (found && (needed == std::string_view("cursor") ? options_.has("cursor") : content_ != ContentKind::csv) &&
          !column(out.found, options_.text(needed)))
        out.error = base::Error{ErrorCode::channel_option, std::string("option ") + needed + ": the query gives no such column", "", ""};
    return out;
  }

  /// The rows were taken: their statement, then the position.
  base::Status finish_rows(const base::SqlRows& rows, std::size_t count) {
    const std::string done = options_.text("done");
    if (!done.empty()) {
      TRY(base::SqlLink* const link, database_.link());
      TRY_VOID(link->begin());
      for (std::size_t row = 0; row < count; ++row) {
        base::SqlValues values;
        for (std::size_t i = 0; i < rows.columns.size(); ++i) values[rows.columns[i]] = rows.rows[row][i];
        const auto ran = link->run(done, values, limits::kSqlRowsPerLook);
        if (ran) continue;
        link->rollback();
        return base::fail(ran.error());
      }
      TRY_VOID(link->commit());
    }
    if (!options_.has("cursor")) return {};
    return keep_position(rows.rows[count - 1][*column(rows, options_.text("cursor"))].value_or(""));
  }

  Inbound message_of(const base::SqlRows& rows, std::size_t row) const {
    const auto& values = rows.rows[row];
    Inbound out;
    out.kind = content_;
    out.peer = "sql";
    out.received_at = around_.clock.wall();
    if (content_ == ContentKind::csv) {
      std::vector<std::string_view> names(rows.columns.begin(), rows.columns.end()), cells;
      for (const base::SqlValue& value : values) cells.push_back(value ? std::string_view(*value) : std::string_view());
      mappings::append_csv_row(out.bytes, names, format_);
      mappings::append_csv_row(out.bytes, cells, format_);
    } else {
      out.bytes = values[*column(rows, options_.text("body"))].value_or("");
    }
    std::string place;
    if (const auto at = column(rows, options_.text("cursor"))) place = values[*at].value_or("");
    std::string identity = out.bytes;
    for (const base::SqlValue& value : values) identity += value ? "\x01" + *value : "\x02";
    out.key = "sql:" + place + ":" + base::sha256_hex(identity).substr(0, 32);
    out.name = place;
    return out;
  }

  /// Gives the rows to the channel, in order. How many of them are durable: all up to the first that is not.
  base::Task<std::size_t> give(std::shared_ptr<const Look> look) {
    const std::size_t all = look->found.rows.size();
    std::size_t taken = 0;
    while (taken < all && !stopping()) {
      const std::size_t end = std::min(all, taken + base::limits::kMllpPipelinedMax);
      std::vector<Inbound> some;
      for (std::size_t row = taken; row < end; ++row) some.push_back(message_of(look->found, row));
      auto accepting = detail::accept_in_steps(intake_, &around_.network.executor(), std::move(some), false);
      const auto answers = co_await std::move(accepting);
      for (const Answer& answer : answers) {
        if (answer.taken == Taken::not_stored) co_return taken;
        ++taken;
        ++status_.messages;
      }
    }
    co_return taken;
  }

  base::Task<std::int64_t> round() override {
    const std::int64_t poll = options_.number("poll");
    std::function<std::shared_ptr<const Look>()> ask = [this] { return std::make_shared<const Look>(look()); };
    const auto asking = detail::offload(database_.thread(), around_.network.executor(), std::move(ask));
    const std::shared_ptr<const Look> found = co_await asking;
    status_.last_error.clear();
    if (found->error) failing(*found->error);
    if (found->error || found->found.rows.empty()) co_return poll;
    auto giving = give(found);
    const std::size_t taken = co_await std::move(giving);
    if (taken == 0) co_return poll;
    std::function<base::Status()> finish = [this, found, taken] { return finish_rows(found->found, taken); };
    const auto finishing = detail::offload(database_.thread(), around_.network.executor(), std::move(finish));
    const base::Status finished = co_await finishing;
    // The same rows come again, are known by their keys, and this is tried again.
    if (!finished) failing(finished.error());
    const bool more = finished && taken == found->found.rows.size();
    co_return more ? 0 : poll;
  }

  detail::SqlConnection database_;
  ContentKind content_ = ContentKind::csv;
  mappings::CsvFormat format_;
  std::optional<std::string> position_;  ///< used on the database's thread only
};

std::vector<OptionProblem> check(const Options& options) {
  std::vector<OptionProblem> out = check_sql(options);
  if (!options.has("cursor") && !options.has("done"))
    out.push_back({ErrorCode::E0905, "", "sql needs `cursor` or `done`: without, every look takes the same rows", "cursor \"id\""});
  const auto* query = options.find("query");
  if (options.has("cursor") && query != nullptr && query->resolved && query->text.find(":after") == std::string::npos)
    out.push_back({ErrorCode::E0905, "query", "`cursor` is given, and the query does not ask for what comes behind it",
                   "where id > :after order by id"});
  const std::string delimiter = options.text("delimiter");
  if (delimiter.size() != 1 && delimiter != "\\t")
    out.push_back({ErrorCode::E0917, "delimiter", "one character is expected", "\";\""});
  return out;
}

}  // namespace

const ConnectorSpec& sql_source_spec() {
  static const ConnectorSpec spec{.name = "sql",
                                  .role = ConnectorRole::source,
                                  .summary = "takes rows that a query of a database gives",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .check = &check,
                                  .make_source = &detail::make_looping<SqlSource>};
  return spec;
}

}  // namespace kiln::channels
