#pragma once
// A world for connector tests: real sockets and files, an intake that records, a store that records.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "channels/connector.h"
#include "channels/net/net.h"
#include "engine/base/clock.h"
#include "tests/support/temp_folder.h"

namespace kiln::channels::test {

class RecordingIntake final : public Intake {
 public:
  explicit RecordingIntake(Net& net) : net_(net) {}
  base::Task<Answer> accept(Inbound message) override;
  base::Task<Answer> report(Unframed what) override;
  bool has_room() const override { return held < budget; }
  base::Task<void> room() override;
  std::optional<std::int64_t> closed_seconds() const override { return closed; }
  void hold(std::size_t bytes) override { held_most = std::max(held_most, held += bytes); }
  void release(std::size_t bytes) override { held -= bytes; }

  std::optional<std::int64_t> closed;  ///< outside of its hours, for so many seconds
  std::size_t budget = SIZE_MAX;  ///< bytes of unfinished messages; beyond, has_room() is false
  std::size_t held = 0, held_most = 0;

  std::vector<Inbound> messages;
  std::vector<Unframed> reports;
  /// What is answered; by default stored, reply "ack:" + bytes.
  std::function<Answer(const Inbound&)> answer;
  /// Milliseconds before the answer, by the number of the message (0, 1, …); missing: none.
  std::vector<int> delays;

 private:
  Net& net_;
};

class RecordingStore final : public FhirSink, public ChangeFeed {
 public:
  explicit RecordingStore(Net& net) : changed_(net.executor()) {}
  base::Task<std::vector<SendOutcome>> apply_batch(std::vector<Outgoing> messages) override;
  base::Result<std::uint64_t> position(const std::string&) override { return position_; }
  base::Task<base::Result<ChangeBatch>> read(std::uint64_t after, std::size_t limit,
                                             std::int64_t wait_ms) override;
  base::Task<base::Status> advance(std::string consumer, std::uint64_t position) override;
  void wake() override { changed_.notify(); }

  void add(Change change);
  std::uint64_t advanced() const { return position_; }
  std::vector<Outgoing> applied;

 private:
  base::Event changed_;
  std::vector<Change> changes_;
  std::uint64_t position_ = 0;
};

struct World {
  Net net;
  kiln::test::TempFolder folder;
  base::SystemClock clock;
  base::InlineExecutor files;
  RecordingIntake intake{net};
  RecordingStore store{net};

  World();
  Surroundings around();
  void run(base::Task<void> task) { run_to_end(net, std::move(task)); }
  void wait(int ms);
  /// Runs the loop until `done` or 3 s have passed; false when they have.
  bool until(const std::function<bool()>& done);
  SendOutcome send(Destination& destination, Outgoing message);
  std::string path(const std::string& name) const { return folder.path() + "/" + name; }
};

/// The options of a block as written in a channel; REQUIREs that they are right.
Options parse(const ConnectorSpec& spec, const std::string& block);

/// A plain client: sends `bytes`, gives what comes back until the peer closes or `silence_ms` pass.
std::string talk(World& world, std::uint16_t port, const std::string& bytes, int silence_ms);

}  // namespace kiln::channels::test
