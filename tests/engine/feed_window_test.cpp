// The newest changes are read from the store once, however many follow it.
#include <catch2/catch.hpp>
#include <set>

#include "engine/base/virtual_executor.h"
#include "engine/limits.h"
#include "engine/subscriptions/feed_window.h"

using namespace kiln;
using engine::FeedWindow;

namespace {

/// A store with so many changes; reads answer at once, or when more come, as the real feed.
class Feed final : public channels::ChangeFeed {
 public:
  explicit Feed(base::VirtualExecutor& home) : changed_(home) {}
  std::uint64_t last = 0;
  std::size_t bytes = 10;  ///< of a resource
  bool broken = false;
  void write(std::uint64_t count) {
    last += count;
    changed_.notify();
  }
  base::Result<std::uint64_t> position(const std::string&) override { return last; }
  base::Task<base::Result<channels::ChangeBatch>> read(std::uint64_t after, std::size_t limit, std::int64_t wait_ms) override {
    if (broken) co_return base::fail(base::ErrorCode::io_failed);
    if (after >= last && wait_ms > 0) {
      auto wait = changed_.wait(std::chrono::milliseconds(wait_ms));
      co_await wait;
    }
    channels::ChangeBatch batch;
    batch.read_up_to = after;
    while (batch.read_up_to < last && batch.changes.size() < limit) {
      channels::Change change;
      change.position = ++batch.read_up_to;
      change.resource.assign(bytes, 'x');
      batch.changes.push_back(std::move(change));
    }
    co_return batch;
  }
  base::Task<base::Status> advance(std::string, std::uint64_t) override { co_return base::Status{}; }
  void wake() override { changed_.notify(); }
  std::string base_url() const override { return {}; }

 private:
  base::Event changed_;
};

struct Follower {
  std::uint64_t at = 0;
  std::vector<std::uint64_t> seen;
  std::uint64_t errors = 0;
  bool stopping = false, ended = false;
};

base::Task<void> follow(FeedWindow* window, Follower* one) {
  while (!one->stopping) {
    auto reading = window->read(one->at, 1000);
    const auto batch = co_await std::move(reading);
    if (!batch) {
      ++one->errors;
      one->stopping = true;
      continue;
    }
    for (const channels::Change& change : (*batch)->changes)
      if (change.position > one->at) one->seen.push_back(change.position);
    one->at = (*batch)->read_up_to;
  }
  one->ended = true;
}

std::vector<std::uint64_t> up_to(std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint64_t> out;
  for (std::uint64_t n = from; n <= to; ++n) out.push_back(n);
  return out;
}

struct Fixture {
  base::ManualClock clock{{1'795'000'000'000'000}};
  base::VirtualExecutor home{clock};
  Feed feed{home};
  FeedWindow window{feed, home};
};

}  // namespace

TEST_CASE("a thousand who follow the store cost one read a change", "[feed]") {
  Fixture all;
  std::vector<Follower> followers(1000);
  for (Follower& one : followers) base::spawn(follow(&all.window, &one));
  all.home.run_ready();
  const std::uint64_t before = all.window.feed_reads();
  for (int i = 0; i < 20; ++i) {
    all.feed.write(1);
    all.home.run_ready();
  }
  all.feed.write(200);  // several batches
  all.home.run_ready();
  for (const Follower& one : followers) REQUIRE(one.seen == up_to(1, 220));
  CHECK(all.window.feed_reads() - before <= 2 * 24);
  for (Follower& one : followers) one.stopping = true;
  all.feed.wake();
  all.home.run_ready();
  CHECK(std::all_of(followers.begin(), followers.end(), [](const Follower& one) { return one.ended; }));
}

TEST_CASE("who is behind, ahead or in the middle of what is known sees every change once", "[feed]") {
  Fixture all;
  all.feed.bytes = engine::limits::kFeedWindowBytes / 300;  // so that old ones go
  all.feed.last = 1000;
  Follower from_start, middle, ahead;
  middle.at = 970;
  ahead.at = 990;
  base::spawn(follow(&all.window, &middle));
  base::spawn(follow(&all.window, &ahead));
  all.home.run_ready();
  base::spawn(follow(&all.window, &from_start));
  all.home.run_ready();
  for (int i = 0; i < 500; ++i) {
    all.feed.write(1 + static_cast<std::uint64_t>(i) % 3);
    if (i % 7 == 0) all.home.run_ready();
  }
  all.home.run_ready();
  for (int i = 0; i < 3; ++i) all.home.run(std::chrono::seconds(2));
  CHECK(from_start.seen == up_to(1, all.feed.last));
  CHECK(middle.seen == up_to(971, all.feed.last));
  CHECK(ahead.seen == up_to(991, all.feed.last));
  for (Follower* one : {&from_start, &middle, &ahead}) one->stopping = true;
  for (int i = 0; i < 3; ++i) all.home.run(std::chrono::seconds(2));
  CHECK((from_start.ended && middle.ended && ahead.ended));
}

TEST_CASE("who is behind hears of it while another waits at the head and nobody writes", "[feed]") {
  Fixture all;
  all.feed.last = 1000;
  Follower ahead, behind;
  ahead.at = 1000;
  behind.at = 990;
  base::spawn(follow(&all.window, &ahead));
  base::spawn(follow(&all.window, &behind));
  for (int i = 0; i < 3; ++i) all.home.run(std::chrono::seconds(1));
  CHECK(behind.seen == up_to(991, 1000));
  for (Follower* one : {&ahead, &behind}) one->stopping = true;
  for (int i = 0; i < 3; ++i) all.home.run(std::chrono::seconds(2));
  CHECK((ahead.ended && behind.ended));
}

TEST_CASE("a feed that fails stops nobody who waits", "[feed]") {
  Fixture all;
  Follower first, second;
  all.feed.broken = true;
  base::spawn(follow(&all.window, &first));
  all.home.run_ready();
  CHECK(first.errors == 1);
  all.feed.broken = false;
  base::spawn(follow(&all.window, &second));
  all.home.run_ready();
  all.feed.write(3);
  all.home.run_ready();
  CHECK(second.seen == up_to(1, 3));
  second.stopping = true;
  all.home.run(std::chrono::seconds(2));
  CHECK(second.ended);
}
