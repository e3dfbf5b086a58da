#include "engine/gateway.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <future>
#include <set>

#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/text.h"
#include "engine/security/random_key.h"
#include "engine/store/sqlite_store.h"
#include "engine/version.h"

namespace kiln::engine {

using base::Status;
using base::Task;

namespace {

/// Deliveries may lag behind, a sender waits for its answer: when processors are short, work behind the
/// acknowledgement gets a tenth of what the threads before it get. Never less, so that queues drain also
/// under full load.
void give_way(base::Executor& executor) {
  constexpr int kNice = 10;
  executor.post([] { ::setpriority(PRIO_PROCESS, 0, kNice); });  // on Linux: of the thread that runs this
}

/// One for each processor, and a second one in any case: a slow search must not hold up a read.
std::size_t read_threads() {
  const long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
  return std::clamp<std::size_t>(processors > 0 ? static_cast<std::size_t>(processors) : 1, 2,
                                 base::limits::kReadThreadsMax);
}

}  // namespace

Gateway::Gateway(base::Env& env, std::shared_ptr<const channels::Site> site, GatewayOptions options)
    : env_(env),
      site_(std::move(site)),
      options_(std::move(options)),
      budget_(net_.executor(), static_cast<std::size_t>(site_->server.block("limits").number("inflight"))) {
  processor_.use_lookups(&lookups_);
  processor_.use_clock(&clock_);
}

Gateway::~Gateway() {
  if (export_jobs_) export_jobs_->stop();
  // After a failed start work may still be under way on the other threads; what it uses is destroyed before
  // they are.
  std::vector<base::ThreadExecutor*> threads = {&bulk_work_, &file_work_, &journal_read_, &store_write_,
                                               &committer_};
  for (const auto& reading : store_reads_) threads.push_back(reading.get());
  for (base::ThreadExecutor* thread : threads) {
    std::promise<void> idle;
    thread->post([&idle] { idle.set_value(); });
    idle.get_future().wait();
  }
  if (lock_ >= 0) ::close(lock_);
}

void Gateway::say(const std::string& line) const {
  if (options_.say) options_.say(line);
}

Status Gateway::start() {
  TRY_VOID(env_.make_folders(site_->data_folder));
  TRY_VOID(lock_data());
  give_way(store_write_);
  give_way(file_work_);
  give_way(bulk_work_);
  TRY_VOID(open_store());
  TRY_VOID(open_journal());
  TRY_VOID(start_channels());
  TRY_VOID(start_subscriptions());
  base::spawn(recover_and_listen());
  // Recovery runs to its end before anything listens; until then only this loop runs.
  net_.run();
  return started_;
}

/// One engine per data folder: two committers on one journal would break the rule of one writer
/// (reliability.md S1).
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
  // The first failed fsync ends the process: nobody may be answered after it (reliability.md R7).
  TRY(journal_, SqliteJournal::open(env_, clock_, committer_, options, [] { ::_exit(74); }));
  pacer_.emplace(net_.executor(), *journal_);
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
  parts.rules.context.write_rule = &write_rule_;
  parts.rules.context.security = access_.description();
  parts.rules.context.certificates = access_.takes_certificates();
  parts.fail_stop = [] { ::_exit(74); };
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
  constexpr std::size_t kKeyBytes = 12;
  TRY(const std::string key, random_key(kKeyBytes));
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
  SiteLookups lookups(lookup_queries(site_->server), site_->folder, env_, clock_);
  for (const mappings::LookupShape& shape : mappings::lookups_of(*site_->compiled->unit)) {
    const Status usable = lookups.check(shape);
    if (!usable) say("note: lookup " + shape.name + " cannot be asked now: " + usable.error().message());
  }
}

ChannelRuntime::Parts Gateway::channel_parts(const channels::ChannelDefinition& definition) {
  return {site_,
          &definition,
          journal_.get(),
          &net_.executor(),
          &clock_,
          &random_,
          &processor_,
          &budget_,
          &*pacer_,
          {net_, env_, file_work_, clock_, definition.name, site_->folder, fhir_.get(), fhir_.get()},
          {},
          {},
          [this](std::string hash) { return version_of(std::move(hash)); }};
}

