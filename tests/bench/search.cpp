// Search on a large journal by its index (operations.md §1.1), and how far the index is behind at half the intake rate.
//   bench_search [--messages 200000] [--folder DIR] [--seconds 10] [--patience 1]
// Makes the journal with the engine's own writer (200-byte messages of two channels, one of them with words), unless the folder has
// one, indexes it, asks each query seven times of a reader that was opened for it, and then takes messages at half the rate it
// made them with while the index follows. Exit 1 when a query is not answered by its index, when one by key takes more than 100 ms,
// text more than 1 s, or the lag is 1 s; --patience is for machines that do something else, too: so many times as much.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <string>
#include <thread>

#include "engine/base/random.h"
#include "engine/base/virtual_executor.h"
#include "engine/index/index_plan.h"
#include "engine/index/indexer.h"
#include "engine/journal/reader.h"
#include "engine/journal/sqlite_journal.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;
using Seconds = std::chrono::duration<double>;

namespace {

constexpr std::uint64_t kBatch = 2'000;

double now() {
  return Seconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class T>
T take(base::Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%s\n", result.error().message().c_str());
  std::exit(1);
}
void check(const base::Status& status) {
  if (status) return;
  std::fprintf(stderr, "%s\n", status.error().message().c_str());
  std::exit(1);
}

IndexRules rules() {
  IndexRules out;
  out.keys.push_back({"ward", std::move(*hl7::Path::compile("PV1-3.1")), ""});
  out.text_channels.insert("lab_in");
  return out;
}

/// Message n: a patient has about 20 messages, an account 4, a control id one.
NewMessage message(std::uint64_t n) {
  static constexpr const char* kFamilies[] = {"Muster", "Beispiel", "Sample", "Invented", "Nobody"};
  NewMessage m;
  m.channel = n % 2 == 0 ? "adt_in" : "lab_in";
  m.config_hash = "c1";
  m.type = n % 2 == 0 ? "ADT^A08^ADT_A01" : "ORU^R01^ORU_R01";
  m.control_id = "M" + std::to_string(n);
  m.peer = "10.0.0.1:4000";
  m.received = {1'795'000'000'000'000 + static_cast<std::int64_t>(n) * 5'000};
  const std::string patient = std::to_string(n * 2654435761ULL % 500'000);
  m.body = "MSH|^~\\&|HIS|W|KILN|LAB|20261122083000||" + m.type + "|" + m.control_id + "|P|2.5.1\rPID|1||" + patient + "^^^HIS^MR||" +
           kFamilies[n % 5] + "^G" + patient + "||1970|F||||||||||A" + std::to_string(n / 4) + "\rPV1|1|I|W" + std::to_string(n % 40) +
           "^1\rOBX|1|ST|||w" + std::to_string(n * 40503 % 100'000) + (n % 50'000 == 7 ? " rareword" : "") + "\r";
  return m;
}

std::unique_ptr<SqliteJournal> open_journal(const std::string& folder, const base::Clock& clock, base::Executor& committer) {
  JournalOptions options;
  options.folder = folder;
  options.dedupe_ids = 1'000;
  auto journal = take(SqliteJournal::open(base::system_env(), clock, committer, options, [] { std::abort(); }));
  journal->keep_config("c1", "[]");
  return journal;
}

/// One of ten thousand is set aside; the others are sent. `open`: how many are not stored yet. With a clock they come now: the lag
/// is how old a message is that the index does not have.
void append(SqliteJournal& journal, std::uint64_t first, std::uint64_t count, std::atomic<std::uint64_t>& open,
            const base::Clock* clock = nullptr) {
  open += count;
  for (std::uint64_t n = first; n < first + count; ++n) {
    NewMessage m = message(n);
    if (clock != nullptr) m.received = clock->wall();
    const std::string channel = m.channel;
    journal.append_with_next(m, [&journal, &open, n, channel](base::Result<MessageId> id) {
      Processed processed;
      processed.id = take(std::move(id));
      processed.channel = channel;
      Ending ending;
      ending.destination = "pas";
      ending.state = n % 10'000 == 3 ? DeliveryState::quarantined : DeliveryState::sent;
      ending.code = ending.state == DeliveryState::sent ? "AA" : "AE";
      ending.attempts = 1;
      processed.endings.push_back(std::move(ending));
      journal.store(std::move(processed), [&open](base::Status status) {
        check(status);
        --open;
      });
    });
  }
  journal.flush();
}

struct Question {
  const char* text;
  double limit_ms;
  const char* plan;  ///< what the index must answer: "index", "rare" (its own index in the journal)
};

bool ask(const std::string& folder, const Question& question, std::uint64_t messages, double patience) {
  std::vector<double> took;
  std::size_t found = 0;
  bool complete = true;
  for (int i = 0; i < 7; ++i) {
    auto reader = take(JournalReader::open(base::system_env(), folder + "/journal"));
    reader.use_index(base::system_env(), folder + "/index", rules());
    const auto query = take(parse_query_text(question.text, {1'795'000'000'000'000 + static_cast<std::int64_t>(messages) * 5'000}));
    const double began = now();
    const SearchAnswer answer = take(reader.find(query, {}));
    took.push_back((now() - began) * 1e3);
    found = answer.found.size();
    complete = complete && answer.complete;
  }
  std::sort(took.begin(), took.end());
  bool as_planned = true;
  if (std::strcmp(question.plan, "index") == 0) {
    auto index = take(IndexReader::open(base::system_env(), folder + "/index", 1));
    as_planned = !take(plan_index(take(parse_query_text(question.text, {0})), index, rules())).keys.empty();
  }
  const bool good = took.back() <= question.limit_ms * patience && as_planned && complete;
  std::printf("%-58s %4zu found  median %8.2f ms  slowest %8.2f ms  %s\n", question.text, found, took[took.size() / 2], took.back(),
              good ? "ok" : as_planned ? "TOO SLOW" : "NOT BY THE INDEX");
  return good;
}

/// Takes messages at that rate on real threads; the worst lag seen, in seconds.
double measure_lag(const std::string& folder, std::uint64_t first, double per_second, double seconds) {
  base::SystemClock clock;
  base::ThreadExecutor committer("bench-journal");
  base::ManualClock home_clock;
  base::VirtualExecutor home(home_clock);
  auto journal = open_journal(folder + "/journal", clock, committer);
  double worst = 0;
  std::atomic<std::uint64_t> open{0};
  {
    IndexService index({{&base::system_env(), folder + "/journal", folder + "/index", rules(), {}}, &home, &clock,
                        [&] { return journal->last_id(); }});
    index.start();
    constexpr double kStep = 0.05;
    const double began = now();
    std::uint64_t sent = 0;
    while (now() - began < seconds) {
      const auto due = static_cast<std::uint64_t>((now() - began) * per_second);
      if (due > sent) append(*journal, first + sent, due - sent, open, &clock);
      sent = due;
      std::this_thread::sleep_for(std::chrono::duration<double>(kStep));
      // The executor moves its clock to the next timer only, and not beyond a horizon before it: here real time passes.
      const auto passed = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(now() - began));
      if (passed > home_clock.mono()) home_clock.advance(passed - home_clock.mono());
      home.run(std::chrono::nanoseconds(0));
      worst = std::max(worst, index.lag_seconds());
    }
    index.stop();
    std::promise<void> idle;
    index.thread().post([&] { idle.set_value(); });
    idle.get_future().wait();
    home.run(std::chrono::milliseconds(1));
  }
  while (open > 0) {  // what was stored last may wait for the next
    journal->flush();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::promise<void> done;
  committer.post([&] { done.set_value(); });
  done.get_future().wait();
  check(journal->close());
  return worst;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t messages = 200'000;
  double seconds = 10, patience = 1;
  std::string given;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--messages") == 0) messages = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seconds") == 0) seconds = std::strtod(argv[i + 1], nullptr);
    if (std::strcmp(argv[i], "--patience") == 0) patience = std::strtod(argv[i + 1], nullptr);
    if (std::strcmp(argv[i], "--folder") == 0) given = argv[i + 1];
  }
  kiln::test::TempFolder temporary;
  const std::string folder = given.empty() ? temporary.path() : given;
  double rate = 0;
  std::uint64_t have = 0;
  {
    base::ManualClock clock({1'795'000'000'000'000});
    base::InlineExecutor committer;
    auto journal = open_journal(folder + "/journal", clock, committer);
    have = journal->last_id();
    const double began = now();
    std::atomic<std::uint64_t> open{0};
    for (std::uint64_t n = have; n < messages; n += kBatch) append(*journal, n, std::min(kBatch, messages - n), open);
    journal->flush();
    if (messages > have) rate = static_cast<double>(messages - have) / (now() - began);
    check(journal->close());
  }
  std::printf("journal: %llu messages, %.0f a second\n", static_cast<unsigned long long>(messages), rate);
  {
    const double began = now();
    Indexer indexer({&base::system_env(), folder + "/journal", folder + "/index", rules(), {}});
    check(indexer.catch_up());
    std::printf("index: %.1f s\n", now() - began);
  }
  constexpr Question kQuestions[] = {
      {"id:M4711", 100, "index"},
      {"mrn:4711", 100, "index"},
      {"mrn:nobody", 100, "index"},
      {"account:A100 OR account:A200", 100, "index"},
      {"name:muster mrn:2355", 100, "index"},
      {"path:ward=W7 mrn:4711", 100, "index"},
      {"state:quarantined", 100, "rare"},
      {"state:pending", 100, "rare"},
      {"channel:lab_in type:ORU^R01", 100, "index"},
      {"mrn:4711 NOT state:sent since:365d", 100, "index"},
      {"", 100, "rare"},
      {"text:rareword channel:lab_in", 1'000, "index"},
      {"text:\"beispiel w40503\" channel:lab_in", 1'000, "index"},
      {"text:muster channel:lab_in", 1'000, "index"},
  };
  bool good = true;
  for (const Question& question : kQuestions) good = ask(folder, question, messages, patience) && good;
  if (rate == 0) rate = 20'000;
  const double lag = measure_lag(folder, std::max(have, messages), rate / 2, seconds);
  std::printf("index lag at %.0f messages a second: %.2f s at most  %s\n", rate / 2, lag, lag < patience ? "ok" : "TOO FAR BEHIND");
  return good && lag < patience ? 0 : 1;
}
