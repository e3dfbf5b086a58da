#pragma once
// One channel at work (architecture.md §2): source -> journal -> filter and maps -> acknowledgement ->
// queues. accept() is the only place with this order; recovery and replay join it behind the journal step.

#include <functional>
#include <map>
#include <memory>
#include <unordered_map>

#include "channels/definition.h"
#include "channels/intake.h"
#include "engine/base/limits.h"
#include "engine/commit_pacer.h"
#include "engine/delivery.h"
#include "engine/fragments.h"
#include "engine/observe/meters.h"
#include "engine/process.h"
#include "engine/sequence_links.h"
#include "engine/site_version.h"
#include "mappings/field_coverage.h"

namespace kiln::engine {

/// Bytes of messages in flight over all channels, half-received ones too (reliability.md R9). One executor.
class InflightBudget {
 public:
  /// `limit` in bytes: `limits { inflight … }` of the site.
  explicit InflightBudget(base::TimerExecutor& executor, std::size_t limit = base::limits::kInflightBytesMax)
      : limit_(limit), freed_(executor) {}
  void take(std::size_t bytes) { used_ += bytes; }
  void give_back(std::size_t bytes);
  bool has_room() const;
  std::size_t used() const { return used_; }
  base::Task<void> room();

 private:
  std::size_t limit_, used_ = 0;
  base::Event freed_;
};

struct ChannelCounters {
  MeteredCount received, accepted, rejected, filtered, quarantined, duplicates, not_stored, unframed, replayed;
  base::WallTime last_received;
  /// From now on they count in the metrics of the process too.
  void attach(std::string_view channel);
};

/// What a replay of one message would do, or did.
struct ReplayOutcome {
  MessageId id = 0;     ///< of the new message; 0 in a dry run
  std::string verdict;  ///< accepted, rejected, quarantined, filtered
  std::string reason;
  struct Part {
    std::string destination;
    std::uint64_t bytes = 0;
    std::string sha256;  ///< hex, of what would be sent
  };
  std::vector<Part> outputs;
};

class ChannelRuntime final : public channels::Intake {
 public:
  /// All references outlive stop(). Everything happens on the executor of `around.network`.
  struct Parts {
    std::shared_ptr<const channels::Site> site;
    const channels::ChannelDefinition* definition;  ///< of `site`
    Journal* journal;
    base::TimerExecutor* executor;
    const base::Clock* clock;
    base::Random* random;
    Processor* processor;
    InflightBudget* budget;
    CommitPacer* pacer;
    channels::Surroundings around;  ///< what its connectors run on
    /// Makes destinations instead of their connectors, for tests; empty: the connectors do.
    std::function<std::unique_ptr<channels::Destination>(const channels::DestinationDefinition&)>
        make_destination;
    /// The same for the source.
    std::function<std::unique_ptr<channels::Source>()> make_source = {};

    /// A site version by its hash, for answers to repetitions of messages that are pinned to it; null when it cannot be
    /// loaded any more. Empty: the current one is all there is.
    std::function<base::Task<std::shared_ptr<const channels::Site>>(std::string)> version_of = {};
  };
  explicit ChannelRuntime(Parts parts);
  ~ChannelRuntime() override;

  /// Processes messages that were accepted before a crash, in order; before start_queues(). Their outputs are
  /// durable when the task ends, however long the disk is full. A message is processed by the version of
  /// `versions` it is pinned to; by the current site when there is none, or when that version has no such
  /// channel.
  base::Task<base::Status> recover(std::vector<MessageId> ids, SiteVersions versions);
  /// Makes the connectors and starts the queues; `waiting` is the number of outputs per destination that
  /// recovered() found, of messages up to `last_id`.
  base::Status start_queues(std::map<std::string, std::uint64_t> waiting, MessageId last_id, bool clean_stop);
  base::Status start_source();
  base::Task<void> stop_source();
  base::Task<void> stop_queues();

  base::Task<channels::Answer> accept(channels::Inbound in) override;
  base::Task<channels::Answer> report(channels::Unframed what) override;
  bool has_room() const override;
  void hold(std::size_t bytes) override { parts_.budget->take(bytes); }
  void release(std::size_t bytes) override { parts_.budget->give_back(bytes); }
  base::Task<void> room() override;

  /// Sends a stored message through the current site as a new message linked to it. `destinations` limits
  /// where it goes; empty: everywhere its plan says.
  base::Task<base::Result<ReplayOutcome>> replay(StoredMessage original,
                                                 std::vector<std::string> destinations, bool dry_run);

  /// A version of the site with other tables, from the next message on. What is under way ends with the version
  /// it began with.
  void use_site(std::shared_ptr<const channels::Site> site);

  /// An operator lets frozen links go on: each takes the next positive number, whatever it is. How many there
  /// were.
  base::Task<base::Result<std::size_t>> resume_links();
  /// Empty unless the source has `sequence_numbers`.
  LinkStates links() const { return links_ ? links_->states() : LinkStates(); }

  const channels::ChannelDefinition& definition() const { return *parts_.definition; }
  const ChannelCounters& counters() const { return counters_; }
  /// Nothing is on its way from the journal to the queues.
  bool is_quiet() const { return storing_.empty(); }
  /// Of what came since the start; replays and repetitions do not count.
  const mappings::FieldCoverage& coverage() const { return coverage_; }
  channels::ConnectorStatus source_status() const;
  const std::vector<std::unique_ptr<DeliveryQueue>>& queues() const { return queues_; }
  DeliveryQueue* find_queue(std::string_view name) const;

 private:
  using Waiters = std::vector<base::Completion<channels::Answer>>;
  NewMessage make_message(channels::Inbound in, const channels::Site& site) const;
  base::Task<std::optional<channels::Answer>> stored_answer(NewMessage message, bool keep_refusal);
  Plan process_again(const NewMessage& message, const SiteVersions& versions, Opened& opened);
  bool is_rejected(const Plan& plan) const;
  Processed take_outcome(Plan& plan) const;
  void count(const Processed& processed);
  base::Task<void> take_joined(Fragments::Joined joined);
  bool looks_at_fields() const;
  void cover(MessageId id, const Plan& plan);
  channels::Answer settle(MessageId id, NewMessage message, const Opened& opened, Plan plan);
  channels::Answer refuse(const NewMessage& message, const Opened& opened, const base::Error& error);
  void store(std::shared_ptr<Processed> processed);
  void stored(std::shared_ptr<Processed> processed, const base::Status& status);
  void flush_stored();
  void finish(const DedupeKey& key, const channels::Answer& answer, std::size_t bytes);
  void push(Processed& processed, const std::string& source, base::WallTime received);

  Parts parts_;
  const std::shared_ptr<const channels::Site> first_site_;  ///< connectors were made of its options
  std::unique_ptr<channels::Source> source_;
  std::vector<std::unique_ptr<DeliveryQueue>> queues_;
  ChannelCounters counters_;
  ChannelMeter meter_;
  mappings::FieldCoverage coverage_;
  std::unique_ptr<SequenceLinks> links_;
  std::unique_ptr<Fragments> fragments_;
  std::map<DedupeKey, Waiters> in_flight_;
  struct Storing {
    std::shared_ptr<Processed> processed;
    std::shared_ptr<const NewMessage> message;
    bool durable = false;
  };
  std::map<MessageId, Storing> storing_;  ///< in message order: queues get outputs in this order only
  bool flush_due_ =
      false;  ///< a timer runs that makes the journal commit what store() left to the next append
  std::map<std::string, std::uint64_t>
      before_queues_;  ///< outputs per destination that recovery made; they are in the journal
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace kiln::engine
