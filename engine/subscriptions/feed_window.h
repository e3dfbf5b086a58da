#pragma once
// The newest changes of the store, read once for all who follow it: a thousand subscriptions cost one read a change, not a
// thousand.

#include <deque>
#include <memory>

#include "channels/feed.h"
#include "engine/base/executor.h"
#include "engine/base/task.h"

namespace kiln::engine {

/// Home executor only; outlives its readers.
class FeedWindow {
 public:
  using Batch = std::shared_ptr<const channels::ChangeBatch>;

  /// `feed` outlives this.
  FeedWindow(channels::ChangeFeed& feed, base::TimerExecutor& home) : feed_(feed), changed_(home) {}

  /// Some changes behind `after`, in order and without a gap; the batch may begin with changes that are not behind it.
  /// Empty when `wait_ms` ended without one, or when everybody was woken: ask again. Errors: those of the feed, told to one
  /// of those who wait.
  base::Task<base::Result<Batch>> read(std::uint64_t after, std::int64_t wait_ms);

  /// Reads of the store so far.
  std::uint64_t feed_reads() const { return feed_reads_; }

 private:
  /// The changes of `batch` follow `after`, all of them up to batch->read_up_to.
  struct Piece {
    std::uint64_t after = 0;
    Batch batch;
    std::size_t bytes = 0;
  };
  Batch find(std::uint64_t after) const;
  void keep(std::uint64_t after, Batch batch);
  void clear();
  base::Task<base::Result<Batch>> read_feed(std::uint64_t after, std::int64_t wait_ms);

  channels::ChangeFeed& feed_;
  base::Event changed_;
  std::deque<Piece> pieces_;  ///< each goes on where the one before ends
  std::size_t bytes_ = 0;
  std::uint64_t feed_reads_ = 0;
  bool reading_ = false;  ///< somebody waits for what comes behind the last piece
  std::uint64_t reading_after_ = 0;  ///< where that one reads
};

}  // namespace kiln::engine
