#pragma once
// The engine looking at itself: health, figures of the dashboard, gauges that are asked for and not written. One a gateway, on
// its network loop.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "channels/net/http_server.h"
#include "engine/base/env.h"
#include "engine/base/task.h"
#include "engine/observe/alerts.h"
#include "engine/observe/disk_forecast.h"
#include "engine/observe/figures.h"
#include "engine/observe/health.h"
#include "engine/observe/notify.h"
#include "engine/observe/traces.h"

namespace kiln::engine {

class Gateway;

/// What the journal holds that needs somebody.
struct OpenBooks {
  std::map<std::string, std::uint64_t> quarantined;  ///< nobody has decided; by "channel/destination", "channel/-": as a whole
  std::map<std::string, std::uint64_t> stranded;     ///< wait for a destination that the site does not have
};

class Observer {
 public:
  /// `gateway` outlives it. `watchdog_us`: how often systemd wants a sign of life; 0: not at all.
  Observer(Gateway& gateway, base::Env& env, Notifier notifier, std::int64_t watchdog_us);
  ~Observer();

  Health& health() { return health_; }
  const Health& health() const { return health_; }
  /// Listens on `health { listen }` of the site, when it has one. Before the recovery, so that /startupz can answer.
  base::Status listen(base::Network& network);
  /// Makes traces when the site has `trace`. Errors: of the file that keeps their seed; bad_value for an address that is none.
  base::Status start_traces(base::Network& network);
  /// Reads `alert` and `notify` of the site. Errors name the block.
  base::Status start_alerts(base::Network& network, base::Executor& file_work);
  /// nullptr before start_alerts().
  Alerts* alerts() { return alerts_.get(); }
  const Alerts* alerts() const { return alerts_.get(); }
  /// As the journal was asked last, at most a minute ago.
  const OpenBooks& open_books() const { return open_books_; }
  /// Asks the journal now; ends when it has answered, or after half a second.
  base::Task<void> look_at_open_books();
  /// What the start does now; also told to systemd, with the time it may still take.
  void step(const char* what, int percent);
  void started();
  void stopping();
  /// A reload begins, ends.
  void reloading();
  void reloaded(bool ok);
  /// Ends the timers and the listener.
  base::Task<void> stop();

  /// The answer to GET /metrics, /healthz, /readyz or /startupz, for any listener; nothing for another path.
  std::optional<base::HttpResponse> answer(const base::HttpRequest& request);

  /// Of the last minutes: from receipt to acknowledgement of a channel; from receipt to delivery at a destination.
  Latency processing(const std::string& channel) const { return latency("", channel); }
  Latency delivery(const std::string& channel, const std::string& destination) const { return latency(destination, channel); }
  base::WallTime start_time() const { return start_; }
  /// Writes the gauges; before they are read.
  void collect();

 private:
  void tick();
  void sample();
  Latency latency(const std::string& destination, const std::string& channel) const;
  void look_at_clock();
  std::optional<std::map<std::string, std::int64_t>> quiet_queues() const;
  void look_at_books();
  void ask_open_books();
  bool is_much_open() const;
  void count_quarantine();
  void count_stranded(const std::map<std::string, std::int64_t>& waiting);
  bool is_served(const std::string& address) const;
  void collect_channels();
  void collect_journal();
  void collect_site();

  Gateway& gateway_;
  base::Env& env_;
  Notifier notifier_;
  std::int64_t watchdog_us_;
  Health health_;
  base::WallTime start_;
  std::map<std::pair<std::string, std::string>, LatencyWindow> latency_;  ///< by channel and destination; "": the channel
  std::unique_ptr<channels::HttpServer> server_;
  std::unique_ptr<Alerts> alerts_;
  std::unique_ptr<Traces> traces_;
  DiskForecast forecast_;
  std::string site_seen_;  ///< hash of the version that collect_site() looked at
  std::uint64_t ticks_ = 0;
  base::MonoTime clock_mono_{0};
  base::WallTime clock_wall_;
  bool looked_ = false;
  bool books_asked_ = false;
  OpenBooks open_books_;
  std::size_t open_asked_ = 0;  ///< questions about them that are under way
  base::Event open_answered_;
  std::set<std::string> gone_;  ///< addresses of `stranded` that collect() has shown
  bool stopped_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace kiln::engine
