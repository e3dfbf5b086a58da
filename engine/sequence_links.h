#pragma once
// Numbered links of one channel (hl7v2.md §10): one message of a link at a time, and the number it leaves is
// durable in the commit of the message itself.

#include <memory>
#include <set>
#include <string>

#include "engine/base/task.h"
#include "engine/journal/journal.h"
#include "hl7/message.h"

namespace kiln::engine {

/// One executor; outlives its tasks.
class SequenceLinks {
 public:
  SequenceLinks(Journal& journal, base::TimerExecutor& executor, std::string channel);
  ~SequenceLinks() { *alive_ = false; }

  /// Reads the states, for states(); enter() does so too.
  base::Task<void> open();

  /// Waits until no other message of the link is under way, and decides. `message` outlives the task. What it gives goes into the message;
  /// leave() must follow. Errors: the states cannot be read.
  base::Task<base::Result<LinkStep>> enter(const hl7::Message* message);
  /// `id`: of the stored message; 0: it was not stored, and the link is where it was.
  void leave(const LinkStep& step, MessageId id);

  /// Lets every frozen link take the next positive number. How many there were.
  base::Task<base::Result<std::size_t>> resume();

  /// None before open() or the first message.
  const LinkStates& states() const { return states_; }

 private:
  base::Task<base::Status> load();
  base::Task<void> lock(std::string link);
  void unlock(const std::string& link);
  std::string link_of(const hl7::Message& message) const;

  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  ///< false: destroyed, perhaps while it reads
  Journal& journal_;
  base::TimerExecutor& executor_;
  const std::string channel_;
  bool loaded_ = false;
  LinkStates states_;
  std::set<std::string> busy_;
  base::Event freed_;
};

}  // namespace kiln::engine
