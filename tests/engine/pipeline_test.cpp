// A channel on a real journal and a virtual clock: recovery, repetitions, a full disk.
#include <catch2/catch.hpp>

#include "channels/net/net.h"
#include "engine/base/virtual_executor.h"
#include "engine/journal/sqlite_journal.h"
#include "engine/pipeline.h"
#include "tests/support/fault_journal.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;
using channels::Answer;
using channels::SendOutcome;
using channels::Taken;
using std::chrono::seconds;

namespace {

constexpr const char* kChannel = R"(module t

channel c {
  source mllp { port 0 }
  accept hl7 ADT_A01 2.5.1
  ack original on mapped
  to d: mllp from source { host "127.0.0.1"; port 1; retry forever backoff 20ms..20ms }
}
)";

std::string adt(const std::string& control_id, const std::string& structure = "ADT^A01^ADT_A01") {
  return "MSH|^~\\&|A|B|C|D|20260101||" + structure + "|" + control_id + "|P|2.5.1\rEVN||20260101\rPID|1||1^^^X^MR||T^N\rPV1|1|I\r";
}

struct Receiver {
  bool up = true;
  std::string got;  ///< control ids
};

class TestDestination final : public channels::Destination {
 public:
  explicit TestDestination(Receiver& receiver) : receiver_(receiver) {}
  base::Status start() override { return {}; }
  base::Task<SendOutcome> send(channels::Outgoing message) override {
    if (!receiver_.up) {
      const base::Error down{base::ErrorCode::connect_failed, "test", {}, {}};
      co_return SendOutcome::failed(SendOutcome::Kind::retry, down);
    }
    receiver_.got += (message.destination == "d" ? "" : message.destination + ":") + message.control_id + " ";
    co_return SendOutcome::sent("AA");
  }
  base::Task<void> stop() override { co_return; }
  channels::ConnectorStatus status() const override { return {}; }

 private:
  Receiver& receiver_;
};

base::Task<void> offer(ChannelRuntime& channel, std::string bytes, base::WallTime at, Answer* answer, bool* done,
                       std::string key = {}) {
  channels::Inbound in;
  in.key = std::move(key);
  in.bytes = std::move(bytes);
  in.peer = "test";
  in.received_at = at;
  auto accepting = channel.accept(std::move(in));
  *answer = co_await std::move(accepting);
  *done = true;
}

base::Task<void> run_recovery(ChannelRuntime& channel, std::vector<MessageId> ids, SiteVersions versions, bool* done) {
  auto recovering = channel.recover(std::move(ids), std::move(versions));
  const base::Status status = co_await std::move(recovering);
  *done = status.has_value();
}

base::Task<void> run_stop(ChannelRuntime& channel, bool* done) {
  auto stopping = channel.stop_queues();
  co_await std::move(stopping);
  *done = true;
}

