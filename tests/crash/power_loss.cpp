// crash_power_loss: the journal on a disk that loses power, or that fails (reliability.md T2, T4, T6).
//
//   crash_power_loss power --states N [--seed S]     power cuts at every change of the disk, and then at random ones
//                    [--messages M]                  a load of M messages (default: 200 in each 32nd round, 20 to 60 in the others)
//   crash_power_loss faults [--seed S] [--step N]    every n-th call fails, once and for ever, then power is cut
//
// A load runs once per round on the real journal; what it was told is noted between the changes of the disk. A small load gives as
// many states in a fraction of the time, and each round begins on an empty disk with chances of its own.
// Then the disk is built as it may be found after a cut, the journal is opened on it, and everything that was answered must be
// there, byte for byte, once; no end that was confirmed may be pending again; the books must balance.
#include <malloc.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/journal/reader.h"
#include "engine/journal/sqlite_journal.h"
#include "engine/vault/verify.h"
#include "tests/support/crash_disk.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

constexpr std::int64_t kStart = 1'795'000'000'000'000;
constexpr std::int64_t kDay = 86'400'000'000;
constexpr std::uint64_t kMessages = 200;
constexpr std::uint64_t kLargeEvery = 32;  ///< rounds: a large load makes so many states that most would be of one
constexpr const char* kFolder = "journal";
constexpr std::uint64_t kVerifyEvery = 4;  ///< states whose books are gone through by `verify` too; it costs as much as all else
constexpr std::uint64_t kEnded = std::uint64_t{1} << 32;  ///< mark: the end of a delivery was confirmed
constexpr std::uint64_t kHeld = std::uint64_t{1} << 33;   ///< mark: a hold was confirmed

std::string control_id(MessageId id) {
  return "M" + std::to_string(id);
}

/// What the message with that number must be: made of the number alone.
std::string body_of(std::uint64_t number) {
  std::string body = "MSH|^~\\&|HIS|W|KILN|L|2026||ADT^A01|" + control_id(number) + "|P|2.5\r";
  return body + std::string(number * 37 % 3000, static_cast<char>('a' + number % 26));
}

std::string output_of(std::uint64_t number) {
  return "{\"n\":" + std::to_string(number) + ",\"pad\":\"" + std::string(number * 91 % 4000, 'p') + "\"}";
}

struct Machine {
  test::CrashDisk disk;
  std::vector<test::DiskOp> log;
  std::unique_ptr<test::CrashEnv> env;
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  std::unique_ptr<SqliteJournal> journal;
  bool stopped = false;  ///< fail-stop: the process is gone

  Machine() {
    disk.log = &log;
    env = std::make_unique<test::CrashEnv>(disk);
  }
  ~Machine() {
    journal.reset();
    env.reset();
  }
  bool open() {
    JournalOptions options;
    options.folder = kFolder;
    auto opened = SqliteJournal::open(*env, clock, committer, options, [this] { stopped = true; });
    if (!opened) return false;
    journal = std::move(*opened);
    journal->keep_config("c1", "the site");
    return true;
  }
  void mark(std::uint64_t value) {
    if (!stopped) log.push_back({test::DiskOp::Kind::mark, {}, value, {}, false});
  }
};

/// Numbers are given in the order of the calls, but a call that failed takes its number back: the content is made of the
/// number of the try, and the mark says under which number it is stored.
void take(Machine& m, std::uint64_t number, test::Chance& chance, std::map<MessageId, std::uint64_t>& content) {
  NewMessage message;
  message.channel = "adt_in";
  message.config_hash = "c1";
  message.control_id = control_id(number);
  message.body = body_of(number);
  std::memcpy(message.dedupe.data(), &number, sizeof number);
  const std::uint64_t fate = chance.below(4);
  const auto done = [&m, &content, number, fate](base::Result<MessageId> id) {
    if (!id || m.stopped) return;
    content[*id] = number;
    m.mark(*id);
    Processed p;
    p.id = *id;
    p.channel = "adt_in";
    p.outputs.resize(2);
    p.outputs[0].destination = "repo";
    p.outputs[0].body = output_of(number);
    p.outputs[1].destination = "pas";
    p.outputs[1].is_source = true;
    m.journal->store(p, [](base::Status) {});
    if (fate == 0) return;
    Ending e;
    e.destination = fate == 1 ? "pas" : "repo";
    e.state = fate == 3 ? DeliveryState::quarantined : DeliveryState::sent;
    m.journal->end(*id, "adt_in", e, [&m, id = *id](base::Status ended) {
      if (ended) m.mark(kEnded | id);
    });
  };
  if (chance.below(3) == 0)
    m.journal->append(message, done);
  else
    m.journal->append_with_next(message, done);
}

