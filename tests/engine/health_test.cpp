#include "engine/observe/health.h"

#include <catch2/catch.hpp>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/json.h"
#include "engine/base/virtual_executor.h"
#include "engine/observe/notify.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

/// Runs nothing until it is told to: a stuck thread.
class StuckExecutor final : public base::Executor {
 public:
  void post(base::Work work) override { work_.push_back(std::move(work)); }
  void run() {
    for (const auto& work : std::exchange(work_, {})) work();
  }

 private:
  std::vector<base::Work> work_;
};

std::string member(const Health& health, const char* path, const char* name) {
  const auto answer = health.answer(path);
  REQUIRE(answer);
  const auto document = base::parse_json(answer->body);
  REQUIRE(document);
  const base::JsonView value = document->root()[name];
  std::string out = value.kind() == base::JsonKind::array ? "" : std::string(value.text());
  for (const base::JsonView one : value)
    if (value.kind() == base::JsonKind::array) out += std::string(one.text()) + ";";
  return std::to_string(answer->status) + " " + out;
}

}  // namespace

TEST_CASE("health: the start is not ready until it is done, and tells how far it is") {
  base::ManualClock clock;
  Health health(clock);
  health.step("recovering", 60);
  CHECK(member(health, "/startupz", "step") == "503 recovering");
  CHECK(member(health, "/readyz", "reasons") == "503 starting;");
  CHECK(member(health, "/healthz", "stuck") == "200 ");
  health.started();
  CHECK(member(health, "/startupz", "percent") == "200 100");
  CHECK(member(health, "/readyz", "reasons") == "200 ");
  CHECK(!health.answer("/metrics"));
  CHECK(!health.answer("/"));
}

TEST_CASE("health: a part without progress for ten seconds is named, and forgiven when it goes on") {
  base::ManualClock clock;
  Health health(clock);
  StuckExecutor journal, store;
  health.watch("journal", journal);
  health.watch("store", store);
  for (int second = 0; second < 11; ++second) {
    health.beat();
    store.run();
    clock.advance(std::chrono::seconds(1));
  }
  CHECK(member(health, "/healthz", "stuck") == "503 journal;");
  CHECK(member(health, "/readyz", "reasons") == "503 starting;");
  journal.run();
  CHECK(member(health, "/healthz", "stuck") == "200 ");
}

TEST_CASE("health: reasons come and go") {
  base::ManualClock clock;
  Health health(clock);
  health.started();
  health.reason("journal not writable", true);
  health.reason("draining", true);
  CHECK(member(health, "/readyz", "reasons") == "503 draining;journal not writable;");
  health.reason("draining", false);
  health.reason("journal not writable", false);
  CHECK(member(health, "/readyz", "reasons") == "200 ");
}

TEST_CASE("notify: systemd is told in its own words; without a socket nothing happens") {
  kiln::test::TempFolder folder;
  const std::string path = folder.path("notify");
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  auto next = [fd] {
    char text[512];
    const auto size = ::recv(fd, text, sizeof text, MSG_DONTWAIT);
    return size < 0 ? std::string("nothing") : std::string(text, static_cast<std::size_t>(size));
  };
  const Notifier notifier(path);
  notifier.extend(60'000'000, "recovering");
  CHECK(next() == "EXTEND_TIMEOUT_USEC=60000000\nSTATUS=recovering");
  notifier.ready("serving 2 channels\nREADY=0");
  CHECK(next() == "READY=1\nSTATUS=serving 2 channels READY=0");
  notifier.watchdog();
  CHECK(next() == "WATCHDOG=1");
  notifier.reloading(17);
  CHECK(next() == "RELOADING=1\nMONOTONIC_USEC=17");
  notifier.stopping();
  CHECK(next() == "STOPPING=1\nSTATUS=draining");
  Notifier().watchdog();
  CHECK(next() == "nothing");
  ::close(fd);
}
