#pragma once
// One channel at work (architecture.md §2): source -> journal -> filter and maps -> acknowledgement ->
// queues. accept() is the only place with this order; recovery and replay join it behind the journal step.

#include <functional>
#include <map>
#include <memory>
#include <set>
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

/// Where a queue goes on: what the journal holds for it already.
struct QueueStart {
  std::uint64_t waiting = 0;
  MessageId last_id = 0;  ///< all of them are outputs of messages up to here
  bool clean_stop = true;
};

/// What differs between the running and another version of a channel, as far as connectors go.
struct ChannelChange {
  bool source = false;
  std::set<std::string> added, removed, changed;  ///< destinations that have a queue
};

/// What operators see of a channel as a whole.
enum class ChannelState : std::uint8_t { running, paused, draining, stopped, closed };
const char* name_of(ChannelState state);

/// How a stored message is sent again.
struct ReplayOrder {
  JobId job = 0;
  std::function<bool(const std::string& destination)> wants;  ///< empty: everywhere its plan says
  std::vector<Output> outputs;  ///< not empty: these instead of what the maps make
  bool dry_run = false;
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

    /// A site version by its hash, for answers to repetitions of messages that are pinned to it; null when it
    /// cannot be loaded any more. Empty: the current one is all there is.
    std::function<base::Task<std::shared_ptr<const channels::Site>>(std::string)> version_of = {};

