#pragma once
// The rules of operations.md §7, looked at on the metrics of the process.

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "channels/options.h"
#include "engine/base/calendar.h"
#include "engine/base/env.h"
#include "engine/base/metrics.h"
#include "engine/observe/alert_book.h"
#include "engine/observe/last_end.h"
#include "engine/observe/rate_history.h"

namespace kiln::engine {

/// What a site changes of the rules: `alert queue_age { above 5m; channel "lab_in" }`. Of several that fit, the last stands.
struct AlertSetting {
  std::string rule;     ///< "queue_age"
  std::string channel;  ///< empty: every one
  double above = -1;    ///< in the unit of the rule; < 0: its own
  std::int64_t grace_s = -1;
  std::optional<AlertLevel> level;
  bool off = false;
  std::string runbook;  ///< where it is written what to do
  std::int64_t after_s = 0;  ///< no_traffic
  base::Calendar calendar;         ///< no_traffic: when traffic is expected
};
struct AlertSettings {
  std::vector<AlertSetting> settings;
  base::TimeZone zone = *base::TimeZone::find("UTC");
};
/// The `alert` blocks of a checked server block. Errors: bad_value with the block as place; those of reading the file of holidays,
/// which is relative to `site`.
base::Result<AlertSettings> read_alert_settings(const channels::Options& server, const std::string& site, base::Env& env);
/// Names that an `alert` block can have: "queue_age".
std::vector<std::string> alert_names();

/// Remembers the counters of the last ten minutes. One thread.
class AlertRules {
 public:
  explicit AlertRules(AlertSettings settings) : settings_(std::move(settings)) {}
  /// What holds now. `reasons`: why the engine is not ready.
  std::vector<AlertCondition> look(const base::Metrics& metrics, const std::vector<std::string>& reasons, base::WallTime wall,
                                   base::MonoTime mono);
  /// Starts of the engine in the last ten minutes, this one included.
  void set_recent_starts(std::size_t count) { recent_starts_ = count; }
  /// Messages that wait for destinations which the site does not have, by "channel/destination".
  void set_stranded(std::map<std::string, std::uint64_t> stranded) { stranded_ = std::move(stranded); }
  /// How the run before ended; alerts about it hold for ten minutes.
  void set_last_end(LastEnd end) { last_end_ = end; }
  RateHistory& rates() { return rates_; }
  const RateHistory& rates() const { return rates_; }

 private:
  struct Rule;
  static const std::vector<Rule>& rules();
  friend std::vector<std::string> alert_names();
  using Values = std::map<std::string, double>;  ///< by subject
  Values values(const Rule& rule, const base::Metrics& metrics, base::WallTime wall, base::MonoTime mono);
  Values increase(const Rule& rule, const base::Metrics& metrics, base::MonoTime mono);
  void add_no_traffic(const base::Metrics& metrics, base::WallTime wall, std::vector<AlertCondition>& out) const;
  void add_down(const base::Metrics& metrics, std::vector<AlertCondition>& out) const;
  void add_source(const std::string& channel, double state, std::vector<AlertCondition>& out) const;
  void add_error_acks(const base::Metrics& metrics, base::MonoTime mono, std::vector<AlertCondition>& out);
  void add_stranded(std::vector<AlertCondition>& out) const;
  void add_engine(const std::vector<std::string>& reasons, std::vector<AlertCondition>& out) const;
  void add_rate_drop(const base::Metrics& metrics, base::WallTime wall, base::MonoTime mono, std::vector<AlertCondition>& out);
  void adjust(std::string_view rule, AlertCondition& condition) const;
  const AlertSetting* setting(std::string_view rule, const std::string& subject) const;

  AlertSettings settings_;
  struct Sample {
    base::MonoTime at;
    Values values;
  };
  std::map<std::string, std::deque<Sample>> history_;  ///< by rule
  std::size_t recent_starts_ = 1;
  std::map<std::string, std::uint64_t> stranded_;
  LastEnd last_end_ = LastEnd::none;
  RateHistory rates_;
};

}  // namespace kiln::engine
