// Another version of a channel while it runs (reliability.md R13): connectors are made first, then everything
// changes over in one step that does not suspend.

#include <algorithm>
#include <utility>

#include "engine/pipeline.h"

namespace kiln::engine {

using base::Result;
using base::Status;
using base::Task;

namespace {

Task<void> stop_all(std::vector<std::unique_ptr<channels::Destination>> connectors) {
  for (const auto& connector : connectors) co_await connector->stop();
}

}  // namespace

Result<ChannelRuntime::Prepared> ChannelRuntime::prepare(std::shared_ptr<const channels::Site> site,
                                                         const channels::ChannelDefinition& definition,
                                                         ChannelChange change) {
  Prepared out;
  for (const channels::DestinationDefinition& destination : definition.destinations) {
    if (!change.added.contains(destination.name) && !change.changed.contains(destination.name)) continue;
    Prepared::Queue& queue = out.queues[destination.name];
    queue.settings = settings_of(definition, destination, site);
    queue.connectors = make_connectors(destination);
    for (const auto& connector : queue.connectors) {
      const Status started = connector->start();
      if (started) continue;
      abandon(std::move(out));
      base::Error error = started.error();
      error.place = destination.name + (error.place.empty() ? "" : ", " + error.place);
      return base::fail(std::move(error));
    }
  }
  if (change.source) out.source = make_source(definition);
  out.site = std::move(site);
  out.definition = &definition;
  out.change = std::move(change);
  return out;
}

Status ChannelRuntime::make_ready() {
  for (const channels::DestinationDefinition& destination : parts_.definition->destinations) {
    if (std::string_view(destination.connector->name) == "drop") continue;
    DeliveryQueue::Connectors& connectors = ready_[destination.name];
    connectors = make_connectors(destination);
    for (const auto& connector : connectors) {
      const Status started = connector->start();
      if (started) continue;
      abandon_ready();
      base::Error error = started.error();
      error.place = destination.name + (error.place.empty() ? "" : ", " + error.place);
      return base::fail(std::move(error));
    }
  }
  return {};
}

void ChannelRuntime::abandon_ready() {
  for (auto& [name, connectors] : ready_) base::spawn(stop_all(std::move(connectors)));
  ready_.clear();
}

void ChannelRuntime::abandon(Prepared prepared) {
  for (auto& [name, queue] : prepared.queues) base::spawn(stop_all(std::move(queue.connectors)));
}

Status ChannelRuntime::exchange_source(Prepared& prepared) {
  std::swap(source_, prepared.source);
  return stopped_ ? Status() : start_intake();
}

Status ChannelRuntime::take_back_source(Prepared& prepared) {
  std::swap(source_, prepared.source);
  return stopped_ ? Status() : start_intake();
}

void ChannelRuntime::commit(Prepared prepared, std::map<std::string, QueueStart> parked) {
  std::erase_if(removed_, [](const auto& queue) { return !queue->is_watched(); });
  parts_.site = prepared.site;
  parts_.definition = prepared.definition;
  if (prepared.change.source) {
    source_site_ = prepared.site;
    make_links();
    watch_hours();
    if (links_) base::spawn(links_->open());
    if (fragments_) base::spawn(fragments_->open());
  }
  for (const std::string& name : prepared.change.removed) {
    const auto found = std::find_if(queues_.begin(), queues_.end(),
                                    [&name](const auto& queue) { return queue->name() == name; });
    if (found == queues_.end()) continue;
    (*found)->begin_stop();
    removed_.push_back(std::move(*found));
    queues_.erase(found);
    ending_.push_back(removed_.back().get());
  }
  for (auto& [name, queue] : prepared.queues) {
    if (DeliveryQueue* running = find_queue(name)) {
      running->exchange(std::move(queue.settings), std::move(queue.connectors));
      continue;
    }
    QueueStart start = parked[name];
    if (const auto made = before_queues_.find(name); made != before_queues_.end()) {
      start.waiting += made->second;
      before_queues_.erase(made);
    }
    start.last_id = std::max(start.last_id, pushed_up_to_);
    // Its connectors are started, so this cannot fail.
    static_cast<void>(add_queue(std::move(queue.settings), std::move(queue.connectors), start, true));
  }
}

Task<std::map<std::string, QueueStart>> ChannelRuntime::end_removed() {
  std::map<std::string, QueueStart> left;
  const std::vector<DeliveryQueue*> ending = std::exchange(ending_, {});
  for (DeliveryQueue* queue : ending) {
    auto stopping = queue->stop();
    co_await std::move(stopping);
    left[queue->name()] = {queue->status().pending + queue->unrecorded(), queue->pushed_up_to(), queue->is_orderly()};
  }
  co_return left;
}

Task<std::map<std::string, QueueStart>> ChannelRuntime::retire() {
  base::Event pause(*parts_.executor);
  parts_.journal->flush();
  while (under_way_ > 0 || !storing_.empty()) co_await pause.wait(std::chrono::milliseconds(5));
  for (auto& queue : queues_) {
    queue->begin_stop();
    ending_.push_back(queue.get());
    removed_.push_back(std::move(queue));
  }
  queues_.clear();
  auto stopping = end_removed();
  std::map<std::string, QueueStart> left = co_await std::move(stopping);
  for (const auto& [name, count] : before_queues_) {
    QueueStart& start = left[name];
    start.waiting += count;
    start.last_id = std::max(start.last_id, pushed_up_to_);
  }
  co_return left;
}

}  // namespace kiln::engine
