#pragma once
// A channel on a real journal and a virtual clock.
#include <catch2/catch.hpp>

#include "channels/net/net.h"
#include "engine/base/virtual_executor.h"
#include "engine/journal/sqlite_journal.h"
#include "engine/pipeline.h"
#include "tests/support/fault_journal.h"
#include "tests/support/temp_folder.h"

namespace kiln::engine::test {

using channels::Answer;
using channels::SendOutcome;
using channels::Taken;
using std::chrono::seconds;

inline constexpr const char* kChannel = R"(module t

channel c {
  source mllp { port 0 }
  accept hl7 ADT_A01 2.5.1
  ack original on mapped
  to d: mllp from source { host "127.0.0.1"; port 1; retry forever backoff 20ms..20ms }
}
)";

inline std::string adt(const std::string& control_id, const std::string& structure = "ADT^A01^ADT_A01") {
  return "MSH|^~\\&|A|B|C|D|20260101||" + structure + "|" + control_id + "|P|2.5.1\rEVN||20260101\rPID|1||1^^^X^MR||T^N\rPV1|1|I\r";
}

struct Receiver {
  bool up = true;
  std::string got;  ///< control ids
  std::function<void(const std::string&)> before_send;  ///< called with the control id; may be empty
  std::function<SendOutcome(const channels::Outgoing&)> answer;  ///< empty: AA
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
    if (receiver_.before_send) receiver_.before_send(message.control_id);
    receiver_.got += (message.destination == "d" ? "" : message.destination + ":") + message.control_id + " ";
    if (receiver_.answer) co_return receiver_.answer(message);
    co_return SendOutcome::sent("AA");
  }
  base::Task<void> stop() override { co_return; }
  channels::ConnectorStatus status() const override { return {}; }

 private:
  Receiver& receiver_;
};

inline base::Task<void> offer(ChannelRuntime& channel, std::string bytes, base::WallTime at, Answer* answer, bool* done,
                       std::string key = {}, channels::EarlyAnswer early = {}, std::string traceparent = {}) {
  channels::Inbound in;
  in.traceparent = std::move(traceparent);
  in.early = std::move(early);
  in.key = std::move(key);
  in.bytes = std::move(bytes);
  in.peer = "test";
  in.received_at = at;
  auto accepting = channel.accept(std::move(in));
  *answer = co_await std::move(accepting);
  *done = true;
}

inline base::Task<void> run_recovery(ChannelRuntime& channel, std::vector<MessageId> ids, SiteVersions versions, bool* done) {
  auto recovering = channel.recover(std::move(ids), std::move(versions));
  const base::Status status = co_await std::move(recovering);
  *done = status.has_value();
}

inline base::Task<void> run_stop(ChannelRuntime& channel, bool* done) {
  auto stopping = channel.stop_queues();
  co_await std::move(stopping);
  *done = true;
}

inline base::Task<std::shared_ptr<const channels::Site>> find_version(const SiteVersions* versions, std::string hash) {
  const auto found = versions->find(hash);
  std::shared_ptr<const channels::Site> site;
  if (found != versions->end()) site = found->second;
  co_return site;
}

struct Fixture {
  kiln::test::TempFolder folder;
  std::string journal_folder;
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
  std::unique_ptr<kiln::test::FaultJournal> journal;
  std::optional<CommitPacer> pacer;
  std::unique_ptr<ChannelRuntime> channel;

  SiteVersions versions;  ///< what recovery finds in the journal

  explicit Fixture(const std::string& text = kChannel, std::string journal_at = {}) {
    journal_folder = journal_at.empty() ? folder.path("journal") : std::move(journal_at);
    site = load(text);
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
    options.folder = journal_folder;
    auto opened = SqliteJournal::open(base::system_env(), clock, executor, options, [] {});
    REQUIRE(opened.has_value());
    disk = std::move(*opened);
    disk->keep_config(site->hash, "[]");
    journal = std::make_unique<kiln::test::FaultJournal>(*disk);
    pacer.emplace(executor, *journal);
    auto make = [this](const channels::DestinationDefinition&) -> std::unique_ptr<channels::Destination> {
      return std::make_unique<TestDestination>(receiver);
    };
    ChannelRuntime::Parts parts{site, &site->channels[0], journal.get(), &executor, &clock, &random, &processor, &budget, &*pacer,
                                {net, base::system_env(), files, clock, "c", site->folder, nullptr, nullptr, {}}, make};
    parts.version_of = [this](std::string hash) { return find_version(&versions, std::move(hash)); };
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

inline std::string ack_code(const Answer& answer) {
  const auto at = answer.reply.find("MSA|");
  return at == std::string::npos ? "" : answer.reply.substr(at + 4, 2);
}

}  // namespace kiln::engine::test
