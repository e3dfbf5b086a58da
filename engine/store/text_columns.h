#pragma once
// The strings of a parameter as one text in memory, so that a part of a string is found without a walk over the index.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::engine {

/// What the index held for one parameter when the store was at `seq`. Immutable once it is shared.
class TextColumn {
 public:
  explicit TextColumn(std::int64_t seq) : seq_(seq) {}
  std::int64_t seq() const { return seq_; }

  /// In the order of the index: equal texts come one after the other. False: it would be too large; then it is of no use.
  bool add(std::string_view folded, std::int64_t rid);
  bool is_too_large() const { return too_large_; }
  std::size_t bytes() const;

  /// Calls for each resource that has a text with `part` in it, maybe more than once. `part` is not empty.
  void each_with(std::string_view part, const std::function<void(std::int64_t rid)>& found) const;
  /// Parts that texts of a column can be asked for.
  static bool can_ask(std::string_view part) { return !part.empty() && part.find('\0') == part.npos; }

 private:
  std::int64_t seq_;
  bool too_large_ = false;
  std::string texts_;                   ///< different texts, each behind a NUL
  std::vector<std::uint32_t> begins_;   ///< of each text in texts_
  std::vector<std::uint32_t> first_;    ///< its first place in rids_
  std::vector<std::int64_t> rids_;
};

/// The columns of a store, shared by its readers. Thread-safe. Together they take limits::kTextColumnsBytes at most.
class TextColumns {
 public:
  using Column = std::shared_ptr<const TextColumn>;
  /// nullptr when there is none.
  Column find(std::int64_t param);
  /// Takes the place of an older one; those that were not asked for the longest time go.
  void keep(std::int64_t param, Column column);

 private:
  struct Kept {
    Column column;
    std::uint64_t asked = 0;
  };
  std::mutex mutex_;
  std::map<std::int64_t, Kept> columns_;
  std::uint64_t asks_ = 0;
};

}  // namespace kiln::engine
