#pragma once
// What operators (`pause`, `stop`) and policies (`nak … block`) hold back, durable over restarts.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/executor.h"
#include "engine/journal/journal.h"

namespace kiln::engine {

class ChannelRuntime;

/// Home executor only. Subjects: "channel:X" (paused: it keeps accepting and does not deliver), "source:X"
/// (stopped: its listener is closed), "reading:X" (paused: it stays connected and reads nothing; "source:X" paused in
/// journals of before), "destination:X/Y" (paused), "blocks:X/Y" (blocked: the messages named in its reason).
class Holds {
 public:
  /// All references outlive it.
  Holds(Journal& journal, base::TimerExecutor& executor, const base::Clock& clock, const std::vector<Hold>& at_start);
  ~Holds() { *alive_ = false; }

  /// Before a channel is started: what is held of it, and who is told of blocks from now on. This object
  /// outlives it.
  void attach(ChannelRuntime& channel);
  /// `done` is called on the home executor, with what became of the record. A failed one is as it was before.
  void set(const std::string& subject, HoldState state, std::string by, std::string reason,
           std::function<void(base::Status)> done);
  /// nullptr: it is not held.
  const Hold* find(const std::string& subject) const;
  const std::map<std::string, Hold>& all() const { return holds_; }

 private:
  void note_blocks(const std::string& address, const std::set<MessageId>& blocked);
  void put(const Hold& hold);
  void keep(Hold hold);
  Journal& journal_;
  base::TimerExecutor& executor_;
  const base::Clock& clock_;
  std::map<std::string, Hold> holds_;  ///< by subject
  std::map<std::string, std::uint64_t> words_;  ///< how often a subject was set: the newest word counts
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// "12 15" -> the numbers.
std::set<MessageId> read_numbers(std::string_view text);

}  // namespace kiln::engine
