#pragma once
// A Subscription as the engine reads it, and what a site allows (fhir.md §13). Pure.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "channels/change_filter.h"
#include "channels/net/http_client.h"
#include "channels/options.h"
#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "fhir/outcome.h"
#include "fhir/router.h"

namespace kiln::engine {

/// A topic of kiln.conf: what a topic style subscription may ask for.
struct SubscriptionTopic {
  std::string name, url;
  std::vector<std::string> criteria;  ///< a change that meets one is an event; empty: every change
  bool on[3] = {};                    ///< by channels::ChangeAction
  std::vector<std::string> filters;   ///< search parameters that filterBy may use; empty: any
};

/// `fhir { subscriptions { … } }` of kiln.conf.
struct SubscriptionRules {
  std::vector<std::string> allow;  ///< URLs that endpoints must begin with
  /// `egress` of the site, which endpoints must be in as well; empty: everything is.
  std::function<bool(const channels::HttpUrl& endpoint)> may_connect;
  std::vector<SubscriptionTopic> topics;
  std::int64_t timeout_ms = 0;
  channels::RetryPolicy retry;
  channels::NakAction refused = channels::NakAction::retry;  ///< when an endpoint answers 4xx
  std::string base_url;                                      ///< of this server
  channels::TlsContexts tls;                                 ///< of https endpoints; empty: the system's authorities
};

/// Errors: channel_option with what to change (a topic without url, an `allow` that is no URL).
base::Result<SubscriptionRules> read_subscription_rules(const channels::Options& server,
                                                        std::string base_url);

/// What a notification carries of the changed resource.
enum class NotificationContent : std::uint8_t { empty, id_only, full_resource };

struct SubscriptionDefinition {
  std::string id, status;
  std::string topic;  ///< canonical; empty: R4 style, by criteria
  channels::ChangeFilter criteria;
  std::vector<channels::ChangeFilter> filters;  ///< all those that name the type must match
  bool on[3] = {};                              ///< by channels::ChangeAction
  channels::HttpUrl endpoint;
  channels::TlsContexts tls;  ///< when that is https
  std::vector<std::pair<std::string, std::string>> headers;
  bool has_payload = false, xml = false;
  NotificationContent content = NotificationContent::empty;
  std::int64_t heartbeat_ms = 0;  ///< 0: none
  std::int64_t timeout_ms = 0;
  std::optional<base::WallTime> end;

  bool is_topic_style() const { return !topic.empty(); }
  bool wants(const channels::Change& change) const;
};

/// An endpoint that the site allows. Failures: fhir_endpoint_refused, which names the setting, and fhir_rule,
/// both at `place`.
fhir::Answer<channels::HttpUrl> allowed_endpoint(std::string_view text, const SubscriptionRules& rules,
                                                 const std::string& place);

/// Failures: fhir_endpoint_refused, which names the setting; fhir_rule for what this server does not do, with
/// the place; fhir_search_* for criteria.
fhir::Answer<SubscriptionDefinition> read_subscription(base::JsonView resource,
                                                       const SubscriptionRules& rules);

/// Refuses a Subscription that could never be delivered before it is written.
class SubscriptionWriteRule final : public fhir::WriteRule {
 public:
  explicit SubscriptionWriteRule(const SubscriptionRules& rules) : rules_(rules) {}
  fhir::Answer<void> check(std::string_view type, base::JsonView resource) const override;

 private:
  const SubscriptionRules& rules_;
};

}  // namespace kiln::engine