/// The channels of Subscriptions, also of those that are gone and have outputs waiting.
Status Gateway::start_subscriptions() {
  std::set<std::string> waiting;
  for (const auto& [key, count] : journal_->recovered().pending)
    if (Subscriptions::is_channel_name(key)) waiting.insert(key.substr(0, key.find('/')));
  Subscriptions::Parts parts{
      fhir_.get(), &subscription_rules_, &net_.executor(), &clock_, {}, {},
      {net_, env_, file_work_, clock_, {}, site_->folder, fhir_.get(), fhir_.get()}};
  parts.make_channel = [this](const channels::ChannelDefinition& definition, auto make_source, auto make_destination) {
    ChannelRuntime::Parts made = channel_parts(definition);
    made.make_source = std::move(make_source);
    made.make_destination = [make_destination = std::move(make_destination)](const auto&) { return make_destination(); };
    return std::make_unique<ChannelRuntime>(std::move(made));
  };
  parts.add_channel = [this](std::unique_ptr<ChannelRuntime> channel) { channels_.push_back(std::move(channel)); };
  subscriptions_ = std::make_unique<Subscriptions>(std::move(parts));
  TRY(auto made, subscriptions_->load({waiting.begin(), waiting.end()}));
  for (auto& channel : made) channels_.push_back(std::move(channel));
  Facade::Parts facade{&channels_, fhir_.get(), journal_.get(), &net_.executor(), &clock_, &lookups_,
                       subscriptions_.get(), &subscription_rules_, make_responses(), {}, {}};
  facade.site = [this] { return site_; };
  facade.with_journal = [this](auto work) {
    journal_read_.post([this, work = std::move(work)] { work(journal_reader()); });
  };
  facade_ = std::make_unique<Facade>(std::move(facade));
  return {};
}

/// The channel that brings response messages of $process-message to their callers; null when no channel takes messages.
ChannelRuntime* Gateway::make_responses() {
  if (std::none_of(site_->channels.begin(), site_->channels.end(),
                   [](const auto& one) { return !one.disabled && channels::serves(one) == "message"; }))
    return nullptr;
  responses_ = subscription_channel("fhir.responses", "caller", subscription_rules_);
  ChannelRuntime::Parts parts = channel_parts(responses_);
  parts.make_source = &make_idle_source;
  parts.make_destination = [this, around = parts.around](const auto&) {
    return make_response_destination(subscription_rules_, around);
  };
  channels_.push_back(std::make_unique<ChannelRuntime>(std::move(parts)));
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
    channels_.push_back(std::make_unique<ChannelRuntime>(channel_parts(definition)));
    for (const auto& destination : definition.destinations)
      if (std::string_view(destination.connector->name) != "drop")
        waiting[definition.name].erase(destination.name);
  }
  for (const auto& [channel, counts] : waiting)
    for (const auto& [destination, count] : Subscriptions::is_channel_name(channel) ? decltype(waiting)::mapped_type() : counts)
      say("note: " + std::to_string(count) + " messages wait for " + channel + "/" + destination +
          ", which this site does not have; they stay in the journal");
  return {};
}

/// Recovery ends before any queue delivers and before anything listens (reliability.md R11).
Task<void> Gateway::recover_and_listen() {
  std::map<std::string, std::vector<MessageId>> unprocessed;
  SiteVersions versions;
  for (const MessageId id : journal_->recovered().unprocessed) {
    base::Completion<base::Result<StoredMessage>> read(net_.executor());
    journal_->read_message(id, [read](base::Result<StoredMessage> stored) { read.set(std::move(stored)); });
    const base::Result<StoredMessage> stored = co_await read;
    if (stored) {
      unprocessed[stored->message.channel].push_back(id);
      const std::string hash = stored->message.config_hash;
      if (hash == site_->hash || versions.contains(hash)) continue;
      auto reading = read_version(hash);
      versions[hash] = co_await std::move(reading);
      continue;
    }
    auto setting_aside = set_aside(id, stored.error());
    started_ = co_await std::move(setting_aside);
    if (!started_) break;
  }
  for (const auto& channel : channels_) {
    if (!started_) break;
    auto recovering = channel->recover(std::move(unprocessed[channel->definition().name]), versions);
    started_ = co_await std::move(recovering);
    unprocessed.erase(channel->definition().name);
  }
  if (started_) note_unserved(unprocessed);
  if (started_) started_ = start_queues();
  for (const auto& channel : channels_) {
    if (!started_) break;
    started_ = channel->start_source();
    if (!started_)
      started_.error().place =
          channel->definition().name + (started_.error().place.empty() ? "" : ", " + started_.error().place);
  }
  if (started_) started_ = serve_http();
  if (started_) watch_tables();
  if (started_) subscriptions_->start();
  if (!started_) {
    auto ending = wind_down(false);
    co_await std::move(ending);
  }
  net_.stop();
}