/// The load; ends early when the process is gone.
void run(Machine& m, test::Chance& chance, std::map<MessageId, std::uint64_t>& content, std::uint64_t messages = kMessages,
         bool days = true) {
  if (!m.open()) return;
  std::unique_ptr<JournalReader> reader;
  for (std::uint64_t number = 1; number <= messages && !m.stopped; ++number) {
    take(m, number, chance, content);
    if (number % std::max<std::uint64_t>(1, messages / 8) == 0) {  // somebody searches, and keeps the files open
      auto opened = JournalReader::open(*m.env, kFolder);
      if (opened) {
        reader = std::make_unique<JournalReader>(std::move(*opened));
        (void)reader->search({}, {});
      }
    }
    if (days && (number == messages * 3 / 10 || number == messages * 7 / 10)) m.clock.set_wall({m.clock.wall().micros + kDay});
    if (number == messages / 2) {
      Hold hold;
      hold.subject = "channel:adt_in";
      hold.state = HoldState::paused;
      m.journal->set_hold(hold, [&m](base::Status done) {
        if (done) m.mark(kHeld);
      });
    }
  }
  if (!m.stopped) m.journal->flush();
  if (!m.stopped && chance.below(2) == 0) (void)m.journal->close();
  reader.reset();
}

struct Totals {
  std::uint64_t states = 0, acked = 0, lost = 0, altered = 0, undone = 0, unbalanced = 0, unopened = 0;
  bool clean() const { return lost + altered + undone + unbalanced + unopened == 0; }
};

/// The disk after a cut behind `count` changes, looked at by a machine that starts.
void look(const Machine& m, test::CrashDisk::Cuts& cuts, std::size_t count, const std::map<MessageId, std::uint64_t>& content,
          std::uint64_t seed, Totals& totals) {
  test::Chance chance(seed);
  test::CrashDisk disk = cuts.after(count, chance);
  test::CrashEnv env(disk);
  ++totals.states;
  std::set<MessageId> acked, ended;
  bool held = false;
  for (std::size_t i = 0; i < count; ++i) {
    const test::DiskOp& op = m.log[i];
    if (op.kind != test::DiskOp::Kind::mark) continue;
    if (op.offset == kHeld)
      held = true;
    else if (op.offset >= kEnded)
      ended.insert(op.offset & (kEnded - 1));
    else
      acked.insert(op.offset);
  }
  totals.acked += acked.size();
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  JournalOptions options;
  options.folder = kFolder;
  auto journal = SqliteJournal::open(env, clock, committer, options, [] {});
  if (!journal) {
    ++totals.unopened;
    std::printf("cut %zu: the journal does not open: %s\n", count, journal.error().message().c_str());
    return;
  }
  for (const MessageId id : acked) {
    (*journal)->read_message(id, [&](base::Result<StoredMessage> stored) {
      if (!stored)
        ++totals.lost;
      else if (stored->message.body != body_of(content.at(id)))
        ++totals.altered;
    });
  }
  std::map<std::string, std::set<MessageId>> waiting;
  for (const char* destination : {"repo", "pas"}) {
    (*journal)->read_pending("adt_in", destination, 0, 1000, 64u << 20, [&](auto outputs) {
      if (!outputs) {
        ++totals.altered;
        return;
      }
      for (const PendingOutput& output : *outputs) {
        const auto known = content.find(output.id);
        if (known == content.end()) continue;  // stored, and the answer was still to leave
        const std::string& wanted =
            output.output.is_source ? body_of(known->second) : output_of(known->second);
        if (output.output.body != wanted) ++totals.altered;
      }
      for (const PendingOutput& output : *outputs) waiting[destination].insert(output.id);
    });
  }
  for (const MessageId id : ended) {
    bool any = false;
    for (const char* destination : {"repo", "pas"}) {
      bool here = false;
      (*journal)->read_ending(id, std::string("adt_in/") + destination, [&](auto e) { here = e && e->has_value(); });
      if (here && waiting[destination].count(id) > 0) ++totals.undone;
      any = any || here;
    }
    if (!any) ++totals.undone;
  }
  if (held && (*journal)->recovered().holds.empty()) ++totals.undone;
  if (!(*journal)->close()) ++totals.unopened;
  journal->reset();
  if (totals.states % kVerifyEvery != 0) return;
  VerifyOptions verify;
  verify.full = totals.states % (4 * kVerifyEvery) == 0;  // the structure of the files too
  const auto report = verify_journal(env, kFolder, verify);
  if (!report || report->findings_total > 0) {
    ++totals.unbalanced;
    std::printf("cut %zu: %s\n", count, report ? print_report(*report).c_str() : report.error().message().c_str());
  }
}

