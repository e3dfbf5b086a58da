#pragma once
// The implementation of fhir::Store over SQLite, private to engine/store; split over sqlite_store.cpp
// (opening and transactions), sqlite_writer.cpp, sqlite_reader.cpp, index_writer.cpp and search_sql.cpp.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/sql/sqlite.h"
#include "engine/store/dictionary.h"
#include "engine/store/index_writer.h"
#include "engine/store/search_run.h"
#include "engine/store/search_sql.h"
#include "engine/store/sqlite_store.h"
#include "fhir/search/custom_parameters.h"
#include "fhir/search/query.h"
#include "fhir/store.h"

namespace kiln::engine {

class TextColumn;

class SqliteConnection final : public fhir::Store {
 public:
  SqliteConnection(StoreOptions options, base::Database database, bool read_only);
  /// Reads the counters and rebuilds the index when it was made by another version of the extractors.
  base::Status start();
  void set_trace(base::StatementTrace trace) { database_.set_trace(std::move(trace)); }

  using fhir::Store::begin;
  base::Status begin(Scopes scopes) override;
  bool is_spoiled() const override;
  base::Status commit() override;
  void rollback() override;
  base::Status savepoint() override;
  base::Status release() override;
  base::Status rollback_to() override;

  base::Result<std::optional<fhir::StoredVersion>> read(std::string_view type, std::string_view id) override;
  base::Result<std::optional<fhir::StoredVersion>> read_version(std::string_view type, std::string_view id,
                                                                std::int64_t vid) override;
  base::Result<fhir::HistoryPage> history(const fhir::HistoryRange& range) override;
  base::Result<std::int64_t> history_count(const fhir::HistoryRange& range, std::int64_t most) override;
  base::Result<std::optional<fhir::StoredVersion>> version_at(std::int64_t seq) override;
  base::Result<std::int64_t> version_count(std::string_view type, std::string_view id) override;
  base::Result<fhir::WriteResult> put(const fhir::Write& write) override;
  base::Result<std::optional<fhir::WriteResult>> remove(std::string_view type, std::string_view id,
                                                        std::string_view origin) override;
  base::Result<fhir::SearchPage> search(const fhir::SearchQuery& query) override;
  base::Result<bool> each(const fhir::SearchQuery& query,
                          const std::function<base::Status(fhir::StoredVersion)>& on_row) override;
  base::Result<std::vector<fhir::Match>> find(const fhir::SearchQuery& query, std::size_t limit) override;
  base::Result<std::int64_t> count(const fhir::SearchQuery& query, std::int64_t limit) override;
  base::Result<std::vector<fhir::StoredVersion>> changes_since(std::int64_t seq, std::size_t limit) override;
  base::Result<std::int64_t> last_seq() override;
  base::Result<std::int64_t> cursor(std::string_view name) override;
  base::Status set_cursor(std::string_view name, std::int64_t seq) override;
  base::Result<bool> delivered(std::int64_t msg_id, std::string_view dest) override;
  base::Status mark_delivered(std::int64_t msg_id, std::string_view dest) override;
  base::Result<std::int64_t> last_delivered() override;
  base::Status forget_delivered_below(std::int64_t msg_id) override;
  base::Result<fhir::SnapshotPage> snapshot(const fhir::SnapshotRange& range) override;
  base::Result<fhir::StoreCounts> counts() override;
  base::Status load_parameters() override;
  base::Result<std::vector<fhir::ReindexState>> parameters_state() override;
  base::Result<bool> reindex_step() override;
  bool has_pending_parameters() const override;
  void reindex_committed() override;
  bool take_parameters_changed() override { return std::exchange(parameters_changed_, false); }
  std::string_view page_secret() const override { return page_secret_; }
  base::Status checkpoint() override;
  void set_stop(std::function<bool()> stop) override { stop_ = std::move(stop); }
  base::Result<std::unique_ptr<fhir::Store>> open_reader() override;

  /// Statement::step() of a question: says what ended it.
  base::Result<bool> step(base::Statement& statement);
  /// A statement of a search, bound; `sql` outlives it.
  base::Result<base::Statement> search_statement(const SqlText& sql);

 private:
  friend class SearchRun;  // a question at work
  friend class SortedRun;

  /// The budget of one question: virtual machine steps (0: any number), limits::kSearchMs, stop_, and no new
  /// words in the dictionary. Off again however the question ends, since writes use the same connection. One
  /// at a time; an inner one belongs to the outer.
  class Question {
   public:
    explicit Question(SqliteConnection& connection, std::uint64_t steps = 0);
    Question(const Question&) = delete;
    Question& operator=(const Question&) = delete;
    ~Question();

