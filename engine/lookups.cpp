#include "engine/lookups.h"

#include <algorithm>

#include "channels/postgres_fields.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/sql/sqlite.h"
#include "engine/detail/lookup_postgres.h"
#include "mappings/csv.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;
using base::Status;
using mappings::LookupAnswer;
using mappings::LookupKey;
using mappings::LookupShape;
using State = LookupAnswer::State;

namespace {

constexpr std::int64_t kComplainMicros = 60'000'000;  ///< one line a minute and lookup
constexpr int kBusyMs = 250;
constexpr int kCacheKib = 1024;

std::string text_of(const std::vector<std::string>& arguments) {
  std::string out;
  for (const std::string& argument : arguments)
    out.append(std::to_string(argument.size())).append(":").append(argument);
  return out;
}

}  // namespace

struct SiteLookups::Source {
  LookupShape shape;
  bool known = false;     ///< the unit declares it
  bool is_open = false;
  base::FileInfo opened;  ///< the file as it was when it was opened
  base::WallTime complained;
  // sql
  base::Database database;
  base::Statement statement;
  std::vector<int> parameters;  ///< of the statement, by parameter of the lookup; 0: not used
  std::vector<int> columns;     ///< of the statement, by column of the row
  std::unique_ptr<detail::PostgresLookup> postgres;
  // csv
  mappings::CsvFile file;
  std::vector<std::size_t> cells;  ///< column of the file, by column of the row
  std::unordered_map<std::string, std::size_t> rows;
  struct Kept {
    LookupAnswer answer;
    std::int64_t until_micros;
  };
  std::unordered_map<std::string, Kept> cache;

  /// The statement must end before its database.
  void close() {
    statement = {};
    database = {};
    rows.clear();
    is_open = false;
  }
  ~Source() { close(); }
};

std::map<std::string, LookupQuery> lookup_queries(const channels::Options& server, const std::string& folder) {
  std::map<std::string, LookupQuery> out;
  const auto* queries = server.all("query");
  if (queries == nullptr) return out;
  for (const channels::OptionValue& query : *queries) {
    if (query.block.empty()) continue;
    const channels::Options& options = query.block.front();
    LookupQuery made{options.text("file"), options.text("sql"), {}};
    if (options.has("postgres"))
      made.postgres = channels::postgres_options(options.block("postgres"), folder, options.number("timeout"));
    out[query.text] = std::move(made);
  }
  return out;
}

SiteLookups::SiteLookups(std::map<std::string, LookupQuery> queries, std::string folder, base::Env& env,
                         const base::Clock& clock)
    : queries_(std::move(queries)), folder_(std::move(folder)), env_(env), clock_(clock) {}
SiteLookups::~SiteLookups() = default;

SiteLookups::Source& SiteLookups::source_of(const mappings::ir::Unit& unit, const std::string& lookup) {
  auto& source = sources_[lookup];
  if (source) return *source;
  source = std::make_unique<Source>();
  source->shape.name = lookup;
  for (LookupShape& shape : mappings::lookups_of(unit)) {
    if (shape.name != lookup) continue;
    source->shape = std::move(shape);
    source->known = true;
    break;
  }
  return *source;
}

Status SiteLookups::open_database(Source& source, const std::string& path) {
  base::DatabaseOptions options;
  options.path = path;
  options.read_only = true;
  options.busy_timeout_ms = kBusyMs;
  options.cache_kib = kCacheKib;
  options.vfs = env_.sqlite_vfs();
  TRY(source.database, base::Database::open(options));
  TRY(source.statement, source.database.prepare(queries_.at(source.shape.query).sql));
  source.parameters.clear();
  source.columns.clear();
  for (const std::string& name : source.shape.parameters)
    source.parameters.push_back(source.statement.parameter(":" + name));
  if (const int used = static_cast<int>(
          std::count_if(source.parameters.begin(), source.parameters.end(), [](int at) { return at > 0; }));
      used != source.statement.parameter_count())
    return base::fail(ErrorCode::E0411, "the query has parameters that the lookup does not have",
                      "query " + source.shape.query, "name them as the lookup does: `:" +
                      source.shape.parameters.front() + "`");
  for (const std::string& name : source.shape.columns) {
    int at = -1;
    for (int i = 0; i < source.statement.column_count(); ++i)
      if (source.statement.column_name(i) == name) at = i;
    if (at < 0)
      return base::fail(ErrorCode::E0411, "the query gives no column `" + name + "`",
                        "query " + source.shape.query);
    source.columns.push_back(at);
  }
  return {};
}

Status SiteLookups::open_file(Source& source, const std::string& path) {
  TRY(const std::string bytes, env_.read_file(path, base::limits::kTableBytesMax));
  TRY(source.file, mappings::CsvFile::read_any(bytes, mappings::delimiter_of(bytes), mappings::CsvEncoding::utf8));
  const auto& names = source.file.column_names();
  const auto column = [&](const std::string& name) -> Result<std::size_t> {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
      return base::fail(ErrorCode::E0411, "the file has no column `" + name + "`", source.shape.query);
    return static_cast<std::size_t>(found - names.begin());
  };
  std::vector<std::size_t> keys;
  for (const std::string& name : source.shape.parameters) {
    TRY(const std::size_t at, column(name));
    keys.push_back(at);
  }
  source.cells.clear();
  for (const std::string& name : source.shape.columns) {
    TRY(const std::size_t at, column(name));
    source.cells.push_back(at);
  }
  for (std::size_t row = 0; row < source.file.rows(); ++row) {
    std::vector<std::string> arguments;
    for (const std::size_t key : keys) arguments.emplace_back(source.file.cell(row, key));
    source.rows.emplace(text_of(arguments), row);  // of several rows with one key the first counts
  }
  return {};
}

