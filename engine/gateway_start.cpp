#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "channels/tls_settings.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/text.h"
#include "engine/gateway.h"
#include "engine/observe/kept_counters.h"
#include "engine/security/random_key.h"
#include "engine/store/sqlite_store.h"
#include "engine/version.h"

namespace kiln::engine {

using base::Status;

namespace {

/// Deliveries may lag behind, a sender waits for its answer: when processors are short, work behind the
/// acknowledgement gets a tenth of what the threads before it get. Never less, so that queues drain also
/// under full load.
void give_way(base::Executor& executor) {
  constexpr int kNice = 10;
  executor.post([] { ::setpriority(PRIO_PROCESS, 0, kNice); });  // on Linux: of the thread that runs this
}

/// The first failed fsync ends the process: nobody may be answered after it (reliability.md R7).
void end_by_fsync() {
  EndNote::note(LastEnd::fsync);
  ::_exit(74);
}

/// One for each processor, and one more that searches never have.
std::size_t read_threads() {
  const long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
  return std::clamp<std::size_t>(processors > 0 ? static_cast<std::size_t>(processors) + 1 : 2, 2,
                                 base::limits::kReadThreadsMax);
}

}  // namespace

/// One engine per data folder: two committers on one journal would break the rule of one writer
/// (reliability.md S1).
Status Gateway::start() {
  TRY_VOID(env_.make_folders(site_->data_folder));
  TRY_VOID(lock_data());
  last_end_ = EndNote::begin(site_->data_folder);
  go_on_counting();
  give_way(store_write_);
  give_way(file_work_);
  give_way(keeper_work_);
  give_way(bulk_work_);
  observer_->step("opening the store", 10);
  TRY_VOID(open_store());
  observer_->step("opening the journal", 30);
  TRY_VOID(open_journal());
  observer_->health().watch("journal", committer_);
  observer_->health().watch("store", store_write_);
  TRY_VOID(observer_->listen(net_));
  TRY_VOID(observer_->start_alerts(net_, file_work_));
  TRY_VOID(observer_->start_traces(net_));
  observer_->step("recovering", 60);
  TRY_VOID(start_channels());
  TRY_VOID(open_admin());
  TRY_VOID(start_subscriptions());
  base::spawn(recover_and_listen());
  // Recovery runs to its end before anything listens; until then only this loop runs.
  net_.run();
  return started_;
}

/// Figures of messages go on over an orderly restart. What was kept is used once.
void Gateway::go_on_counting() {
  constexpr std::uint64_t kBytesMax = 16u << 20;
  const std::string path = base::join_path(site_->data_folder, "counters.json");
  const auto kept = env_.read_file(path, kBytesMax);
  if (!kept) return;
  (void)env_.remove(path);
  std::set<std::string> channels;
  for (const auto& channel : site_->channels) channels.insert(channel.name);
  if (last_end_ == LastEnd::orderly) add_counters(base::Metrics::process(), *kept, channels);
}

Status Gateway::lock_data() {
  const std::string path = base::join_path(site_->data_folder, "kiln.lock");
  lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) return base::fail(base::ErrorCode::io_failed, "the lock file cannot be opened", path);
  if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return {};
  return base::fail(base::ErrorCode::data_in_use, {}, site_->data_folder,
                    "stop the other engine, or give this site another data folder in kiln.conf");
}

Status Gateway::open_journal() {
  JournalOptions options;
  options.folder = base::join_path(site_->data_folder, "journal");
  options.used_up_to = store_knows_up_to_;
  TRY(master_key_, read_master_key(site_->server, site_->data_folder));
  options.files.master = master_key_;
  options.files.attachment_min = static_cast<std::size_t>(site_->server.block("journal").number("attachment_min"));
  options.reserve_path = base::join_path(site_->data_folder, "kiln.reserve");
  options.reserve_bytes = limits::kReserveBytes;
  options.keep_sent = site_->server.block("journal").text("sent") != "drop";
  TRY(journal_, SqliteJournal::open(env_, clock_, committer_, options, end_by_fsync));
  pacer_.emplace(net_.executor(), *journal_);
  TRY(index_rules_, read_index_rules(site_->server));
  IndexService::Parts index{{&env_, options.folder, base::join_path(site_->data_folder, "index"), index_rules_, master_key_},
                            &net_.executor(),
                            &clock_,
                            [this] { return journal_->last_id(); }};
  index_ = std::make_unique<IndexService>(std::move(index));
  holds_.emplace(*journal_, net_.executor(), clock_, journal_->recovered().holds);
  make_reload();
  make_replays();
  keeper_ = std::make_unique<Keeper>(Keeper::Parts{&env_, &clock_, journal_.get(), &net_.executor(), &keeper_work_,
                                                   site_->data_folder, kVersion, read_retention(site_->server), master_key_});
  keeper_->start();
  journal_->keep_config(site_->hash, print_site_version(*site_));
  return {};
}

