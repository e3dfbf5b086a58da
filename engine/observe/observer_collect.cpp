// Gauges that nobody writes as things happen: they are looked up when somebody asks for them.

#include <sys/statvfs.h>

#include "engine/base/log.h"
#include "engine/base/log_writer.h"
#include "engine/gateway.h"
#include "engine/observe/observer.h"
#include "engine/security/certificates.h"
#include "engine/security/insecure_settings.h"
#include "engine/version.h"

namespace kiln::engine {

using base::Metric;
using base::Metrics;
using base::Safe;

namespace {

constexpr double kMicrosASecond = 1e6;
constexpr double kPaused = 3;  ///< a connection_state

double seconds(base::WallTime time) {
  return static_cast<double>(time.micros) / kMicrosASecond;
}

double state_value(const channels::ConnectorStatus& status) {
  return static_cast<double>(status.state);  // in the order of operations.md §4
}

void collect_source(Metrics& all, const std::string& name, const ChannelRuntime& runtime) {
  const Safe channel = Safe::name(name);
  const channels::ConnectorStatus source = runtime.source_status();
  const ChannelState state = runtime.state();
  const bool held = state == ChannelState::stopped || state == ChannelState::draining;  // as an operator has said
  all.gauge(Metric::connection_state, {channel, "-"}).set(held ? kPaused : state_value(source));
  all.gauge(Metric::connections_open, {channel}).set(source.connections);
  all.counter(Metric::connections_refused_total, {channel, "full"}).set_total(source.refused_connections);
}

void collect_listener(Metrics& all, const char* name, const std::optional<channels::HttpServerStatus>& status) {
  if (!status) return;
  all.gauge(Metric::connections_open, {Safe::name(name)}).set(status->connections);
  all.counter(Metric::connections_refused_total, {Safe::name(name), "full"}).set_total(status->refused_connections);
}

void collect_queue(Metrics& all, const std::string& name, const DeliveryQueue& queue, base::WallTime now) {
  const Safe channel = Safe::name(name), destination = Safe::name(queue.name());
  const QueueStatus status = queue.status();
  all.gauge(Metric::messages_pending, {channel, destination}).set(status.pending);
  // Outside of its hours nothing is late.
  const double age = status.oldest.micros == 0 || !status.closed.empty() ? 0 : std::max(0.0, seconds(now) - seconds(status.oldest));
  all.gauge(Metric::oldest_pending_age_seconds, {channel, destination}).set(age);
  all.gauge(Metric::in_doubt, {channel, destination}).set(status.in_doubt);
  if (status.last_sent.micros != 0)
    all.gauge(Metric::last_sent_timestamp_seconds, {channel, destination}).set(seconds(status.last_sent));
  all.gauge(Metric::connection_state, {channel, destination}).set(status.paused || !status.closed.empty() ? kPaused : state_value(queue.connector_status()));
}

/// Of a destination without a queue: the last figures of the queue it had say nothing any more.
void set_pending(Metrics& all, const std::string& address, std::uint64_t count) {
  const auto slash = address.find('/');
  const std::string name = address.substr(0, slash), short_name = address.substr(slash + 1);
  const Safe channel = Safe::name(name), destination = Safe::name(short_name);
  all.gauge(Metric::messages_pending, {channel, destination}).set(count);
  all.gauge(Metric::oldest_pending_age_seconds, {channel, destination}).set(0.0);
  all.gauge(Metric::in_doubt, {channel, destination}).set(std::uint64_t{0});
  all.gauge(Metric::connection_state, {channel, destination}).set(kPaused);
}

}  // namespace

bool Observer::is_served(const std::string& address) const {
  for (const auto& channel : gateway_.channels())
    for (const auto& queue : channel->queues())
      if (channel->definition().name + "/" + queue->name() == address) return true;
  return false;
}

void Observer::collect() {
  collect_channels();
  collect_journal();
  collect_site();
}

void Observer::collect_channels() {
  Metrics& all = Metrics::process();
  const base::WallTime now = gateway_.clock().wall();
  for (const auto& channel : gateway_.channels()) {
    const std::string& name = channel->definition().name;
    collect_source(all, name, *channel);
    if (const auto last = channel->counters().last_received; last.micros != 0)
      all.gauge(Metric::last_received_timestamp_seconds, {Safe::name(name)}).set(seconds(last));
    for (const auto& queue : channel->queues()) collect_queue(all, name, *queue, now);
  }
  // What waits for a destination that a reload took away waits all the same.
  std::set<std::string> gone = std::exchange(gone_, {});
  for (const auto& [address, count] : open_books_.stranded) {
    gone.erase(address);
    gone_.insert(address);
    set_pending(all, address, count);
  }
  for (const std::string& address : gone)
    if (!is_served(address)) set_pending(all, address, 0);
  // A channel that a reload removed is not down.
  for (const auto& sample : all.read(Metric::connection_state)) {
    std::string channel, destination;
    for (const auto& [label, value] : sample.labels) (label == "channel" ? channel : destination) = value;
    const bool is_gone = std::none_of(gateway_.channels().begin(), gateway_.channels().end(),
                                      [&channel](const auto& one) { return one->definition().name == channel; });
    if (is_gone) all.gauge(Metric::connection_state, {Safe::name(channel), Safe::name(destination)}).clear();
  }
  if (AdminService* admin = gateway_.admin_if_open()) {
    collect_listener(all, "console", admin->console_status());
    admin->collect_accounts();
  }
  all.gauge(Metric::inflight_bytes).set(static_cast<std::uint64_t>(gateway_.budget().used()));
}

void Observer::collect_journal() {
  Metrics& all = Metrics::process();
  const std::string& data = gateway_.site().data_folder;
  if (SqliteJournal* journal = gateway_.sqlite_journal()) all.gauge(Metric::journal_rows).set(journal->last_id());
  if (const IndexService* index = gateway_.index()) all.gauge(Metric::index_lag_seconds).set(index->lag_seconds());
  all.counter(Metric::log_dropped_total).set_total(base::process_log().dropped());
  if (const auto at = read_done(env_, data, kBackupMark)) all.gauge(Metric::backup_last_success_timestamp_seconds).set(seconds(*at));
  // The engine looks at all checksums itself, too: the later counts.
  base::Gauge& scrubbed = all.gauge(Metric::scrub_last_full_timestamp_seconds);
  if (const auto at = read_done(env_, data, kVerifyMark)) scrubbed.set(std::max(seconds(*at), scrubbed.value().value_or(0)));
  std::uint64_t bytes = 0;
  if (const auto files = env_.list(base::join_path(data, "journal")))
    for (const auto& file : *files) bytes += file.size;
  all.gauge(Metric::journal_bytes).set(bytes);
  struct statvfs disk {};
  if (::statvfs(data.c_str(), &disk) != 0) return;
  const auto free_bytes = static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize);
  all.gauge(Metric::journal_disk_free_bytes).set(free_bytes);
  forecast_.add(gateway_.clock().mono(), static_cast<double>(bytes));
  const auto full_in = forecast_.seconds_until(free_bytes);
  if (full_in)
    all.gauge(Metric::journal_disk_full_seconds).set(*full_in);
  else
    all.gauge(Metric::journal_disk_full_seconds).clear();
}

