// Search: each file in turn, by its index where the query asks for keys, else in ranges of message numbers.

#include <algorithm>

#include "engine/base/limits.h"
#include "engine/index/index_plan.h"
#include "engine/journal/query_sql.h"
#include "engine/journal/reader_file.h"
#include "engine/journal/rows.h"
#include "engine/limits.h"

namespace kiln::engine {
namespace {

using base::Database;
using base::Result;
using base::Statement;
using base::Status;
using Kind = QueryNode::Kind;

/// A question may not run for ever: while it reads, the log of the file cannot be emptied (reliability.md S1).
class Bounded {
 public:
  explicit Bounded(Database& database) : database_(database) { database_.set_budget(base::limits::kSearchStepsMax); }
  ~Bounded() { database_.set_budget(0); }
  Bounded(const Bounded&) = delete;
  Bounded& operator=(const Bounded&) = delete;

 private:
  Database& database_;
};

struct Range {
  MessageId from = 1, to = 0;
  bool empty() const { return from > to; }
};

/// First and last number of the messages of a file.
Result<Range> ids_of(Database& database) {
  TRY(auto select, database.cached("SELECT min(id), max(id) FROM (SELECT min(id) id FROM msg UNION ALL SELECT max(id) FROM msg)"));
  TRY_VOID(select.step());
  if (select.is_null(0)) return Range{};
  return Range{static_cast<MessageId>(select.integer(0)), static_cast<MessageId>(select.integer(1))};
}

/// The query on one row: columns are the truth of the terms that are not about content, in the order of the query.
class RowTruth {
 public:
  RowTruth(const Statement& row, int first_column, ContentMatcher& content) : row_(row), column_(first_column), content_(content) {}
  bool holds(const QueryNode& node) {
    if (node.kind == Kind::term) {
      if (!is_content(node.term)) return row_.integer(column_++) != 0;
      return content_.holds(node.term) != node.term.negated;
    }
    bool all = true, any = false;
    for (const QueryNode& part : node.parts) {  // every part: each takes its columns
      const bool one = holds(part);
      all = all && one;
      any = any || one;
    }
    return node.kind == Kind::all ? all : any;
  }

 private:
  const Statement& row_;
  int column_;
  ContentMatcher& content_;
};

/// One search of one file.
class FileSearch {
 public:
  FileSearch(RowSource file, const Query& query, const IndexRules& rules, const SearchOptions& options)
      : file_(file), database_(file.database), query_(query), rules_(rules), options_(options) {}

  Status prepare() {
    QueryTables tables;
    TRY(tables.same_id, has_table(database_, "same_id"));
    if (file_.keys.has_keys()) tables.keys = &file_.keys;
    sql_.emplace(query_, tables);
    looks_inside_ = has_content(query_.root);
    const std::string select = std::string(kQueryTables) + "SELECT m.id" +
                               (looks_inside_ ? ", m.channel, m.type, m.control_id, m.kind, m.key_id<>0 OR m.parts<>'', m.body" + sql_->columns() : "") +
                               " FROM msg m WHERE m.id BETWEEN ?1 AND ?2 AND " + sql_->where() + " ORDER BY m.id" +
                               (options_.oldest_first ? "" : " DESC");
    TRY(select_, database_.prepare(select));
    sql_->bind(select_);
    return {};
  }

  bool is_selective() const { return sql_->is_selective(); }
  /// How many numbers one read may go over.
  MessageId step() const {
    constexpr MessageId kSelectiveStep = 1'000'000;
    if (looks_inside_ && !sql_->is_selective()) return std::min<MessageId>(options_.ids_per_read, limits::kSearchContentIdsPerRead);
    return sql_->is_selective() ? std::max<MessageId>(options_.ids_per_read, kSelectiveStep) : options_.ids_per_read;
  }

