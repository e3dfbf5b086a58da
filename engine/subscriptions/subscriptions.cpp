#include "engine/subscriptions/subscriptions.h"

#include <algorithm>
#include <utility>

#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/subscriptions/notification.h"
#include "fhir/search/query.h"

namespace kiln::engine {

using base::Result;
using base::Status;
using base::Task;
using channels::Change;
using channels::ChangeAction;
using std::chrono::milliseconds;
namespace limits = base::limits;

namespace {

constexpr const char* kEndpoint = "endpoint";
constexpr int kHandshakesMax = 3;
constexpr const char* kTooMany = "this server delivers no more subscriptions";

std::string channel_of(const std::string& id) {
  return "subscription." + id;
}

/// The resource with another status; `error` is dropped when empty.
std::string with_status(base::JsonView resource, const std::string& status, const std::string& error) {
  base::JsonWriter out;
  out.begin_object();
  for (const base::JsonView member : resource) {
    if (member.key() == "error") continue;
    out.key(member.key());
    if (member.key() == "status")
      out.string(status);
    else
      out.value(member);
  }
  if (!error.empty()) out.member("error", error);
  out.end_object();
  return out.take();
}

/// Who made that version.
Result<std::string> origin_of(fhir::Store& store, std::int64_t seq) {
  TRY(const auto versions, store.changes_since(seq - 1, 1));
  return versions.empty() ? std::string() : versions.front().origin;
}

/// Writes status and error unless the resource has them, is deleted, or was switched off by a client. False:
/// it was.
Result<bool> put_status(fhir::Store& store, const std::string& id, const std::string& status,
                        const std::string& error) {
  TRY(const auto current, store.read("Subscription", id));
  if (!current || current->deleted()) return false;
  TRY(const auto document, base::parse_json(current->body));
  const base::JsonView resource = document.root();
  TRY(const std::string before, origin_of(store, current->seq));
  const std::string origin = status_origin(before);
  if (resource["status"].text() == status && resource["error"].text() == error) return true;
  if (resource["status"].text() == "off") return false;
  TRY(const auto changed, base::parse_json(with_status(resource, status, error)));
  fhir::Write write;
  write.type = "Subscription";
  write.id = id;
  write.resource = changed.root();
  write.origin = origin;
  TRY_VOID(store.put(write));
  return true;
}

}  // namespace

Subscriptions::Subscriptions(Parts parts) 
    : parts_(std::move(parts)), feed_(*parts_.fhir, *parts_.executor), changed_(*parts_.executor) {}
Subscriptions::~Subscriptions() = default;

const LiveSubscription* Subscriptions::find(const std::string& id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : found->second->live.get();
}

Subscriptions::EntryPtr Subscriptions::make_entry(const std::string& id) {
  auto entry = std::make_shared<Entry>();
  entry->live = std::make_shared<LiveSubscription>(*parts_.executor);
  entry->live->id = id;
  entry->live->channel = channel_of(id);
  entry->definition = subscription_channel(entry->live->channel, kEndpoint, *parts_.rules);
  const std::weak_ptr<Entry> weak = entry;
  entry->live->on_turn = [this, weak](bool works, std::string why) {
    const auto held = weak.lock();
    if (held && !held->live->ended)
      base::spawn(write_status(held, works ? "active" : "error", std::move(why)));
  };
  entry->live->may_tell = [fhir = parts_.fhir, live = entry->live.get()](std::string_view type) {
    const fhir::Access* access = fhir->context().access;
    const fhir::Principal creator{live->creator.name, live->creator.name.empty()};
    return live->creator.is_site || (access && access->allow(creator, "read", type, {}));
  };
  entries_[id] = entry;
  return entry;
}

std::unique_ptr<ChannelRuntime> Subscriptions::make_channel(const EntryPtr& entry) {
  channels::Surroundings around = parts_.around;
  around.channel = entry->definition.name;
  FhirService* fhir = parts_.fhir;
  return parts_.make_channel(
      entry->definition,
      [this, live = entry->live, fhir, around] { return make_subscription_source(live, *fhir, feed_, around); },
      [live = entry->live, around] { return make_hook_destination(live, around); });
}

/// What the start finds: active ones go on where their cursor is, requested ones are accepted afterwards.
Status Subscriptions::load_one(const fhir::StoredVersion& version, fhir::Store& store) {
  TRY(const auto document, base::parse_json(version.body));
  const std::string status(document.root()["status"].text());
  TRY(const auto cursor, store.cursor(channel_of(version.id)));
  if (status == "off" && cursor == 0) return {};
  if (status != "off" && served() >= limits::kSubscriptionsMax) {
    beyond_.push_back(version.id);
    return {};
  }
  const EntryPtr entry = make_entry(version.id);
  LiveSubscription& live = *entry->live;
  live.ended = status == "off";
  TRY(const std::string origin, origin_of(store, version.seq));
  live.creator = SubscriptionCreator::of_origin(origin);
  if (live.ended) return {};  // start() forgets its cursor
  TRY(const auto events, store.cursor(events_cursor(live.channel)));
  live.events = static_cast<std::uint64_t>(events);
  live.position = static_cast<std::uint64_t>(std::max<std::int64_t>(cursor, 0));
  auto definition = read_subscription(document.root(), *parts_.rules);
  const bool known = cursor != 0 && definition;
  if (known) live.definition = std::make_shared<const SubscriptionDefinition>(std::move(*definition));
  if (status == "requested" || !known) {
    requested_[version.id] = {version.body, static_cast<std::uint64_t>(version.seq)};
    return {};
  }
  live.failures = status == "error" ? limits::kSubscriptionErrorAttempts : 0;
  live.listening = true;
  return {};
}

Result<std::vector<std::unique_ptr<ChannelRuntime>>> Subscriptions::load(
    const std::vector<std::string>& waiting) {
  const Status read = parts_.fhir->read_store_now([this](fhir::Store& store) -> Status {
    TRY(const auto last, store.last_seq());
    position_ = static_cast<std::uint64_t>(last);
    fhir::SearchQuery query;
    query.type = "Subscription";
    query.count = limits::kSearchCountMax;
    for (bool more = true; more;) {
      TRY(const auto page, store.search(query));
      for (const fhir::StoredVersion& version : page.rows) TRY_VOID(load_one(version, store));
      query.after = page.last_key;
      more = page.more;
    }
    return {};
  });
  TRY_VOID(read);
  for (const std::string& name : waiting) {
    const std::string id = name.substr(channel_of("").size());
    if (entries_.contains(id)) continue;
    make_entry(id)->live->ended = true;
  }
  std::vector<std::unique_ptr<ChannelRuntime>> out;
  for (const auto& [id, entry] : entries_) out.push_back(make_channel(entry));
  return out;
}

void Subscriptions::start() {
  for (auto& [id, text] : requested_) {
    const EntryPtr entry = entries_.at(id);
    base::spawn(activate(entry, std::move(text.first), text.second));
  }
  requested_.clear();
  if (!beyond_.empty()) base::spawn(refuse(std::exchange(beyond_, {}), kTooMany));
  for (const auto& [id, entry] : entries_) {
    if (entry->live->ended) base::spawn(forget(entry));
    base::spawn(beat(entry));
  }
  base::spawn(follow());
}

Task<void> Subscriptions::stop() {
  stopping_ = true;
  // All at once: one after the other, each would wake all that still wait.
  for (const auto& [id, entry] : entries_) {
    entry->live->stopping = true;
    entry->live->changed.notify();
  }
  while (tasks_ > 0) {
    parts_.fhir->wake();
    for (channels::HttpClient* client : clients_) client->close();
    changed_.notify();
    co_await changed_.wait(milliseconds(20));
  }
}

/// Reads the feed for what clients do with Subscriptions.
Task<void> Subscriptions::follow() {
  ++tasks_;
  while (!stopping_) {
    auto reading = feed_.read(position_, 1000);
    const auto batch = co_await std::move(reading);
    if (!batch) {
      co_await changed_.wait(milliseconds(1000));
      continue;
    }
    for (const Change& change : (*batch)->changes)
      if (change.position > position_ && change.type == "Subscription") take(change);
    position_ = (*batch)->read_up_to;
  }
  --tasks_;
  changed_.notify();
}

std::size_t Subscriptions::served() const {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(), [](const auto& one) { return !one.second->live->ended; }));
}

