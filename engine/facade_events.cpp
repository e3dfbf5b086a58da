// $status and $events of a Subscription (Subscriptions R5 Backport).

#include <charconv>

#include "engine/base/limits.h"
#include "engine/facade.h"
#include "engine/subscriptions/notification.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;
using base::Status;
using base::Task;
using channels::ChangeAction;
namespace limits = base::limits;

namespace {

std::uint64_t number_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

/// What the store says about a subscription.
struct Known {
  bool found = false;
  std::string status, error, topic;
  std::uint64_t events = 0;
};

struct Asked {
  std::uint64_t first = 1, last = UINT64_MAX;
  std::string content;
};

Asked read_asked(const fhir::QueryPairs& query) {
  Asked out;
  for (const auto& [name, value] : query) {
    if (name == "eventsSinceNumber") out.first = std::max<std::uint64_t>(1, number_of(value));
    if (name == "eventsUntilNumber") out.last = number_of(value);
    if (name == "content") out.content = value;
  }
  return out;
}

/// Messages of a subscription's channel by event number, the first time each.
Result<std::vector<StoredMessage>> read_events(JournalReader& reader, const std::string& channel,
                                               const Asked& asked) {
  Query query;
  QueryTerm term{};
  term.field = QueryTerm::Field::channel;
  term.text = channel;
  query.add(std::move(term));
  SearchOptions options;
  options.oldest_first = true;
  options.limit = 500;
  std::vector<StoredMessage> out;
  for (bool more = true; more;) {
    TRY(const auto found, reader.search(query, options));
    more = found.size() == options.limit;
    for (const MessageSummary& summary : found) {
      options.after = summary.id;
      const std::uint64_t number = number_of(summary.control_id);
      if (summary.replay_of != 0 || number < asked.first) continue;
      if (number > asked.last || out.size() >= limits::kSubscriptionEventsMax) return out;
      TRY(auto message, reader.message(summary.id));
      out.push_back(std::move(message));
    }
  }
  return out;
}

ChangeAction action_of(const std::string& name) {
  return name == "create"   ? ChangeAction::create
         : name == "update" ? ChangeAction::update
                            : ChangeAction::delete_;
}

/// The changed resource of an event as it was notified: the body, or the second entry of a Bundle. Empty when
/// the notification did not have it.
std::string resource_of(const std::string& body, const std::string& type) {
  const auto document = base::parse_json(body);
  if (!document) return {};
  const base::JsonView root = document->root();
  if (root["resourceType"].text() == type) return body;
  const base::JsonView resource = root["entry"].at(1)["resource"];
  return resource ? base::print_json(resource) : std::string();
}

Task<Status> look_up(FhirService* fhir, std::string id, std::shared_ptr<Known> known) {
  auto work = [id, known](fhir::Store& store) -> Status {
    TRY(const auto version, store.read("Subscription", id));
    if (!version || version->deleted()) return {};
    TRY(const auto document, base::parse_json(version->body));
    const base::JsonView root = document.root();
    known->found = true;
    known->status = root["status"].text();
    known->error = root["error"].text();
    const std::string criteria(root["criteria"].text());
    if (criteria.find('?') == std::string::npos && criteria.find(':') != std::string::npos)
      known->topic = criteria;
    TRY(const auto events, store.cursor(events_cursor("subscription." + id)));
    known->events = static_cast<std::uint64_t>(events);
    return {};
  };
  auto reading = fhir->read_store(std::move(work));
  Status status = co_await std::move(reading);
  co_return status;
}

}  // namespace

Task<Facade::Replied> Facade::status(Wanted wanted) {
  auto known = std::make_shared<Known>();
  auto looking = look_up(parts_.fhir, wanted.id, known);
  const Status read = co_await std::move(looking);
  if (!read) co_return base::fail(read.error());
  if (!known->found) co_return base::fail(ErrorCode::fhir_not_found);
  NotificationStatus status;
  status.kind = NotificationKind::query_status;
  status.status = known->status;
  status.topic = known->topic;
  status.events = known->events;
  status.error = known->error;
  fhir::Reply out;
  out.body = print_status_answer(parts_.fhir->base_url(), wanted.id, status);
  co_return out;
}

Task<Facade::Replied> Facade::events(Wanted wanted) {
  auto known = std::make_shared<Known>();
  auto looking = look_up(parts_.fhir, wanted.id, known);
  const Status read = co_await std::move(looking);
  if (!read) co_return base::fail(read.error());
  if (!known->found) co_return base::fail(ErrorCode::fhir_not_found);
  const Asked asked = read_asked(wanted.query);
  using Found = Result<std::vector<StoredMessage>>;
  base::Completion<Found> searched(*parts_.executor);
  parts_.with_journal(
      [searched, asked, channel = "subscription." + wanted.id](Result<JournalReader*> reader) {
        searched.set(reader ? read_events(**reader, channel, asked) : Found(base::fail(reader.error())));
      });
  const Found found = co_await searched;
  if (!found) co_return base::fail(found.error());
  auto content = NotificationContent::id_only;
  if (const LiveSubscription* live = parts_.subscriptions->find(wanted.id);
      live != nullptr && live->definition)
    content = live->definition->is_topic_style() ? live->definition->content : content;
  if (asked.content == "empty") content = NotificationContent::empty;
  if (asked.content == "id-only") content = NotificationContent::id_only;
  if (asked.content == "full-resource") content = NotificationContent::full_resource;
  std::vector<std::string> resources;
  std::vector<NotificationEvent> events;
  resources.reserve(found->size());
  for (const StoredMessage& stored : *found) {
    const NewMessage& message = stored.message;
    const std::size_t slash = message.name.find('/');
    const std::string_view name(message.name);
    NotificationEvent event;
    event.number = number_of(message.control_id);
    event.at = message.received;
    event.type = name.substr(0, slash);
    event.id = slash == std::string::npos ? std::string_view() : name.substr(slash + 1);
    event.action = action_of(message.action);
    if (content == NotificationContent::full_resource) {
      resources.push_back(resource_of(message.body, std::string(event.type)));
      event.resource = resources.back();
    }
    events.push_back(event);
  }
  NotificationStatus status;
  status.kind = NotificationKind::query_event;
  status.status = known->status;
  status.topic = known->topic;
  status.events = known->events;
  fhir::Reply out;
  out.body =
      print_notification(parts_.fhir->base_url(), wanted.id, parts_.clock->wall(), status, events, content);
  co_return out;
}

}  // namespace kiln::engine
