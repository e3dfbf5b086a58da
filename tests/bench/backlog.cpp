// A destination that is down with a long queue (reliability.md R9 R10 R11, T11, T13): how long a start takes, whether the intake and
// another destination notice it, what memory it needs, how fast and in which order it drains.
//   bench_backlog KILN [--rows R] [--pending P] [--pairs N] [--seconds S] [--connections C] [--folder F] [--start-only 1]
// The journal has R messages of 200 bytes, the last P of them wait for the destination. It is made with the engine's own writer, and kept
// in F for the next run when that is given. Beside it runs an undisturbed engine; intake is measured on both in turns.

#include <fcntl.h>
#include <stdlib.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <unordered_set>

#include "engine/journal/sqlite_journal.h"
#include "tests/bench/engine_process.h"
#include "tests/bench/mllp_client.h"
#include "tests/bench/mllp_receiver.h"

namespace {

using namespace kiln;
using namespace kiln::engine;
namespace fs = std::filesystem;

struct Plan {
  std::string kiln;
  fs::path folder;
  MessageId rows = 1'000'000, pending = 1'000'000;
  int pairs = 5;
  std::chrono::milliseconds duration{3000};
  std::size_t connections = 8;
  bool start_only = false;
};

std::string message_of(const std::string& control) {
  std::string out = "MSH|^~\\&|BENCH|B|KILN|B|20260101||ADT^A01^ADT_A01|" + control + "|P|2.5.1\rEVN||20260101\rPID|1||" + control +
                    "^^^B^MR||T^N\rPV1|1|I\rNTE|1||";
  out.resize(std::max<std::size_t>(out.size(), 199), 'x');
  return out + "\r";
}

std::string queued(MessageId id) {
  char out[24];
  std::snprintf(out, sizeof out, "Q%09llu", static_cast<unsigned long long>(id));
  return out;
}

void fail_on(const base::Status& status) {
  if (status) return;
  std::fprintf(stderr, "%s\n", status.error().message().c_str());
  std::exit(1);
}

void make_journal(const Plan& plan, const std::string& folder) {
  constexpr MessageId kBatch = 2'000;
  base::SystemClock clock;
  base::InlineExecutor committer;
  JournalOptions options;
  options.folder = folder + ".part";
  fs::remove_all(options.folder);
  auto opened = SqliteJournal::open(base::system_env(), clock, committer, options, [] { std::abort(); });
  if (!opened) fail_on(base::fail(opened.error()));
  SqliteJournal& journal = **opened;
  journal.keep_config("c1", "[]");
  for (MessageId done = 0; done < plan.rows; done += kBatch) {
    const MessageId last = std::min(plan.rows, done + kBatch);
    for (MessageId id = done + 1; id <= last; ++id) {
      NewMessage m;
      m.channel = "c";
      m.received = clock.wall();
      m.config_hash = "c1";
      m.type = "ADT^A01^ADT_A01";
      m.control_id = queued(id);
      m.by_control_id = true;
      std::memcpy(m.dedupe.data(), &id, sizeof id);
      m.body = message_of(m.control_id);
      journal.append_with_next(std::move(m), [](auto stored) {
        if (!stored) fail_on(base::fail(stored.error()));
      });
    }
    journal.flush();
    for (MessageId id = done + 1; id <= last; ++id) {
      Processed p;
      p.id = id;
      p.channel = "c";
      if (id + plan.pending > plan.rows) {
        p.outputs.resize(1);
        p.outputs[0].destination = "d";
        p.outputs[0].is_source = true;
        p.outputs[0].control_id = queued(id);
      } else {
        p.endings.resize(1);
        p.endings[0].destination = "d";
      }
      journal.store(std::move(p), fail_on);
    }
    journal.flush();
    if (done % 100'000 == 0) std::fprintf(stderr, "\r%llu rows", static_cast<unsigned long long>(last));
  }
  std::fprintf(stderr, "\n");
  fail_on(journal.close());
  opened->reset();
  fs::rename(options.folder, folder);
}

void write_site(const fs::path& site, std::uint16_t port, std::uint16_t first, std::uint16_t second) {
  fs::create_directories(site / "channels");
  std::ofstream(site / "kiln.conf") << "server {\n  data \"data\"\n  http { listen 127.0.0.1:" << bench::free_port() << " }\n}\n";
  std::ofstream(site / "channels/c.channel")
      << "module bench.channels\n\nchannel c {\n  source mllp { port " << port
      << "; connections_per_peer 300 }\n  accept hl7 ADT_A01 2.5.1\n  ack original on stored\n"
      << "  to d: mllp from source { host \"127.0.0.1\"; port " << first << "; retry forever backoff 100ms..1s }\n"
      << "  to e: mllp from source { host \"127.0.0.1\"; port " << second << "; retry forever backoff 100ms..1s }\n}\n";
}

void forget_cached(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const int fd = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    ::fdatasync(fd);
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    ::close(fd);
  }
}

std::string log_of(const fs::path& site) {
  return site.string() + ".log";
}

/// Load on one engine, then until its second destination has everything: `caught_up_ms`.
struct Measured {
  bench::LoadResult load;
  double caught_up_ms = 0;
};

Measured measure(const Plan& plan, std::uint16_t port, const bench::MllpReceiver& other, std::uint64_t& sent, const char* name) {
  bench::LoadPlan load;
  load.port = port;
  load.connections = plan.connections;
  load.duration = plan.duration;
  static int turn = 0;
  const std::string prefix = std::string(name) + std::to_string(++turn) + "-";
  load.message = [prefix](std::uint64_t number) { return message_of(prefix + std::to_string(number)); };
  Measured out;
  out.load = bench::run_load(std::move(load));
  sent += out.load.answers;
  const auto begin = std::chrono::steady_clock::now();
  while (other.received() < sent && std::chrono::steady_clock::now() - begin < std::chrono::seconds(120))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  out.caught_up_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  if (other.received() < sent) out.load.errors += 1;
  return out;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

/// What arrives at the destination that comes back.
struct Arrivals {
  std::mutex mutex;
  std::string last;
  std::unordered_set<std::string> all;
  std::uint64_t repeated = 0, reordered = 0, of_queue = 0;
  void take(const std::string& control) {
    const std::lock_guard lock(mutex);
    if (!all.insert(control).second) {
      ++repeated;
      return;
    }
    if (!control.starts_with('Q')) return;
    ++of_queue;
    if (control < last) ++reordered;
    last = control;
  }
};

bool run(const Plan& plan, const std::string& journal) {
  const fs::path down = plan.folder / "down", up = plan.folder / "up";
  fs::remove_all(down);
  fs::remove_all(up);
  bench::MllpReceiver other, first, second;
  const std::uint16_t dead = bench::free_port(), down_port = bench::free_port(), up_port = bench::free_port();
  write_site(down, down_port, dead, other.port());
  write_site(up, up_port, first.port(), second.port());
  fs::create_directories(down / "data");
  if (plan.start_only)
    fs::create_directory_symlink(journal, down / "data/journal");
  else
    fs::copy(journal, down / "data/journal");
  for (const bool cold : {false, true}) {
    if (cold) forget_cached(down / "data/journal");
    bench::EngineProcess engine(plan.kiln, down.string(), log_of(down), down_port);
    if (!engine.is_up()) {
      std::fprintf(stderr, "the engine did not start within 10 s: see %s\n", log_of(down).c_str());
      return false;
    }
    std::printf("start-%s-ms %.0f (%llu messages, %llu wait)\n", cold ? "cold" : "warm", engine.start_ms(),
                static_cast<unsigned long long>(plan.rows), static_cast<unsigned long long>(plan.pending));
    std::fflush(stdout);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    engine.kill();
  }
  if (plan.start_only) return true;
  bench::EngineProcess disturbed(plan.kiln, down.string(), log_of(down), down_port);
  bench::EngineProcess undisturbed(plan.kiln, up.string(), log_of(up), up_port);
  if (!disturbed.is_up() || !undisturbed.is_up()) return false;
  std::vector<double> p99, caught_up;
  std::uint64_t sent_down = 0, sent_up = 0, errors = 0;
  for (int pair = 0; pair < plan.pairs; ++pair) {
    Measured with, without;
    for (const bool dead_first : {pair % 2 == 0, pair % 2 != 0}) {
      if (dead_first)
        with = measure(plan, down_port, other, sent_down, "D");
      else
        without = measure(plan, up_port, second, sent_up, "U");
    }
    errors += with.load.errors + without.load.errors + (with.load.answers - with.load.positive) + (without.load.answers - without.load.positive);
    p99.push_back(with.load.quantile_ms(0.99) / without.load.quantile_ms(0.99));
    caught_up.push_back(with.caught_up_ms / std::max(1.0, without.caught_up_ms));
    std::printf("pair %d: intake p99 %.2f ms with, %.2f ms without (%.0f and %.0f ack/s); the other destination behind by %.0f and %.0f ms\n", pair + 1,
                with.load.quantile_ms(0.99), without.load.quantile_ms(0.99), with.load.per_second(), without.load.per_second(),
                with.caught_up_ms, without.caught_up_ms);
    std::fflush(stdout);
  }
  if (plan.pairs > 0) std::printf("intake-p99-ratio %.2f (median of %d pairs; fails above 1.5)\n", median(p99), plan.pairs);
  std::printf("rss-mb %.0f (highest %.0f)\n", disturbed.status_mb("VmRSS"), disturbed.status_mb("VmHWM"));
  std::fflush(stdout);
  Arrivals arrivals;
  const std::uint64_t wanted = plan.pending + sent_down;
  const auto begin = std::chrono::steady_clock::now();
  auto back = std::make_unique<bench::MllpReceiver>(dead, [&arrivals](const std::string& control) { arrivals.take(control); });
  const auto distinct = [&arrivals] {
    const std::lock_guard lock(arrivals.mutex);
    return arrivals.all.size();
  };
  std::size_t last = 0;
  auto moved = begin;
  while (distinct() < wanted) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const auto now = std::chrono::steady_clock::now();
    if (distinct() != last) last = distinct(), moved = now;
    if (now - moved > std::chrono::seconds(60)) break;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const std::lock_guard lock(arrivals.mutex);
  std::printf("drain %llu of %llu in %.1f s = %.0f /s; %llu reordered, %llu repeated; rss-mb %.0f (highest %.0f)\n",
              static_cast<unsigned long long>(arrivals.all.size()), static_cast<unsigned long long>(wanted), seconds,
              static_cast<double>(arrivals.all.size()) / seconds, static_cast<unsigned long long>(arrivals.reordered),
              static_cast<unsigned long long>(arrivals.repeated), disturbed.status_mb("VmRSS"), disturbed.status_mb("VmHWM"));
  return errors == 0 && arrivals.all.size() == wanted && arrivals.of_queue == plan.pending && arrivals.reordered == 0;
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  Plan plan;
  std::string kept;
  if (argc < 2) {
    std::fprintf(stderr, "usage: bench_backlog KILN [--rows R] [--pending P] [--pairs N] [--seconds S] [--connections C] [--folder F]"
                         " [--start-only 1]\n");
    return 2;
  }
  plan.kiln = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string option = argv[i], value = argv[i + 1];
    if (option == "--rows") plan.rows = std::strtoull(value.c_str(), nullptr, 10);
    if (option == "--pending") plan.pending = std::strtoull(value.c_str(), nullptr, 10);
    if (option == "--pairs") plan.pairs = std::atoi(value.c_str());
    if (option == "--seconds") plan.duration = std::chrono::milliseconds(static_cast<int>(std::atof(value.c_str()) * 1000));
    if (option == "--connections") plan.connections = static_cast<std::size_t>(std::atoi(value.c_str()));
    if (option == "--folder") kept = value;
    if (option == "--start-only") plan.start_only = value != "0";
  }
  plan.pending = std::min(plan.pending, plan.rows);
  std::string own = (kept.empty() ? fs::current_path() : fs::absolute(kept)).string() + "/kiln-backlog-XXXXXX";
  if (!kept.empty()) fs::create_directories(kept);
  if (::mkdtemp(own.data()) == nullptr) {
    std::perror(own.c_str());
    return 1;
  }
  plan.folder = own;
  const std::string journal = (kept.empty() ? own : fs::absolute(kept).string()) + "/journal-" + std::to_string(plan.rows) + "-" +
                              std::to_string(plan.pending);
  if (!fs::exists(journal)) make_journal(plan, journal);
  const bool good = run(plan, journal);
  if (good)
    fs::remove_all(plan.folder);
  else
    std::fprintf(stderr, "kept: %s\n", plan.folder.c_str());
  return good ? 0 : 1;
}