/// A record that cannot be read is quarantined and the others go on (reliability.md R14); a disk that cannot
/// be read ends the start.
Task<Status> Gateway::set_aside(MessageId id, base::Error why) {
  if (why.info().category == base::ErrorCategory::io) co_return base::fail(why);
  base::log(base::LogLevel::error, "corrupt-record", {{"msg", static_cast<std::int64_t>(id)}});
  Processed processed;
  processed.id = id;
  processed.endings.resize(1);
  processed.endings[0].destination = kNoDestination;
  processed.endings[0].state = DeliveryState::quarantined;
  processed.endings[0].code = why.info().code;
  base::Completion<Status> stored(net_.executor());
  journal_->store(std::move(processed), [stored](Status status) { stored.set(std::move(status)); });
  journal_->flush();
  Status status = co_await stored;
  co_return status;
}

/// The site version of messages that a crash left unprocessed; null when it cannot be loaded: then the
/// current one is used.
Task<std::shared_ptr<const channels::Site>> Gateway::read_version(std::string hash) {
  base::Completion<base::Result<std::string>> read(net_.executor());
  journal_->read_config(hash, [read](base::Result<std::string> text) { read.set(std::move(text)); });
  const base::Result<std::string> text = co_await read;
  using Loaded = base::Result<std::shared_ptr<const channels::Site>>;
  Loaded loaded = base::fail(base::ErrorCode::internal);
  if (text) {
    // Compiling takes a while, and somebody may be served meanwhile.
    base::Completion<Loaded> compiled(net_.executor());
    file_work_.post([this, compiled, site_text = *text, hash] {
      compiled.set(load_site_version(site_text, hash, *site_, env_));
    });
    loaded = co_await compiled;
  } else {
    loaded = base::fail(text.error());
  }
  if (loaded) co_return *loaded;
  say("note: messages accepted by an earlier version of this site are processed by the current one (" +
      loaded.error().message() + ")");
  co_return nullptr;
}

/// As read_version(), and remembered: who repeats one message of a version repeats more.
Task<std::shared_ptr<const channels::Site>> Gateway::version_of(std::string hash) {
  constexpr std::size_t kVersionsKept = 8;
  if (const auto known = versions_.find(hash); known != versions_.end()) co_return known->second;
  auto reading = read_version(hash);
  std::shared_ptr<const channels::Site> site = co_await std::move(reading);
  if (versions_.size() >= kVersionsKept) versions_.clear();
  versions_[hash] = site;
  co_return site;
}

