#pragma once
// How many messages share one commit of the journal (architecture.md section 3).

#include <cstddef>
#include <functional>
#include <memory>

#include "engine/base/executor.h"
#include "engine/journal/journal.h"

namespace kiln::engine {

/// A few messages under way are committed one by one, as fast as the disk goes. When there are more, those that
/// are ready in one turn of the loop share a commit: each commit takes processor time that mapping needs, and
/// the answer of a message that waits for its neighbours comes sooner than behind as many commits.
/// One thread: that of `loop`, which is first in, first out. Both outlive this object.
class CommitPacer {
 public:
  CommitPacer(base::Executor& loop, Journal& journal) : loop_(loop), journal_(journal) {}
  ~CommitPacer();
  CommitPacer(const CommitPacer&) = delete;
  CommitPacer& operator=(const CommitPacer&) = delete;

  /// Journal::append(), now or with its neighbours. answered() follows once for each.
  void append(NewMessage message, std::function<void(base::Result<MessageId>)> done);
  void answered() { --under_way_; }

 private:
  void commit();
  base::Executor& loop_;
  Journal& journal_;
  std::size_t under_way_ = 0, waiting_ = 0;
  bool commit_due_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace kiln::engine
