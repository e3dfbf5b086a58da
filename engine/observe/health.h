#pragma once
// Whether the engine has started, lives and may take messages (operations.md §5). No names and no content: the answers need no
// login. A dead destination never turns any of them red.

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/executor.h"
#include "engine/base/http_message.h"

namespace kiln::engine {

/// Used on the network loop; watch() and step() also before it runs.
class Health {
 public:
  explicit Health(const base::Clock& clock) : clock_(clock) {}

  /// A thread whose progress is looked at; it outlives this object or is idle when it is destroyed.
  void watch(const char* part, base::Executor& executor);
  /// Asks every part for a sign of life. About once a second.
  void beat();

  /// What the start is doing, and how far it is in percent.
  void step(const char* what, int percent);
  void started() { started_ = true; }
  bool has_started() const { return started_; }
  /// A reason not to take messages now; set again and again as things are.
  void reason(const char* why, bool applies);

  /// Parts without progress for limits::kStuckMs.
  std::vector<std::string> stuck() const;
  std::vector<std::string> reasons() const;
  const char* step_name() const { return step_; }
  int percent() const { return percent_; }

  /// The answer to GET /startupz, /healthz or /readyz; nothing for another path.
  std::optional<base::HttpResponse> answer(std::string_view path) const;

 private:
  struct Part {
    const char* name;
    base::Executor* executor;
    base::MonoTime asked;  ///< when the sign that is awaited was asked for
    std::shared_ptr<std::atomic<bool>> answered;
  };
  const base::Clock& clock_;
  std::vector<Part> parts_;
  std::map<std::string, bool> reasons_;
  const char* step_ = "opening the data folder";
  int percent_ = 0;
  bool started_ = false;
};

}  // namespace kiln::engine
