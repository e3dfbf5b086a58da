#pragma once
// Lookups are not executed inside a map (hmap.md §8): a run says which rows it needs, whoever runs it fetches
// them and runs the map again, and the answers are kept with the message, so that a replay gives the same.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "mappings/program.h"

namespace kiln::mappings {

/// Whoever answers lookups: a database, a file, the `given` tables of a test. One thread at a time.
class LookupService {
 public:
  virtual ~LookupService() = default;
  /// One answer per key, in their order. Never fails as a whole: a source that cannot be asked answers with
  /// State::failed, and the map's `on error` decides.
  virtual std::vector<LookupAnswer> fetch(const ir::Unit& unit, std::span<const LookupKey> keys) = 0;
};

/// Answers recorded with a message, and those that were added while it ran.
struct LookupRecord {
  std::vector<LookupAnswer> answers;
  std::size_t asked = 0;  ///< answers fetched by run_with_lookups(), behind the recorded ones
};

/// Runs until every row the map asks for is answered: first from the record, then from `service` (null: every
/// other answer is State::failed). What was fetched is added to the record. Beyond kLookupRoundsMax rounds or
/// kLookupKeysMax keys the outcome is `failed` with limit_exceeded. The result is the Runner's.
RunResult& run_with_lookups(Runner& runner, const Program& program, const RunInput& input,
                            const RunContext& context, LookupService* service, LookupRecord& record);

/// The parameters and columns of a lookup by name, for services.
struct LookupShape {
  std::string name;  ///< qualified
  std::string via, query;
  std::vector<std::string> parameters, columns;
  std::int64_t cache_ms = 0;
};
std::vector<LookupShape> lookups_of(const ir::Unit& unit);

/// The `given NAME """…"""` tables of a test as answers: a header line with the parameters and columns of the
/// lookup, then its rows. What no table holds is missing, so a test never asks anything outside.
class GivenLookups final : public LookupService {
 public:
  /// `name` is qualified. Errors: of the CSV reader; bad_value when a parameter or column is not in the
  /// header.
  base::Status add(const ir::Unit& unit, const std::string& name, std::string_view table);
  std::vector<LookupAnswer> fetch(const ir::Unit& unit, std::span<const LookupKey> keys) override;

 private:
  std::vector<LookupAnswer> rows_;
};

/// As one small JSON text and back, for the journal. Errors of the second: those of the JSON reader,
/// bad_value.
std::string print_answers(std::span<const LookupAnswer> answers);
base::Result<std::vector<LookupAnswer>> parse_answers(std::string_view text);
/// Those of a stored message that count when it is run again: what failed then is asked again. Empty when
/// none was stored or the text cannot be read.
std::vector<LookupAnswer> recorded_answers(std::string_view text);

}  // namespace kiln::mappings
