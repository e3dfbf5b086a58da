#include "engine/subscriptions/creator.h"

#include <algorithm>

#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "fhir/store.h"

namespace kiln::engine {
namespace {

constexpr std::string_view kStatusOrigin = "kiln:subscriptions";

void add(std::vector<std::string>& types, std::string_view type) {
  if (!type.empty() && std::find(types.begin(), types.end(), type) == types.end()) types.emplace_back(type);
}

/// The type in "http://server/fhir/Patient/p1".
std::string_view type_of_reference(std::string_view reference) {
  const auto steps = base::split(reference, '/');
  return steps.size() < 2 ? std::string_view() : std::string_view(steps[steps.size() - 2]);
}

/// The focus of each event of a status.
void add_focuses(std::vector<std::string>& types, base::JsonView parameters) {
  for (const base::JsonView parameter : parameters["parameter"])
    for (const base::JsonView part : parameter["part"])
      if (part["name"].text() == "focus") add(types, type_of_reference(part["valueReference"]["reference"].text()));
}

}  // namespace

SubscriptionCreator SubscriptionCreator::of_origin(std::string_view origin) {
  SubscriptionCreator out;
  if (is_status_origin(origin)) origin.remove_prefix(std::min(origin.size(), kStatusOrigin.size() + 1));
  out.is_site = !origin.empty() && !fhir::is_client_origin(origin);
  if (!out.is_site) out.name = fhir::client_name(origin);
  return out;
}

std::string status_origin(std::string_view before) {
  if (is_status_origin(before)) return std::string(before);
  return std::string(kStatusOrigin) + " " + std::string(before);
}

bool is_status_origin(std::string_view origin) {
  return origin.starts_with(kStatusOrigin);
}

std::vector<std::string> types_told(const std::string& body) {
  std::vector<std::string> types;
  const auto document = base::parse_json(body, {base::limits::kArchiveFileBytesMax, base::limits::kJsonDepthMax + 8});
  if (!document) return types;
  const base::JsonView root = document->root();
  if (root["resourceType"].text() != "Bundle") {
    add(types, root["resourceType"].text());
    return types;
  }
  for (const base::JsonView entry : root["entry"]) {
    const base::JsonView resource = entry["resource"];
    if (resource["resourceType"].text() == "Parameters") {
      add_focuses(types, resource);
    } else {
      add(types, resource["resourceType"].text());
    }
  }
  return types;
}

}  // namespace kiln::engine
