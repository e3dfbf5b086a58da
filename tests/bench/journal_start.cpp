// How long a start takes on a large journal, and how much of it is read (reliability.md R11, T13).
//   bench_journal_start [--rows 1000000] [--pending 100000] [--folder DIR]
// Makes the journal with the engine's own writer (200-byte messages, outputs of 600 bytes), unless the folder has one,
// then starts on it twice: as it is, and with the page cache emptied of it.

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "engine/journal/sqlite_journal.h"
#include "tests/support/fault_env.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

constexpr MessageId kBatch = 2'000;

std::unique_ptr<SqliteJournal> open(test::FaultEnv& env, const base::Clock& clock, base::Executor& committer,
                                    const std::string& folder) {
  JournalOptions options;
  options.folder = folder;
  auto opened = SqliteJournal::open(env, clock, committer, options, [] { std::abort(); });
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().message().c_str());
    std::exit(1);
  }
  return std::move(*opened);
}

std::string output_body(MessageId id) {
  std::string out;
  for (std::uint64_t at = 0; at < 600; ++at)
    out += static_cast<char>('!' + (at * 2654435761u * (id + 7) >> 13) % 90);
  return out;
}

void fail_on(const base::Status& status) {
  if (status) return;
  std::fprintf(stderr, "%s\n", status.error().message().c_str());
  std::exit(1);
}

void make(SqliteJournal& journal, MessageId rows, MessageId pending) {
  journal.keep_config("c1", "[]");
  for (MessageId done = 0; done < rows; done += kBatch) {
    const MessageId last = std::min(rows, done + kBatch);
    for (MessageId id = done + 1; id <= last; ++id) {
      NewMessage m;
      m.channel = "c";
      m.config_hash = "c1";
      m.type = "ADT^A01^ADT_A01";
      m.control_id = "M" + std::to_string(id);
      std::memcpy(m.dedupe.data(), &id, sizeof id);
      m.body.assign(200, 'x');
      journal.append_with_next(std::move(m), [](auto stored) {
        if (!stored) fail_on(base::fail(stored.error()));
      });
    }
    journal.flush();
    for (MessageId id = done + 1; id <= last; ++id) {
      Processed p;
      p.id = id;
      p.channel = "c";
      if (id + pending > rows) {
        p.outputs.resize(1);
        p.outputs[0].destination = "d";
        p.outputs[0].body = output_body(id);
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
}

std::uint64_t bytes_of(test::FaultEnv& env, const std::string& folder, bool forget) {
  std::uint64_t out = 0;
  const auto listed = env.list(folder);
  for (const auto& file : *listed) {
    out += file.size;
    if (!forget) continue;
    const int fd = ::open(base::join_path(folder, file.name).c_str(), O_RDONLY | O_CLOEXEC);
    ::fdatasync(fd);
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    ::close(fd);
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  MessageId rows = 1'000'000, pending = 100'000;
  const test::TempFolder temporary;
  std::string folder = temporary.path("journal");
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--rows") rows = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--pending") pending = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--folder") folder = argv[i + 1];
  }
  test::FaultEnv env;
  base::SystemClock clock;
  base::InlineExecutor committer;
  if (!env.exists(folder)) make(*open(env, clock, committer, folder), rows, pending);
  for (const bool cold : {false, true}) {
    const std::uint64_t size = bytes_of(env, folder, cold);
    env.reset_counts();
    const auto begin = clock.mono();
    auto journal = open(env, clock, committer, folder);
    std::size_t first = 0;
    journal->read_pending("c", "d", 0, 1'024, 4u << 20, [&](auto read) { first = read ? read->size() : 0; });
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(clock.mono() - begin);
    std::uint64_t waiting = 0;
    for (const auto& [dest, count] : journal->recovered().pending) waiting += count;
    std::printf("%s start: %lld ms, %.1f of %.1f MB read, %llu waiting, %zu of them loaded\n", cold ? "cold" : "warm",
                static_cast<long long>(took.count()), static_cast<double>(env.bytes_read()) / 1e6,
                static_cast<double>(size) / 1e6, static_cast<unsigned long long>(waiting), first);
    fail_on(journal->close());
  }
  return 0;
}