   private:
    SqliteConnection& connection_;
    bool outer_;
  };
  bool must_stop();
  /// The current state of a resource; rid 0 when it never existed.
  struct Current {
    std::int64_t type = 0, rid = 0, vid = 0, seq = 0;
    bool deleted = false;
  };
  struct NewVersion {
    std::int64_t rid, vid;
    fhir::WriteMethod method;
    std::string_view origin, body;
  };
  struct Added {
    std::int64_t seq;
    base::WallTime updated;
  };

  base::Result<Current> find_current(std::string_view type, std::string_view id, bool add_type);
  base::Result<std::int64_t> next_rid(std::int64_t type);
  /// The stamp of the next version: now, but never before the version in front of it.
  base::WallTime next_stamp() const;
  base::Status add_version(const NewVersion& version, Added stamp);
  base::Status set_current(const Current& current, std::string_view id, std::int64_t vid, std::int64_t seq,
                           bool deleted);
  base::Result<fhir::IndexRows> rows_of_body(const fhir::TypeParameters& parameters,
                                             std::string_view body) const;
  base::Status read_counters();
  base::Status rebuild_index();
  base::Status require_writer() const;
  base::Result<std::string> body_of(std::int64_t seq);
  base::Result<fhir::StoredVersion> version_row(base::Statement& select, bool with_origin);
  /// The first seq whose version is not older than `micros`; last + 1 when there is none.
  base::Result<std::int64_t> seq_not_before(std::int64_t micros);
  base::Result<bool> run_search(const SqlText& sql,
                                const std::function<base::Status(base::Statement&)>& on_row);
  base::Result<std::vector<std::unique_ptr<fhir::CustomDefinition>>> wanted_parameters();
  base::Status take_in(std::unique_ptr<fhir::CustomDefinition> wanted);
  base::Result<bool> index_some(const fhir::Parameter& parameter, std::int64_t& after, std::int64_t end);
  base::Status drop_rows(std::string_view type, std::string_view code);
  base::Status forget_cursor(const std::string& name);
  base::Result<fhir::StoredVersion> current_version(const std::string& type, const SearchRun::Hit& hit);
  /// Taken over from the hit when that has it.
  base::Result<fhir::StoredVersion> version_of(const std::string& type, const SearchRun::Hit& hit);
  /// The resources that a :contains clause wants, from memory; nullopt when that cannot answer for this moment of the store.
  base::Result<std::optional<RidSet>> containing(const fhir::SearchClause& clause, std::int64_t type, std::int64_t param);
  base::Result<std::shared_ptr<const TextColumn>> text_column(std::int64_t type, std::int64_t param, std::int64_t seq);
  base::Result<std::optional<std::vector<std::int64_t>>> changed_since(std::int64_t type, std::int64_t seq);
  base::Result<base::Statement> history_statement(const fhir::HistoryRange& range, std::string sql,
                                                  std::int64_t limit);
  base::Result<std::vector<SeqRange>> seq_ranges_of(const fhir::SearchClause& clause);
  /// More than there are resources of the type, or as many.
  base::Result<std::int64_t> resources_at_most(std::int64_t type);
  base::Result<std::int64_t> count_rows(const SqlText& rows, std::int64_t limit);

  StoreOptions options_;
  base::Database database_;
  bool read_only_;
  Dictionary dictionary_;
  IndexWriter index_;
  std::string page_secret_;
  std::int64_t last_seq_ = 0;
  base::WallTime last_updated_;
  std::map<std::int64_t, std::int64_t> last_rids_;  ///< per type
  /// Counters to go back to, so that a failed request uses up no version number.
  struct Counters {
    std::int64_t seq;
    base::WallTime updated;
  };
  std::vector<Counters> scopes_;
  Scopes kind_ = Scopes::undoable;
  bool in_transaction_ = false;  ///< between begin() and commit() or rollback(), whatever became of it
  bool spoiled_ = false;
  Counters at_begin_{};
  std::function<bool()> stop_;
  bool parameters_changed_ = false;
  std::vector<const fhir::CustomDefinition*> customs_;
  const fhir::CustomDefinition* finished_ = nullptr;  ///< by the last step
  bool asking_ = false, out_of_time_ = false;  ///< of the running question
  base::MonoTime ask_until_{};
};

}  // namespace kiln::engine
