#pragma once
// Replays as jobs (operations.md §6): journaled, in original order, at a rate, paused, resumed and cancelled,
// over restarts. What a job has appended and how far it is stand in one commit. Home executor; texts are
// JSON.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/journal/reader.h"
#include "engine/pipeline.h"
#include "engine/replay_preview.h"

namespace kiln::engine {

class ReplayJobs {
 public:
  struct Parts {
    base::TimerExecutor* executor;
    base::Executor* work;  ///< where dry runs map
    base::Env* env;        ///< of the lookups of dry runs
    const base::Clock* clock;
    Journal* journal;
    const std::vector<std::unique_ptr<ChannelRuntime>>* channels;
    std::function<std::shared_ptr<const channels::Site>()> site;
    /// Runs work on the thread that reads the journal.
    std::function<void(std::function<void(base::Result<JournalReader*>)>)> with_journal;
    /// A reader of its own, for dry runs.
    std::function<base::Result<JournalReader>()> open_reader;
  };
  explicit ReplayJobs(Parts parts);

  /// Goes on with what was running when the process ended.
  void resume(const std::vector<JobRecord>& jobs);
  /// Ends after the messages under way; jobs go on at the next start.
  base::Task<void> stop();

  /// Begins a job: {"id", "total", …} as of show(). Errors: query_syntax; replay_sent and replay_stale, which
  /// name how many there are and the option to add; channel_not_found.
  base::Task<base::Result<std::string>> create(ReplaySpec spec, std::string by, std::string reason);
  /// The same at once, at most `limit` messages, and what became of each; or, with `dry_run`, what would:
  /// print_preview().
  base::Task<base::Result<std::string>> run_now(ReplaySpec spec, std::string by, std::string reason,
                                                bool dry_run, bool with_diff, std::size_t limit);
  /// {"jobs": [show(), …]}, the newest first.
  base::Task<base::Result<std::string>> list();
  /// {"id", "query", "by", "reason", "created", "state", "total", "done", "failed", "skipped", "rate",
  /// "eta_seconds"}.
  base::Task<base::Result<std::string>> show(JobId id);
  /// pause, resume or cancel. Errors: job_not_found; state_conflict when it has ended.
  base::Task<base::Result<std::string>> control(JobId id, std::string action);

  /// Recovery: a message of a job that was stored and not processed goes where the job sends it, and nowhere
  /// else. What was released by hand is noted as released.
  base::Task<void> narrow(StoredMessage stored, Plan* plan);

 private:
  struct Job {
    JobRecord record;
    ReplaySpec spec;
    std::uint64_t failed = 0;
    bool runs = false;
    base::MonoTime began{0};
    std::uint64_t paced = 0;
  };
  using JobPtr = std::shared_ptr<Job>;
  using Page = base::Result<std::vector<MessageSummary>>;

  base::Task<base::Result<ReplayPreview>> look(ReplaySpec spec, PreviewOptions options);
  base::Task<base::Result<JobPtr>> begin(ReplaySpec spec, std::string by, std::string reason,
                                         std::size_t limit);
  base::Task<void> run(JobPtr job, base::JsonWriter* report);
  base::Task<Page> next_page(JobPtr job);
  base::Task<bool> one(JobPtr job, MessageSummary summary, base::JsonWriter* report);
  base::Task<void> pace(JobPtr job);
  base::Task<base::Result<JobId>> keep(JobPtr job);
  base::Task<base::Result<std::vector<JobRecord>>> read_all();
  ChannelRuntime* find_channel(const std::string& name) const;
  base::Task<base::Result<std::vector<Output>>> outputs_as_sent(MessageSummary summary,
                                                                ReplayTargets targets);
  base::Task<base::Result<MessageSummary>> summary_of(MessageId id);
  void note_released(const MessageSummary& original, const ReplayTargets& targets, MessageId released_as);
  std::string print(const JobRecord& record) const;

  Parts parts_;
  std::map<JobId, JobPtr> live_;  ///< running and paused ones
  bool stopping_ = false;
  std::size_t running_ = 0;
  base::Event wake_;
};

}  // namespace kiln::engine
