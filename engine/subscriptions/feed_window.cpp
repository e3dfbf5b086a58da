#include "engine/subscriptions/feed_window.h"

#include <utility>

#include "engine/limits.h"

namespace kiln::engine {

using base::Result;
using base::Task;

namespace {

constexpr std::size_t kBatch = 64;

FeedWindow::Batch nothing_behind(std::uint64_t after) {
  channels::ChangeBatch none;
  none.read_up_to = after;
  return std::make_shared<const channels::ChangeBatch>(std::move(none));
}

}  // namespace

FeedWindow::Batch FeedWindow::find(std::uint64_t after) const {
  for (const Piece& piece : pieces_)
    if (piece.after <= after && after < piece.batch->read_up_to) return piece.batch;
  return nullptr;
}

void FeedWindow::clear() {
  pieces_.clear();
  bytes_ = 0;
}

void FeedWindow::keep(std::uint64_t after, Batch batch) {
  Piece piece{after, std::move(batch), 0};
  for (const channels::Change& change : piece.batch->changes) piece.bytes += change.resource.size() + sizeof change;
  bytes_ += piece.bytes;
  pieces_.push_back(std::move(piece));
  while (pieces_.size() > 1 && bytes_ > limits::kFeedWindowBytes) {
    bytes_ -= pieces_.front().bytes;
    pieces_.pop_front();
  }
}

Task<Result<FeedWindow::Batch>> FeedWindow::read_feed(std::uint64_t after, std::int64_t wait_ms) {
  ++feed_reads_;
  auto reading = feed_.read(after, kBatch, wait_ms);
  auto batch = co_await std::move(reading);
  if (!batch) co_return base::fail(batch.error());
  Batch shared = std::make_shared<const channels::ChangeBatch>(std::move(*batch));
  co_return shared;
}

Task<Result<FeedWindow::Batch>> FeedWindow::read(std::uint64_t after, std::int64_t wait_ms) {
  if (Batch known = find(after)) co_return known;
  const std::uint64_t end = pieces_.empty() ? after : pieces_.back().batch->read_up_to;
  if (after < end) {  // far behind: there is something
    auto reading = read_feed(after, 0);
    Result<Batch> own = co_await std::move(reading);
    co_return own;
  }
  if (reading_ && after < reading_after_) {  // that one waits for what comes later; here there is something
    auto reading = read_feed(after, wait_ms);
    Result<Batch> own = co_await std::move(reading);
    co_return own;
  }
  if (reading_) {
    auto wait = changed_.wait(std::chrono::milliseconds(wait_ms));
    co_await wait;
    Batch known = find(after);
    if (!known) known = nothing_behind(after);
    co_return known;
  }
  if (after > end) clear();
  reading_ = true;
  reading_after_ = after;
  auto reading = read_feed(after, wait_ms);
  Result<Batch> read = co_await std::move(reading);
  reading_ = false;
  if (read && (*read)->read_up_to > after) keep(after, *read);
  changed_.notify();
  co_return read;
}

}  // namespace kiln::engine
