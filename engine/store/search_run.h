#pragma once
// One search at work: which clause leads, how the others are tested, in what order hits come (README, "How a search
// runs"). Private to the store.

#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/store/rid_set.h"
#include "engine/store/search_sql.h"
#include "fhir/store.h"

namespace kiln::engine {

class SortedRun;
class SqliteConnection;

/// Lives as long as its question; `query` and the connection outlive it.
class SearchRun {
 public:
  /// The first hits in the order of the query, or every hit in any order.
  enum class Want : std::uint8_t { page, all };
  struct Hit {
    std::int64_t rid, vid, seq;
    std::string_view id;  ///< during the call
    fhir::StoredVersion* version = nullptr;  ///< when it was read already; may be taken away
  };
  /// False: enough.
  using OnHit = std::function<base::Result<bool>(const Hit&)>;

  /// `wanted`: how many hits will be taken; decides nothing but what is cheaper.
  SearchRun(SqliteConnection& connection, const fhir::SearchQuery& query, Want want, std::size_t wanted)
      : connection_(connection), query_(query), want_(want), wanted_(wanted), after_(query.after) {}

  base::Status hits(const OnHit& on_hit);
  /// At most `limit`, beyond which nothing is counted.
  base::Result<std::int64_t> count(std::int64_t limit);

 private:
  friend class SortedRun;
  struct Part {
    const fhir::SearchClause* clause = nullptr;
    std::vector<SeqRange> seq_ranges;  ///< of _lastUpdated
    SqlText rows;
    std::optional<RidSet> known;  ///< what `rows` would give, from memory
    bool is_negative = false;  ///< `rows` are to be kept out
    bool has_probe = false;
    bool by_rid = false;    ///< the probe needs the rid alone
    bool in_order = false;  ///< `rows` lie in order of rid
    bool done = false;      ///< the source sees to it, or a set does
  };
  enum class End : std::uint8_t { done, again };
  /// A row that may be a hit.
  struct Candidate {
    std::int64_t key = 0;  ///< rid or seq, by which the hits are sorted
    Hit hit{};
  };

  base::Status prepare();
  base::Status choose();
  base::Status choose_of_all_wide();
  base::Status lead(std::size_t part);
  base::Result<std::size_t> fewest(std::int64_t limit, bool all, std::vector<std::int64_t>& found);
  bool is_walked(const Part& part) const { return part.in_order && !(is_page() && (by_seq() || is_sorted())); }
  base::Status take_left();
  base::Result<RidSet> collect(const Part& part);
  /// At most `limit`.
  base::Result<std::int64_t> count_of(const Part& part, std::int64_t limit);
  base::Result<SqlText> walk_text(std::string_view columns, bool joined);
  base::Result<SqlText> probe_text(const Part& part, std::string_view alias);
  base::Status add_probes(SqlText& sql, std::string_view led_alias);
  base::Result<End> walk(const OnHit& on_hit);
  base::Result<End> run_list(const OnHit& on_hit);
  base::Result<End> run_sequence(const OnHit& on_hit);
  base::Result<bool> take(Candidate candidate, const OnHit& on_hit, End& end);
  base::Result<std::int64_t> count_walk(std::int64_t limit);
  base::Result<bool> passes(Hit& hit);
  base::Result<bool> passes_body(Hit& hit);
  bool sets_are_cheaper() const;
  base::Status make_sets();
  /// Every clause as bits.
  base::Status collect_rest();

  bool by_seq() const { return query_.sort == fhir::SortKey::last_updated; }
  bool is_page() const { return want_ == Want::page; }
  /// By values: then SortedRun walks.
  bool is_sorted() const { return is_page() && !query_.order.empty(); }

  SqliteConnection& connection_;
  const fhir::SearchQuery& query_;
  Want want_;
  std::size_t wanted_;
  std::optional<std::int64_t> after_;  ///< key of the last candidate
  std::optional<SearchSql> builder_;
  std::vector<Part> parts_;

  // The source: a list, else the rows of `led_`, else the whole type.
  std::optional<RidSet> list_;
  std::optional<std::size_t> led_;
  std::optional<std::vector<std::pair<std::int64_t, std::int64_t>>> sequence_;  ///< (seq, rid) of list_, sorted

  // Clauses without a probe: tested on the resources themselves, or by sets.
  std::vector<std::size_t> left_;
  std::vector<fhir::SearchQuery> left_queries_;  ///< one clause each
  /// The members of a resource that these clauses look at; nullopt: it takes the whole resource.
  std::optional<std::vector<std::string_view>> left_members_;
  fhir::StoredVersion version_;  ///< of the candidate that was tested last
  bool use_sets_ = false;
  std::optional<RidSet> inside_, outside_;
  std::int64_t resources_ = 0, tested_ = 0, passed_ = 0, source_size_ = INT64_MAX;
};

}  // namespace kiln::engine
