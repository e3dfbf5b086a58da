#pragma once
// Notification Bundles of the R4 backport of topic based subscriptions (Subscriptions R5 Backport 1.1, R4
// form: a history Bundle whose first entry is a Parameters with the status). Pure.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/subscriptions/definition.h"

namespace kiln::engine {

/// One event as a notification shows it. Views are borrowed.
struct NotificationEvent {
  std::uint64_t number = 0;
  base::WallTime at;
  std::string_view type, id;  ///< of the changed resource
  channels::ChangeAction action = channels::ChangeAction::create;
  std::string_view resource;  ///< JSON; of a deletion not shown
};

enum class NotificationKind : std::uint8_t {
  handshake,
  heartbeat,
  event_notification,
  query_status,
  query_event
};

/// What a status says besides the subscription itself.
struct NotificationStatus {
  NotificationKind kind = NotificationKind::event_notification;
  std::string_view status = "active";  ///< of the Subscription
  std::string_view topic;              ///< canonical; empty: none
  std::uint64_t events = 0;            ///< since the subscription began
  std::string_view error;              ///< why it is in status error; may be empty
};

/// The Parameters resource.
std::string print_subscription_status(std::string_view base_url, std::string_view id,
                                      const NotificationStatus& status,
                                      std::span<const NotificationEvent> events, NotificationContent content);

/// The Bundle. The same arguments give the same bytes.
std::string print_notification(std::string_view base_url, std::string_view id, base::WallTime at,
                               const NotificationStatus& status, std::span<const NotificationEvent> events,
                               NotificationContent content);

/// The answer of $status: a searchset with one status.
std::string print_status_answer(std::string_view base_url, std::string_view id,
                                const NotificationStatus& status);

}  // namespace kiln::engine