  /// Messages of the range that fit, in the order of the search, in one read of the file.
  Status look(Range range, std::size_t most, std::vector<MessageId>& out) {
    const Bounded bounded(database_);
    select_.reset();
    select_.bind(1, static_cast<std::int64_t>(range.from)).bind(2, static_cast<std::int64_t>(range.to));
    Status status;
    while (out.size() < most) {
      const Result<bool> row = select_.step();
      if (!row) status = base::fail(row.error());
      if (!row || !*row) break;
      const Result<bool> fits = holds();
      if (!fits) status = base::fail(fits.error());
      if (!fits) break;
      if (*fits) out.push_back(static_cast<MessageId>(select_.integer(0)));
    }
    select_.reset();
    return status;
  }

 private:
  /// A body that is sealed, or in parts, is read whole; a damaged one is found by nothing that stands in it.
  Result<bool> holds() const {
    if (!looks_inside_) return true;
    constexpr int kFirstColumn = 7;
    std::string control_id, body;
    IndexedMessage message{select_.text(1), select_.text(2), select_.text(3), select_.blob(6),
                           static_cast<channels::ContentKind>(select_.integer(4))};
    if (select_.integer(5) != 0) {
      auto stored = read_stored_message(file_, static_cast<MessageId>(select_.integer(0)));
      if (!stored && stored.error().code != base::ErrorCode::corrupt_record) return base::fail(stored.error());
      if (stored) {
        control_id = std::move(stored->message.control_id);
        body = std::move(stored->message.body);
      }
      message.control_id = control_id;
      message.body = body;
    }
    ContentMatcher content(message, rules_);
    return RowTruth(select_, kFirstColumn, content).holds(query_.root);
  }

  RowSource file_;
  Database& database_;
  const Query& query_;
  const IndexRules& rules_;
  const SearchOptions& options_;
  std::optional<QuerySql> sql_;
  Statement select_;
  bool looks_inside_ = false;
};

/// Walks ranges in the order of the search until it has enough or the time is up.
class Walk {
 public:
  Walk(const SearchOptions& options, SearchAnswer& answer) : options_(options), answer_(answer) {
    if (options.clock != nullptr && options.budget_ms > 0)
      deadline_ = options.clock->mono() + std::chrono::milliseconds(options.budget_ms);
  }
  bool done(const std::vector<MessageId>& found) const { return found.size() >= options_.limit || !answer_.complete; }

  /// Calls `look(part)` for parts of the range: of `first` numbers, then of ever more, up to `step`. What fits is often at the
  /// beginning, and a part gathers all that could fit before it is put in order.
  template <class Look>
  Status go(Range range, MessageId step, std::vector<MessageId>& found, const Look& look, MessageId first) {
    constexpr MessageId kGrowth = 4;
    MessageId now = std::min(first, step);
    while (!range.empty() && !done(found)) {
      const MessageId width = std::min(now - 1, range.to - range.from);
      now = std::min(now * kGrowth, step);
      Range part = range;
      if (options_.oldest_first) {
        part.to = range.from + width;
        range.from = part.to + 1;
      } else {
        part.from = range.to - width;
        range.to = part.from - 1;
      }
      TRY_VOID(look(part));
      const bool full = found.size() >= options_.limit;
      answer_.looked_to = full ? found.back() : options_.oldest_first ? part.to : part.from;
      if (!full && deadline_ && options_.clock->mono() >= *deadline_) answer_.complete = false;
      if (part.from == 0) break;
    }
    return {};
  }

