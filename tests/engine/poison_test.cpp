// A message that ends the process, again and again (reliability.md R8): real processes that are killed, on one journal.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "engine/journal/query.h"
#include "engine/journal/reader.h"
#include "tests/engine/pipeline_fixture.h"

using namespace kiln;
using namespace kiln::engine;
using namespace kiln::engine::test;

namespace {

/// Processes that share a journal and a list of what they tried.
struct Processes {
  kiln::test::TempFolder folder;

  /// Runs `work` in a process of its own; 0, the signal that ended it, or 1000 when a check failed in it.
  int run(const std::function<void(Fixture&)>& work) const {
    const pid_t child = ::fork();
    if (child == 0) {
      ::setenv("TMPDIR", folder.path().c_str(), 1);
      try {
        Fixture f(kChannel, folder.path("journal"));
        work(f);
      } catch (...) {
        ::_exit(1);
      }
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) == 0 ? 0 : 1000;
  }
  /// Ends the process that calls it, in the middle of an attempt.
  void die() const {
    const int log = ::open(folder.path("attempts").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (::write(log, "x", 1) != 1) ::_exit(1);
    ::close(log);
    ::kill(::getpid(), SIGKILL);
  }
  std::size_t attempts() const {
    return base::system_env().read_file(folder.path("attempts"), 1000).value_or("").size();
  }
  MessageSummary summary(const char* control_id) const {
    auto reader = JournalReader::open(base::system_env(), folder.path("journal"));
    REQUIRE(reader.has_value());
    auto query = parse_query_text(std::string("id:") + control_id, {});
    REQUIRE(query.has_value());
    const auto found = reader->search(*query, {});
    REQUIRE(found.has_value());
    REQUIRE(found->size() == 1);
    return found->front();
  }
  void check_poisoned(const char* destination) const {
    CHECK(attempts() == 5);
    const MessageSummary poison = summary("P");
    CHECK(poison.state() == "quarantined");
    REQUIRE(poison.destinations.size() == 1);
    CHECK(poison.destinations[0].destination == destination);
    CHECK(poison.destinations[0].ending.code == "poison-crash");
    CHECK(poison.destinations[0].ending.detail.find("5 times") != std::string::npos);
  }
};

}  // namespace

TEST_CASE("a message whose processing ends the process five times is set aside, its neighbours are not") {
  Processes processes;
  REQUIRE(processes.run([&](Fixture& f) {
    f.start();
    f.send(adt("A"));
    f.executor.run(seconds(1));
    for (const char* id : {"B", "P", "N"}) f.append_unprocessed(id);
    processes.die();
  }) == SIGKILL);
  const auto work = [&](Fixture& f) {
    f.journal->before_store = [&](const Processed& processed) {
      for (const Output& output : processed.outputs)
        if (output.control_id == "P") processes.die();
    };
    f.start();
    f.executor.run(seconds(5));
  };
  for (int run = 2; run <= 5; ++run) {
    REQUIRE(processes.run(work) == SIGKILL);
    CHECK(processes.attempts() == static_cast<std::size_t>(run));
  }
  REQUIRE(processes.run(work) == 0);
  processes.check_poisoned("-");
  for (const char* neighbour : {"A", "B", "N"}) CHECK(processes.summary(neighbour).state() == "sent");
  CHECK(processes.run(work) == 0);
  CHECK(processes.attempts() == 5);
}

TEST_CASE("a message whose sending ends the process five times is set aside, its neighbours are not") {
  Processes processes;
  const auto work = [&](Fixture& f) {
    f.receiver.before_send = [&](const std::string& control_id) {
      if (control_id == "P") processes.die();
    };
    f.start();
    if (f.disk->recovered().last_id == 0) {
      f.receiver.up = false;
      for (const char* id : {"A", "P", "N"}) f.send(adt(id));
      f.executor.run(seconds(1));
      f.receiver.up = true;
    }
    f.executor.run(seconds(5));
  };
  for (int run = 1; run <= 5; ++run) {
    REQUIRE(processes.run(work) == SIGKILL);
    CHECK(processes.attempts() == static_cast<std::size_t>(run));
  }
  REQUIRE(processes.run(work) == 0);
  processes.check_poisoned("c/d");
  for (const char* neighbour : {"A", "N"}) CHECK(processes.summary(neighbour).state() == "sent");
  CHECK(processes.run(work) == 0);
  CHECK(processes.attempts() == 5);
}

TEST_CASE("a process that is killed often while a receiver is down poisons nothing") {
  Fixture f;
  f.receiver.up = false;
  f.start();
  f.send(adt("A"));
  for (int run = 0; run < 10; ++run) {
    f.executor.run(seconds(1));
    f.crash();
    f.start();
  }
  f.receiver.up = true;
  f.executor.run(seconds(5));
  CHECK(f.receiver.got == "A ");
}
