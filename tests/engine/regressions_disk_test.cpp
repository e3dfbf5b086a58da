// Faults that other engines had (the field's regression list), each under its number: those of storage.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <future>
#include <set>
#include <thread>

#include "engine/journal/sqlite_journal.h"
#include "engine/vault/retention.h"
#include "engine/vault/verify.h"
#include "tests/engine/pipeline_fixture.h"
#include "tests/support/crash_disk.h"

using namespace kiln;
using namespace kiln::engine;

namespace disks = kiln::test;
namespace pipes = kiln::engine::test;

namespace {

namespace fs = std::filesystem;
constexpr std::int64_t kDay = 86'400'000'000;
constexpr std::int64_t kStart = 1'795'000'000'000'000;
constexpr const char* kPlain = "c";

std::string body_of(std::uint64_t number, std::size_t size = 600) {
  std::string out = "MSH|^~\\&|HIS|W|KILN|L|2026||ADT^A01|M" + std::to_string(number) + "|P|2.5\r";
  for (std::uint64_t at = 0; out.size() < size; ++at)
    out += static_cast<char>('!' + (at * 2654435761u * (number + 7) >> 13) % 90);
  return out;
}

NewMessage message_of(std::uint64_t number, std::size_t size = 600) {
  NewMessage m;
  m.channel = kPlain;
  m.config_hash = "c1";
  m.type = "ADT^A01";
  m.control_id = "M" + std::to_string(number);
  std::memcpy(m.dedupe.data(), &number, sizeof number);
  m.body = body_of(number, size);
  return m;
}

Processed with_output(MessageId id) {
  Processed p;
  p.id = id;
  p.channel = kPlain;
  p.outputs.resize(1);
  p.outputs[0].destination = "d";
  p.outputs[0].is_source = true;
  return p;
}

std::unique_ptr<SqliteJournal> open(base::Env& env, const base::Clock& clock, base::Executor& committer,
                                    const std::string& folder) {
  JournalOptions options;
  options.folder = folder;
  auto opened = SqliteJournal::open(env, clock, committer, options, [] {});
  if (!opened) return nullptr;
  (*opened)->keep_config("c1", "the site");
  return std::move(*opened);
}

std::uint64_t bytes_in(const std::string& folder) {
  std::uint64_t out = 0;
  for (const auto& entry : fs::directory_iterator(folder)) out += entry.file_size();
  return out;
}

}  // namespace