Task<void> Subscriptions::refuse(std::vector<std::string> ids, std::string why) {
  ++tasks_;
  base::log(base::LogLevel::error, "subscriptions-refused",
            {{"count", static_cast<std::int64_t>(ids.size())}});
  auto work = [ids, why](fhir::Store& store) -> Status {
    for (const std::string& id : ids) TRY_VOID(put_status(store, id, "error", why));
    return {};
  };
  auto writing = parts_.fhir->write_store(std::move(work));
  const Status written = co_await std::move(writing);
  if (!written)
    base::log(base::LogLevel::error, "subscription-status-not-written",
              {{"error", base::Safe::code(written.error().code)}});
  --tasks_;
  changed_.notify();
}

/// No more events; what waits is set aside. When it is asked for again, it begins anew.
void Subscriptions::end(const EntryPtr& entry) {
  entry->live->listening = false;
  entry->live->ended = true;
  entry->live->changed.notify();
  base::spawn(forget(entry));
}

Task<void> Subscriptions::forget(EntryPtr entry) {
  ++tasks_;
  auto work = [channel = entry->live->channel](fhir::Store& store) -> Status {
    TRY_VOID(store.set_cursor(channel, 0));
    return store.set_cursor(events_cursor(channel), 0);
  };
  auto writing = parts_.fhir->write_store(std::move(work));
  const Status done = co_await std::move(writing);
  if (!done)
    base::log(base::LogLevel::error, "cursor-not-forgotten",
              {{"channel", base::Safe::name(entry->live->channel)},
               {"error", base::Safe::code(done.error().code)}});
  --tasks_;
  changed_.notify();
}

