#include "engine/observe/observer.h"

#include <unistd.h>

#include <climits>
#include <cmath>

#include "engine/admin/events.h"
#include "engine/base/json.h"
#include "engine/base/log.h"
#include "engine/base/log_writer.h"
#include "engine/base/text.h"
#include "engine/gateway.h"
#include "engine/limits.h"
#include "engine/observe/process_metrics.h"
#include "engine/security/random_key.h"
#include "engine/version.h"

namespace kiln::engine {

using base::Metric;
using base::Metrics;
using base::Safe;
using std::chrono::seconds;

namespace {
constexpr std::uint64_t kLookSeconds = 10;   ///< figures and alerts
constexpr std::uint64_t kCountSeconds = 60;  ///< what the journal has to be asked for
}

Observer::Observer(Gateway& gateway, base::Env& env, Notifier notifier, std::int64_t watchdog_us)
    : gateway_(gateway),
      env_(env),
      notifier_(std::move(notifier)),
      watchdog_us_(watchdog_us),
      health_(gateway.clock()),
      start_(gateway.clock().wall()),
      clock_mono_(gateway.clock().mono()),
      clock_wall_(start_),
      open_answered_(gateway.executor()) {
  gateway_.executor().post([this, alive = alive_] {
    if (*alive) tick();
  });
}

Observer::~Observer() {
  *alive_ = false;
}

/// "127.0.0.1:9464" or "[::1]:9464".
base::Status Observer::listen(base::Network& network) {
  const std::string address = gateway_.site().server.block("health").text("listen");
  if (address.empty()) return {};
  const auto colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const auto port = static_cast<std::uint16_t>(std::stoul(address.substr(colon + 1)));
  struct Handler {
    static base::Task<base::HttpResponse> serve(Observer* observer, base::HttpRequest request) {
      auto answer = observer->answer(request);
      if (answer) co_return *answer;
      base::HttpResponse unknown;
      unknown.status = 404;
      unknown.headers.set("Content-Type", "text/plain; charset=UTF-8");
      unknown.body = "there are /healthz, /readyz, /startupz and /metrics\n";
      co_return unknown;
    }
  };
  auto handler = [this](base::HttpRequest request) { return Handler::serve(this, std::move(request)); };
  TRY(server_, channels::HttpServer::start(network, host, port, handler));
  return {};
}

base::Status Observer::start_traces(base::Network& network) {
  const channels::Site& site = gateway_.site();
  if (!site.server.has("trace")) return {};
  Traces::Parts parts;
  parts.settings = read_trace_settings(site.server);
  if (!channels::HttpUrl::parse(parts.settings.url))
    return base::fail(base::ErrorCode::bad_value, "this is no URL", "trace { url }", "http://127.0.0.1:4318/v1/traces");
  // Numbers of messages begin at 1 in every installation; their traces must not be the same.
  constexpr std::size_t kSeedBytes = 16;
  const std::string file = base::join_path(site.data_folder, "trace.seed");
  if (auto kept = env_.read_file(file, 2 * kSeedBytes); kept && kept->size() == 2 * kSeedBytes) {
    parts.seed = std::move(*kept);
  } else {
    TRY(const std::string key, random_key(kSeedBytes));
    parts.seed = base::hex(key);
    TRY_VOID(env_.write_file_atomic(file, parts.seed));
  }
  char host[HOST_NAME_MAX + 1] = {};
  if (::gethostname(host, sizeof host - 1) == 0) parts.host = host;
  parts.version = kVersion;
  parts.home = &gateway_.executor();
  parts.clock = &gateway_.clock();
  parts.send = trace_transport(network, parts.settings);
  traces_ = std::make_unique<Traces>(std::move(parts));
  use_traces(traces_.get());
  return {};
}

base::Status Observer::start_alerts(base::Network& network, base::Executor& file_work) {
  const channels::Site& site = gateway_.site();
  Alerts::Parts parts;
  TRY(parts.settings, read_alert_settings(site.server, site.folder, env_));
  TRY(parts.routes, read_alert_routes(site.server));
  parts.transport = alert_transport(network, gateway_.clock());
  parts.home = &gateway_.executor();
  parts.file_work = &file_work;
  parts.clock = &gateway_.clock();
  parts.env = &env_;
  parts.file = base::join_path(site.data_folder, "alerts.json");
  parts.last_end = gateway_.last_end();
  if (parts.last_end == LastEnd::fsync || parts.last_end == LastEnd::watchdog)
    Metrics::process().counter(Metric::failstop_total, {Safe::name(name_of(parts.last_end))}).add();
  char host[HOST_NAME_MAX + 1] = {};
  if (::gethostname(host, sizeof host - 1) == 0) parts.host = host;
  // To the consoles that listen; the first is told on the loop, when the admin API is open.
  parts.told = [this](const AlertNote& note) {
    base::JsonWriter json;
    json.begin_object().member("id", note.id()).member("name", note.condition.rule);
    json.member("state", name_of(note.what)).member("text", note.condition.text).end_object();
    gateway_.admin().events().publish("alert", json.str());
  };
  alerts_ = std::make_unique<Alerts>(std::move(parts));
  return {};
}

/// systemd allows a start 90 s; a long recovery asks for more, a little at a time.
void Observer::step(const char* what, int percent) {
  constexpr std::int64_t kMoreMicros = 60'000'000;
  health_.step(what, percent);
  notifier_.extend(kMoreMicros, what);
}

void Observer::started() {
  health_.started();
  ask_open_books();
  notifier_.ready("serving " + std::to_string(gateway_.channels().size()) + " channels");
}

void Observer::stopping() {
  health_.reason("draining", true);
  notifier_.stopping();
}

void Observer::reloading() {
  notifier_.reloading(std::chrono::duration_cast<std::chrono::microseconds>(gateway_.clock().mono()).count());
}

void Observer::reloaded(bool ok) {
  notifier_.ready(ok ? "serving, site reloaded" : "serving, the reload was refused");
}

base::Task<void> Observer::stop() {
  stopped_ = true;
  if (alerts_) co_await alerts_->stop();
  if (traces_) co_await traces_->stop();
  if (server_) co_await server_->stop();
}

/// Once a second. The sign of life goes out only when every part gave one: a stuck thread brings the restart.
void Observer::tick() {
  health_.beat();
  look_at_clock();
  base::process_log().tick();
  if (SqliteJournal* journal = gateway_.sqlite_journal()) {
    health_.reason("journal not writable", !journal->is_writable());
    if (!journal->is_writable()) journal->probe();
    if (health_.has_started() && !stopped_) look_at_books();
  }
  // The first look is what later ones are compared with: right after the start, not when much has happened.
  const bool first = !looked_ && health_.has_started();
  looked_ = looked_ || first;
  if (++ticks_ % kLookSeconds == 0 || first) {
    sample();
    const bool due = !is_much_open() || ticks_ % kCountSeconds == kLookSeconds;
    if (due && health_.has_started() && !stopped_) ask_open_books();
    if (alerts_ && health_.has_started() && !stopped_) {
      collect();
      alerts_->look(health_.reasons(), open_books_.stranded);
    }
  }
  if (watchdog_us_ > 0 && health_.stuck().empty()) notifier_.watchdog();
  if (!health_.has_started()) step(health_.step_name(), health_.percent());
  if (stopped_) return;
  gateway_.executor().post_after(seconds(1), [this, alive = alive_] {
    if (*alive) tick();
  });
}

void Observer::look_at_clock() {
  const base::MonoTime mono = gateway_.clock().mono();
  const base::WallTime wall = gateway_.clock().wall();
  const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(mono - clock_mono_).count();
  const std::int64_t step = wall.micros - clock_wall_.micros - passed;
  if (std::abs(step) > limits::kClockStepMs * 1000) {
    Metrics::process().counter(Metric::clock_step_total).add();
    base::log(base::LogLevel::warn, "clock-step", {{"by_ms", step / 1000}});
  }
  clock_mono_ = mono;
  clock_wall_ = wall;
}

/// What each queue counts itself; nothing while something is on its way between a queue and the journal.
std::optional<std::map<std::string, std::int64_t>> Observer::quiet_queues() const {
  std::map<std::string, std::int64_t> out;
  for (const auto& channel : gateway_.channels()) {
    if (!channel->is_quiet()) return std::nullopt;
    for (const auto& queue : channel->queues()) {
      if (queue->unrecorded() != 0) return std::nullopt;
      out[channel->definition().name + "/" + queue->name()] = static_cast<std::int64_t>(queue->pending());
    }
  }
  return out;
}

/// The journal and the queues count what waits each for themselves. They are compared when nothing is between them; under
/// load the last comparison stands.
void Observer::look_at_books() {
  auto queues = quiet_queues();
  if (!queues || std::exchange(books_asked_, true)) return;
  auto compare = [this, before = std::move(*queues)](const std::map<std::string, std::int64_t>& waiting) {
    books_asked_ = false;
    if (quiet_queues() != before) return;
    std::int64_t off = 0;
    for (const auto& [key, count] : before) {
      const auto found = waiting.find(key);
      off += std::abs(count - (found == waiting.end() ? 0 : found->second));
    }
    Metrics::process().gauge(Metric::books_imbalance).set(static_cast<double>(off));
  };
  gateway_.sqlite_journal()->read_waiting(
      [compare, alive = alive_, home = &gateway_.executor()](std::map<std::string, std::int64_t> waiting) {
        home->post([compare, alive, waiting = std::move(waiting)] {
          if (*alive) compare(waiting);
        });
      });
}

void Observer::ask_open_books() {
  if (open_asked_ > 0) return;
  open_asked_ = 2;
  count_quarantine();
  auto told = [this, alive = alive_, home = &gateway_.executor()](std::map<std::string, std::int64_t> waiting) {
    home->post([this, alive, waiting = std::move(waiting)] {
      if (*alive) count_stranded(waiting);
    });
  };
  gateway_.sqlite_journal()->read_waiting(std::move(told));
}

/// A large quarantine takes a while to count: once a minute is enough then, whoever asks.
bool Observer::is_much_open() const {
  constexpr std::uint64_t kMuch = 1'000;
  std::uint64_t open = 0;
  for (const auto& [address, count] : open_books_.quarantined) open += count;
  return open >= kMuch;
}

base::Task<void> Observer::look_at_open_books() {
  if (!health_.has_started() || stopped_ || is_much_open()) co_return;
  constexpr std::chrono::milliseconds kMost(500);
  ask_open_books();
  const base::MonoTime until = gateway_.clock().mono() + kMost;
  while (open_asked_ > 0 && gateway_.clock().mono() < until) co_await open_answered_.wait(kMost);
}

/// The journal knows what is set aside; it is asked where searches run. The read may end after this observer: it uses the gateway
/// alone, which waits for its threads.
void Observer::count_quarantine() {
  gateway_.reader_executor().post([this, gateway = &gateway_, alive = alive_, home = &gateway_.executor()] {
    auto reader = gateway->journal_reader();
    std::optional<std::map<std::string, std::uint64_t>> counts;
    if (reader)
      if (auto read = (*reader)->open_quarantine()) counts = std::move(*read);
    home->post([this, alive, counts = std::move(counts)] {
      if (!*alive) return;
      if (--open_asked_ == 0) open_answered_.notify();
      if (!counts) return;
      std::map<std::string, std::uint64_t> channels;
      for (const auto& channel : gateway_.channels()) channels[channel->definition().name];
      for (const auto& [address, count] : open_books_.quarantined) channels[address.substr(0, address.find('/'))];
      for (const auto& [address, count] : *counts) channels[address.substr(0, address.find('/'))] += count;
      for (const auto& [name, count] : channels) Metrics::process().gauge(Metric::quarantine_open, {Safe::name(name)}).set(count);
      open_books_.quarantined = *counts;
    });
  });
}

/// Of all that waits, what nobody serves.
void Observer::count_stranded(const std::map<std::string, std::int64_t>& waiting) {
  if (--open_asked_ == 0) open_answered_.notify();
  std::map<std::string, std::uint64_t> left;
  for (const auto& [address, count] : waiting)
    if (count > 0) left[address] = static_cast<std::uint64_t>(count);
  for (const auto& channel : gateway_.channels()) {
    for (const auto& destination : channel->definition().destinations) left.erase(channel->definition().name + "/" + destination.name);
    for (const auto& queue : channel->queues()) left.erase(channel->definition().name + "/" + queue->name());
  }
  open_books_.stranded = std::move(left);
}

void Observer::sample() {
  Metrics& all = Metrics::process();
  decltype(latency_) still;
  for (const auto& channel : gateway_.channels()) {
    const std::string& name = channel->definition().name;
    auto add = [&](const std::string& destination, const base::Histogram& histogram) {
      auto& window = still[{name, destination}];
      window = std::move(latency_[{name, destination}]);
      window.add(histogram.counts());
    };
    add("", all.histogram(Metric::processing_seconds, {Safe::name(name)}));
    for (const auto& queue : channel->queues())
      add(queue->name(), all.histogram(Metric::delivery_seconds, {Safe::name(name), Safe::name(queue->name())}));
  }
  // A channel that a reload took away is not shown any more.
  for (const auto& [key, window] : latency_)
    if (key.second.empty() && !still.contains(key)) all.retire("channel", key.first);
  latency_ = std::move(still);
}

Latency Observer::latency(const std::string& destination, const std::string& channel) const {
  const auto found = latency_.find({channel, destination});
  return found == latency_.end() ? Latency() : found->second.latency();
}

std::optional<base::HttpResponse> Observer::answer(const base::HttpRequest& request) {
  const std::string_view path = request.path();
  if (request.method != "GET" && request.method != "HEAD") return std::nullopt;
  if (path != "/metrics") return health_.answer(path);
  collect();
  base::HttpResponse response;
  response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  response.headers.set("Cache-Control", "no-store");
  response.body = Metrics::process().print() + print_process_metrics(start_);
  return response;
}

}  // namespace kiln::engine
