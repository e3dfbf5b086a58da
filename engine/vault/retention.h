#pragma once
// What leaves the journal, and when: whole day files, never a row (operations.md §10, reliability.md S3). Of a file that goes
// the metadata stay for longer, in a file a month.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/env.h"
#include "engine/journal/sqlite_journal.h"
#include "engine/vault/file_copy.h"

namespace kiln::engine {

struct RetentionPolicy {
  std::int64_t content_us = std::int64_t{30} * 86'400'000'000;    ///< messages, outputs, replies
  std::int64_t metadata_us = std::int64_t{365} * 86'400'000'000;  ///< when, from whom, of what kind, how it ended
  std::size_t files_max = 3;  ///< in one run; when more are due, none goes unless `confirmed`
  bool confirmed = false;     ///< somebody looked: not a clock that jumped
};

struct PruneEntry {
  enum class Verdict : std::uint8_t { young, newest, held, due };
  std::string file;
  std::uint32_t generation = 0;
  std::uint64_t bytes = 0, messages = 0;
  base::WallTime newest;  ///< receipt of its last message; the end of its day when that is later
  Verdict verdict = Verdict::young;
  std::uint64_t unprocessed = 0, pending = 0, quarantined = 0, fragments = 0;  ///< what holds it
  std::string why() const;  ///< "held by 4 quarantined"
};

struct PrunePlan {
  std::vector<PruneEntry> entries;  ///< by generation
  std::vector<std::string> metadata_due;  ///< month files that are past their time
  std::uint64_t bytes_due = 0;
  std::size_t files_due = 0;
  bool refused = false;  ///< more than files_max are due and nobody confirmed
};

/// Reads only. Errors: as open_journal_files().
base::Result<PrunePlan> plan_prune(base::Env& env, const std::string& folder, const RetentionPolicy& policy, base::WallTime now);

/// Copies the metadata of what is due, then has the journal remove it, then removes month files that are past their time.
/// Returns the generations that went. Every step may be repeated after a crash. Blocks; not on the journal's thread.
/// `stop` is asked between rows; then nothing more goes (cancelled).
base::Result<std::vector<std::uint32_t>> prune(base::Env& env, const std::string& folder, SqliteJournal& journal,
                                               const PrunePlan& plan, const StopAsked& stop = {});

/// What the month files know of a message whose content has gone.
struct ExpiredMessage {
  base::WallTime received;
  std::string channel, type, control_id;
};
base::Result<std::optional<ExpiredMessage>> find_expired(base::Env& env, const std::string& folder, MessageId id);

std::string print_plan(const PrunePlan& plan);
std::string print_plan_json(const PrunePlan& plan);

/// Day on which the disk is full, at the growth of each weekday of the last 14 days and with files leaving after
/// `content_us`; nothing when it is not within a year. `days`: bytes by UTC day, as microseconds of its beginning.
std::optional<base::WallTime> forecast_full(const std::vector<std::pair<std::int64_t, std::uint64_t>>& days,
                                            std::uint64_t free_bytes, std::int64_t content_us, base::WallTime now);

}  // namespace kiln::engine