TEST_CASE("B10 retention and intake do not wait for each other, and the disk gets its space back",
          "[regression]") {
  disks::TempFolder folder;
  const std::string files = folder.path("journal");
  base::ManualClock clock{{kStart}};
  base::ThreadExecutor committer("committer");
  auto journal = open(base::system_env(), clock, committer, files);
  REQUIRE(journal);
  std::atomic<std::uint64_t> stored{0}, refused{0};
  std::uint64_t number = 0;
  const auto take = [&](int count, std::size_t size) {
    const std::uint64_t wanted = stored + refused + static_cast<std::uint64_t>(count);
    for (int i = 0; i < count; ++i) {
      journal->append(message_of(++number, size), [&](base::Result<MessageId> id) {
        if (!id) {
          ++refused;
          return;
        }
        Processed done;
        done.id = *id;
        done.channel = kPlain;
        done.endings.resize(1);
        done.endings[0].destination = kNoDestination;
        done.endings[0].state = DeliveryState::filtered;
        journal->store(std::move(done), [](base::Status) {});
        ++stored;
      });
    }
    while (stored + refused < wanted) std::this_thread::yield();
  };
  for (int day = 0; day < 3; ++day) {
    take(20, 100'000);
    clock.set_wall({clock.wall().micros + kDay});
  }
  take(1, 600);
  journal->flush();
  RetentionPolicy policy;
  policy.content_us = kDay;
  clock.set_wall({clock.wall().micros + kDay});
  const std::uint64_t before = bytes_in(files);
  // A sender goes on while files go.
  std::atomic<bool> goes_on{true};
  std::thread sender([&] {
    while (goes_on) take(5, 600);
  });
  const auto plan = plan_prune(base::system_env(), files, policy, clock.wall());
  REQUIRE(plan.has_value());
  CHECK(plan->files_due == 3);
  const std::uint64_t at_begin = stored;
  const auto gone = prune(base::system_env(), files, *journal, *plan);
  while (stored < at_begin + 10) std::this_thread::yield();  // it does: else this test does not end
  goes_on = false;
  sender.join();
  REQUIRE(gone.has_value());
  CHECK(gone->size() == 3);
  CHECK(refused == 0);
  std::promise<void> idle;
  committer.post([&idle] { idle.set_value(); });
  idle.get_future().wait();
  CHECK(bytes_in(files) + 3 * 20 * 100'000 < before + 1'000'000);
}

TEST_CASE("B11 what went wrong is kept until somebody decides, and goes then", "[regression]") {
  disks::TempFolder folder;
  const std::string files = folder.path("journal");
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  auto journal = open(base::system_env(), clock, committer, files);
  REQUIRE(journal);
  journal->append(message_of(1), [](auto id) { REQUIRE(id.has_value()); });
  journal->store(with_output(1), [](auto) {});
  Ending failed;
  failed.destination = "d";
  failed.state = DeliveryState::quarantined;
  failed.code = "accept";
  journal->end(1, kPlain, failed, [](auto) {});
  journal->flush();
  clock.set_wall({clock.wall().micros + 400 * kDay});  // far beyond every age
  journal->append(message_of(2), [](auto id) { REQUIRE(id.has_value()); });
  const auto due = [&] {
    RetentionPolicy policy;
    policy.confirmed = true;
    const auto plan = plan_prune(base::system_env(), files, policy, clock.wall());
    REQUIRE(plan.has_value());
    const auto gone = prune(base::system_env(), files, *journal, *plan);
    REQUIRE(gone.has_value());
    return gone->size();
  };
  CHECK(due() == 0);  // not pruned silently
  std::string body;
  journal->read_message(1, [&](auto stored) { body = stored ? stored->message.body : ""; });
  CHECK(body == body_of(1));
  Ending decided = failed;
  decided.state = DeliveryState::removed;
  journal->end(1, kPlain, decided, [](auto) {});
  journal->flush();
  CHECK(due() == 1);  // and not for ever
}

TEST_CASE("B13 no way to acknowledge goes without storage", "[pipeline][regression]") {
  for (const char* mode :
       {"original on stored", "original on mapped", "enhanced on stored", "enhanced on mapped"}) {
    for (const char* destination :
         {"to d: mllp from source { host \"127.0.0.1\"; port 1 }", "to d: drop from source { }"}) {
      INFO(mode << ", " << destination);
      pipes::Fixture f(
          std::string(
              "module t\n\nchannel c {\n  source mllp { port 0 }\n  accept hl7 ADT_A01 2.5.1\n  ack ") +
          mode + "\n  " + destination + "\n}\n");
      f.start();
      f.receiver.up = false;
      f.journal->hold_appends = true;
      channels::Answer answer;
      bool done = false;
      std::string message = pipes::adt("M1");
      if (std::string_view(mode).starts_with("enhanced")) {
        const auto at = message.find("|2.5.1");
        message.insert(at + 6, "|||AL|AL");
      }
      base::spawn(pipes::offer(*f.channel, message, f.clock.wall(), &answer, &done));
      f.executor.run(pipes::seconds(5));
      CHECK_FALSE(done);  // nothing leaves while the commit is under way
      f.journal->release_appends();
      f.executor.run_ready();
      REQUIRE(done);
      CHECK(answer.taken == channels::Taken::stored);
      std::string body;
      f.disk->read_message(answer.id, [&](auto stored) { body = stored ? stored->message.body : ""; });
      f.executor.run_ready();
      CHECK(body == message);
      f.journal->hold_appends = false;
      f.journal->fail_append = 1;
      std::string second = message;
      second.replace(second.find("|M1|"), 4, "|M2|");
      const channels::Answer refused = f.send(second);
      CHECK(refused.taken == channels::Taken::not_stored);
      CHECK(pipes::ack_code(refused) != "AA");
      CHECK(pipes::ack_code(refused) != "CA");
    }
  }
}

TEST_CASE("B16 what was acknowledged outlives a power cut behind every change of the disk", "[regression]") {
  using disks::CrashDisk;
  using disks::CrashEnv;
  constexpr std::uint64_t kMessages = 12;
  CrashDisk disk;
  std::vector<disks::DiskOp> log;
  disk.log = &log;
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  {
    CrashEnv env(disk);
    auto journal = open(env, clock, committer, "journal");
    REQUIRE(journal);
    for (std::uint64_t i = 1; i <= kMessages; ++i)
      journal->append(message_of(i), [&](base::Result<MessageId> id) {
        REQUIRE(id.has_value());
        log.push_back({disks::DiskOp::Kind::mark, {}, *id, {}, false});
      });
  }
  std::size_t looked_for = 0;
  for (std::size_t cut = 1; cut <= log.size(); ++cut) {
    disks::Chance chance(cut);
    CrashDisk after = CrashDisk::after_power_cut(log, cut, chance);
    CrashEnv env(after);
    std::set<MessageId> acknowledged;
    for (std::size_t i = 0; i < cut; ++i)
      if (log[i].kind == disks::DiskOp::Kind::mark) acknowledged.insert(log[i].offset);
    auto journal = open(env, clock, committer, "journal");
    REQUIRE(journal);
    for (const MessageId id : acknowledged) {
      ++looked_for;
      std::string body;
      journal->read_message(id, [&](auto stored) { body = stored ? stored->message.body : ""; });
      REQUIRE(body == body_of(id));
    }
  }
  CHECK(looked_for > 100);
}

TEST_CASE("B17 a flipped bit never loses a message unseen and never alters one", "[regression]") {
  using disks::CrashDisk;
  using disks::CrashEnv;
  constexpr std::uint64_t kMessages = 60;
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  CrashDisk disk;
  {
    CrashEnv env(disk);
    auto journal = open(env, clock, committer, "journal");
    for (std::uint64_t i = 1; i <= kMessages; ++i) {
      journal->append(message_of(i, 300 + i * 97 % 4000), [](auto id) { REQUIRE(id.has_value()); });
      journal->store(with_output(i), [](auto) {});
    }
    REQUIRE(journal->close().has_value());
  }
  std::string path;
  for (const auto& [name, file] : disk.files)
    if (name.ends_with(".db")) path = name;
  disks::Chance chance(17);
  int found = 0, harmless = 0;
  for (int round = 0; round < 100; ++round) {
    CrashDisk flipped;
    flipped.files[path] = disk.files[path];
    std::string& bytes = flipped.files[path].bytes;
    const std::uint64_t bit = chance.below(bytes.size() * 8);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    CrashEnv env(flipped);
    INFO("bit " << bit);
    int missing = 0, altered = 0;
    auto journal = open(env, clock, committer, "journal");
    if (!journal) {
      ++found;  // refused: nothing is served from it
      continue;
    }
    for (std::uint64_t i = 1; i <= kMessages; ++i)
      journal->read_message(i, [&](auto stored) {
        if (!stored)
          ++missing;
        else if (stored->message.body != body_of(i, 300 + i * 97 % 4000))
          ++altered;
      });
    std::size_t waiting = 0;
    bool told = false;
    for (MessageId after = 0;;) {
      std::size_t got = 0;
      journal->read_pending(kPlain, "d", after, 100, 64u << 20, [&](auto outputs) {
        told = told || !outputs;
        if (!outputs) return;
        got = outputs->size();
        for (const PendingOutput& output : *outputs) {
          after = output.id;
          if (output.id == 0 || output.id > kMessages ||
              output.output.body != body_of(output.id, 300 + output.id * 97 % 4000))
            ++altered;
        }
      });
      waiting += got;
      if (got == 0) break;
    }
    CHECK(altered == 0);
    // What waits and cannot be read is set aside, and the journal says so.
    for (std::uint64_t i = 1; i <= kMessages; ++i)
      journal->read_ending(i, std::string(kPlain) + "/d", [&](auto ending) {
        told = told || !ending || (ending->has_value() && (*ending)->state == DeliveryState::quarantined);
      });
    journal.reset();
    if (missing == 0 && waiting == kMessages) {
      ++harmless;
      continue;
    }
    // Somebody is told.
    VerifyOptions options;
    options.full = true;
    const auto report = verify_journal(env, "journal", options);
    const bool said = told || !report || report->findings_total > 0;
    CHECK(said);
    found += said ? 1 : 0;
  }
  CHECK(found + harmless == 100);
  CHECK(found > 8);
}

TEST_CASE("a journal file whose first page never reached the disk is made anew, one that may hold something is not", "[regression]") {
  using disks::CrashDisk;
  using disks::CrashEnv;
  constexpr const char* kFirst = "journal/000001-20261118.db";
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  const auto opens = [&](const std::string& name, const std::string& bytes, const std::string& log) {
    CrashDisk disk;
    {
      CrashEnv env(disk);
      auto journal = open(env, clock, committer, "journal");
      journal->append(message_of(1), [](auto id) { REQUIRE(id.has_value()); });
      REQUIRE(journal->close().has_value());
    }
    REQUIRE(disk.files.contains(kFirst));
    disk.files[name].bytes = bytes;
    if (!log.empty()) disk.files[name + "-wal"].bytes = log;
    CrashEnv env(disk);
    auto journal = open(env, clock, committer, "journal");
    if (!journal) return false;
    bool stored = false;
    journal->append(message_of(2), [&](auto id) { stored = id.has_value(); });
    return stored;
  };
  const std::string page(16'384, '\0');
  CHECK(opens("journal/000002-20261119.db", page, ""));
  CHECK(opens("journal/000002-20261119.db", page.substr(0, 512), ""));
  CHECK_FALSE(opens("journal/000002-20261119.db", page + page, ""));
  CHECK_FALSE(opens("journal/000002-20261119.db", page, page));
  CHECK_FALSE(opens(kFirst, page + page, ""));
}
