#include "engine/reload.h"

#include <algorithm>
#include <utility>

#include "engine/base/json.h"
#include "engine/base/log.h"
#include "engine/limits.h"
#include "engine/site_version.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;
using base::Status;
using base::Task;

SiteReload::SiteReload(Parts parts) : parts_(std::move(parts)) {}

ChannelRuntime* SiteReload::find(const std::string& channel) const {
  for (const auto& runtime : *parts_.channels)
    if (runtime->definition().name == channel) return runtime.get();
  return nullptr;
}

Task<Result<std::string>> SiteReload::reload(ReloadRequest request) {
  if (running_ || stopping_) co_return base::fail(ErrorCode::reload_running);
  running_ = true;
  const bool counts = !request.dry_run;
  auto working = reload_once(std::move(request));
  Result<std::string> out = co_await std::move(working);
  running_ = false;
  if (!counts) co_return out;
  state_.at = parts_.clock->wall();
  state_.problem = out ? std::string() : out.error().message();
  ++(out ? state_.applied : state_.refused);
  if (!out)
    base::log(base::LogLevel::error, "reload-refused", {{"error", base::Safe::code(out.error().code)}});
  co_return out;
}

Task<void> SiteReload::stop() {
  stopping_ = true;
  base::Event pause(*parts_.executor);
  while (running_) co_await pause.wait(std::chrono::milliseconds(20));
}

Task<Result<std::string>> SiteReload::reload_once(ReloadRequest request) {
  auto loading = load(request.version);
  Result<SitePtr> loaded = co_await std::move(loading);
  if (!loaded) co_return base::fail(loaded.error());
  const std::string was = (*parts_.site)->hash;
  Work work;
  work.site = std::move(*loaded);
  work.diff = diff_sites(**parts_.site, *work.site);
  const bool applies = !request.dry_run && !work.diff.same();
  if (applies) {
    auto applying = apply(&work);
    const Status applied = co_await std::move(applying);
    if (!applied) co_return base::fail(applied.error());
    auto keeping = keep(was, std::move(request), &work.diff);
    co_await std::move(keeping);
    base::log(base::LogLevel::info, "reloaded", {{"config", base::Safe::name(work.site->hash)}});
  }
  base::JsonWriter out;
  out.begin_object().key("applied").boolean(applies).member("config", work.site->hash);
  out.key("same").boolean(work.diff.same());
  const auto list = [&out](const char* name, const std::vector<std::string>& lines, const char* before) {
    out.key(name).begin_array();
    for (const std::string& line : lines) out.string(before + line);
    out.end_array();
  };
  list("effects", work.diff.effects, "");
  list("restart", work.diff.restart, "server: ");
  list("left", work.left, "");
  co_return out.end_object().take();
}

Task<Result<std::string>> SiteReload::diff() {
  auto loading = load({});
  const Result<SitePtr> loaded = co_await std::move(loading);
  if (!loaded) co_return base::fail(loaded.error());
  const SiteDiff found = diff_sites(**parts_.site, **loaded);
  co_return print_diff(found, (*parts_.site)->hash, (*loaded)->hash);
}

/// In the order in which a failure leaves the least behind: connectors, listeners, then everything else at
/// once.
Task<Status> SiteReload::apply(Work* work) {
  std::erase_if(retired_, [](const auto& channel) { return channel->is_idle(); });
  const Status prepared = prepare(*work);
  if (!prepared) co_return prepared;
  auto changing = change_sources(work);
  const Status changed = co_await std::move(changing);
  if (!changed) co_return changed;
  std::vector<ChannelRuntime*> added;
  for (const auto& channel : work->added) added.push_back(channel.get());
  commit(*work);
  for (ChannelRuntime* channel : added) {
    auto beginning = begin_added(channel);
    co_await std::move(beginning);
  }
  auto ending = end_removed(work);
  co_await std::move(ending);
  co_return Status{};
}