void Gateway::note_unserved(const std::map<std::string, std::vector<MessageId>>& unprocessed) const {
  for (const auto& [channel, ids] : unprocessed)
    say("note: " + std::to_string(ids.size()) + " accepted messages of " + channel +
        ", which this site does not serve, are not processed; they stay in the journal until it does");
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

/// Looks at the files of tables on the thread for files; channels change over between two messages.
void Gateway::watch_tables() {
  if (!table_watch_) table_watch_ = std::make_unique<TableWatch>(site_, env_);
  if (table_watch_->interval_ms() == 0 || stopping_) return;
  net_.executor().post_after(std::chrono::milliseconds(table_watch_->interval_ms()), [this] {
    if (stopping_) return;
    file_work_.post([this] {
      TableWatch::Change change = table_watch_->look();
      net_.executor().post([this, change = std::move(change)] { use_tables(change); });
    });
  });
}

void Gateway::use_tables(TableWatch::Change change) {
  if (!change.problem.empty()) {
    base::log(base::LogLevel::error, "tables-not-reloaded", {{"config", base::Safe::name(site_->hash)}});
    say("note: changed tables are not used: " + change.problem);
  }
  if (change.site && !stopping_) {
    journal_->keep_config(change.site->hash, print_site_version(*change.site));
    site_ = change.site;
    for (const auto& channel : channels_) channel->use_site(site_);
    base::log(base::LogLevel::info, "tables-reloaded", {{"config", base::Safe::name(site_->hash)}});
  }
  watch_tables();
}

int Gateway::run() {
  net_.on_signals({SIGINT, SIGTERM, SIGHUP}, [this](int signal) { on_signal(signal); });
  net_.run();
  return exit_code_;
}

void Gateway::on_signal(int signal) {
  if (signal != SIGHUP || (options_.terminal_is_gone && options_.terminal_is_gone())) return stop();
  base::log(base::LogLevel::warn, "reload-not-available", {{"config", base::Safe::name(site_->hash)}});
  say("note: SIGHUP: this version does not reload a site; it goes on as it is, restart it to use changed files");
}

void Gateway::stop() {
  net_.executor().post([this] {
    if (std::exchange(stopping_, true)) return;
    base::spawn(drain());
  });
}

/// Takes no more, finishes what is under way, records every outcome (reliability.md R12).
Task<void> Gateway::drain() {
  say("stopping: no new messages are taken, sends in progress are finished");
  auto ending = wind_down(true);
  co_await std::move(ending);
  net_.stop();
}

/// A start that failed in the middle ends the same way, but is no orderly stop: it may not have looked at
/// what is in doubt.
Task<void> Gateway::wind_down(bool started) {
  if (fhir_) fhir_->wake();
  if (facade_) facade_->stop();
  if (subscriptions_) co_await subscriptions_->stop();
  for (const auto& channel : channels_) co_await channel->stop_source();
  // Answers that are nearly there still leave; a long search would hold the stop up.
  constexpr std::chrono::milliseconds kGrace(1'500);
  if (fhir_) net_.executor().post_after(kGrace, [this] { fhir_->give_up_reads(); });
  if (http_) co_await http_->stop();
  if (control_) co_await control_->stop();
  for (const auto& channel : channels_)
    for (const auto& queue : channel->queues()) queue->begin_stop();
  for (const auto& channel : channels_) co_await channel->stop_queues();
  base::Completion<bool> flushed(net_.executor());
  journal_->find_duplicate({}, [flushed](base::Result<MessageId>) { flushed.set(true); });
  co_await flushed;
  std::size_t unrecorded = 0;
  bool orderly = started;
  for (const auto& channel : channels_)
    for (const auto& queue : channel->queues()) {
      unrecorded += queue->unrecorded();
      orderly = orderly && queue->is_orderly();
    }
  if (unrecorded > 0) {
    base::log(base::LogLevel::error, "outcomes-not-recorded",
              {{"messages", static_cast<std::int64_t>(unrecorded)}});
    exit_code_ = 74;
  }
  base::Completion<Status> store_closed(net_.executor());
  store_write_.post([this, store_closed] { store_closed.set(fhir_->checkpoint()); });
  const Status emptied = co_await store_closed;
  if (!emptied) {
    base::log(base::LogLevel::error, "store-close-failed", {{"error", base::Safe::code(emptied.error().code)}});
    exit_code_ = 74;
  }
  if (const Status closed = journal_->close(orderly); !closed) {
    base::log(base::LogLevel::error, "journal-close-failed",
              {{"error", base::Safe::code(closed.error().code)}});
    exit_code_ = 74;
  }
}

base::Result<JournalReader*> Gateway::journal_reader() {
  const std::string folder = base::join_path(site_->data_folder, "journal");
  TRY(const auto entries, env_.list(folder));
  const auto files = std::count_if(entries.begin(), entries.end(), [](const auto& entry) {
    return DayFileName::parse(entry.name).has_value();
  });
  if (!reader_ || reader_->file_count() != static_cast<std::size_t>(files)) {
    TRY(auto opened, JournalReader::open(env_, folder));
    reader_ = std::make_unique<JournalReader>(std::move(opened));
  }
  return reader_.get();
}

}  // namespace kiln::engine