void Subscriptions::take(const Change& change) {
  const auto found = entries_.find(change.id);
  EntryPtr entry = found == entries_.end() ? nullptr : found->second;
  if (is_status_origin(change.origin)) return;
  const auto document = base::parse_json(change.resource);
  const bool off =
      change.action == ChangeAction::delete_ || (document && document->root()["status"].text() == "off");
  if (entry) ++entry->generation;
  if (off) {
    if (entry) end(entry);
    return;
  }
  if ((!entry || entry->live->ended) && served() >= limits::kSubscriptionsMax) {
    base::spawn(refuse({change.id}, kTooMany));
    return;
  }
  if (!entry) {
    entry = make_entry(change.id);
    auto channel = make_channel(entry);
    Status started = channel->start_queues({}, 0, true);
    if (started) started = channel->start_source();
    if (!started) {
      entries_.erase(change.id);
      base::spawn(refuse({change.id}, "its queue could not be started: " + started.error().message()));
      return;
    }
    parts_.add_channel(std::move(channel));
    base::spawn(beat(entry));
  }
  entry->live->creator = SubscriptionCreator::of_origin(change.origin);
  base::spawn(activate(entry, change.resource, change.position));
}

/// Sends a Bundle by itself, outside the queue. Empty when the endpoint took it, else why not.
Task<std::string> Subscriptions::tell(std::shared_ptr<const SubscriptionDefinition> definition,
                                      std::string bundle) {
  const auto request = hook_request(*definition, bundle);
  if (!request) co_return request.error().message();
  channels::HttpClient client(parts_.around.network, definition->endpoint, definition->tls);
  clients_.insert(&client);
  auto sending = client.send(*request, definition->timeout_ms);
  const channels::HttpExchange exchange = co_await std::move(sending);
  clients_.erase(&client);
  client.close();
  if (!exchange.response) co_return exchange.response.error().message();
  const int status = exchange.response->status;
  if (status < 200 || status >= 300) co_return "the endpoint answered " + std::to_string(status);
  co_return std::string();
}

/// The endpoint must answer a handshake before the first event (topic style).
Task<bool> Subscriptions::shake_hands(EntryPtr entry,
                                      std::shared_ptr<const SubscriptionDefinition> definition) {
  const std::uint64_t generation = entry->generation;
  std::string why;
  for (int i = 0; i < kHandshakesMax && !stopping_; ++i) {
    NotificationStatus status;
    status.kind = NotificationKind::handshake;
    status.status = "requested";
    status.topic = definition->topic;
    status.events = entry->live->events;
    std::string bundle = print_notification(parts_.fhir->base_url(), definition->id, parts_.clock->wall(),
                                            status, {}, NotificationContent::empty);
    auto telling = tell(definition, std::move(bundle));
    why = co_await std::move(telling);
    if (why.empty() || generation != entry->generation) co_return why.empty();
    co_await changed_.wait(milliseconds(500 << i));
  }
  if (stopping_) co_return false;
  auto writing = write_status(entry, "error", "handshake: " + why);
  co_await std::move(writing);
  co_return false;
}

