#include "engine/base/task.h"

#include <catch2/catch.hpp>

using namespace kiln::base;

static Task<std::int64_t> add(std::int64_t a, std::int64_t b) { co_return a + b; }

static Task<std::int64_t> sum_to(int n) {
  std::int64_t total = 0;
  for (int i = 1; i <= n; ++i) {
    const std::int64_t next = co_await add(total, i);
    total = next;
  }
  co_return total;
}

static Task<void> store(int n, std::int64_t* out) {
  const std::int64_t value = co_await sum_to(n);
  *out = value;
}

TEST_CASE("tasks run to their end and nest deeply without using the stack") {
  std::int64_t result = 0;
  spawn(store(100'000, &result));
  CHECK(result == 5'000'050'000);
}

static Task<void> wait_for(Completion<int> completion, int* out) {
  const int value = co_await completion;
  *out = value;
}

TEST_CASE("a completion resumes its waiter on the executor, set before or after") {
  InlineExecutor executor;
  int result = 0;
  Completion<int> later(executor);
  spawn(wait_for(later, &result));
  CHECK(result == 0);
  later.set(7);
  CHECK(result == 7);
  Completion<int> earlier(executor);
  earlier.set(8);
  earlier.set(9);
  spawn(wait_for(earlier, &result));
  CHECK(result == 8);
}

TEST_CASE("a completion set from another thread") {
  InlineExecutor executor;
  int result = 0;
  Completion<int> completion(executor);
  spawn(wait_for(completion, &result));
  {
    ThreadExecutor thread("setter");
    thread.post([completion] { completion.set(5); });
  }
  CHECK(result == 5);
}
