#pragma once
// What stands around the engine: senders that keep what is not acknowledged, receivers that misbehave. Both
// write the logs that tests/support/checker reads.

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/network.h"

namespace kiln::simulation {

/// What peers need of the world.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  virtual Scheduler& scheduler() = 0;
  virtual Chance& chance() = 0;
  /// A connection to the engine; nullptr: it does not listen.
  virtual LinkPtr dial(Peer* peer, const std::string& name) = 0;
  /// Something that must never be.
  virtual void finding(const std::string& text) = 0;
  virtual void trace(const std::string& text) = 0;
};

/// Finds frames in a stream.
class Frames {
 public:
  void push(std::string_view data) { buffer_ += data; }
  /// False: none is complete.
  bool next(std::string& frame);

 private:
  std::string buffer_;
};

std::string framed(std::string_view message);
/// Field `number` of the first segment of that name; MSH-n stands at n-1.
std::string field_of(std::string_view message, std::string_view segment, std::size_t number);

struct SenderPlan {
  int number = 1;
  int messages = 10;
  std::size_t at_once = 1;  ///< frames that go out before the first is acknowledged
  nanoseconds patience{5'000'000'000};
  nanoseconds pause_max{0};      ///< between messages
  unsigned repeats_percent = 0;  ///< of acknowledged messages that are sent once more
  unsigned noise_percent = 0;    ///< of frames with bytes before them that are no message
};

class Sender final : public Peer {
 public:
  Sender(Surroundings& around, SenderPlan plan) : around_(around), plan_(plan) {}
  void start();
  void bytes(Link& link, std::string_view data) override;
  void closed(Link& link) override;
  bool is_done() const { return next_ > plan_.messages && waiting_.empty(); }
  /// Of the checker, in order of acknowledgement.
  const std::string& log() const { return log_; }
  /// One message is out at a time.
  bool is_alone() const { return plan_.at_once == 1; }
  /// The log in order of sending, a line for each message.
  std::string first_acknowledgements() const;
  int acknowledged() const { return static_cast<int>(answers_.size()); }

 private:
  void connect();
  void reconnect();
  void go_on();
  void give_up_waiting(std::uint64_t turn);
  void take(const std::string& ack);
  std::string message(int number) const;
  std::string control(int number) const;

  Surroundings& around_;
  SenderPlan plan_;
  LinkPtr link_;
  Frames frames_;
  int next_ = 1;
  std::deque<int> waiting_;  ///< not acknowledged, in order; sent again on the next connection
  std::size_t sent_ = 0;     ///< of them on this connection
  std::uint64_t turn_ = 0;   ///< changes with each answer: an older time-out is of no interest
  bool paused_ = false;
  std::map<int, std::string> answers_;  ///< the positive ones
  std::string log_;
};

struct ReceiverPlan {
  std::uint16_t port = 0;
  unsigned refuses_percent = 0;  ///< answers AE, and takes it the next time
  unsigned lost_percent = 0;     ///< acknowledgements that never leave
  unsigned odd_percent = 0;      ///< late, doubled, garbled, foreign, cut and glued ones, closed connections
  bool keyed = false;            ///< its log has the key of `order by`
};

class Receiver final : public Peer {
 public:
  Receiver(Surroundings& around, ReceiverPlan plan) : around_(around), plan_(plan) {}
  void bytes(Link& link, std::string_view data) override;
  void closed(Link& link) override { frames_.erase(&link); }
  std::uint16_t port() const { return plan_.port; }
  bool is_up() const { return up_; }
  void set_up(bool up) { up_ = up; }
  void calm() { up_ = true, plan_.refuses_percent = plan_.lost_percent = plan_.odd_percent = 0; }
  const std::string& log() const { return log_; }
  std::size_t arrivals() const { return arrivals_; }
  std::size_t repeated() const { return arrivals_ - seen_.size(); }

 private:
  void take(Link& link, const std::string& frame);
  std::string odd_answer(Link& link, const std::string& control);

  Surroundings& around_;
  ReceiverPlan plan_;
  bool up_ = true;
  std::map<const Link*, Frames> frames_;
  std::set<std::string> refused_, seen_;
  std::size_t arrivals_ = 0;
  std::string log_;
};

}  // namespace kiln::simulation
