#pragma once
// Who asked for a subscription, and what its notifications tell them. Pure.

#include <string>
#include <string_view>
#include <vector>

namespace kiln::engine {

/// From the origin of the version of a Subscription (fhir/store.h): whose rights its notifications need.
struct SubscriptionCreator {
  bool is_site = false;  ///< a channel wrote it: the site itself
  std::string name;      ///< user; empty: nobody logged in, so a client of this machine

  static SubscriptionCreator of_origin(std::string_view origin);
};

/// The origin of a status that Kiln writes into a Subscription; it keeps the creator of the version before.
std::string status_origin(std::string_view before);
/// Whether Kiln wrote that version itself.
bool is_status_origin(std::string_view origin);

/// The types of the resources that a notification shows or names; those of a JSON resource or notification Bundle.
std::vector<std::string> types_told(const std::string& body);

}  // namespace kiln::engine