Status SiteLookups::open_server(Source& source, const LookupQuery& query) {
  if (!source.postgres)
    source.postgres = std::make_unique<detail::PostgresLookup>(*query.postgres, query.sql, source.shape, clock_);
  const Status opened = source.postgres->open();
  source.is_open = opened.has_value();
  return opened;
}

Status SiteLookups::open(Source& source) {
  const LookupShape& shape = source.shape;
  const bool is_sql = shape.via == "sql";
  const auto query = queries_.find(shape.query);
  if (is_sql && query == queries_.end())
    return base::fail(ErrorCode::E0412, "kiln.conf has no query " + shape.query, shape.name);
  if (is_sql && query->second.postgres) return open_server(source, query->second);
  const std::string path = base::join_path(folder_, is_sql ? query->second.file : shape.query);
  const auto info = env_.info(path);
  if (!info) {
    source.close();
    return base::fail(info.error());
  }
  if (source.is_open && info->size == source.opened.size && info->modified == source.opened.modified) return {};
  source.close();
  source.cache.clear();
  const Status opened = is_sql ? open_database(source, path) : open_file(source, path);
  if (!opened) {
    source.close();
    return opened;
  }
  source.opened = *info;
  source.is_open = true;
  return {};
}

/// One line with names only: arguments and cells are patient data.
void SiteLookups::complain(Source& source, const base::Error& error) {
  const base::WallTime now = clock_.wall();
  if (source.complained.micros != 0 && now.micros - source.complained.micros < kComplainMicros) return;
  source.complained = now;
  base::log(base::LogLevel::error, "lookup-unavailable",
            {{"lookup", base::Safe::name(source.shape.name)}, {"error", base::Safe::code(error.code)}});
}

Result<LookupAnswer> SiteLookups::ask_database(Source& source, const LookupKey& key) {
  LookupAnswer answer;
  answer.key = key;
  source.statement.reset();
  for (std::size_t i = 0; i < source.parameters.size(); ++i) {
    if (source.parameters[i] > 0)
      source.statement.bind(source.parameters[i], std::string_view(key.arguments[i]));
  }
  source.database.set_budget(base::limits::kLookupStepsMax);
  TRY(const bool found, source.statement.step());
  std::size_t bytes = 0;
  if (found) {
    answer.state = State::found;
    for (const int column : source.columns) {
      if (source.statement.is_null(column)) {
        answer.columns.emplace_back();
        continue;
      }
      answer.columns.emplace_back(std::string(source.statement.text(column)));
      bytes += answer.columns.back()->size();
    }
  }
  source.statement.reset();
  if (bytes > base::limits::kLookupAnswerBytesMax) return base::fail(ErrorCode::limit_exceeded, "the row is too large");
  return answer;
}

LookupAnswer SiteLookups::ask(Source& source, const LookupKey& key) {
  LookupAnswer answer;
  answer.key = key;
  if (source.shape.via == "sql") {
    auto asked = source.postgres ? source.postgres->ask(key) : ask_database(source, key);
    if (asked) return std::move(*asked);
    complain(source, asked.error());
    source.close();  // opened again at the next message
    answer.state = State::failed;
    return answer;
  }
  const auto row = source.rows.find(text_of(key.arguments));
  if (row == source.rows.end()) return answer;
  answer.state = State::found;
  for (const std::size_t cell : source.cells) {
    const std::string_view text = source.file.cell(row->second, cell);
    if (text.data() == nullptr)
      answer.columns.emplace_back();
    else
      answer.columns.emplace_back(std::string(text));
  }
  return answer;
}

std::vector<LookupAnswer> SiteLookups::fetch(const mappings::ir::Unit& unit, std::span<const LookupKey> keys) {
  std::vector<LookupAnswer> answers;
  std::vector<const Source*> broken;
  std::vector<const Source*> ready;
  const auto holds = [](const std::vector<const Source*>& list, const Source& source) {
    return std::find(list.begin(), list.end(), &source) != list.end();
  };
  for (const LookupKey& key : keys) {
    Source& source = source_of(unit, key.lookup);
    if (!source.known) {
      answers.push_back({key, State::failed, {}});
      continue;
    }
    if (!holds(ready, source) && !holds(broken, source)) {
      const Status opened = open(source);
      if (!opened) complain(source, opened.error());
      (opened ? ready : broken).push_back(&source);
    }
    const std::int64_t now = clock_.wall().micros;
    const std::string flat = text_of(key.arguments);
    if (const auto kept = source.cache.find(flat); kept != source.cache.end() && kept->second.until_micros > now) {
      answers.push_back(kept->second.answer);
      continue;
    }
    if (holds(broken, source) || !source.is_open) {
      answers.push_back({key, State::failed, {}});
      continue;
    }
    answers.push_back(ask(source, key));
    const bool keep = source.shape.cache_ms > 0 && answers.back().state != State::failed;
    if (!keep) continue;
    if (source.cache.size() >= base::limits::kLookupCacheEntriesMax) source.cache.clear();
    source.cache[flat] = {answers.back(), now + source.shape.cache_ms * 1000};
  }
  return answers;
}

Status SiteLookups::check(const LookupShape& shape) {
  Source source;
  source.shape = shape;
  return open(source);
}

mappings::LookupService* LookupPool::lookups(const channels::Site& site) {
  constexpr std::size_t kVersionsKept = 4;
  if (by_site_.size() >= kVersionsKept && !by_site_.contains(site.hash)) by_site_.clear();
  auto& service = by_site_[site.hash];
  if (!service)
    service = std::make_unique<SiteLookups>(lookup_queries(site.server, site.folder), site.folder, env_, clock_);
  return service.get();
}

}  // namespace kiln::engine
