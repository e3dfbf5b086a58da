#include "engine/gateway.h"

#include "engine/base/log.h"
#include "engine/base/metrics.h"

namespace kiln::engine {

using base::Status;
using base::Task;

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
  observer_->step("starting the channels", 90);
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
  if (started_) watch_site();
  if (started_) watch_drift();
  if (started_) base::spawn(reload_->note_start());
  if (started_) replays_->resume(journal_->recovered().jobs);
  if (started_) subscriptions_->start();
  if (started_) index_->start();
  if (started_) observer_->started();
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
  base::Metrics::process().counter(base::Metric::journal_corrupt_records_total).add();
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
  for (const auto& [channel, ids] : unprocessed) {
    reload_->park(channel, ids);
    say("note: " + std::to_string(ids.size()) + " accepted messages of " + channel +
        ", which this site does not serve, are not processed; they stay in the journal until it does");
  }
}

}  // namespace kiln::engine
