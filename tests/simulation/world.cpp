#include "tests/simulation/world.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "engine/base/failpoint.h"
#include "tests/simulation/process.h"

namespace kiln::simulation {

using base::FailpointAction;
using kiln::test::CrashDisk;
using kiln::test::CrashEnv;
using kiln::test::DiskOp;

namespace {

constexpr const char* kFolder = "journal";
constexpr std::uint16_t kIntakePort = 2575, kPortA = 2600, kPortB = 2601;

constexpr const char* kStrict = R"(module sim

channel load {
  source mllp { port 2575 }
  accept hl7 ADT_A01 2.5.1
  ack original on mapped
  to a: mllp from source { host "a"; port 2600; ack_timeout 2s; connect_timeout 1s; retry forever backoff 20ms..1s; nak AR quarantine }
  to b: mllp from source { host "b"; port 2601; ack_timeout 1s; connect_timeout 1s; retry forever backoff 10ms..200ms; nak AR quarantine }
}
)";
constexpr const char* kStored = R"(module sim

channel load {
  source mllp { port 2575 }
  accept hl7 ADT_A01 2.5.1
  ack original on stored
  to a: mllp from source { host "a"; port 2600; ack_timeout 2s; connect_timeout 1s; retry forever backoff 20ms..1s; nak AR quarantine }
  to b: mllp from source { host "b"; port 2601; ack_timeout 1s; connect_timeout 1s; retry forever backoff 10ms..200ms; nak AR quarantine }
}
)";
constexpr const char* kKeyed = R"(module sim

channel load {
  source mllp { port 2575 }
  accept hl7 ADT_A01 2.5.1
  ack original on mapped
  to a: mllp from source { host "a"; port 2600; ack_timeout 2s; connect_timeout 1s; retry forever backoff 20ms..1s; nak AR quarantine }
  to b: mllp from source {
    host "b"; port 2601; ack_timeout 1s; connect_timeout 1s; retry forever backoff 10ms..200ms; nak AR quarantine
    connections 3
    order by PID-3[1].1
  }
}
)";

/// Places that this load passes.
constexpr const char* kPlaces[] = {
    "pipeline.read",          "pipeline.map.before",   "pipeline.map.after",    "pipeline.durable",
    "pipeline.store",         "pipeline.stored",       "pipeline.recover",      "journal.open",
    "journal.open.folder",    "journal.create",        "journal.commit.before", "journal.commit.after",
    "journal.message.before", "journal.message.after", "journal.output.before", "journal.output.after",
    "journal.ending",         "journal.quarantine",    "journal.taken_off",     "journal.attempt",
    "journal.answered",       "journal.recover.file",  "journal.recover.count", "journal.sending.count",
    "journal.open.unclean",   "journal.close.before",  "journal.close.clean",   "journal.rotate.before",
    "journal.rotate.made",    "journal.rotate.after",  "journal.carry",         "delivery.load",
    "delivery.send.before",   "delivery.send.after",   "delivery.retry",        "delivery.record",
    "delivery.recorded",      "mllp.connect",          "mllp.send.torn",        "mllp.answer",
    "mllp.ack.torn",          "sql.checkpoint.before", "sql.checkpoint.after"};

World* the_world = nullptr;

FailpointAction on_failpoint(const char* name) {
  the_world->pass(name);
  return the_world->tears(name) ? FailpointAction::torn : FailpointAction::none;
}

}  // namespace

std::vector<Site> load_sites() {
  std::vector<Site> out;
  for (const char* text : {kStrict, kStored, kKeyed}) {
    auto loaded = channels::load_site_texts({{"channels/load.channel", text}});
    if (!loaded.site) {
      std::fprintf(stderr, "%s", base::render(loaded.diagnostics, loaded.library->sources()).c_str());
      std::exit(1);
    }
    out.push_back({loaded.site, text == kKeyed});
  }
  return out;
}

World::World(std::uint64_t seed, const std::vector<Site>& sites, bool traces)
    : seed_(seed), chance_(seed), site_(sites[Chance(seed ^ 0x51).below(sites.size())]), traces_(traces) {
  the_world = this;
  CrashEnv::seed_salts(seed);
  base::detail::failpoint_hook.store(&on_failpoint);
  disk_ = std::make_unique<CrashDisk>();
  plan_peers();
}