Status SiteReload::prepare(Work& work) {
  Status status;
  for (const auto& [name, change] : work.diff.channels) {
    const channels::ChannelDefinition* definition = find_channel(*work.site, name);
    if (change.kind == SiteDiff::Channel::Kind::added) {
      work.added.push_back(parts_.make_channel(*definition, work.site));
      status = work.added.back()->make_ready();
      if (status) continue;
      base::Error error = status.error();
      error.place = name + (error.place.empty() ? "" : ", " + error.place);
      status = base::fail(std::move(error));
      break;
    }
    if (change.kind == SiteDiff::Channel::Kind::removed) continue;
    ChannelRuntime* channel = find(name);
    if (channel == nullptr) continue;
    auto prepared = channel->prepare(work.site, *definition, change.connectors);
    if (prepared) {
      work.changed.emplace_back(channel, std::move(*prepared));
      continue;
    }
    base::Error error = prepared.error();
    error.place = name + (error.place.empty() ? "" : ", " + error.place);
    status = base::fail(std::move(error));
    break;
  }
  if (status) return status;
  for (auto& [channel, prepared] : work.changed) ChannelRuntime::abandon(std::move(prepared));
  for (const auto& channel : work.added) channel->abandon_ready();
  return status;
}

/// Closes the sources that change or go, and opens the new ones without a pause between them, so that nothing
/// comes in before commit(). When one cannot be opened, the old ones are opened again.
Task<Status> SiteReload::change_sources(Work* work) {
  for (auto& [channel, prepared] : work->changed)
    if (prepared.change.source) co_await channel->stop_source();
  std::vector<ChannelRuntime*> removed;
  for (const auto& [name, change] : work->diff.channels)
    if (change.kind == SiteDiff::Channel::Kind::removed && find(name) != nullptr)
      removed.push_back(find(name));
  for (ChannelRuntime* channel : removed) co_await channel->stop_source();
  Status status;
  std::size_t changed = 0, added = 0;
  for (auto& [channel, prepared] : work->changed) {
    ++changed;
    if (prepared.change.source) status = channel->exchange_source(prepared);
    if (!status) break;
  }
  for (const auto& channel : work->added) {
    if (!status) break;
    ++added;
    channel->pause_source(true);  // nothing is read before what waited is recovered
    status = channel->start_source();
  }
  if (status) {
    for (ChannelRuntime* channel : removed) {
      const auto found = std::find_if(parts_.channels->begin(), parts_.channels->end(),
                                      [channel](const auto& one) { return one.get() == channel; });
      work->removed.push_back(std::move(*found));
      parts_.channels->erase(found);
    }
    co_return status;
  }
  const ChannelRuntime* failed = added > 0 ? work->added[added - 1].get() : work->changed[changed - 1].first;
  base::Error error = status.error();
  error.place = failed->definition().name + (error.place.empty() ? "" : ", " + error.place);
  auto taking_back = take_back(work, changed, added);
  co_await std::move(taking_back);
  for (ChannelRuntime* channel : removed)
    if (const Status again = channel->restart_intake(); !again)
      parts_.say("the source does not open again: " + again.error().message());
  co_return base::fail(std::move(error));
}

/// Every new source is closed before an old one opens: versions may have swapped ports.
Task<void> SiteReload::take_back(Work* work, std::size_t changed, std::size_t added) {
  for (std::size_t i = 0; i < added; ++i) co_await work->added[i]->stop_source();
  for (std::size_t i = 0; i < changed; ++i) {
    auto& [channel, prepared] = work->changed[i];
    if (prepared.change.source) co_await channel->stop_source();
  }
  for (std::size_t i = 0; i < work->changed.size(); ++i) {
    auto& [channel, prepared] = work->changed[i];
    Status again;
    if (prepared.change.source)
      again = i < changed ? channel->take_back_source(prepared) : channel->restart_intake();
    if (!again)
      parts_.say("the source of " + channel->definition().name +
                 " does not open again: " + again.error().message());
    ChannelRuntime::abandon(std::move(prepared));
  }
  for (const auto& channel : work->added) channel->abandon_ready();
}

/// Does not suspend: one message sees one version.
void SiteReload::commit(Work& work) {
  parts_.journal->keep_config(work.site->hash, print_site_version(*work.site));
  *parts_.site = work.site;
  for (auto& [channel, prepared] : work.changed) {
    const std::string name = channel->definition().name;
    channel->commit(std::move(prepared), take_parked(name));
  }
  for (const auto& channel : *parts_.channels) channel->use_site(work.site);
  for (auto& channel : work.added) parts_.channels->push_back(std::move(channel));
  work.added.clear();
  parts_.changed();
}

