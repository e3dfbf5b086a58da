#pragma once
// A page of a search that is sorted by values (README, "Sorted by values"). Private to the store.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/store/search_run.h"
#include "engine/store/sort_order.h"

namespace kiln::engine {

/// Lives as long as its run, which has been prepared.
class SortedRun {
 public:
  explicit SortedRun(SearchRun& run);
  ~SortedRun();
  base::Status hits(const SearchRun::OnHit& on_hit);

 private:
  enum class End : std::uint8_t {
    done,    ///< there are no more
    enough,  ///< nobody wants more
    again,   ///< from place_ on, with what is known now
  };
  /// A resource that is a hit.
  struct Found {
    SortPlace place;
    std::int64_t vid = 0, seq = 0;
    std::string id;
  };
  class Lookup;

  base::Result<std::optional<SortPlace>> place_of(std::int64_t seq);
  base::Result<End> sort_list();
  /// Resources whose values of the keys in front of `level` are `prefix`; behind `from`, which has the same prefix.
  base::Result<End> walk(std::size_t level, const SortPlace* from);
  base::Result<End> walk_rows(std::size_t level, const SortPlace* from);
  base::Result<End> walk_groups(std::size_t level, const SortPlace* from);
  base::Result<End> walk_group(std::size_t level, const SortValue& value, const SortPlace* from);
  base::Result<End> sort_group(const std::vector<std::int64_t>& rids, const SortPlace* from);
  base::Result<End> walk_missing(const SortPlace* from);
  /// What is asked of a row `k` of an index: the clauses that need its rid alone, and prefix_.
  base::Status add_conditions(SqlText& sql);
  /// What is known of a resource without looking at it.
  bool may_be_hit(std::int64_t rid) const;
  base::Status need_missing(std::size_t level);
  /// The resource, when it is a hit with the values of prefix_.
  base::Result<std::optional<Found>> judge(std::int64_t rid);
  /// A resource that was judged last.
  base::Result<bool> emit(Found& found);
  bool wants_sets() const { return !run_.left_.empty() && !run_.use_sets_ && run_.sets_are_cheaper(); }
  bool can_use_sets() const;

  SearchRun& run_;
  const SearchRun::OnHit* on_hit_ = nullptr;
  std::optional<SortOrder> order_;
  std::optional<SortPlace> place_;  ///< of the last hit that was given
  std::unique_ptr<Lookup> lookup_;
  std::vector<SortValue> prefix_;
  std::vector<std::optional<RidSet>> with_value_;  ///< of each key
  bool list_too_large_ = false;
};

}  // namespace kiln::engine