int print(const Totals& totals, const char* what, std::uint64_t seed, double seconds, std::uint64_t faults) {
  std::printf("%s: %llu states", what, static_cast<unsigned long long>(totals.states));
  if (faults > 0) std::printf(" after %llu calls that failed", static_cast<unsigned long long>(faults));
  std::printf(", %llu acknowledged messages looked for: %llu lost, %llu altered, %llu ends undone, %llu unbalanced, "
              "%llu not opened; %.0f s, seed %llu\n",
              static_cast<unsigned long long>(totals.acked), static_cast<unsigned long long>(totals.lost),
              static_cast<unsigned long long>(totals.altered), static_cast<unsigned long long>(totals.undone),
              static_cast<unsigned long long>(totals.unbalanced), static_cast<unsigned long long>(totals.unopened), seconds,
              static_cast<unsigned long long>(seed));
  return totals.clean() && totals.acked > 0 ? 0 : 1;
}

int power(std::uint64_t wanted, std::uint64_t seed, std::uint64_t messages) {
  const auto began = std::chrono::steady_clock::now();
  const auto seconds = [began] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(); };
  Totals totals;
  for (std::uint64_t round = 0; totals.states < wanted; ++round) {
    test::Chance chance(seed + round);
    Machine m;
    std::map<MessageId, std::uint64_t> content;
    const std::uint64_t small = 20 + chance.below(41);
    run(m, chance, content, messages != 0 ? messages : round % kLargeEvery == 0 ? kMessages : small, round % 2 == 0);
    m.journal.reset();
    // Behind every change once, then at random.
    const std::size_t all = m.log.size();
    for (const bool every : {true, false}) {
      test::CrashDisk::Cuts cuts(m.log);
      std::vector<std::size_t> places;
      for (std::size_t cut = 1; cut <= all; ++cut) {
        if (!every) places.push_back(1 + chance.below(all));
        if (every && (m.log[cut - 1].kind != test::DiskOp::Kind::mark || cut == all)) places.push_back(cut);
      }
      std::sort(places.begin(), places.end());
      for (std::size_t i = 0; i < places.size() && totals.states < wanted; ++i) {
        look(m, cuts, places[i], content, chance.next(), totals);
        if (totals.clean()) continue;
        std::printf("in round %llu; repeat with: power --states %llu --seed %llu\n", static_cast<unsigned long long>(round),
                    static_cast<unsigned long long>(totals.states), static_cast<unsigned long long>(seed));
        return print(totals, "power loss", seed, seconds(), 0);
      }
    }
  }
  return print(totals, "power loss", seed, seconds(), 0);
}

/// Call n fails for n = 1, 2, 3, … until a load passes without the fault; behind each, power is cut at the end.
int faults(std::uint64_t seed, std::uint64_t step) {
  const auto began = std::chrono::steady_clock::now();
  Totals totals;
  std::uint64_t failed = 0;
  for (const auto fault : {test::CrashDisk::Fault::io, test::CrashDisk::Fault::full, test::CrashDisk::Fault::sync,
                           test::CrashDisk::Fault::short_read}) {
    for (const bool for_ever : {false, true}) {
      for (std::uint64_t n = 1;; n += step) {
        test::Chance chance(seed);
        Machine m;
        m.disk.fault = fault;
        m.disk.fail_at = n;
        m.disk.fail_for_ever = for_ever;
        std::map<MessageId, std::uint64_t> content;
        run(m, chance, content);
        m.journal.reset();
        if (m.disk.failed == 0) break;
        ++failed;
        test::CrashDisk::Cuts cuts(m.log);
        look(m, cuts, m.log.size(), content, seed + n, totals);
        if (totals.clean()) continue;
        std::printf("fault %d at call %llu%s\n", static_cast<int>(fault), static_cast<unsigned long long>(n),
                    for_ever ? " and for ever" : "");
        return print(totals, "faults", seed, 0, failed);
      }
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return print(totals, "faults", seed, seconds, failed);
}

}  // namespace

int main(int argc, char** argv) {
  base::set_log_level(base::LogLevel::error);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);  // a disk a state: memory that goes back to the system comes at once again
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  const std::string mode = argc > 1 ? argv[1] : "";
  std::uint64_t states = 20'000, seed = 1, step = 1, messages = 0;
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    (name == "--states" ? states : name == "--step" ? step : name == "--messages" ? messages : seed) =
        std::strtoull(argv[i + 1], nullptr, 10);
  }
  if (mode == "power") return power(states, seed, messages);
  if (mode == "faults") return faults(seed, step == 0 ? 1 : step);
  std::printf("crash_power_loss power [--states N] [--seed S] [--messages M] | faults [--step N] [--seed S]\n");
  return 64;
}