/// What the files of the site say; looked at again when another version is in use.
void Observer::collect_site() {
  Metrics& all = Metrics::process();
  const channels::Site& site = gateway_.site();
  const auto& reloads = gateway_.reloads().state();
  all.counter(Metric::config_reload_total, {"ok"}).set_total(reloads.applied);
  all.counter(Metric::config_reload_total, {"failed"}).set_total(reloads.refused);
  if (site.hash == site_seen_) return;
  if (!site_seen_.empty()) all.retire("version", site_seen_);
  site_seen_ = site.hash;
  all.gauge(Metric::config_version_info, {Safe::name(site.hash)}).set(1.0);
  all.gauge(Metric::build_info, {Safe::name(kVersion)}).set(1.0);
  all.gauge(Metric::start_time_seconds).set(seconds(start_));
  all.gauge(Metric::durability_relaxed).set(site.server.block("journal").text("durability") == "relaxed" ? 1.0 : 0.0);
  for (const CertificateInfo& one : certificates_of(site))
    all.gauge(Metric::tls_cert_expiry_timestamp_seconds, {Safe::name(one.where)}).set(seconds(one.expires));
  for (const auto& sample : all.read(Metric::insecure_setting)) all.retire("key", sample.labels.at("key"));
  for (const InsecureSetting& one : insecure_settings(site)) all.gauge(Metric::insecure_setting, {Safe::name(one.place)}).set(1.0);
}

}  // namespace kiln::engine
