#pragma once
// The composition root: one running site. Start order: journal -> store -> queues -> recovery -> sources ->
// HTTP; stop order is the reverse (reliability.md R11, R12).

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "channels/definition.h"
#include "channels/doors.h"
#include "channels/net/http_server.h"
#include "channels/net/net.h"
#include "engine/admin/service.h"
#include "engine/base/env.h"
#include "engine/facade.h"
#include "engine/bulk/jobs.h"
#include "engine/fhir_service.h"
#include "engine/index/indexer.h"
#include "engine/journal/reader.h"
#include "engine/journal/sqlite_journal.h"
#include "engine/observe/last_end.h"
#include "engine/observe/observer.h"
#include "engine/holds.h"
#include "engine/pipeline.h"
#include "engine/reload.h"
#include "engine/replay_jobs.h"
#include "engine/subscriptions/subscriptions.h"
#include "engine/security/request_quota.h"
#include "engine/security/site_access.h"
#include "engine/table_watch.h"
#include "engine/vault/keeper.h"

namespace kiln::engine {

struct GatewayOptions {
  std::function<void(const std::string&)>
      say;  ///< one line for people at each step of start and stop; may be empty
  /// Asked at a SIGHUP: true when it came because the terminal was closed, which is a wish to stop. Empty: never.
  std::function<bool()> terminal_is_gone;
  std::string notify_socket;     ///< $NOTIFY_SOCKET of systemd; empty: none
  std::int64_t watchdog_us = 0;  ///< $WATCHDOG_USEC: systemd gets a sign of life each second unless it is 0
};

class Gateway {
 public:
  /// `site` is resolved (channels::resolve_site).
  Gateway(base::Env& env, std::shared_ptr<const channels::Site> site, GatewayOptions options);
  ~Gateway();

  /// Opens, recovers, listens. Errors name what to change. After an error the object is only destroyed.
  base::Status start();
  /// Serves until stop(), SIGINT, SIGTERM or the SIGHUP of a closed terminal; then drains. Any other SIGHUP reloads
  /// the site. Returns the exit code: 0, or 74 after a fail-stop.
  int run();
  /// Thread-safe.
  void stop();

  base::Status open_export_jobs(fhir::Store& store);
  std::string fhir_url() const;
  const std::vector<std::unique_ptr<ChannelRuntime>>& channels() const { return channels_; }
  const channels::Site& site() const { return *site_; }
  std::shared_ptr<const channels::Site> shared_site() const { return site_; }
  base::TimerExecutor& executor() { return net_.executor(); }
  base::Executor& reader_executor() { return journal_read_; }
  /// Only on reader_executor(): the journal as search and show see it; opened again when a file came or went.
  base::Result<JournalReader*> journal_reader();
  Journal& journal() { return *journal_; }
  Keeper& keeper() { return *keeper_; }
  const Keeper* keeper() const { return keeper_.get(); }
  const base::Clock& clock() const { return clock_; }
  FhirService& fhir() { return *fhir_; }
  /// nullptr before the start has opened it.
  SqliteJournal* sqlite_journal() { return journal_.get(); }
  /// Of the site as it was started; nullptr: records are in the clear.
  const MasterKeyPtr& master_key() const { return master_key_; }
  const InflightBudget& budget() const { return budget_; }
  Observer& observer() { return *observer_; }
  const Observer& observer() const { return *observer_; }
  /// nullptr before the journal is open.
  const IndexService* index() const { return index_.get(); }
  /// What operators hold; after start().
  Holds& holds() { return *holds_; }
  const Holds& holds() const { return *holds_; }
  /// "4711 pas" of each release of the quarantine that is under way.
  std::set<std::string>& releases() { return releases_; }
  SiteReload& reloads() { return *reload_; }
  const SiteReload& reloads() const { return *reload_; }
  ReplayJobs& replays() { return *replays_; }
  AdminService& admin() { return *admin_; }
  const AdminService& admin() const { return *admin_; }
  /// nullptr before the start has opened it.
  AdminService* admin_if_open() { return admin_.get(); }
  base::Env& env() { return env_; }
  /// How the run before this one ended.
  LastEnd last_end() const { return last_end_.value_or(LastEnd::none); }

