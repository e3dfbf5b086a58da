#pragma once
// Retention and backup of a running engine: hourly by the policy of the site, and when asked through the control API.

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "channels/options.h"
#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/executor.h"
#include "engine/journal/sqlite_journal.h"
#include "engine/vault/retention.h"
#include "engine/vault/scrub.h"

namespace kiln::engine {

/// Of the `journal` block of a `server` block.
RetentionPolicy read_retention(const channels::Options& server);

/// start(), stop() and the timer on the loop; everything else on the work thread, which may block.
class Keeper {
 public:
  struct Parts {
    base::Env* env = nullptr;
    const base::Clock* clock = nullptr;
    SqliteJournal* journal = nullptr;
    base::TimerExecutor* loop = nullptr;
    base::Executor* work = nullptr;  ///< its own: a backup takes as long as the disk needs
    std::string data_folder, version;
    RetentionPolicy policy;
    MasterKeyPtr master;
  };
  explicit Keeper(Parts parts);

  /// Runs the policy a minute after the start, then every hour; between, the scrub goes on part by part.
  void start();
  /// A backup or a run that is under way ends at its next part (`cancelled`), none begins. On the loop.
  void ask_stop();
  /// The same; `done` is called on the work thread when the one under way has ended.
  void stop(std::function<void()> done);
  base::Executor& work() { return *parts_.work; }

  struct PruneRequest {
    bool dry_run = false;
    bool confirmed = false;
    std::int64_t keep_us = 0;  ///< instead of the policy's time; 0: the policy
  };
  /// The plan, the files that went and the forecast as JSON.
  base::Result<std::string> prune_now(const PruneRequest& request);
  /// Makes a backup in a new folder; its manifest in short as JSON.
  base::Result<std::string> backup_to(const std::string& folder);
  /// What the disk holds and when it is full, as JSON.
  base::Result<std::string> print_storage();
  const Scrub& scrub() const { return scrub_; }

 private:
  void schedule(std::int64_t after_ms);
  void run_policy();
  void schedule_scrub(std::int64_t after_ms);
  void run_scrub();
  std::string journal_folder() const { return base::join_path(parts_.data_folder, "journal"); }

  Parts parts_;
  Scrub scrub_;
  std::atomic<bool> stopping_{false};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  ///< loop only
};

/// Files of the data folder that say when something was last done; what the figures show.
inline constexpr const char* kBackupMark = "last_backup";
inline constexpr const char* kVerifyMark = "last_verify";
/// Writes one; where it cannot be written the figure stays as old as it is.
void note_done(base::Env& env, const std::string& data_folder, const char* mark, base::WallTime now);
/// When; nothing when it never was.
std::optional<base::WallTime> read_done(base::Env& env, const std::string& data_folder, const char* mark);

/// Forecast of the disk that holds the journal; empty: not within a year, or not known yet.
std::string forecast_text(base::Env& env, const std::string& folder, const RetentionPolicy& policy, base::WallTime now);

}  // namespace kiln::engine
