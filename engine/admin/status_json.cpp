#include "engine/admin/status_json.h"

#include <algorithm>

#include "engine/admin/held.h"
#include "engine/admin/message_json.h"
#include "engine/admin/open_problems.h"
#include "engine/admin/service.h"
#include "engine/admin/verdict.h"
#include "engine/gateway.h"
#include "engine/version.h"

namespace kiln::engine {
namespace {

using State = channels::ConnectorStatus::State;

void counter(base::JsonWriter& json, const char* name, std::uint64_t value) {
  json.key(name).integer(static_cast<std::int64_t>(value));
}

void write_rate(base::JsonWriter& json, const char* name, double value) {
  const auto hundredths = static_cast<std::int64_t>(value * 100 + 0.5);
  std::string fraction = std::to_string(hundredths % 100);
  if (fraction.size() < 2) fraction.insert(0, "0");
  json.key(name).number(std::to_string(hundredths / 100) + "." + fraction);
}

void write_latency(base::JsonWriter& json, const Latency& latency) {
  json.key("latency_ms").begin_object();
  write_rate(json, "p50", latency.p50);
  write_rate(json, "p99", latency.p99);
  json.end_object();
}

std::int64_t seconds_since(base::WallTime then, base::WallTime now) {
  return std::max<std::int64_t>(0, (now.micros - then.micros) / 1'000'000);
}

void write_connector(base::JsonWriter& json, const channels::ConnectorStatus& status) {
  static constexpr const char* kStates[] = {"down", "connecting", "up", "paused"};
  json.member("state", kStates[static_cast<std::size_t>(status.state)]);
  counter(json, "connections", status.connections);
  if (status.port != 0) counter(json, "port", status.port);
  if (!status.last_error.empty()) json.member("last_error", status.last_error);
}

void write_queue(base::JsonWriter& json, const Gateway& gateway, const std::string& channel,
                 const DeliveryQueue& queue) {
  const QueueStatus status = queue.status();
  const auto& open = gateway.observer().open_books().quarantined;
  const auto aside = open.find(channel + "/" + queue.name());
  json.begin_object().member("name", queue.name());
  json.member("state", status.paused             ? "paused"
                       : status.blocked          ? "blocked"
                       : !status.closed.empty() ? "closed"
                                                : "running");
  if (!status.closed.empty()) json.member("hours", status.closed);
  counter(json, "pending", status.pending);
  counter(json, "sent", status.sent.total());
  counter(json, "rejected", status.rejected.total());
  counter(json, "expired", status.expired.total());
  counter(json, "quarantined", aside == open.end() ? 0 : aside->second);
  counter(json, "retries", status.retries.total());
  counter(json, "blocked_messages", status.blocked_messages);
  json.key("blocked").boolean(status.blocked);
  if (status.head != 0) {
    counter(json, "head", status.head);
    counter(json, "head_attempts", status.head_attempts);
  }
  if (status.next_try_ms >= 0) json.key("next_try_ms").integer(status.next_try_ms);
  counter(json, "in_doubt", status.in_doubt);
  if (status.oldest.micros != 0)
    json.key("oldest_pending_seconds").integer(seconds_since(status.oldest, gateway.clock().wall()));
  if (status.last_sent.micros != 0) json.member("last_sent", print_time(status.last_sent));
  write_latency(json, gateway.observer().delivery(channel, queue.name()));
  if (!status.last_error.empty()) json.member("last_failure", status.last_error);
  json.key("connector").begin_object();
  write_connector(json, queue.connector_status());
  json.end_object().end_object();
}

/// Over the destinations of a channel; what is quarantined is open now.
struct Totals {
  std::uint64_t sent = 0, pending = 0, rejected = 0, expired = 0, quarantined = 0;
  base::WallTime oldest, last_sent;  ///< 0: none
};

Totals totals_of(const Gateway& gateway, const ChannelRuntime& channel) {
  Totals out;
  out.rejected = channel.counters().rejected.total();
  const std::string prefix = channel.definition().name + "/";
  const auto& open = gateway.observer().open_books().quarantined;
  for (auto one = open.lower_bound(prefix); one != open.end() && one->first.starts_with(prefix); ++one) out.quarantined += one->second;
  for (const auto& queue : channel.queues()) {
    const QueueStatus status = queue->status();
    out.sent += status.sent.total();
    out.rejected += status.rejected.total();
    out.expired += status.expired.total();
    out.pending += status.pending;
    if (status.oldest.micros != 0 && (out.oldest.micros == 0 || status.oldest < out.oldest))
      out.oldest = status.oldest;
    out.last_sent = std::max(out.last_sent, status.last_sent);
  }
  return out;
}

void write_counters(base::JsonWriter& json, const ChannelCounters& counters, const Totals& totals) {
  counter(json, "received", counters.received.total());
  counter(json, "accepted", counters.accepted);
  counter(json, "rejected", totals.rejected);
  counter(json, "expired", totals.expired);
  counter(json, "filtered", counters.filtered.total());
  counter(json, "quarantined", totals.quarantined);
  counter(json, "duplicates", counters.duplicates.total());
  counter(json, "not_stored", counters.not_stored);
  counter(json, "unframed", counters.unframed);
  counter(json, "replayed", counters.replayed.total());
  counter(json, "sent", totals.sent);
  counter(json, "pending", totals.pending);
}

void write_channel(base::JsonWriter& json, const Gateway& gateway, const ChannelRuntime& channel) {
  const std::string& channel_name = channel.definition().name;
  const ChannelRates rates = gateway.admin().history().rates(channel_name);
  const ChannelCounters& counters = channel.counters();
  json.begin_object()
      .member("name", channel.definition().name)
      .member("kind", channel.definition().source->name);
  const channels::ConnectorStatus source = channel.source_status();
  json.member("state", name_of(channel.state()));
  json.key("source").begin_object();
  write_connector(json, source);
  json.end_object();
  const Totals totals = totals_of(gateway, channel);
  write_counters(json, counters, totals);
  if (totals.oldest.micros != 0)
    json.key("oldest_pending_seconds").integer(seconds_since(totals.oldest, gateway.clock().wall()));
  if (totals.last_sent.micros != 0) json.member("last_sent", print_time(totals.last_sent));
  write_latency(json, gateway.observer().processing(channel_name));
  json.key("rate").begin_object();
  write_rate(json, "m1", rates.m1);
  write_rate(json, "m5", rates.m5);
  write_rate(json, "m15", rates.m15);
  json.end_object();
  if (counters.last_received.micros != 0) json.member("last_received", print_time(counters.last_received));
  json.member("config", gateway.site().hash);
  json.key("links").begin_array();
  for (const auto& [name, link] : channel.links()) {
    json.begin_object().member("name", name);
    json.key("last").integer(link.state.last).key("frozen").boolean(link.state.frozen).end_object();
  }
  json.end_array();
  json.key("notes").begin_object();
  for (const auto& [code, count] : channel.coverage().codes()) counter(json, code.c_str(), count);
  json.end_object();
  json.key("destinations").begin_array();
  for (const auto& queue : channel.queues()) write_queue(json, gateway, channel_name, *queue);
  json.end_array().end_object();
}

void find_queue_problems(const Holds& holds, const ChannelRuntime& channel, std::vector<Problem>& out) {
  for (const auto& queue : channel.queues()) {
    const QueueStatus status = queue->status();
    Problem one;
    one.channel = channel.definition().name;
    one.destination = queue->name();
    one.waiting = status.pending;
    const std::string waiting =
        std::to_string(status.pending) + (status.pending == 1 ? " message waits" : " messages wait");
    if (!status.closed.empty() && !status.paused && !status.blocked) continue;  // its hours are over: it opens by itself
    if (status.paused) {
      if (status.pending == 0) continue;
      one.text = "paused, " + waiting;
      one.doing = "messages are taken and kept in order";
      one.can = "let it go on";
      one.command = "kiln destination resume " + one.channel + "/" + one.destination;
      if (const auto held = holds_of_destination(holds, one.channel, one.destination); !held.empty()) {
        one.text = waiting + ", " + held.front().text;
        one.command = held.front().command;
      }
    } else if (status.blocked) {
      one.level = Problem::Level::bad;
      one.text = "blocked" + (status.last_error.empty() ? "" : " (" + status.last_error + ")") + ", " + waiting;
      one.doing = "it sends nothing until somebody lets it go on";
      one.can = "see what was answered (kiln show " + std::to_string(status.head) +
                " --response) and mend it, or set that message aside (kiln destination skip " + one.channel + "/" + one.destination +
                "); to let it go on";
      one.command = "kiln destination resume " + one.channel + "/" + one.destination;
    } else if (status.pending > 0 && !status.last_error.empty() && status.head_attempts > 0) {
      one.level = status.head_attempts >= 5 ? Problem::Level::bad : Problem::Level::warn;
      one.text = status.last_error + ", " + waiting;
      one.doing = "tried " + std::to_string(status.head_attempts) +
                  " times; it goes on by itself and keeps the order";
      if (status.next_try_ms >= 0)
        one.doing += "; next try in " + print_age((status.next_try_ms + 999) / 1'000);
      one.can = "mend the receiver";
      one.command = "kiln why " + std::to_string(status.head);
    } else {
      continue;
    }
    out.push_back(std::move(one));
  }
}

/// What the scrub of the journal has found since the start.
void find_damage(const Gateway& gateway, std::vector<Problem>& out) {
  if (gateway.keeper() == nullptr) return;
  const Scrub::State scrub = gateway.keeper()->scrub().state();
  if (scrub.faults_total == 0) return;
  const Scrub::Fault& first = scrub.faults.front();
  out.push_back({Problem::Level::bad,
                 {},
                 {},
                 std::to_string(scrub.faults_total) + (scrub.faults_total == 1 ? " record" : " records") +
                     " of the journal are damaged, the first of message " + std::to_string(first.id) + " in " + first.file,
                 "none of them is delivered; what waits is quarantined when its turn comes",
                 "look at the disk, see what else is damaged, and restore from a backup",
                 "kiln verify --full",
                 0});
}

void write_scrub(base::JsonWriter& json, const Gateway& gateway) {
  if (gateway.keeper() == nullptr) return;
  const Scrub::State scrub = gateway.keeper()->scrub().state();
  json.key("scrub").begin_object();
  if (!scrub.file.empty()) json.member("file", scrub.file);
  counter(json, "at", scrub.at);
  counter(json, "records", scrub.records);
  counter(json, "damaged", scrub.faults_total);
  if (scrub.last_full.micros != 0) json.member("last_full", print_time(scrub.last_full));
  json.end_object();
}

/// One for each thing that is held, as each has its own way out.
void find_holds(const Holds& holds, const ChannelRuntime& channel, std::vector<Problem>& out) {
  const std::string& name = channel.definition().name;
  std::vector<Held> held = holds_of_channel(holds, name);
  if (held.empty()) held.push_back({std::string("the channel is ") + name_of(channel.state()), "kiln channel list"});
  for (Held& one : held)
    out.push_back({Problem::Level::warn, name, {}, std::move(one.text), "as an operator has said", "let it go on when it is time",
                   std::move(one.command), 0});
}

std::vector<Problem> find_problems(const Gateway& gateway) {
  std::vector<Problem> out;
  for (const auto& channel : gateway.channels()) {
    const auto source = channel->source_status();
    const ChannelState state = channel->state();
    if (state != ChannelState::running && state != ChannelState::closed) find_holds(gateway.holds(), *channel, out);
    if (source.state == State::down && !source.last_error.empty())
      out.push_back({Problem::Level::bad,
                     channel->definition().name,
                     {},
                     "the source is down: " + source.last_error,
                     "it is tried again",
                     "mend what it names",
                     {},
                     0});
    for (const auto& [name, link] : channel->links())
      if (link.state.frozen)
        out.push_back({Problem::Level::bad,
                       channel->definition().name,
                       {},
                       "the numbered link " + name + " is frozen",
                       "its messages are refused",
                       "find the missing numbers, then let it go on",
                       "kiln resume " + channel->definition().name,
                       0});
    find_queue_problems(gateway.holds(), *channel, out);
  }
  for (const auto& certificate : gateway.admin().certificates()) {
    const std::int64_t days = (certificate.expires.micros - gateway.clock().wall().micros) / 86'400'000'000;
    if (days < 30)
      out.push_back({days < 7 ? Problem::Level::bad : Problem::Level::warn,
                     {},
                     {},
                     "the certificate of " + certificate.where +
                         (days < 0 ? " has expired" : " expires in " + std::to_string(days) + " days"),
                     "it is shown as it is",
                     "put a new one in its place",
                     {},
                     0});
  }
  const AdminService::Disk disk = gateway.admin().disk();
  if (disk.total != 0 && disk.free * 10 < disk.total)
    out.push_back({disk.free * 33 < disk.total ? Problem::Level::bad : Problem::Level::warn,
                   {},
                   {},
                   "the disk has " + std::to_string(disk.free >> 20) + " MB left",
                   "messages are taken until it is full",
                   "make room, or shorten the retention",
                   {},
                   0});
  find_damage(gateway, out);
  find_open_books(gateway, out);
  find_alerts(gateway, out);
  sort_problems(out);
  return out;
}

}  // namespace

void write_status_head(base::JsonWriter& json, const Gateway& gateway) {
  const base::WallTime now = gateway.clock().wall();
  const AdminService& admin = gateway.admin();
  json.member("version", kVersion).member("fhir", gateway.fhir_url()).member("config", gateway.site().hash);
  json.member("now", print_time(now)).member("started", print_time(admin.started()));
  json.key("uptime_seconds").integer((now.micros - admin.started().micros) / 1'000'000);
  ChannelCounters sum;
  Totals totals;
  for (const auto& channel : gateway.channels()) {
    const ChannelCounters& one = channel->counters();
    sum.received += one.received.total(), sum.accepted += one.accepted;
    sum.filtered += one.filtered.total(), sum.duplicates += one.duplicates.total(), sum.not_stored += one.not_stored;
    sum.unframed += one.unframed, sum.replayed += one.replayed.total();
    const Totals part = totals_of(gateway, *channel);
    totals.sent += part.sent, totals.pending += part.pending;
    totals.rejected += part.rejected, totals.expired += part.expired;
  }
  // Also of channels that the site does not have any more.
  const OpenBooks& books = gateway.observer().open_books();
  for (const auto& [address, count] : books.quarantined) totals.quarantined += count;
  for (const auto& [address, count] : books.stranded) totals.pending += count;
  json.key("totals").begin_object();
  write_counters(json, sum, totals);
  json.end_object();
  const AdminService::Disk disk = admin.disk();
  json.key("disk").begin_object();
  counter(json, "free_bytes", disk.free);
  counter(json, "total_bytes", disk.total);
  json.end_object();
  write_scrub(json, gateway);
  json.key("certificates").begin_array();
  for (const auto& one : admin.certificates()) {
    json.begin_object()
        .member("where", one.where)
        .member("subject", one.subject)
        .member("expires", print_time(one.expires));
    json.key("days").integer((one.expires.micros - now.micros) / 86'400'000'000).end_object();
  }
  json.end_array().key("insecure").begin_array();
  for (const std::string& one : admin.insecure()) json.string(one);
  json.end_array();
  write_problems(json, find_problems(gateway));
}

std::map<std::string, std::string> channel_statuses(const Gateway& gateway) {
  std::map<std::string, std::string> out;
  for (const auto& channel : gateway.channels()) {
    base::JsonWriter json;
    write_channel(json, gateway, *channel);
    out.emplace(channel->definition().name, json.take());
  }
  return out;
}

std::string print_status(const Gateway& gateway) {
  base::JsonWriter json;
  json.begin_object();
  write_status_head(json, gateway);
  json.key("channels").begin_array();
  for (const auto& [name, text] : channel_statuses(gateway)) json.raw(text);
  json.end_array().end_object();
  return json.take();
}

std::map<std::string, ChannelSample> sample_channels(const Gateway& gateway) {
  std::map<std::string, ChannelSample> out;
  for (const auto& channel : gateway.channels()) {
    const Totals totals = totals_of(gateway, *channel);
    ChannelSample& one = out[channel->definition().name];
    one.received = channel->counters().received.total();
    one.sent = totals.sent;
    one.pending = totals.pending;
    const Latency latency = gateway.observer().processing(channel->definition().name);
    if (latency.p99 > 0) {
      one.p50_us = static_cast<std::int64_t>(latency.p50 * 1'000);
      one.p99_us = static_cast<std::int64_t>(latency.p99 * 1'000);
    }
  }
  return out;
}

}  // namespace kiln::engine