 private:
  base::Status lock_data();
  void go_on_counting();
  base::Status open_journal();
  base::Status open_store();
  base::Status start_channels();
  ChannelRuntime::Parts channel_parts(const channels::ChannelDefinition& definition,
                                      std::shared_ptr<const channels::Site> site);
  base::Status start_subscriptions();
  ChannelRuntime* make_responses();
  base::Status start_queues();
  base::Status serve_http();
  base::Status open_admin();
  base::Task<void> recover_and_listen();
  base::Task<base::Status> set_aside(MessageId id, base::Error why);
  base::Task<std::shared_ptr<const channels::Site>> read_version(std::string hash);
  base::Task<std::shared_ptr<const channels::Site>> version_of(std::string hash);
  void note_unserved(const std::map<std::string, std::vector<MessageId>>& unprocessed) const;
  void on_signal(int signal);
  base::Task<void> drain();
  base::Task<void> wind_down(bool started);
  void note_lookups() const;
  void watch_tables();
  base::Task<base::HttpResponse> on_http(base::HttpRequest request, channels::HttpPeer peer);
  void use_tables(std::uint64_t generation, TableWatch::Change change);
  void make_reload();
  void make_replays();
  void use_site();
  void watch_site();
  void look_at_site(const std::string& signature);
  void watch_drift();
  base::Task<void> reload_and_say(std::string by);
  base::Task<base::HttpResponse> on_fhir(base::HttpRequest request, channels::HttpPeer peer);
  std::optional<base::HttpResponse> check_login(const base::HttpRequest& head, const channels::HttpPeer& peer) const;
  base::HttpResponse refuse(const base::Error& error, const base::HttpRequest& request) const;
  base::Result<channels::HttpListen> fhir_listener();
  void say(const std::string& line) const;

  base::Env& env_;
  std::shared_ptr<const channels::Site> site_;  ///< exchanged by reloads on the network loop: no other thread reads it
  const std::string data_folder_;               ///< of the site as it was started, for all threads
  GatewayOptions options_;
  base::SystemClock clock_;
  base::SystemRandom random_, store_random_;
  channels::Net net_;
  int lock_ = -1;
  bool stopping_ = false;
  int exit_code_ = 0;
  base::Status started_;
  std::optional<LastEnd> last_end_;  ///< of the run before; nothing before the data folder is ours

  SiteAccess access_;
  std::unique_ptr<RequestQuota> quota_;
  std::shared_ptr<TableWatch> table_watch_;  ///< after the start: file_work_ only
  std::uint64_t site_generation_ = 0;        ///< how often the site was exchanged
  std::string drift_signature_;  ///< of the files on disk that `config_drift` speaks of
  std::string site_signature_, site_changing_;  ///< of the files on disk: as used or refused last; as seen last
  LookupPool lookups_{env_, clock_};
  Processor processor_;
  InflightBudget budget_;
  // Threads before what uses them: destroyed after it.
  base::ThreadExecutor committer_{"kiln-journal"}, store_write_{"kiln-store"},
      journal_read_{"kiln-search"}, file_work_{"kiln-files"}, keeper_work_{"kiln-keeper"}, bulk_work_{"kiln-bulk"};
  std::vector<std::unique_ptr<base::ThreadExecutor>> store_reads_;
  SiteVersions versions_;  ///< earlier versions that repetitions were answered by; null: cannot be loaded
  MessageId store_knows_up_to_ = 0;  ///< messages the store has had, by number
  MasterKeyPtr master_key_;
  std::unique_ptr<SqliteJournal> journal_;
  std::optional<CommitPacer> pacer_;
  channels::ChannelDoors doors_;
  std::optional<Holds> holds_;
  std::set<std::string> releases_;
  std::unique_ptr<SiteReload> reload_;
  std::unique_ptr<ReplayJobs> replays_;
  std::unique_ptr<Keeper> keeper_;
  SubscriptionRules subscription_rules_;
  SubscriptionWriteRule write_rule_{subscription_rules_};
  std::unique_ptr<ExportJobs> export_jobs_;
  std::unique_ptr<FhirService> fhir_;
  std::unique_ptr<Subscriptions> subscriptions_;
  channels::ChannelDefinition responses_;  ///< the channel of response messages
  std::vector<std::unique_ptr<ChannelRuntime>> channels_;
  std::unique_ptr<Facade> facade_;
  std::unique_ptr<AdminService> admin_;
  std::unique_ptr<channels::HttpServer> http_, control_;
  std::unique_ptr<JournalReader> reader_;  ///< journal_read_ only
  std::string reader_files_;               ///< journal_read_ only: the files it has open
  std::unique_ptr<Observer> observer_;
  IndexRules index_rules_;  ///< immutable after the start
  std::unique_ptr<IndexService> index_;
};

}  // namespace kiln::engine
