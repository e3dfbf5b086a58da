#include "engine/subscriptions/notification.h"

#include "engine/base/text.h"
#include "fhir/resource_text.h"

namespace kiln::engine {

using base::JsonWriter;
using channels::ChangeAction;

namespace {

constexpr std::string_view kStatusProfile =
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-status-r4";
constexpr std::string_view kBundleProfile =
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-notification-r4";

const char* name_of(NotificationKind kind) {
  static constexpr const char* kNames[] = {"handshake", "heartbeat", "event-notification", "query-status",
                                           "query-event"};
  return kNames[static_cast<std::size_t>(kind)];
}

/// A urn:uuid that is a function of its text (the form of version 8, RFC 9562).
std::string urn_of(const std::string& text) {
  std::string hex = base::sha256_hex(text).substr(0, 32);
  hex[12] = '8';
  hex[16] = 'a';
  return "urn:uuid:" + hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" +
         hex.substr(16, 4) + "-" + hex.substr(20);
}

void parameter(JsonWriter& out, std::string_view name, std::string_view member, std::string_view value) {
  out.begin_object().member("name", name).member(member, value).end_object();
}

void reference(JsonWriter& out, std::string_view name, const std::string& target) {
  out.begin_object().member("name", name).key("valueReference").begin_object();
  out.member("reference", target).end_object().end_object();
}

std::string url_of(std::string_view base_url, std::string_view type, std::string_view id) {
  return std::string(base_url) + "/" + std::string(type) + "/" + std::string(id);
}

void write_focus(JsonWriter& out, std::string_view base_url, const NotificationEvent& event,
                 NotificationContent content) {
  const std::string path = std::string(event.type) + "/" + std::string(event.id);
  const bool deleted = event.action == ChangeAction::delete_;
  const bool created = event.action == ChangeAction::create;
  out.begin_object().member("fullUrl", url_of(base_url, event.type, event.id));
  if (content == NotificationContent::full_resource && !deleted && !event.resource.empty())
    out.key("resource").raw(event.resource);
  out.key("request").begin_object().member("method", deleted ? "DELETE" : created ? "POST" : "PUT");
  out.member("url", created ? std::string(event.type) : path).end_object();
  out.key("response").begin_object().member("status", created ? "201" : "200").end_object().end_object();
}

}  // namespace

std::string print_subscription_status(std::string_view base_url, std::string_view id,
                                      const NotificationStatus& status,
                                      std::span<const NotificationEvent> events,
                                      NotificationContent content) {
  JsonWriter out;
  out.begin_object().member("resourceType", "Parameters");
  out.key("meta").begin_object().key("profile").begin_array().string(kStatusProfile).end_array().end_object();
  out.key("parameter").begin_array();
  reference(out, "subscription", url_of(base_url, "Subscription", id));
  if (!status.topic.empty()) parameter(out, "topic", "valueCanonical", status.topic);
  parameter(out, "status", "valueCode", status.status);
  parameter(out, "type", "valueCode", name_of(status.kind));
  parameter(out, "events-since-subscription-start", "valueString", std::to_string(status.events));
  for (const NotificationEvent& event : events) {
    out.begin_object().member("name", "notification-event").key("part").begin_array();
    parameter(out, "event-number", "valueString", std::to_string(event.number));
    parameter(out, "timestamp", "valueInstant", fhir::print_instant(event.at));
    if (content != NotificationContent::empty)
      reference(out, "focus", url_of(base_url, event.type, event.id));
    out.end_array().end_object();
  }
  if (!status.error.empty()) {
    out.begin_object().member("name", "error").key("valueCodeableConcept").begin_object();
    out.member("text", status.error).end_object().end_object();
  }
  out.end_array().end_object();
  return out.take();
}

std::string print_notification(std::string_view base_url, std::string_view id, base::WallTime at,
                               const NotificationStatus& status, std::span<const NotificationEvent> events,
                               NotificationContent content) {
  JsonWriter out;
  out.begin_object().member("resourceType", "Bundle");
  out.key("meta").begin_object().key("profile").begin_array().string(kBundleProfile).end_array().end_object();
  out.member("type", "history").member("timestamp", fhir::print_instant(at)).key("entry").begin_array();
  const std::string identity = std::string(id) + " " + name_of(status.kind) + " " +
                               std::to_string(status.events) + " " + std::to_string(at.micros);
  out.begin_object().member("fullUrl", urn_of(identity)).key("resource");
  out.raw(print_subscription_status(base_url, id, status, events, content));
  out.key("request").begin_object().member("method", "GET");
  out.member("url", url_of(base_url, "Subscription", id) + "/$status").end_object();
  out.key("response").begin_object().member("status", "200").end_object().end_object();
  if (content != NotificationContent::empty)
    for (const NotificationEvent& event : events) write_focus(out, base_url, event, content);
  out.end_array().end_object();
  return out.take();
}

std::string print_status_answer(std::string_view base_url, std::string_view id,
                                const NotificationStatus& status) {
  JsonWriter out;
  out.begin_object().member("resourceType", "Bundle").member("type", "searchset").key("total").integer(1);
  out.key("entry").begin_array().begin_object();
  out.member("fullUrl", urn_of(std::string(id) + " status")).key("resource");
  out.raw(print_subscription_status(base_url, id, status, {}, NotificationContent::empty));
  out.key("search").begin_object().member("mode", "match").end_object().end_object();
  out.end_array().end_object();
  return out.take();
}

}  // namespace kiln::engine