Status Gateway::open_store() {
  StoreOptions options;
  options.path = base::join_path(site_->data_folder, "fhir.db");
  options.base_url = fhir_url();
  options.clock = &clock_;
  options.env = &env_;
  FhirService::Parts parts;
  TRY(parts.writer, engine::open_store(options));
  TRY(const std::int64_t known, parts.writer->last_delivered());
  store_knows_up_to_ = static_cast<MessageId>(known);
  for (std::size_t i = 0; i < read_threads(); ++i) {
    store_reads_.push_back(std::make_unique<base::ThreadExecutor>("kiln-read"));
    TRY(auto reader, parts.writer->open_reader());
    parts.readers.push_back({std::move(reader), store_reads_.back().get()});
  }
  parts.write_executor = &store_write_;
  parts.home = &net_.executor();
  parts.clock = &clock_;
  parts.random = &store_random_;
  const channels::Options& fhir_options = site_->server.block("fhir");
  TRY(access_, SiteAccess::read(fhir_options.block("access"), fhir_options.text("audit") != "off"));
  parts.access = &access_;
  parts.base_url = fhir_url();
  parts.version = kVersion;
  TRY(parts.rules, read_fhir_rules(site_->server, site_->folder, env_));
  TRY(subscription_rules_, read_subscription_rules(site_->server, fhir_url()));
  if (const auto& subscriptions = site_->server.block("fhir").block("subscriptions"); subscriptions.has("tls")) {
    TRY(const auto tls, channels::TlsSettings::client(subscriptions.block("tls"), env_, clock_, "subscriptions"));
    subscription_rules_.tls = tls->contexts();
  }
  parts.rules.context.write_rule = &write_rule_;
  parts.rules.context.security = access_.description();
  parts.rules.context.certificates = access_.takes_certificates();
  parts.fail_stop = end_by_fsync;
  TRY_VOID(open_export_jobs(*parts.writer));
  parts.bulk = export_jobs_.get();
  fhir_ = std::make_unique<FhirService>(std::move(parts));
  return {};
}

Status Gateway::open_export_jobs(fhir::Store& store) {
  ExportJobs::Parts parts;
  parts.env = &env_;
  parts.clock = &clock_;
  parts.folder = base::join_path(site_->data_folder, "bulk");
  parts.base_url = fhir_url();
  TRY(parts.reader, store.open_reader());
  parts.executor = &bulk_work_;
  constexpr std::size_t kPrefixBytes = 12;
  TRY(const std::string key, random_key(kPrefixBytes));
  parts.id_prefix = base::hex(key) + "-";
  TRY(export_jobs_, ExportJobs::open(std::move(parts)));
  return {};
}

std::string Gateway::fhir_url() const {
  std::string base = site_->server.block("fhir").text("base");
  while (base.ends_with('/')) base.pop_back();
  if (!base.empty()) return base;
  const channels::Options& http = site_->server.block("http");
  const std::string listen = http.text("listen");
  return (http.has("tls") ? "https://" : "http://") + (listen.empty() ? "127.0.0.1:8080" : listen) + "/fhir";
}

/// A lookup that cannot be asked is no reason not to start: its policy decides about each message.
void Gateway::note_lookups() const {
  SiteLookups lookups(lookup_queries(site_->server, site_->folder), site_->folder, env_, clock_);
  for (const mappings::LookupShape& shape : mappings::lookups_of(*site_->compiled->unit)) {
    const Status usable = lookups.check(shape);
    if (!usable) say("note: lookup " + shape.name + " cannot be asked now: " + usable.error().message());
  }
}

ChannelRuntime::Parts Gateway::channel_parts(const channels::ChannelDefinition& definition,
                                             std::shared_ptr<const channels::Site> site) {
  const std::string folder = site->folder;
  return {std::move(site),
          &definition,
          journal_.get(),
          &net_.executor(),
          &clock_,
          &random_,
          &processor_,
          &budget_,
          &*pacer_,
          {net_, env_, file_work_, clock_, definition.name, folder, fhir_.get(), fhir_.get(),
           base::join_path(site_->data_folder, "connectors"), &doors_},
          {},
          {},
          [this](std::string hash) { return version_of(std::move(hash)); },
          [this](StoredMessage stored, Plan* plan) { return replays_->narrow(std::move(stored), plan); }};
}

