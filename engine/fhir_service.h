#pragma once
// The built-in FHIR store as the engine uses it: one writing thread with group commit, reading threads,
// the change feed and the sink of channels (fhir.md §5; architecture.md §2).

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "channels/connector.h"
#include "channels/feed.h"
#include "channels/options.h"
#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/executor.h"
#include "engine/base/http_message.h"
#include "engine/base/random.h"
#include "engine/fhir_audit.h"
#include "engine/read_pool.h"
#include "fhir/access.h"
#include "fhir/ids.h"
#include "fhir/router.h"
#include "fhir/store.h"
#include "fhir/validation/validator.h"

namespace kiln::engine {

/// What a site says about its FHIR server (channels/server_options.cpp).
struct FhirRules {
  fhir::ServerContext context;             ///< only its switches and caps count
  std::unique_ptr<fhir::Library> library;  ///< loaded packages; null: what is shipped
  AuditRules audit;
};

/// From the blocks `fhir` and `limits` of kiln.conf. Packages are read now. Errors: of reading a package,
/// with its path.
base::Result<FhirRules> read_fhir_rules(const channels::Options& server, const std::string& site_folder,
                                        base::Env& env);

class FhirService final : public channels::ChangeFeed, public channels::FhirSink {
 public:
  struct Parts {
    std::unique_ptr<fhir::Store> writer;
    base::Executor* write_executor = nullptr;  ///< the only thread that uses `writer`
    std::vector<ReadPool::Reader> readers;     ///< at least one
    base::TimerExecutor* home = nullptr;       ///< where answers and resumed coroutines run
    const base::Clock* clock = nullptr;
    base::Random* random = nullptr;  ///< used on the write thread
    const fhir::Access* access = nullptr;
    std::string base_url;
    std::string version;
    FhirRules rules;
    fhir::BulkJobs* bulk = nullptr;  ///< outlives the service
    /// Called on the write thread at the first failed fsync; must end the process (reliability.md R7). Empty:
    /// nothing is called.
    std::function<void()> fail_stop;
  };
  explicit FhirService(Parts parts);
  ~FhirService() override;

  /// One HTTP request of the FHIR API; `answer` runs on the home executor, for writes after the commit.
  /// `is_gone` (may be empty) is asked on the home executor while a read waits or runs for long: nobody takes its
  /// answer any more, and it is dropped.
  void handle(base::HttpRequest request, fhir::Principal principal,
              std::function<void(base::HttpResponse)> answer, std::function<bool()> is_gone = {});

  /// From now on reads that wait, and searches that run, end with 503: the server stops. Any thread.
  void give_up_reads() { giving_up_ = true; }

  /// An id for a request that came without one. Home executor only.
  std::string next_request_id();

  base::Result<std::uint64_t> position(const std::string& consumer) override;
  base::Task<base::Result<channels::ChangeBatch>> read(std::uint64_t after, std::size_t limit,
                                                       std::int64_t wait_ms) override;
  base::Task<base::Status> advance(std::string consumer, std::uint64_t position) override;
  void wake() override;
  std::string base_url() const override { return parts_.base_url; }

  base::Task<std::vector<channels::SendOutcome>> apply_batch(
      std::vector<channels::Outgoing> messages) override;

  /// The AuditEvent of a request that the store did not answer, when the site wants one; ends when it is durable.
  /// fhir_throttled: too many are waiting.
  base::Task<base::Status> note_request(base::HttpRequest request, fhir::Principal principal, int status, bool writes);
  /// Runs `work` on the writing thread, in a scope that is kept when it succeeds; the task ends when it is durable.
  /// `work` may run twice: the first run is then undone.
  base::Task<base::Status> write_store(std::function<base::Status(fhir::Store&)> work);
  /// Runs `work` on a reading thread.
  base::Task<base::Status> read_store(std::function<base::Status(fhir::Store&)> work);
  /// The same, blocking; for the start.
  base::Status read_store_now(const std::function<base::Status(fhir::Store&)>& work);

  /// What requests are answered with; immutable after the start.
  const fhir::ServerContext& context() const { return context_; }
  /// A new id for a resource; home executor only.
  std::string next_resource_id() { return home_ids_.next(); }
  /// How far the search parameters are that were added to the store.
  base::Task<base::Result<std::vector<fhir::ReindexState>>> parameters_state();

  /// Empties the log of the store, after the last write: SQLite would do so when it closes the file, but tell
  /// nobody when the disk does not confirm it. On the write thread.
  base::Status checkpoint() { return parts_.writer->checkpoint(); }

  /// Numbers for status: current resources per type. Blocks on the reading thread; for tools and tests.
  base::Result<fhir::StoreCounts> counts();

 private:
  /// Work inside a transaction that several jobs share; it opens and closes its own scope. May run twice:
  /// what the first run did is then undone, and what it said is replaced.
  struct Job {
    std::function<void(fhir::Store&)> work;
    std::function<void(base::Status)> done;  ///< after the commit, or with its error; on the write thread
  };
  void enqueue(Job job);
  void drain();
  base::Status commit_group(std::vector<Job>& group);
  base::Result<bool> run_group(std::vector<Job>& group, fhir::Store::Scopes scopes);
  void on_read(std::function<void(fhir::Store&)> work, ReadPool::Lane lane = ReadPool::Lane::point);
  void handle_read(base::HttpRequest request, fhir::Principal principal,
                   std::function<void(base::HttpResponse)> reply, std::function<bool()> is_gone);
  void look_for_gone();
  void begin_reindex();
  void next_reindex_step();
  base::HttpResponse run_write(fhir::Store& store, const base::HttpRequest& request, const fhir::Principal& principal);
  void answer_audited(base::HttpRequest request, const fhir::Principal& principal, base::HttpResponse response,
                      std::function<void(base::HttpResponse)> reply);
  channels::SendOutcome apply_one(fhir::Store& store, const channels::Outgoing& message);
  base::Result<channels::ChangeBatch> read_now(fhir::Store& store, std::uint64_t after, std::size_t limit);

  Parts parts_;
  ReadPool readers_;
  fhir::IdSource ids_;
  base::SystemRandom home_random_;
  fhir::IdSource home_ids_;  ///< home executor only
  AuditWriter audit_;  ///< on the write thread
  std::atomic<std::size_t> audits_waiting_ = 0;
  std::unique_ptr<fhir::Validator> validator_;  ///< of parts_.rules.library
  fhir::ServerContext context_;
  /// A read that is under way. Home executor only, but for `dropped`.
  struct Waiting {
    std::function<bool()> is_gone;
    std::shared_ptr<std::atomic<bool>> dropped;
    base::MonoTime since;
  };
  std::map<std::uint64_t, Waiting> waiting_;
  std::uint64_t reads_ = 0;
  bool looking_ = false;
  std::atomic<bool> reindexing_ = false;
  std::atomic<bool> giving_up_ = false;
  std::mutex mutex_;
  std::deque<Job> queue_;
  bool scheduled_ = false;
  base::Event changed_;  ///< after every commit, and by wake()
  std::uint64_t commits_ =
      0;  ///< groups that home knows of: a commit between a read and its wait is not missed
  std::uint64_t wakes_ = 0;
  std::string
      request_prefix_;  ///< of the ids of requests that come without: unlike those of an earlier start
  std::uint64_t requests_ = 0;
};

}  // namespace kiln::engine