 private:
  const SearchOptions& options_;
  SearchAnswer& answer_;
  std::optional<base::MonoTime> deadline_;
};

/// By the index: candidates a few at a time, each looked at in the journal.
Status look_by_index(IndexReader& index, FileSearch& search, const IndexPlan& plan, Range part, const SearchOptions& options,
                     std::vector<MessageId>& found) {
  constexpr std::size_t kCandidates = 200;
  while (!part.empty() && found.size() < options.limit) {
    TRY(const auto candidates, index.find(plan.keys, part.from, part.to, options.oldest_first, kCandidates));
    for (const MessageId id : candidates) {
      TRY_VOID(search.look({id, id}, std::min(options.limit, found.size() + 1), found));
      if (found.size() >= options.limit) return {};
    }
    if (candidates.size() < kCandidates) return {};
    if (options.oldest_first)
      part.from = candidates.back() + 1;
    else
      part.to = candidates.back() - 1;
  }
  return {};
}

}  // namespace

void JournalReader::use_index(base::Env& env, std::string folder, IndexRules rules) {
  env_ = &env;
  index_folder_ = std::move(folder);
  rules_ = std::move(rules);
  for (const auto& file : files_) file->index.reset();
}

/// An index that is not there yet, or cannot be used, is no error: the journal is all that is needed.
IndexReader* JournalReader::index_of(File& file) {
  if (env_ == nullptr || index_folder_.empty()) return nullptr;
  if (!file.index) {
    auto opened = IndexReader::open(*env_, index_folder_, file.name.generation, file.keys.token_key());
    if (!opened) return nullptr;
    file.index.emplace(std::move(*opened));
  }
  const auto usable = file.index->made_by(rules_);
  if (usable && *usable) return &*file.index;
  file.index.reset();
  return nullptr;
}

Result<SearchAnswer> JournalReader::find(const Query& query, const SearchOptions& options) {
  SearchAnswer answer;
  Walk walk(options, answer);
  const QueryRange wanted = range_of(query);
  std::vector<std::pair<File*, MessageId>> all;
  const std::size_t count = files_.size();
  std::vector<MessageId> found;
  for (std::size_t i = 0; i < count && !walk.done(found); ++i) {
    File& file = *files_[options.oldest_first ? i : count - 1 - i];
    TRY(Range range, ids_of(file.database));
    range.from = std::max({range.from, wanted.first, options.oldest_first ? options.after + 1 : MessageId{0}});
    range.to = std::min(range.to, wanted.last);
    if (!options.oldest_first && options.before > 0) range.to = std::min(range.to, options.before - 1);
    if (range.empty()) continue;
    IndexReader* index = index_of(file);
    if (index != nullptr) TRY_VOID(index->narrow(wanted.received_from, wanted.received_to, range.from, range.to));
    FileSearch search(file.rows(), query, rules_, options);
    TRY_VOID(search.prepare());
    const std::size_t before = found.size();
    auto scan = [&](Range part) { return search.look(part, options.limit, found); };
    IndexPlan plan;
    MessageId known = 0;
    if (index != nullptr) {
      TRY(plan, plan_index(query, *index, rules_));
      TRY(known, index->cursor());
    }
    if (plan.keys.empty() || (!plan.selective && search.is_selective())) {
      TRY_VOID(walk.go(range, search.step(), found, scan, options.ids_per_read));
    } else {
      constexpr MessageId kIndexStep = 2'000'000;
      const Range indexed{range.from, std::min(range.to, known)}, tail{std::max(range.from, known + 1), range.to};
      auto by_index = [&](Range part) { return look_by_index(*index, search, plan, part, options, found); };
      if (options.oldest_first) TRY_VOID(walk.go(indexed, kIndexStep, found, by_index, kIndexStep));
      TRY_VOID(walk.go(tail, search.step(), found, scan, options.ids_per_read));
      if (!options.oldest_first) TRY_VOID(walk.go(indexed, kIndexStep, found, by_index, kIndexStep));
    }
    for (std::size_t at = before; at < found.size(); ++at) all.emplace_back(&file, found[at]);
  }
  for (const auto& [file, id] : all) {
    TRY(MessageSummary summary, summary_in(*file, id));
    answer.found.push_back(std::move(summary));
  }
  answer.full = found.size() >= options.limit;
  return answer;
}

Result<std::vector<MessageSummary>> JournalReader::search(const Query& query, const SearchOptions& options) {
  TRY(SearchAnswer answer, find(query, options));
  return std::move(answer.found);
}

}  // namespace kiln::engine
