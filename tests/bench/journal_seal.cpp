// What encryption at rest costs: the same messages into a journal without and with a master key, one after the other.
//   bench_journal_seal [MESSAGES]             messages a second, median of five interleaved pairs
//   bench_journal_seal --callgrind clear|sealed   for valgrind --toggle-collect='*Bench::once(int)': 500 messages
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "engine/journal/sqlite_journal.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

constexpr std::size_t kBodyBytes = 1500;

struct Bench {
  test::TempFolder folder;
  base::SystemClock clock;
  base::InlineExecutor committer;
  std::unique_ptr<SqliteJournal> journal;

  explicit Bench(bool sealed) {
    JournalOptions options;
    options.folder = folder.path("journal");
    if (sealed) options.files.master = *MasterKey::parse(std::string(64, 'a'), "bench");
    auto opened = SqliteJournal::open(base::system_env(), clock, committer, options, [] { std::abort(); });
    if (!opened) std::abort();
    journal = std::move(*opened);
    journal->keep_config("c1", "the site");
  }

  /// A message, an output, its end; 32 share a commit.
  [[gnu::noinline]] void once(int count) {
    for (int i = 0; i < count; ++i) {
      NewMessage m;
      m.channel = "adt_in";
      m.config_hash = "c1";
      m.control_id = "M" + std::to_string(i);
      m.type = "ADT^A01^ADT_A01";
      m.body.assign(kBodyBytes, 'x');
      const auto stored = [this](base::Result<MessageId> id) {
        if (!id) std::abort();
        Processed p;
        p.id = *id;
        p.channel = "adt_in";
        p.outputs.resize(1);
        p.outputs[0].destination = "pas";
        p.outputs[0].body.assign(kBodyBytes / 2, 'y');
        journal->store(p, {});
        Ending e;
        e.destination = "pas";
        e.reply = "MSA|AA";
        journal->end(*id, "adt_in", e, {});
      };
      if (i % 32 == 31)
        journal->append(m, stored);
      else
        journal->append_with_next(m, stored);
    }
    journal->flush();
  }
};

double rate(bool sealed, int count) {
  Bench bench(sealed);
  bench.once(64);
  const base::MonoTime began = bench.clock.mono();
  bench.once(count);
  return count / std::chrono::duration<double>(bench.clock.mono() - began).count();
}

}  // namespace

int main(int count, char** words) {
  if (count == 3 && std::string(words[1]) == "--callgrind") {
    constexpr int kMessages = 500;
    Bench bench(std::string(words[2]) == "sealed");
    bench.once(kMessages);
    return 0;
  }
  const int messages = count > 1 ? std::atoi(words[1]) : 20'000;
  std::vector<double> ratios, clear, sealed;
  for (int pair = 0; pair < 5; ++pair) {
    clear.push_back(rate(false, messages));
    sealed.push_back(rate(true, messages));
    ratios.push_back(sealed.back() / clear.back());
  }
  for (auto* figures : {&ratios, &clear, &sealed}) std::sort(figures->begin(), figures->end());
  std::printf("clear %.0f messages/s, sealed %.0f messages/s, sealed/clear %.3f (median of 5 pairs)\n", clear[2], sealed[2], ratios[2]);
  return 0;
}
