#pragma once
// One subscription at work: a source that reads the change feed and a destination that calls the endpoint.
// Between them is an ordinary channel, so that events are journaled, ordered, retried, set aside and replayed
// like every message.

#include <functional>
#include <memory>
#include <string>

#include "channels/connector.h"
#include "channels/definition.h"
#include "engine/fhir_service.h"
#include "engine/subscriptions/creator.h"
#include "engine/subscriptions/definition.h"
#include "engine/subscriptions/feed_window.h"

namespace kiln::engine {

/// What source, destination and manager share. Home executor only.
struct LiveSubscription {
  explicit LiveSubscription(base::TimerExecutor& executor) : changed(executor) {}
  std::string id;
  std::string channel;  ///< name of its channel, and of its cursor in the store
  std::shared_ptr<const SubscriptionDefinition> definition;  ///< null until it was accepted
  bool listening = false;                                    ///< the source takes events
  bool stopping = false;        ///< the server stops: the source ends by itself
  bool ended = false;           ///< off or deleted: what still waits is set aside
  SubscriptionCreator creator;
  /// Whether the creator may read resources of that type now; empty: everything.
  std::function<bool(std::string_view type)> may_tell;
  std::uint64_t position = 0;   ///< of the feed, taken
  std::uint64_t events = 0;     ///< numbers given to events
  std::uint32_t failures = 0;   ///< attempts that failed since the last that succeeded
  base::MonoTime last_sent{0};  ///< end of the last attempt that succeeded
  base::Event changed;          ///< something above did
  /// Called after an attempt that changes what clients should see as status: success after failures, or
  /// kSubscriptionErrorAttempts failures.
  std::function<void(bool works, std::string why)> on_turn;
};
using LivePtr = std::shared_ptr<LiveSubscription>;

/// Name of the cursor that keeps the number of events.
std::string events_cursor(const std::string& channel);

/// The request that tells the endpoint about `body`: in R4 style a PUT of the resource to endpoint/Type/id,
/// or an empty POST without payload; in topic style a POST of the Bundle `body`. Errors: cannot_deliver.
base::Result<base::HttpRequest> hook_request(const SubscriptionDefinition& definition,
                                             const std::string& body);

/// `feed` outlives it.
std::unique_ptr<channels::Source> make_subscription_source(LivePtr live, FhirService& fhir, FeedWindow& feed,
                                                           const channels::Surroundings& around);
std::unique_ptr<channels::Destination> make_hook_destination(LivePtr live,
                                                             const channels::Surroundings& around);

/// A channel without maps that sends what it gets to one destination, retried as the site says for
/// notifications.
channels::ChannelDefinition subscription_channel(std::string name, const char* destination,
                                                 const SubscriptionRules& rules);

/// Takes nothing by itself: messages are given to its channel.
std::unique_ptr<channels::Source> make_idle_source();
/// Posts a response message to the endpoint that its MessageHeader names, when the site allows that.
std::unique_ptr<channels::Destination> make_response_destination(const SubscriptionRules& rules,
                                                                 const channels::Surroundings& around);

/// Connector tables of the two, for definitions that no site has written.
const channels::ConnectorSpec& subscription_source_spec();
const channels::ConnectorSpec& hook_destination_spec();

}  // namespace kiln::engine