    /// Recovery of a replayed message: takes out of its plan what the replay does not send. Empty: it goes everywhere.
    std::function<base::Task<void>(StoredMessage, Plan*)> narrow = {};
  };
  explicit ChannelRuntime(Parts parts);
  ~ChannelRuntime() override;

  /// Processes messages that were accepted before a crash, in order; before start_queues(). Their outputs are
  /// durable when the task ends, however long the disk is full. A message is processed by the version of
  /// `versions` it is pinned to; by the current site when there is none, or when that version has no such
  /// channel.
  /// `done` (may be null) counts those that are decided, also when it fails: the others may be recovered again.
  base::Task<base::Status> recover(std::vector<MessageId> ids, SiteVersions versions, std::size_t* done = nullptr);
  /// Makes the connectors and starts the queues; `waiting` is the number of outputs per destination that
  /// recovered() found, of messages up to `last_id`.
  base::Status start_queues(std::map<std::string, std::uint64_t> waiting, MessageId last_id, bool clean_stop);
  /// Makes and starts the connectors of start_queues() before it, which then cannot fail. Errors: of a connector, with the
  /// destination as place; then none runs.
  base::Status make_ready();
  /// Stops what make_ready() started, of a channel that is not begun.
  void abandon_ready();
  base::Status start_source();
  base::Task<void> stop_source();
  base::Task<void> stop_queues();

  // ---- pipeline_reload.cpp: another version of the channel while it runs ----

  /// Connectors of another version: those of its changed and added destinations, started.
  struct Prepared {
    std::shared_ptr<const channels::Site> site;
    const channels::ChannelDefinition* definition = nullptr;
    ChannelChange change;
    struct Queue {
      DeliveryQueue::Settings settings;
      DeliveryQueue::Connectors connectors;
    };
    std::map<std::string, Queue> queues;
    std::unique_ptr<channels::Source> source;  ///< not started
  };
  /// Nothing changes yet. Errors: of the connectors, with the destination as place.
  base::Result<Prepared> prepare(std::shared_ptr<const channels::Site> site,
                                 const channels::ChannelDefinition& definition, ChannelChange change);
  /// Between stop_source() and commit(): starts the source of `prepared` instead, unless an operator has
  /// stopped the channel. Errors: of the connector; then take_back_source() goes on with the old one.
  static void abandon(Prepared prepared);
  base::Status exchange_source(Prepared& prepared);
  base::Status take_back_source(Prepared& prepared);
  /// The other version, from the next message on. Does not suspend. `parked` says what the journal holds for
  /// added destinations. Removed queues are left to end_removed().
  void commit(Prepared prepared, std::map<std::string, QueueStart> parked);
  /// Ends the sends in progress of the queues that commit() took out and says what they leave in the journal.
  base::Task<std::map<std::string, QueueStart>> end_removed();
  /// The same of all queues, of a channel whose source is stopped: waits until every plan is durable.
  base::Task<std::map<std::string, QueueStart>> retire();
  /// No message is under way and nobody uses it: a retired channel may be destroyed.
  bool is_idle() const { return under_way_ == 0 && users_ == 0 && storing_.empty(); }
  /// Keeps a channel that a reload takes out, for who goes on with it behind a suspension. Its queues are then stopped and
  /// perhaps gone: they are looked for again.
  class Use {
   public:
    explicit Use(ChannelRuntime* channel) : channel_(channel) { ++channel_->users_; }
    ~Use() { --channel_->users_; }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    ChannelRuntime* channel_;
  };

  // ---- pipeline_holds.cpp: what operators hold ----

  /// The listener closes (after the answers of what it has taken), or opens again. Errors: of the connector.
  base::Task<base::Status> stop_intake(bool drain);
  base::Status start_intake();
  /// After stop_source(): opens it again, unless it was stopped by an operator.
  base::Status restart_intake() { return stopped_ ? base::Status() : start_intake(); }
  /// The source stays connected and reads nothing.
  void pause_source(bool paused);
  void hold_source(bool held) {
    source_held_ = held;
    pause_source(held);
  }
  /// It keeps accepting; no destination sends.
  void pause_deliveries(bool paused);
  /// False: there is no such destination.
  bool pause_destination(const std::string& name, bool paused);
  bool is_paused(const std::string& destination) const { return paused_destinations_.contains(destination); }
  bool source_paused() const { return source_paused_; }
  ChannelState state() const;
  /// Outside of the `hours` of its source: when it opens, for people; empty: it is open.
  std::string closed() const;
  /// Before the start: what was held when the process ended.
  void stay_stopped() { stopped_ = true; }
  void stay_paused() { source_held_ = source_paused_ = true; }
  void stay_paused(const std::string& destination) { paused_destinations_.insert(destination); }
  bool holds_source() const { return source_held_; }
  void on_blocks(std::function<void(const std::string& destination, const std::set<MessageId>&)> tell) {
    tell_blocks_ = std::move(tell);
  }
  void block_at_start(std::map<std::string, std::set<MessageId>> blocked) {
    blocked_at_start_ = std::move(blocked);
  }

  base::Task<channels::Answer> accept(channels::Inbound in) override;
  base::Task<channels::Answer> report(channels::Unframed what) override;
  bool has_room() const override;
  void hold(std::size_t bytes) override { parts_.budget->take(bytes); }
  void release(std::size_t bytes) override { parts_.budget->give_back(bytes); }
  base::Task<void> room() override;
  std::optional<std::int64_t> closed_seconds() const override;

  /// Sends a stored message through the current site as a new message linked to it.
  base::Task<base::Result<ReplayOutcome>> replay(StoredMessage original, ReplayOrder order);
  /// The same; `destinations` limits where it goes; empty: everywhere its plan says.
  base::Task<base::Result<ReplayOutcome>> replay(StoredMessage original,
                                                 std::vector<std::string> destinations, bool dry_run);

  /// A version of the site with other tables, from the next message on. What is under way ends with the
  /// version it began with.
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
  struct Known;
  base::Task<base::Result<Known>> find_known(DedupeKey key, bool keep_refusal);
  base::Task<std::optional<channels::Answer>> answer_repeated(NewMessage* message, Opened* opened, bool keep_refusal,
                                                              channels::EarlyAnswer early);
  base::Task<channels::Answer> answer_known(NewMessage* message, Opened* opened, Known known, channels::EarlyAnswer early,
                                            std::uint64_t stops);
  Plan process_again(const NewMessage& message, const SiteVersions& versions, Opened& opened);
  static bool is_rejected(const Plan& plan, const channels::ChannelDefinition& definition);
  Processed take_outcome(Plan& plan, const channels::ChannelDefinition& definition) const;
  void count(const Processed& processed);
  base::Task<void> take_joined(Fragments::Joined joined);
  base::Task<void> join(Fragments::Joined joined, std::shared_ptr<bool> alive);
  // pipeline_delivered.cpp: answers that wait for deliveries, or that a map makes.
  using EarlyAnswer = channels::EarlyAnswer;
  struct Deliveries;
  struct Waiting {
    bool repeated = false;    ///< the message was stored before, so the journal knows more
    bool early = false;       ///< its accept acknowledgement has left
    std::uint64_t stops = 0;  ///< `stops_` when it came: a source that stopped since then has nobody who waits
    std::shared_ptr<const NewMessage> copy = {};  ///< of a message whose record cannot be read any more
  };
  static bool waits_for_deliveries(const channels::ChannelDefinition& definition, const NewMessage& message,
                                   const Opened& opened);
  static bool answer_early(const channels::ChannelDefinition& definition, const NewMessage& message,
                           const Opened& opened, MessageId id, const EarlyAnswer& early);
  base::Task<channels::Answer> answer_when_delivered(MessageId id, std::shared_ptr<const channels::Site> site,
                                                     const channels::ChannelDefinition* definition,
                                                     std::vector<Ending> ended, Waiting how);
  void read_ends(MessageId id, std::shared_ptr<Deliveries> deliveries);
  channels::Answer answer_of(const channels::Site& site, const channels::ChannelDefinition& definition,
                             const StoredMessage& stored, const Opened& opened, const Deliveries& deliveries,
                             bool accepted_early);
  void add_reply(const channels::Site& site, const channels::ChannelDefinition& definition,
                 const StoredMessage& stored, const Opened& opened, const Deliveries& deliveries,
                 detail::ReplyVerdict& verdict);
  void end_waits();
  bool looks_at_fields() const;
  void cover(MessageId id, const Plan& plan);
  channels::Answer settle(MessageId id, NewMessage message, const Opened& opened, Plan plan,
                          const channels::ChannelDefinition& definition, std::vector<Ending>* ended = nullptr);
  channels::Answer refuse(const NewMessage& message, const Opened& opened, const base::Error& error);
  void store(std::shared_ptr<Processed> processed);
  void stored(std::shared_ptr<Processed> processed, const base::Status& status);
  void flush_stored();
  void finish(const DedupeKey& key, const channels::Answer& answer, std::size_t bytes);
  void push(Processed& processed, const std::string& source, base::WallTime received);
  base::Task<channels::Answer> take(channels::Inbound in);
  static DeliveryQueue::Settings settings_of(const channels::ChannelDefinition& definition,
                                             const channels::DestinationDefinition& destination,
                                             std::shared_ptr<const channels::Site> site);
  DeliveryQueue::Connectors make_connectors(const channels::DestinationDefinition& destination) const;
  std::unique_ptr<channels::Source> make_source(const channels::ChannelDefinition& definition) const;
  base::Status add_queue(DeliveryQueue::Settings settings, DeliveryQueue::Connectors connectors,
                         QueueStart start, bool started);
  void make_links();
  void watch_drain();
  void watch_hours();

  Parts parts_;
  std::shared_ptr<const channels::Site> source_site_;    ///< its source was made of its options
  std::vector<std::unique_ptr<DeliveryQueue>> removed_;  ///< out of use; kept while somebody may look at them
  std::vector<DeliveryQueue*> ending_;                   ///< of `removed_`: end_removed() waits for them
  std::unique_ptr<channels::Source> source_;
  std::vector<std::unique_ptr<DeliveryQueue>> queues_;
  std::map<std::string, DeliveryQueue::Connectors> ready_;  ///< of make_ready()
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
  std::map<std::string, std::uint64_t> before_queues_;  ///< outputs per destination that were made while it
                                                        ///< had no queue; they are in the journal
  MessageId pushed_up_to_ = 0;  ///< outputs of every message up to here went to their queues
  std::size_t under_way_ = 0;   ///< calls of accept() and replay(), joined fragments
  std::size_t users_ = 0;       ///< of Use
  std::set<std::shared_ptr<Deliveries>> delivering_;  ///< answers that wait
  std::uint64_t stops_ = 0;                           ///< of its source
  bool stopped_ = false, draining_ = false, source_paused_ = false, paused_ = false;
  std::optional<base::OpenHours> hours_;  ///< of the source
  bool source_closed_ = false;            ///< outside of these
  bool hours_watched_ = false;            ///< a timer looks at them
  bool source_held_ = false;  ///< by an operator; else a reload pauses it for a moment
  bool drain_watched_ = false;  ///< a timer looks whether the queues are empty
  bool source_runs_ = false,
       leaving_ = false;  ///< the source is started; the channel ends: nothing waits for room
  base::Event source_resumed_;
  std::set<std::string> paused_destinations_;
  std::map<std::string, std::set<MessageId>> blocked_at_start_;
  std::function<void(const std::string&, const std::set<MessageId>&)> tell_blocks_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace kiln::engine
