#pragma once
// Alerts of a running engine: rules every ten seconds, notes to their routes, state in DATA/alerts.json.

#include <deque>
#include <memory>

#include "engine/observe/alert_rules.h"
#include "engine/observe/alert_sender.h"

namespace kiln::engine {

/// On the network loop.
class Alerts {
 public:
  struct Parts {
    AlertSettings settings;
    std::vector<AlertRoute> routes;
    AlertTransport transport;
    base::TimerExecutor* home;
    base::Executor* file_work;  ///< writes the state; its thread outlives this object
    const base::Clock* clock;
    base::Env* env;
    std::string file;  ///< DATA/alerts.json
    std::string host;
    std::function<void(const AlertNote&)> told;  ///< each note, for those who watch; may be empty
    LastEnd last_end = LastEnd::none;            ///< of the run before
  };
  /// Reads the state that the last run left.
  explicit Alerts(Parts parts);
  ~Alerts();

  /// About every ten seconds, with gauges that were just collected. `stranded`: what waits for destinations that the site does
  /// not have, by "channel/destination".
  void look(const std::vector<std::string>& reasons, const std::map<std::string, std::uint64_t>& stranded);
  base::Task<void> stop();

  /// {"alerts":[{"id","alert","subject","level","state":"firing"|"ending","since","text","remedy","owner"?,"silent_until"?,"runbook"?,"flapping"}],
  ///  "routes":[{"name","level"}],"waiting":n}
  std::string print() const;
  /// Those whose rule holds now, newest first; valid until the next look().
  std::vector<const Alert*> firing() const;
  /// An operator has said that nobody is told of it for a while.
  bool is_silent(const Alert& alert) const;
  /// {"history":[{"n","id","alert","subject","level","since","until"?,"text","owner"?}],"next"?}: alerts that fired, the newest first;
  /// `before`: only those with a smaller n; 0: from the newest.
  std::string print_history(std::size_t limit, std::uint64_t before) const;
  /// One test note through every route; how many there are.
  std::size_t test();
  /// Errors: bad_value when no alert of that id fires.
  base::Status silence(const std::string& id, base::WallTime until);
  base::Status own(const std::string& id, std::string owner);

 private:
  void save();
  void remember(const AlertNote& note);
  base::Status check(const std::string& id) const;
  Parts parts_;
  AlertRules rules_;
  AlertBook book_;
  AlertSender sender_;
  std::vector<std::int64_t> starts_;  ///< µs, of the last ten minutes
  struct Past {
    std::uint64_t n = 0;
    std::string id, rule, subject, text, owner;
    AlertLevel level = AlertLevel::warn;
    base::WallTime since, until;
  };
  static void write_past(base::JsonWriter& json, const Past& one, bool for_people);
  std::deque<Past> history_;  ///< the newest first
  base::WallTime began_, saved_;
  bool save_due_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace kiln::engine
