#pragma once
// One seed: an engine that is killed, loses power or stops again and again, its disk, its senders and its
// receivers.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "channels/definition.h"
#include "engine/base/random.h"
#include "engine/journal/sqlite_journal.h"
#include "engine/pipeline.h"
#include "tests/simulation/network.h"
#include "tests/simulation/peers.h"
#include "tests/support/crash_disk.h"

namespace kiln::simulation {

/// The sites that are simulated; loaded once for all seeds.
struct Site {
  std::shared_ptr<channels::Site> site;
  bool keyed = false;  ///< destination `b` has several connections and `order by`
};
std::vector<Site> load_sites();

/// How a life of the process ends.
struct Death {
  enum class At : std::uint8_t { disk_change, step, failpoint, time, sync_fails };
  enum class How : std::uint8_t { kill, power, orderly };
  At at = At::time;
  How how = How::kill;
  std::uint64_t count = 0;  ///< which change, step, passing or sync
  nanoseconds time{0};
  std::string place;  ///< name of a failpoint
};

/// The process: the real journal, pipeline, delivery and MLLP connectors. Left in memory when it dies.
struct Process {
  Process(Scheduler& scheduler, Chance& chance, SimNetwork::Outside& outside, base::ManualClock& clock,
          std::uint64_t seed);
  SimExecutor loop, committer;
  base::InlineExecutor files;
  SimNetwork network;
  base::SeededRandom random;
  engine::Processor processor;
  engine::InflightBudget budget;
  std::unique_ptr<engine::SqliteJournal> journal;
  std::optional<engine::CommitPacer> pacer;
  std::unique_ptr<engine::ChannelRuntime> channel;
  bool serves = false, stopping = false;
  bool ended = false;  ///< by itself: orderly, or because it could not start
  bool orderly = false;
};

class World final : public Surroundings, public SimNetwork::Outside {
 public:
  World(std::uint64_t seed, const std::vector<Site>& sites, bool traces);
  /// Runs to the end; the logs and the journal stand in `folder` then. True when nothing was found.
  bool run(const std::string& folder);
  std::string summary() const;

  Scheduler& scheduler() override { return scheduler_; }
  Chance& chance() override { return chance_; }
  LinkPtr dial(Peer* peer, const std::string& name) override;
  void finding(const std::string& text) override;
  void trace(const std::string& text) override;
  Peer* called(std::uint16_t port) override;
  LinkPlan plan() override;
  bool swallows_connect() override;
  void opened(Peer& peer, const LinkPtr& link) override;

  void pass(const char* name);
  bool tears(const char* name);

 private:
  void plan_peers();
  void plan_death();
  void plan_disturbances();
  void start_process();
  void die();
  void end_life();
  void live(nanoseconds most);
  void run_calm();
  bool is_drained() const;
  bool is_power_cut() const;
  bool save(const std::string& folder) const;

  std::uint64_t seed_;
  Chance chance_;
  const Site& site_;
  bool traces_;
  base::ManualClock clock_{{1'795'000'000'000'000}};
  Scheduler scheduler_{clock_, chance_};
  std::vector<std::unique_ptr<Sender>> senders_;
  std::vector<std::unique_ptr<Receiver>> receivers_;
  std::vector<LinkPtr> calls_;  ///< made by the process; kept for the receivers

  std::unique_ptr<kiln::test::CrashDisk> disk_;
  std::vector<kiln::test::DiskOp> log_;
  std::unique_ptr<kiln::test::CrashEnv> env_;
  Process* process_ = nullptr;
  Death death_;
  std::uint64_t changes_ = 0, passed_ = 0, life_ = 0, steps_at_start_ = 0;
  bool dead_ = false;
  std::size_t log_at_death_ = 0;
  std::map<std::string, kiln::test::CrashDisk::File> files_at_death_;
  bool calm_ = false;
  unsigned cuts_percent_ = 0, swallowed_percent_ = 0;
  nanoseconds latency_max_{0};
  std::size_t slice_ = 0;
  std::uint64_t kills_ = 0, power_cuts_ = 0, orderly_stops_ = 0;
  std::vector<std::string> findings_;
};

}  // namespace kiln::simulation
