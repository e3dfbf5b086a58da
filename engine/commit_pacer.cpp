#include "engine/commit_pacer.h"

#include <utility>

#include "engine/base/limits.h"

namespace kiln::engine {

CommitPacer::~CommitPacer() {
  *alive_ = false;
}

void CommitPacer::append(NewMessage message, std::function<void(base::Result<MessageId>)> done) {
  if (++under_way_ <= base::limits::kCommittedAloneMax)
    return journal_.append(std::move(message), std::move(done));
  journal_.append_with_next(std::move(message), std::move(done));
  if (++waiting_ >= base::limits::kPacedCommitMax) return commit();
  if (std::exchange(commit_due_, true)) return;
  loop_.post([this, alive = alive_] {
    if (!*alive) return;
    commit_due_ = false;
    commit();
  });
}

void CommitPacer::commit() {
  if (std::exchange(waiting_, 0) > 0) journal_.flush();
}

}  // namespace kiln::engine
