#pragma once
// Which alerts fire (operations.md §7): a rule must hold for its time before it fires, and must be good for twice that before it
// ends; one notification at the start, one at the end; what changes too often becomes one "flapping" alert.

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "engine/base/result.h"

namespace kiln::engine {

enum class AlertLevel : std::uint8_t { warn, page };
const char* name_of(AlertLevel level);

/// A rule that holds now, for one channel, destination or setting. Texts carry counts and configured names only.
struct AlertCondition {
  std::string rule;     ///< "QueueAge"
  std::string subject;  ///< "lab_in/pas", "lab_in", "http", or empty: the engine
  AlertLevel level = AlertLevel::warn;
  std::string text;    ///< one line: what is wrong, with its numbers
  std::string remedy;  ///< one line: what a human can do
  std::chrono::seconds grace{0};
  std::string runbook = {};  ///< where the site says what to do; may be empty
};

struct Alert {
  enum class State : std::uint8_t { waiting, firing, ending };
  AlertCondition condition;
  State state = State::waiting;
  base::WallTime since;     ///< when the rule began to hold
  base::MonoTime changed;   ///< of the state, for the grace
  bool flapping = false;
  std::deque<base::MonoTime> changes;  ///< starts and ends of the last hour
  std::string id() const { return condition.rule + (condition.subject.empty() ? "" : ":" + condition.subject); }
};

/// What goes out.
struct AlertNote {
  enum class What : std::uint8_t { start, end, flapping, test } what = What::start;
  AlertCondition condition;
  base::WallTime since, at;
  std::string owner;
  std::string id() const { return condition.rule + (condition.subject.empty() ? "" : ":" + condition.subject); }
};
const char* name_of(AlertNote::What what);

struct AlertHandling {
  std::string owner;
  base::WallTime silent_until;  ///< 0: not silent
};

/// One thread.
class AlertBook {
 public:
  /// What holds now; everything else does not. Notes in the order in which they are to go out.
  std::vector<AlertNote> look(const std::vector<AlertCondition>& conditions, base::WallTime wall, base::MonoTime mono);
  /// By id; firing first, newest first.
  std::vector<const Alert*> alerts() const;
  const AlertHandling* handling(const std::string& id) const;
  void silence(const std::string& id, base::WallTime until) { handling_[id].silent_until = until; }
  void own(const std::string& id, std::string owner) { handling_[id].owner = std::move(owner); }

  /// Firing alerts and what operators said of them, to be kept over a restart: what fired and still holds is not told again.
  void write(base::JsonWriter& json) const;
  void read(base::JsonView json, base::MonoTime mono);

 private:
  std::optional<AlertNote> begin(Alert& alert, base::WallTime wall, base::MonoTime mono);
  std::optional<AlertNote> end(Alert& alert, base::WallTime wall, base::MonoTime mono);
  std::optional<AlertNote> changed(Alert& alert, AlertNote::What what, base::WallTime wall, base::MonoTime mono);
  bool is_silent(const std::string& id, base::WallTime now) const;
  std::map<std::string, Alert> alerts_;
  std::map<std::string, AlertHandling> handling_;
};

}  // namespace kiln::engine