/// What was accepted before the channel was gone is finished, then what waits is sent, then new messages are
/// read.
Task<void> SiteReload::begin_added(ChannelRuntime* channel) {
  const std::string name = channel->definition().name;
  std::vector<MessageId> ids = std::move(unprocessed_[name]);
  unprocessed_.erase(name);
  SiteVersions versions;
  for (const MessageId id : ids) {
    base::Completion<Result<StoredMessage>> read(*parts_.executor);
    parts_.journal->read_message(id, [read](Result<StoredMessage> stored) { read.set(std::move(stored)); });
    const Result<StoredMessage> stored = co_await read;
    if (!stored || versions.contains(stored->message.config_hash)) continue;
    const std::string hash = stored->message.config_hash;
    auto reading = parts_.version_of(hash);
    versions[hash] = co_await std::move(reading);
  }
  // Nothing is sent or read before all of them are decided: a disk that does not take it now only delays the channel.
  while (!ids.empty()) {
    std::size_t done = 0;
    auto recovering = channel->recover(ids, versions, &done);
    const Status recovered = co_await std::move(recovering);
    if (recovered) break;
    ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(done));
    parts_.say("note: what " + name + " had accepted waits for the disk: " + recovered.error().message());
    if (stopping_) co_return;  // the next start goes on with them
    base::Event pause(*parts_.executor);
    co_await pause.wait(std::chrono::milliseconds(1000));
  }
  std::map<std::string, std::uint64_t> waiting;
  MessageId last = 0;
  bool clean = true;
  for (const auto& [destination, start] : take_parked(name)) {
    waiting[destination] = start.waiting;
    last = std::max(last, start.last_id);
    clean = clean && start.clean_stop;
  }
  const Status started = channel->start_queues(std::move(waiting), last, clean);
  if (!started) parts_.say("note: " + name + ": " + started.error().message());
  channel->pause_source(channel->holds_source());
}

Task<void> SiteReload::end_removed(Work* work) {
  for (auto& [name, change] : work->diff.channels) {
    ChannelRuntime* channel = find(name);
    if (channel == nullptr || change.connectors.removed.empty()) continue;
    auto ending = channel->end_removed();
    const std::map<std::string, QueueStart> queues = co_await std::move(ending);
    leave(*work, name, queues);
  }
  for (auto& channel : work->removed) {
    auto retiring = channel->retire();
    const std::map<std::string, QueueStart> queues = co_await std::move(retiring);
    leave(*work, channel->definition().name, queues);
    retired_.push_back(std::move(channel));
  }
}

void SiteReload::leave(Work& work, const std::string& channel,
                       const std::map<std::string, QueueStart>& queues) {
  for (const auto& [destination, start] : queues) {
    if (start.waiting == 0 && start.clean_stop) continue;
    const std::string address = channel + "/" + destination;
    QueueStart& known = parked_.try_emplace(address, QueueStart{0, 0, true}).first->second;
    known.waiting += start.waiting;
    known.last_id = std::max(known.last_id, start.last_id);
    known.clean_stop = known.clean_stop && start.clean_stop;
    if (start.waiting == 0) continue;
    work.left.push_back(std::to_string(start.waiting) + " messages wait for " + address +
                        " in the journal; they are sent when the site has it again");
    parts_.say("note: " + work.left.back());
  }
}

std::map<std::string, QueueStart> SiteReload::take_parked(const std::string& channel) {
  std::map<std::string, QueueStart> out;
  for (auto at = parked_.begin(); at != parked_.end();) {
    const auto slash = at->first.find('/');
    const bool mine = at->first.substr(0, slash) == channel;
    const std::string destination = at->first.substr(slash + 1);
    const auto* definition = mine ? find_channel(**parts_.site, channel) : nullptr;
    const bool has = definition != nullptr &&
                     std::any_of(definition->destinations.begin(), definition->destinations.end(),
                                 [&destination](const auto& one) { return one.name == destination; });
    if (!has) {
      ++at;
      continue;
    }
    out[destination] = at->second;
    at = parked_.erase(at);
  }
  return out;
}

}  // namespace kiln::engine
