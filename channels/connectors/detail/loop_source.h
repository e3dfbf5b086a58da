#pragma once
// What sources share whose work is one loop: start, rounds with pauses between them, stop, status.

#include <atomic>
#include <memory>

#include "channels/connectors/detail/common.h"

namespace kiln::channels::detail {

/// Made by make_looping(), which keeps it as long as its loop runs. Everything on the executor of the network.
class LoopSource : public Source, public std::enable_shared_from_this<LoopSource> {
 public:
  base::Status start(Intake& intake) final;
  base::Task<void> stop() final;
  ConnectorStatus status() const override { return status_; }

 protected:
  LoopSource(const Options& options, const Surroundings& around);

  /// Before the loop. Errors name the option to change.
  virtual base::Status prepare() { return {}; }
  /// Again and again until stop(). Milliseconds until the next one; 0: at once.
  virtual base::Task<std::int64_t> round() = 0;
  /// stop() was called: ends what the round waits for beside rest() and the intake.
  virtual void interrupt() {}
  /// What stop() waits for before it waits for the loop: messages that were given beside it.
  virtual base::Task<void> settle();

  /// A wait that stop() and changed_.notify() end.
  base::Task<void> rest(std::int64_t ms);
  /// Gives one message when there is room.
  base::Task<Answer> accept(Inbound message);
  /// Journals what made no message, and says so in the status.
  base::Task<void> report(Unframed what);
  bool stopping() const { return stopping_; }
  /// What the source needs does not work: it is down until a round ends without this, or working() is called. The log says so
  /// at the change. `why` without content.
  void failing(const base::Error& why);
  void working();

  Options options_;
  Surroundings around_;
  Intake* intake_ = nullptr;
  base::Event changed_;
  std::atomic<bool> stopping_{false};  ///< also read by the threads of connectors
  ConnectorStatus status_;

 private:
  static base::Task<void> run(std::shared_ptr<LoopSource> self);
  static base::Task<void> end(std::shared_ptr<LoopSource> self);

  bool running_ = false;
  bool failed_ = false;   ///< in the round under way
  bool failing_ = false;  ///< as the log and the status say
};

/// For the factory of a connector.
template <class T>
std::unique_ptr<Source> make_looping(const Options& options, const Surroundings& around) {
  return std::make_unique<SharedSource<T>>(std::make_shared<T>(options, around));
}

}  // namespace kiln::channels::detail
