#pragma once
// Messages that come in several (ADD, DSC; hl7v2.md §10): their fragments are journaled and acknowledged one
// by one, kept until the last is there, and joined.

#include <functional>
#include <string>
#include <vector>

#include "channels/definition.h"
#include "engine/base/task.h"
#include "engine/journal/journal.h"
#include "hl7/reassembler.h"

namespace kiln::engine {

/// Of one channel, on one executor; outlives its tasks.
class Fragments {
 public:
  struct Joined {
    NewMessage message;          ///< the whole, part of its first fragment; no key, no site version yet
    std::vector<MessageId> ids;  ///< its fragments, in order; to be dropped when the message is durable
  };
  /// `take` gets what is complete. `gave_up` is told how many fragments were quarantined, because one is
  /// missing, came without its predecessor, or the whole is larger than `limits.h` allows.
  Fragments(Journal& journal, base::TimerExecutor& executor, const base::Clock& clock,
            const channels::ChannelDefinition& channel, std::function<void(Joined)> take,
            std::function<void(std::size_t)> gave_up);
  ~Fragments() { *alive_ = false; }

  /// Reads what waited at the last stop; the time to wait for the next fragment begins anew. add() does so
  /// too.
  base::Task<void> open();
  /// A fragment that is durable.
  base::Task<void> add(MessageId id);

 private:
  base::Task<void> put(MessageId id);
  void give_up(const hl7::Reassembler::GivenUp& given_up);
  void watch();
  std::int64_t now_ms() const;

  Journal& journal_;
  base::TimerExecutor& executor_;
  const base::Clock& clock_;
  const channels::ChannelDefinition& channel_;
  std::function<void(Joined)> take_;
  std::function<void(std::size_t)> gave_up_;
  hl7::Reassembler reassembler_;
  bool opening_ = false, opened_ = false, watching_ = false;
  base::Event ready_;
  std::vector<MessageId> arrived_;  ///< durable, not put yet: one is put at a time, in order
  bool putting_ = false;
  MessageId last_put_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace kiln::engine