/// A Subscription that a client wrote: checked, greeted, then active. One that was active goes on where it
/// is; one that is new, or was off, begins with the changes after the version that asked for it.
Task<void> Subscriptions::activate(EntryPtr entry, std::string resource, std::uint64_t position) {
  ++tasks_;
  const std::uint64_t generation = entry->generation;
  const auto document = base::parse_json(resource);
  fhir::Answer<SubscriptionDefinition> read = base::fail(base::ErrorCode::json_syntax);
  if (document) read = read_subscription(document->root(), *parts_.rules);
  std::string refused;
  if (!read) refused = read.error().shown().front().text;
  if (!refused.empty()) {
    entry->live->listening = false;
    entry->live->definition = nullptr;
    auto writing = write_status(entry, "error", refused);
    co_await std::move(writing);
  } else {
    const auto definition = std::make_shared<const SubscriptionDefinition>(std::move(*read));
    bool greeted = true;
    if (definition->is_topic_style()) {
      auto shaking = shake_hands(entry, definition);
      greeted = co_await std::move(shaking);
    }
    if (greeted && generation == entry->generation && !stopping_) {
      const bool goes_on = entry->live->definition != nullptr && !entry->live->ended;
      const std::string channel = entry->live->channel;
      auto stands = std::make_shared<bool>(false);
      auto work = [id = entry->live->id, channel, goes_on, position, stands](fhir::Store& store) -> Status {
        TRY(*stands, put_status(store, id, "active", {}));
        if (goes_on || !*stands) return {};
        TRY_VOID(store.set_cursor(channel, static_cast<std::int64_t>(position)));
        return store.set_cursor(events_cursor(channel), 0);
      };
      auto writing = parts_.fhir->write_store(std::move(work));
      const Status written = co_await std::move(writing);
      if (written && generation == entry->generation && *stands) {
        LiveSubscription& live = *entry->live;
        live.definition = definition;
        if (!goes_on) live.position = position, live.events = 0;
        live.failures = 0;
        live.ended = false;
        live.listening = true;
        live.last_sent = parts_.clock->mono();
        live.changed.notify();
      }
    }
  }
  --tasks_;
  changed_.notify();
}

Task<void> Subscriptions::write_status(EntryPtr entry, std::string status, std::string error) {
  ++tasks_;
  auto work = [id = entry->live->id, status, error](fhir::Store& store) -> Status {
    TRY_VOID(put_status(store, id, status, error));
    return {};
  };
  auto writing = parts_.fhir->write_store(std::move(work));
  const Status written = co_await std::move(writing);
  const base::LogLevel level = written ? base::LogLevel::info : base::LogLevel::error;
  base::log(level, "subscription-status",
            {{"channel", base::Safe::name(entry->live->channel)}, {"status", base::Safe::name(status)}});
  --tasks_;
  changed_.notify();
}

/// Heartbeats of a topic style subscription that had nothing to say for its period; its end, when it has one.
Task<void> Subscriptions::beat(EntryPtr entry) {
  ++tasks_;
  while (!stopping_) {
    const auto definition = entry->live->definition;
    const bool listening = entry->live->listening && definition != nullptr;
    const std::int64_t period = listening ? definition->heartbeat_ms : 0;
    if (listening && definition->end && definition->end->micros < parts_.clock->wall().micros) {
      ++entry->generation;
      end(entry);
      auto writing = write_status(entry, "off", {});
      co_await std::move(writing);
    } else if (period > 0 && parts_.clock->mono() - entry->live->last_sent >= milliseconds(period)) {
      NotificationStatus status;
      status.kind = NotificationKind::heartbeat;
      status.topic = definition->topic;
      status.events = entry->live->events;
      std::string bundle = print_notification(parts_.fhir->base_url(), definition->id, parts_.clock->wall(),
                                              status, {}, NotificationContent::empty);
      auto telling = tell(definition, std::move(bundle));
      const std::string why = co_await std::move(telling);
      entry->live->last_sent = parts_.clock->mono();
    }
    co_await changed_.wait(milliseconds(500));
  }
  --tasks_;
  changed_.notify();
}

}  // namespace kiln::engine
