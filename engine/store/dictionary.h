#pragma once
// Small numbers for the texts that repeat in every row: resource types, search parameters, systems, origins.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/base/sql/sqlite.h"
#include "fhir/search/parameters.h"

namespace kiln::engine {

/// Belongs to one connection. A writer adds what it does not find; a reader answers kUnknown.
class Dictionary {
 public:
  static constexpr std::int64_t kUnknown = -1;

  explicit Dictionary(bool may_write) : may_write_(may_write) {}
  /// While on, a writer adds nothing either: a question must not grow the file.
  void only_look(bool on) { only_look_ = on; }
  void attach(base::Database* database) { database_ = database; }

  /// The number of a resource type, from 1.
  base::Result<std::int64_t> type(std::string_view name);
  /// The name of a type number; empty when unknown.
  base::Result<std::string> type_name(std::int64_t id);
  /// Numbers of the parameters of a type, by Parameter::ordinal, and behind them those of its composites.
  /// Valid until the next call.
  base::Result<const std::vector<std::int64_t>*> parameters(const fhir::TypeParameters& type);
  /// 0 for the empty text.
  base::Result<std::int64_t> word(std::string_view text);
  /// The same without adding it: kUnknown when it is not there.
  base::Result<std::int64_t> known_word(std::string_view text);
  base::Result<std::string> word_text(std::int64_t id);

  /// After a rollback numbers added meanwhile may no longer be in the file: forgets what it knows, if it
  /// added any.
  void rolled_back();
  /// The transaction is over, whichever way: from here on nothing known can vanish.
  void ended() { added_ = false; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  using Numbers = std::unordered_map<std::string, std::int64_t, Hash, std::equal_to<>>;
  base::Result<std::int64_t> lookup(Numbers& cache, const char* select, const char* insert,
                                    std::string_view text);
  base::Result<std::int64_t> parameter(std::int64_t type, std::string_view code);

  base::Database* database_ = nullptr;
  bool may_write_;
  bool only_look_ = false;
  bool added_ = false;
  Numbers types_, words_;
  std::unordered_map<std::int64_t, std::string> type_names_, word_texts_;
  std::unordered_map<const fhir::TypeParameters*, std::vector<std::int64_t>> parameters_;
  std::vector<std::int64_t> incomplete_;
};

}  // namespace kiln::engine