/// The channels of Subscriptions, also of those that are gone and have outputs waiting.
Status Gateway::start_subscriptions() {
  std::set<std::string> waiting;
  for (const auto& [key, count] : journal_->recovered().pending)
    if (Subscriptions::is_channel_name(key)) waiting.insert(key.substr(0, key.find('/')));
  Subscriptions::Parts parts{fhir_.get(),
                             &subscription_rules_,
                             &net_.executor(),
                             &clock_,
                             {},
                             {},
                             {net_, env_, file_work_, clock_, {}, site_->folder, fhir_.get(), fhir_.get(), {}}};
  parts.make_channel = [this](const channels::ChannelDefinition& definition, auto make_source,
                              auto make_destination) {
    ChannelRuntime::Parts made = channel_parts(definition, site_);
    made.make_source = std::move(make_source);
    made.make_destination = [make_destination = std::move(make_destination)](const auto&) {
      return make_destination();
    };
    auto channel = std::make_unique<ChannelRuntime>(std::move(made));
    holds_->attach(*channel);
    return channel;
  };
  parts.add_channel = [this](std::unique_ptr<ChannelRuntime> channel) {
    channels_.push_back(std::move(channel));
  };
  subscriptions_ = std::make_unique<Subscriptions>(std::move(parts));
  TRY(auto made, subscriptions_->load({waiting.begin(), waiting.end()}));
  for (auto& channel : made) channels_.push_back(std::move(channel));
  Facade::Parts facade{&channels_, fhir_.get(),          journal_.get(),       &net_.executor(), &clock_,
                       &lookups_,  subscriptions_.get(), &subscription_rules_, make_responses(), {},
                       {}};
  facade.site = [this] { return site_; };
  facade.with_journal = [this](auto work) {
    journal_read_.post([this, work = std::move(work)] { work(journal_reader()); });
  };
  facade_ = std::make_unique<Facade>(std::move(facade));
  return {};
}

/// The channel that brings response messages of $process-message to their callers; null when no channel takes
/// messages.
ChannelRuntime* Gateway::make_responses() {
  if (std::none_of(site_->channels.begin(), site_->channels.end(),
                   [](const auto& one) { return !one.disabled && channels::serves(one) == "message"; }))
    return nullptr;
  responses_ = subscription_channel("fhir.responses", "caller", subscription_rules_);
  ChannelRuntime::Parts parts = channel_parts(responses_, site_);
  parts.make_source = &make_idle_source;
  parts.make_destination = [this, around = parts.around](const auto&) {
    return make_response_destination(subscription_rules_, around);
  };
  channels_.push_back(std::make_unique<ChannelRuntime>(std::move(parts)));
  holds_->attach(*channels_.back());
  return channels_.back().get();
}

Status Gateway::start_channels() {
  note_lookups();
  std::map<std::string, std::map<std::string, std::uint64_t>> waiting;
  for (const auto& [key, count] : journal_->recovered().pending) {
    const auto slash = key.find('/');
    waiting[key.substr(0, slash)][key.substr(slash + 1)] = count;
  }
  for (const channels::ChannelDefinition& definition : site_->channels) {
    if (definition.disabled) continue;
    channels_.push_back(std::make_unique<ChannelRuntime>(channel_parts(definition, site_)));
    holds_->attach(*channels_.back());
    for (const auto& destination : definition.destinations)
      if (std::string_view(destination.connector->name) != "drop")
        waiting[definition.name].erase(destination.name);
  }
  const Recovered& found = journal_->recovered();
  for (const auto& [channel, counts] : waiting) {
    if (Subscriptions::is_channel_name(channel)) continue;
    for (const auto& [destination, count] : counts) {
      reload_->park(channel + "/" + destination, QueueStart{count, found.last_id, found.clean_stop});
      say("note: " + std::to_string(count) + " messages wait for " + channel + "/" + destination +
          ", which this site does not have; they stay in the journal");
    }
  }
  return {};
}

Status Gateway::start_queues() {
  std::map<std::string, std::map<std::string, std::uint64_t>> waiting;
  for (const auto& [key, count] : journal_->recovered().pending) {
    const auto slash = key.find('/');
    waiting[key.substr(0, slash)][key.substr(slash + 1)] = count;
  }
  for (const auto& channel : channels_)
    TRY_VOID(channel->start_queues(waiting[channel->definition().name], journal_->recovered().last_id,
                                   journal_->recovered().clean_stop));
  return {};
}

}  // namespace kiln::engine