void World::plan_peers() {
  latency_max_ = microseconds(50 + chance_.below(3) * chance_.below(20'000));
  slice_ = chance_.below(4) == 0 ? 1 + chance_.below(40) : 0;
  cuts_percent_ = chance_.below(3) == 0 ? static_cast<unsigned>(chance_.below(40)) : 0;
  swallowed_percent_ = chance_.below(4) == 0 ? 10 : 0;
  const std::size_t senders = 1 + chance_.below(4);
  for (std::size_t i = 1; i <= senders; ++i) {
    SenderPlan plan;
    plan.number = static_cast<int>(i);
    plan.messages = static_cast<int>(6 + chance_.below(40 / senders + 1));
    plan.at_once = chance_.below(3) == 0 ? 2 + chance_.below(6) : 1;
    plan.patience = milliseconds(500 + chance_.below(8'000));
    plan.pause_max =
        chance_.below(2) == 0 ? nanoseconds(milliseconds(1 + chance_.below(300))) : nanoseconds(0);
    plan.repeats_percent = chance_.below(2) == 0 ? 15 : 0;
    plan.noise_percent = chance_.below(5) == 0 ? 10 : 0;
    senders_.push_back(std::make_unique<Sender>(*this, plan));
  }
  for (const std::uint16_t port : {kPortA, kPortB}) {
    ReceiverPlan plan;
    plan.port = port;
    plan.refuses_percent = chance_.below(3) == 0 ? 10 : 0;
    constexpr unsigned kLost[] = {0, 0, 1, 10, 100};
    plan.lost_percent = kLost[chance_.below(std::size(kLost))];
    plan.odd_percent = chance_.below(2) == 0 ? static_cast<unsigned>(chance_.below(40)) : 0;
    plan.keyed = site_.keyed && port == kPortB;
    receivers_.push_back(std::make_unique<Receiver>(*this, plan));
  }
}

void World::plan_death() {
  death_ = {};
  const std::uint64_t how = chance_.below(10);
  death_.how = how < 4 ? Death::How::kill : how < 8 ? Death::How::power : Death::How::orderly;
  death_.time = milliseconds(1 + chance_.below(chance_.below(2) == 0 ? 200 : 6'000));
  if (death_.how == Death::How::orderly) return;
  death_.at = static_cast<Death::At>(chance_.below(5));
  death_.count = 1 + chance_.below(death_.at == Death::At::disk_change ? 300
                                   : death_.at == Death::At::step      ? 2'000
                                                                       : 12);
  if (death_.at == Death::At::failpoint) death_.place = kPlaces[chance_.below(std::size(kPlaces))];
  if (death_.at != Death::At::time) death_.time = milliseconds(10'000);  // when it is not reached
}

/// What happens beside the deaths: receivers that go away and come back, clocks that jump, a disk that is
/// full for a while.
void World::plan_disturbances() {
  const auto later = [this] { return milliseconds(chance_.below(5'000)); };
  for (const auto& receiver : receivers_) {
    if (chance_.below(3) != 0) continue;
    scheduler_.at(later(), [this, r = receiver.get()] { r->set_up(calm_); });
    scheduler_.at(later() + milliseconds(3'000), [r = receiver.get()] { r->set_up(true); });
  }
  if (chance_.below(4) == 0) {
    constexpr std::int64_t kJumps[] = {86'400, -86'400, 3'600, -3'600, 31'536'000, -31'536'000};
    scheduler_.at(later(), [this, by = kJumps[chance_.below(std::size(kJumps))]] {
      clock_.set_wall({clock_.wall().micros + by * 1'000'000});
      trace("the clock jumps by " + std::to_string(by) + " s");
    });
  }
  if (chance_.below(5) == 0) {
    const auto fault = chance_.below(2) == 0 ? CrashDisk::Fault::full : CrashDisk::Fault::io;
    scheduler_.at(later(), [this, fault, for_ever = chance_.below(2) == 0] {
      if (calm_ || disk_->fault != CrashDisk::Fault::none) return;
      disk_->fault = fault;
      disk_->calls = 0;
      disk_->fail_at = 1 + chance_.below(30);
      disk_->fail_for_ever = for_ever;
      trace("the disk begins to fail");
    });
    scheduler_.at(milliseconds(5'000 + chance_.below(3'000)), [this] {
      if (disk_->fault == CrashDisk::Fault::full || disk_->fault == CrashDisk::Fault::io)
        disk_->fault = CrashDisk::Fault::none;
    });
  }
}

void World::start_process() {
  env_.reset();
  disk_->log = &log_;
  disk_->on_change = [this] {
    ++changes_;
    if (!calm_ && death_.at == Death::At::disk_change && changes_ == death_.count) die();
  };
  if (calm_) disk_->fault = CrashDisk::Fault::none;
  if (!calm_ && death_.at == Death::At::sync_fails) {
    disk_->fault = CrashDisk::Fault::sync;
    disk_->calls = 0;
    disk_->fail_at = death_.count;
    disk_->fail_for_ever = false;
  }
  env_ = std::make_unique<CrashEnv>(*disk_);
  dead_ = false;
  changes_ = passed_ = 0;
  steps_at_start_ = scheduler_.steps();
  ++life_;
  trace("life " + std::to_string(life_) + (calm_ ? ", calm" : ""));
  process_ = new Process(scheduler_, chance_, *this, clock_, seed_ * 1000 + life_);
  process_->loop.post([this, process = process_] {
    ProcessParts parts{process,   site_.site, env_.get(), &clock_, kFolder,
                       [this] { die(); },
                       [this](const std::string& why) { trace("no start: " + why); }};
    start(std::move(parts));
  });
}

/// The process is gone between two instructions. What its thread still does until it comes back here has no
/// effect.
void World::die() {
  if (std::exchange(dead_, true)) return;
  const bool power = is_power_cut();
  trace(power ? "power is cut" : "the process is killed");
  ++(power ? power_cuts_ : kills_);
  log_at_death_ = log_.size();
  if (!power) files_at_death_ = disk_->files;
  process_->network.lose_process(power && chance_.below(2) == 0);
  process_->loop.die();
  process_->committer.die();
}

bool World::is_power_cut() const {
  return death_.how == Death::How::power || (death_.at == Death::At::sync_fails && disk_->failed > 0);
}

/// The next life finds the disk as this one left it.
void World::end_life() {
  if (!dead_) {
    trace(process_->orderly ? "stopped in order" : "ended by itself");
    ++orderly_stops_;
    process_->network.lose_process(false);
    process_->loop.die();
    process_->committer.die();
  }
  process_->pacer.reset();
  // What a failed sync left in memory is not believed: the same as a cut.
  const bool power = dead_ ? is_power_cut() : disk_->fault == CrashDisk::Fault::sync && disk_->failed > 0;
  disk_->failed = 0;
  if (!dead_ && !power) {
    process_->journal.reset();
    disk_->fault = CrashDisk::Fault::none;
    return;
  }
  if (!dead_) log_at_death_ = log_.size();
  disk_->log = nullptr;
  disk_->fault = CrashDisk::Fault::none;
  process_->journal.reset();
  env_.reset();
  log_.resize(log_at_death_);
  if (power) {
    *disk_ = CrashDisk::after_power_cut(log_, log_.size(), chance_);
    log_ = disk_->as_log();
  } else {
    disk_->files = std::move(files_at_death_);
  }
  disk_->log = &log_;
}

void World::live(nanoseconds most) {
  const base::MonoTime until = scheduler_.now() + most;
  scheduler_.at(most, [] {});  // time does not jump over the end
  constexpr std::uint64_t kStepsMax = 400'000;
  while (!dead_ && !process_->ended && scheduler_.now() < until) {
    if (!scheduler_.step()) break;
    const std::uint64_t steps = scheduler_.steps() - steps_at_start_;
    if (steps > kStepsMax) return finding("a life that does not end by itself");
    if (!calm_ && death_.at == Death::At::step && steps >= death_.count) die();
  }
}

bool World::run(const std::string& folder) {
  for (const auto& sender : senders_) sender->start();
  const std::uint64_t lives = chance_.below(6);
  for (std::uint64_t i = 0; i < lives && findings_.empty(); ++i) {
    plan_death();
    plan_disturbances();
    start_process();
    live(death_.time);
    if (!dead_ && !process_->ended && death_.how == Death::How::orderly && process_->serves) {
      stop(process_);
      live(milliseconds(60'000));
      if (!process_->ended && !dead_) finding("the engine does not stop within 60 s");
    }
    if (!dead_ && !process_->ended) die();
    end_life();
    // The world goes on without it.
    const base::MonoTime until = scheduler_.now() + milliseconds(chance_.below(1'500));
    scheduler_.at(until - scheduler_.now(), [] {});
    while (scheduler_.now() < until && scheduler_.step()) {
    }
  }
  if (findings_.empty()) run_calm();
  return findings_.empty() && save(folder);
}

/// Nothing fails any more: everything must arrive.
void World::run_calm() {
  calm_ = true;
  for (const auto& receiver : receivers_) receiver->calm();
  death_ = {};
  start_process();
  const base::MonoTime until = scheduler_.now() + std::chrono::minutes(20);
  while (findings_.empty() && !is_drained()) {
    live(milliseconds(100));
    if (process_->ended || dead_) return finding("the engine ended although nothing failed");
    if (scheduler_.now() > until) {
      std::string state = "not everything has arrived after 20 minutes without faults:";
      for (const auto& queue : process_->channel->queues())
        state += " " + std::to_string(queue->pending()) + " wait for " + queue->name() + " (" +
                 queue->status().last_error + ")";
      for (const auto& sender : senders_) state += sender->is_done() ? "" : ", a sender still waits";
      return finding(state);
    }
  }
  if (!findings_.empty()) return;
  stop(process_);
  live(milliseconds(60'000));
  if (!process_->ended || !process_->orderly) return finding("the last stop is not orderly");
  end_life();
}

bool World::is_drained() const {
  if (!process_->serves || !process_->channel->is_quiet()) return false;
  for (const auto& sender : senders_)
    if (!sender->is_done()) return false;
  for (const auto& queue : process_->channel->queues())
    if (queue->pending() > 0 || queue->unrecorded() > 0) return false;
  return true;
}

bool World::save(const std::string& folder) const {
  namespace fs = std::filesystem;
  fs::create_directories(fs::path(folder) / kFolder);
  const auto write = [&folder](const std::string& name, const std::string& bytes) {
    std::ofstream(folder + "/" + name, std::ios::binary) << bytes;
  };
  for (const auto& [path, file] : disk_->files) write(path, file.bytes);
  std::string sent, alone;
  for (const auto& sender : senders_) {
    sent += sender->log();
    if (sender->is_alone()) alone += sender->first_acknowledgements();
  }
  write("sent.log", sent);
  write("alone.log", alone);
  write("a.log", receivers_[0]->log());
  write(site_.keyed ? "b.keyed.log" : "b.log", receivers_[1]->log());
  return true;
}

std::string World::summary() const {
  int acknowledged = 0;
  std::size_t arrivals = 0, repeated = 0;
  for (const auto& sender : senders_) acknowledged += sender->acknowledged();
  for (const auto& receiver : receivers_) {
    arrivals += receiver->arrivals();
    repeated += receiver->repeated();
  }
  return std::to_string(acknowledged) + " acknowledged, " + std::to_string(arrivals) + " arrivals, " +
         std::to_string(repeated) + " repeated, " + std::to_string(kills_) + " killed, " +
         std::to_string(power_cuts_) + " power cuts, " + std::to_string(orderly_stops_) + " stops, " +
         std::to_string(clock_.mono().count() / 1'000'000) + " ms";
}

LinkPtr World::dial(Peer* peer, const std::string& name) {
  return process_ == nullptr || dead_ || process_->ended
             ? nullptr
             : process_->network.dial(kIntakePort, peer, name, plan());
}

void World::finding(const std::string& text) {
  trace("FINDING " + text);
  findings_.push_back(text);
  std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed_), text.c_str());
}

void World::trace(const std::string& text) {
  if (traces_)
    std::printf("%10.3f ms  %s\n", static_cast<double>(scheduler_.now().count()) / 1e6, text.c_str());
}

Peer* World::called(std::uint16_t port) {
  for (const auto& receiver : receivers_)
    if (receiver->port() == port && receiver->is_up()) return receiver.get();
  return nullptr;
}

LinkPlan World::plan() {
  LinkPlan out;
  out.latency_max = latency_max_;
  out.slice = slice_;
  if (calm_ || chance_.below(100) >= cuts_percent_) return out;
  out.end = static_cast<LinkPlan::End>(chance_.below(3));
  (chance_.below(2) == 0 ? out.cut_to_engine : out.cut_to_peer) =
      static_cast<std::int64_t>(chance_.below(3'000));
  return out;
}

bool World::swallows_connect() {
  return !calm_ && chance_.below(100) < swallowed_percent_;
}

void World::opened(Peer&, const LinkPtr& link) {
  calls_.push_back(link);
}

void World::pass(const char* name) {
  if (dead_ || calm_ || death_.at != Death::At::failpoint || death_.place != name) return;
  if (++passed_ == death_.count) die();
}

/// Half of a frame leaves, then the process dies; and a change of files without waiting for midnight.
bool World::tears(const char* name) {
  if (dead_ || calm_) return false;
  const std::string_view place = name;
  if (place == "journal.rotate.now") return chance_.below(200) == 0;
  return death_.at == Death::At::failpoint && death_.place == std::string(place) + ".torn" &&
         passed_ + 1 == death_.count;
}

}  // namespace kiln::simulation