struct Fixture {
  test::TempFolder folder;
  base::ManualClock clock{{1'795'000'000'000'000}};
  base::VirtualExecutor executor{clock};
  base::InlineExecutor files;
  base::SeededRandom random{1};
  channels::Net net;
  std::shared_ptr<channels::Site> site;
  Receiver receiver;
  Processor processor;
  InflightBudget budget{executor};
  std::unique_ptr<SqliteJournal> disk;
  std::unique_ptr<test::FaultJournal> journal;
  std::optional<CommitPacer> pacer;
  std::unique_ptr<ChannelRuntime> channel;

  SiteVersions versions;  ///< what recovery finds in the journal

  Fixture() {
    site = load(kChannel);
    open();
  }
  static std::shared_ptr<channels::Site> load(const std::string& text) {
    auto loaded = channels::load_site_texts({{"channels/c.channel", text}});
    INFO(base::render(loaded.diagnostics, loaded.library->sources()));
    REQUIRE(loaded.site);
    return loaded.site;
  }
  ~Fixture() { stop(); }

  void open() {
    JournalOptions options;
    options.folder = folder.path() + "/journal";
    auto opened = SqliteJournal::open(base::system_env(), clock, executor, options, [] {});
    REQUIRE(opened.has_value());
    disk = std::move(*opened);
    disk->keep_config(site->hash, "[]");
    journal = std::make_unique<test::FaultJournal>(*disk);
    pacer.emplace(executor, *journal);
    auto make = [this](const channels::DestinationDefinition&) -> std::unique_ptr<channels::Destination> {
      return std::make_unique<TestDestination>(receiver);
    };
    ChannelRuntime::Parts parts{site, &site->channels[0], journal.get(), &executor, &clock, &random, &processor, &budget, &*pacer,
                                {net, base::system_env(), files, clock, "c", site->folder, nullptr, nullptr}, make};
    channel = std::make_unique<ChannelRuntime>(std::move(parts));
  }
  /// As the gateway does it.
  void start() {
    bool recovered = false;
    base::spawn(run_recovery(*channel, disk->recovered().unprocessed, versions, &recovered));
    executor.run(seconds(30));
    REQUIRE(recovered);
    std::map<std::string, std::uint64_t> waiting;
    for (const auto& [key, count] : disk->recovered().pending) waiting[key.substr(key.find('/') + 1)] = count;
    REQUIRE(channel->start_queues(waiting, disk->recovered().last_id, disk->recovered().clean_stop));
  }
  void stop() {
    bool stopped = false;
    base::spawn(run_stop(*channel, &stopped));
    executor.run(seconds(10));
    CHECK(stopped);
  }
  /// As after kill -9: the objects go, the files stay.
  void crash() {
    stop();
    channel.reset();
    journal.reset();
    disk.reset();
    open();
  }
  NewMessage stored(const std::string& control_id) {
    NewMessage m;
    m.channel = "c";
    m.received = clock.wall();
    m.config_hash = site->hash;
    m.body = adt(control_id);
    m.control_id = control_id;
    return m;
  }
  /// Accepted, then the process died before its outputs were stored.
  void append_unprocessed(const std::string& control_id) {
    disk->append(stored(control_id), [](auto id) { REQUIRE(id.has_value()); });
    executor.run_ready();
  }
  Answer send(std::string bytes, std::string key = {}) {
    Answer answer;
    bool done = false;
    base::spawn(offer(*channel, std::move(bytes), clock.wall(), &answer, &done, std::move(key)));
    executor.run_ready();
    REQUIRE(done);
    return answer;
  }
};

std::string ack_code(const Answer& answer) {
  const auto at = answer.reply.find("MSA|");
  return at == std::string::npos ? "" : answer.reply.substr(at + 4, 2);
}

}  // namespace

TEST_CASE("every message that a crash left unprocessed is delivered, in order, before new ones", "[pipeline]") {
  Fixture f;
  for (const char* id : {"M1", "M2", "M3"}) f.append_unprocessed(id);
  f.crash();
  REQUIRE(f.disk->recovered().unprocessed.size() == 3);
  f.start();
  CHECK(f.channel->queues()[0]->status().pending == 3);
  CHECK(ack_code(f.send(adt("M4"))) == "AA");
  f.executor.run(seconds(5));
  CHECK(f.receiver.got == "M1 M2 M3 M4 ");
  CHECK(f.channel->queues()[0]->status().pending == 0);
}

TEST_CASE("recovered messages take their place among those that waited already", "[pipeline]") {
  Fixture f;
  f.start();
  f.receiver.up = false;
  f.send(adt("M1"));
  f.append_unprocessed("M2");
  f.send(adt("M3"));
  f.crash();
  REQUIRE(f.disk->recovered().unprocessed.size() == 1);
  f.receiver.up = true;
  f.start();
  f.executor.run(seconds(5));
  CHECK(f.receiver.got == "M1 M2 M3 ");
}

TEST_CASE("recovery on a full disk goes on when there is space", "[pipeline]") {
  Fixture f;
  for (const char* id : {"M1", "M2"}) f.append_unprocessed(id);
  f.crash();
  f.journal->fail_store[1] = 3;
  f.start();
  f.executor.run(seconds(5));
  CHECK(f.receiver.got == "M1 M2 ");
}

TEST_CASE("a message is finished by the site version that accepted it", "[pipeline]") {
  Fixture f;
  f.append_unprocessed("M1");
  f.versions[f.site->hash] = f.site;
  std::string text = kChannel;
  text.insert(text.rfind('}'), "  to e: mllp from source { host \"127.0.0.1\"; port 2 }\n");
  f.site = Fixture::load(text);
  f.crash();
  f.start();
  f.send(adt("M2"));
  f.executor.run(seconds(5));
  CHECK(f.receiver.got.starts_with("M1 "));
  CHECK(f.receiver.got.find("e:M1") == std::string::npos);
  CHECK(f.receiver.got.find("e:M2") != std::string::npos);
}

TEST_CASE("a site version comes back out of its text", "[pipeline]") {
  const auto site = Fixture::load(kChannel);
  const std::string text = print_site_version(*site);
  const auto again = load_site_version(text, site->hash, *site, base::system_env());
  REQUIRE(again.has_value());
  CHECK((*again)->channels.size() == 1);
  CHECK((*again)->hash == site->hash);
  CHECK_FALSE(load_site_version(text, "other", *site, base::system_env()).has_value());
  CHECK_FALSE(load_site_version("[", site->hash, *site, base::system_env()).has_value());
}

TEST_CASE("an input known by its place is tried again after a refusal, and only then", "[pipeline]") {
  Fixture f;
  f.start();
  CHECK(f.send(adt("M1", "ORU^R01^ORU_R01"), "a.hl7:1:1").taken == Taken::refused);
  CHECK(f.send(adt("M1"), "a.hl7:1:1").taken == Taken::stored);  // as after the map was mended
  CHECK(f.send(adt("M1"), "a.hl7:1:1").taken == Taken::stored);
  f.executor.run(seconds(1));
  CHECK(f.receiver.got == "M1 ");
}

TEST_CASE("a full disk answers AE, and the same message is taken when there is space", "[pipeline]") {
  Fixture f;
  f.start();
  f.journal->fail_append = 1;
  const Answer refused = f.send(adt("M1"));
  CHECK(refused.taken == Taken::not_stored);
  CHECK(ack_code(refused) == "AE");
  const Answer taken = f.send(adt("M1"));
  CHECK(taken.taken == Taken::stored);
  CHECK(ack_code(taken) == "AA");
  f.executor.run(seconds(1));
  CHECK(f.receiver.got == "M1 ");
}

TEST_CASE("a repetition gets the same answer and is delivered once", "[pipeline]") {
  Fixture f;
  f.start();
  const std::string first = f.send(adt("M1")).reply;
  f.clock.advance(seconds(60));
  CHECK(f.send(adt("M1")).reply == first);
  const std::string refused = f.send(adt("M2", "ORU^R01^ORU_R01")).reply;
  CHECK(refused.find("MSA|AR|M2") != std::string::npos);
  f.clock.advance(seconds(60));
  CHECK(f.send(adt("M2", "ORU^R01^ORU_R01")).reply == refused);
  f.executor.run(seconds(1));
  CHECK(f.receiver.got == "M1 ");
  CHECK(f.channel->counters().duplicates == 2);
}

TEST_CASE("repetitions of a message in flight share its answer, also a refusal", "[pipeline]") {
  Fixture f;
  f.start();
  f.journal->fail_append = GENERATE(0, 1);
  f.journal->later = &f.executor;
  Answer answers[3];
  bool done[3] = {};
  for (int i = 0; i < 3; ++i) base::spawn(offer(*f.channel, adt("M1"), f.clock.wall(), &answers[i], &done[i]));
  f.executor.run_ready();
  for (int i = 0; i < 3; ++i) {
    REQUIRE(done[i]);
    CHECK(ack_code(answers[i]) == ack_code(answers[0]));
  }
  f.executor.run(seconds(1));
  CHECK(f.receiver.got == (answers[0].taken == Taken::stored ? "M1 " : ""));
}
