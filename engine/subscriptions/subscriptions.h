#pragma once
// The Subscriptions of the store as channels (fhir.md §13). Each has a channel "subscription.ID" with one
// destination, "endpoint", so that its events are journaled, retried, set aside, shown and replayed like all
// others.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/pipeline.h"
#include "engine/subscriptions/hook.h"

namespace kiln::engine {

/// Home executor only.
class Subscriptions {
 public:
  struct Parts {
    FhirService* fhir;
    const SubscriptionRules* rules;
    base::TimerExecutor* executor;
    const base::Clock* clock;
    /// A channel for this definition, which outlives it: connected to journal and budgets, not started.
    std::function<std::unique_ptr<ChannelRuntime>(const channels::ChannelDefinition&,
                                                  std::function<std::unique_ptr<channels::Source>()>,
                                                  std::function<std::unique_ptr<channels::Destination>()>)>
        make_channel;
    /// Takes a channel that was made while the site runs, started.
    std::function<void(std::unique_ptr<ChannelRuntime>)> add_channel;
    channels::Surroundings around;  ///< `channel` is filled in per subscription
  };
  explicit Subscriptions(Parts parts);
  ~Subscriptions();

  /// At the start, before recovery: the channels of the subscriptions that are delivered, and of `waiting`
  /// channels (names) whose subscription is gone. Blocks on the store.
  base::Result<std::vector<std::unique_ptr<ChannelRuntime>>> load(const std::vector<std::string>& waiting);
  /// Follows the store: new, changed and deleted Subscriptions.
  void start();
  base::Task<void> stop();

  static bool is_channel_name(std::string_view name) { return name.starts_with("subscription."); }
  /// Reads of the store's feed so far, by all subscriptions together.
  std::uint64_t feed_reads() const { return feed_.feed_reads(); }
  /// nullptr when there is none of that id.
  const LiveSubscription* find(const std::string& id) const;

 private:
  struct Entry {
    LivePtr live;
    channels::ChannelDefinition definition;
    std::uint64_t generation = 0;  ///< counts what clients wrote
  };
  using EntryPtr = std::shared_ptr<Entry>;

  EntryPtr make_entry(const std::string& id);
  std::unique_ptr<ChannelRuntime> make_channel(const EntryPtr& entry);
  base::Status load_one(const fhir::StoredVersion& version, fhir::Store& store);
  base::Task<void> follow();
  void take(const channels::Change& change);
  base::Task<void> activate(EntryPtr entry, std::string resource, std::uint64_t position);
  base::Task<bool> shake_hands(EntryPtr entry, std::shared_ptr<const SubscriptionDefinition> definition);
  base::Task<std::string> tell(std::shared_ptr<const SubscriptionDefinition> definition, std::string bundle);
  base::Task<void> write_status(EntryPtr entry, std::string status, std::string error);
  base::Task<void> beat(EntryPtr entry);
  void end(const EntryPtr& entry);
  /// Subscriptions that have not ended.
  std::size_t served() const;
  /// Says in these Subscriptions why they are not delivered.
  base::Task<void> refuse(std::vector<std::string> ids, std::string why);
  base::Task<void> forget(EntryPtr entry);

  Parts parts_;
  FeedWindow feed_;  ///< outlives the channels: the gateway stops these first
  std::map<std::string, EntryPtr> entries_;
  std::map<std::string, std::pair<std::string, std::uint64_t>> requested_;  ///< id -> resource, position
  std::vector<std::string> beyond_;          ///< found at the start, too many to be delivered
  std::uint64_t position_ = 0;               ///< of the feed; every start reads the subscriptions themselves
  std::size_t tasks_ = 0;                    ///< coroutines under way
  std::set<channels::HttpClient*> clients_;  ///< in use by tell()
  bool stopping_ = false;
  base::Event changed_;
};

}  // namespace kiln::engine
