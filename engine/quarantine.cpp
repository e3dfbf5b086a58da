#include "engine/quarantine.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "engine/admin/message_json.h"
#include "engine/base/failpoint.h"
#include "engine/base/json.h"
#include "engine/base/log.h"
#include "engine/base/metrics.h"
#include "engine/gateway.h"
#include "engine/limits.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;
using base::Status;
using base::Task;

namespace {

using Items = Result<std::vector<QuarantineItem>>;

std::int64_t as_integer(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

Result<Query> quarantine_query(const std::string& text, const std::vector<MessageId>& ids,
                               base::WallTime now) {
  TRY(Query query, parse_query_text(text, now));
  if (!ids.empty() && query.root.kind == QueryNode::Kind::all && query.root.parts.empty()) {
    QueryTerm term;
    term.field = QueryTerm::Field::msg;
    const auto [low, high] = std::minmax_element(ids.begin(), ids.end());
    term.low = as_integer(*low);
    term.high = as_integer(*high);
    query.add(std::move(term));
  }
  QueryTerm state;
  state.field = QueryTerm::Field::state;
  state.text = "quarantined";
  query.add(std::move(state));
  return query;
}

struct Found {
  std::vector<QuarantineItem> items;
  bool complete = true;
};

/// On the thread that reads the journal.
Task<Result<Found>> find(Gateway* gateway, Query query, std::size_t limit, MessageId before) {
  base::Completion<Result<Found>> read(gateway->executor());
  gateway->reader_executor().post([gateway, read, query = std::move(query), limit, before] {
    auto reader = gateway->journal_reader();
    if (!reader) return read.set(base::fail(reader.error()));
    Found found;
    Items items = find_quarantined(**reader, query, limit, before, found.complete);
    if (!items) return read.set(base::fail(items.error()));
    found.items = std::move(*items);
    read.set(std::move(found));
  });
  Result<Found> found = co_await read;
  co_return found;
}

struct Group {
  std::size_t count = 0;
  base::WallTime first, last;
  std::string owner, note, detail;
  std::set<std::string> details;  ///< a few of them
  MessageId example = 0;
};

/// "adt_in/pas" -> "pas"; "-" stays.
std::string short_name(const std::string& destination) {
  const auto slash = destination.find('/');
  return slash == std::string::npos ? destination : destination.substr(slash + 1);
}

bool is_wanted(const QuarantineItem& item, const QuarantineRequest& request) {
  if (!request.ids.empty() &&
      std::find(request.ids.begin(), request.ids.end(), item.summary.id) == request.ids.end())
    return false;
  return request.destination.empty() || request.destination == item.state.destination ||
         request.destination == short_name(item.state.destination);
}

Status check_request(const QuarantineRequest& request) {
  static constexpr const char* kActions[] = {"assign", "note", "release", "resolve", "drop"};
  if (std::find(std::begin(kActions), std::end(kActions), request.action) == std::end(kActions))
    return base::fail(ErrorCode::bad_value, "the quarantine cannot `" + request.action + "`", {},
                      "assign, note, release, resolve or drop");
  const bool ends = request.action == "drop" || request.action == "resolve";
  if (ends && request.reason.empty())
    return base::fail(ErrorCode::bad_value, "`" + request.action + "` needs a reason", {}, "--reason \"…\"");
  if (request.query.empty() && request.ids.empty())
    return base::fail(ErrorCode::query_syntax, "which messages?", {},
                      "numbers, or terms: channel:adt_in code:AR");
  return {};
}

QuarantineNote changed_note(const QuarantineItem& item, const QuarantineRequest& request,
                            base::WallTime now) {
  QuarantineNote note = item.state.note.value_or(QuarantineNote{});
  note.by = request.by;
  note.changed = now;
  if (request.action == "assign") note.owner = request.owner;
  if (request.action == "note") note.note = request.note;
  if (request.action == "drop") note.resolution = Resolution::dropped;
  if (request.action == "resolve") note.resolution = Resolution::resolved;
  if (!request.reason.empty()) note.reason = request.reason;
  return note;
}

Task<Result<std::optional<QuarantineNote>>> read_note(Gateway* gateway, MessageId id, std::string destination) {
  using Note = Result<std::optional<QuarantineNote>>;
  base::Completion<Note> read(gateway->executor());
  gateway->journal().read_quarantine_note(id, std::move(destination), [read](Note note) { read.set(std::move(note)); });
  Note note = co_await read;
  co_return note;
}

/// A release of this item whose note was not written, because the process ended or the disk did not take it. Releases are
/// the replays without a job. 0: there is none.
MessageId unnoted_release(const QuarantineItem& item, const std::vector<MessageSummary>& replays) {
  const std::string wanted = short_name(item.state.destination);
  for (const MessageSummary& replay : replays) {
    if (replay.job != 0 || replay.replay_of != item.summary.id) continue;
    const auto noted = [&replay](const DestinationState& state) {
      return state.note && state.note->released_as == replay.id;
    };
    if (std::any_of(item.summary.destinations.begin(), item.summary.destinations.end(), noted)) continue;
    // One that ended as a whole shows where it is itself; nothing else says where it was to go.
    for (const DestinationState& state : replay.destinations)
      if (wanted == kNoDestination || state.destination == kNoDestination || short_name(state.destination) == wanted)
        return replay.id;
    if (replay.unprocessed) return replay.id;
  }
  return 0;
}

Task<Result<MessageId>> earlier_release(Gateway* gateway, QuarantineItem item) {
  base::Completion<Result<MessageId>> looked(gateway->executor());
  Result<Query> query = parse_query_text("replay_of:" + std::to_string(item.summary.id), gateway->clock().wall());
  if (!query) co_return base::fail(query.error());
  gateway->reader_executor().post([gateway, looked, query = std::move(*query), item = std::move(item)] {
    auto reader = gateway->journal_reader();
    if (!reader) return looked.set(base::fail(reader.error()));
    SearchOptions options;
    options.limit = limits::kQuarantineListMax;
    const auto found = (*reader)->search(query, options);
    if (!found) return looked.set(base::fail(found.error()));
    looked.set(unnoted_release(item, *found));
  });
  Result<MessageId> release = co_await looked;
  co_return release;
}

/// Processes the original again; its new number. A part stands by itself: rows have their header, fragments are joined.
Task<Result<MessageId>> release(Gateway* gateway, QuarantineItem item) {
  auto noting = read_note(gateway, item.summary.id, item.state.destination);
  const Result<std::optional<QuarantineNote>> note = co_await std::move(noting);
  if (!note) co_return base::fail(note.error());
  if (*note && (*note)->resolution != Resolution::open)
    co_return base::fail(ErrorCode::not_quarantined, std::string("it is ") + name_of((*note)->resolution) + " already");
  auto looking = earlier_release(gateway, item);
  const Result<MessageId> earlier = co_await std::move(looking);
  if (!earlier || *earlier != 0) co_return earlier;
  base::Completion<Result<StoredMessage>> read(gateway->executor());
  gateway->journal().read_message(item.summary.id,
                                  [read](Result<StoredMessage> stored) { read.set(std::move(stored)); });
  Result<StoredMessage> stored = co_await read;
  if (!stored) co_return base::fail(stored.error());
  if (item.state.destination == kNoDestination && stored->message.replay_of != 0)  // else it goes to all of them
    co_return base::fail(ErrorCode::state_conflict, "it is a replay, and where it was to go is not known", {},
                         "replay message " + std::to_string(stored->message.replay_of) + " with --to");
  ChannelRuntime* channel = nullptr;  // now: a reload may have changed them
  for (const auto& one : gateway->channels())
    if (one->definition().name == item.summary.channel) channel = one.get();
  if (channel == nullptr) co_return base::fail(ErrorCode::channel_not_found, {}, item.summary.channel);
  const ChannelRuntime::Use use(channel);
  std::vector<std::string> destinations;
  if (item.state.destination != kNoDestination) destinations.push_back(short_name(item.state.destination));
  const auto& known = channel->definition().destinations;
  if (!destinations.empty() &&
      std::none_of(known.begin(), known.end(), [&destinations](const auto& one) { return one.name == destinations.front(); }))
    co_return base::fail(ErrorCode::destination_not_found, "the site does not have it any more", item.state.destination,
                         "kiln rollback VERSION brings it back");
  auto replaying = channel->replay(std::move(*stored), std::move(destinations), false);
  const Result<ReplayOutcome> outcome = co_await std::move(replaying);
  if (!outcome) co_return base::fail(outcome.error());
  base::failpoint_here("quarantine.released");
  co_return outcome->id;
}

Task<Status> keep_note(Gateway* gateway, MessageId id, std::string destination, QuarantineNote note) {
  base::Completion<Status> kept(gateway->executor());
  gateway->journal().note_quarantine(id, std::move(destination), std::move(note),
                                     [kept](Status status) { kept.set(std::move(status)); });
  gateway->journal().flush();
  Status status = co_await kept;
  co_return status;
}

/// The number of the message that a release made, else 0. One decision about an item at a time: two at once would send it
/// twice.
Task<Result<MessageId>> change_item(Gateway* gateway, QuarantineItem item, QuarantineNote note, std::string action,
                                    bool dry_run) {
  if (dry_run) co_return MessageId{0};
  const std::string key = std::to_string(item.summary.id) + " " + item.state.destination;
  if (!gateway->releases().insert(key).second)
    co_return base::fail(ErrorCode::state_conflict, "somebody else decides about it at this moment");
  Result<MessageId> out = MessageId{0};
  if (action == "release") {
    auto releasing = release(gateway, item);
    out = co_await std::move(releasing);
    note.resolution = Resolution::released;
    note.released_as = out ? *out : 0;
  }
  if (out) {
    auto keeping = keep_note(gateway, item.summary.id, item.state.destination, std::move(note));
    const Status kept = co_await std::move(keeping);
    if (!kept) out = base::fail(kept.error());
  }
  gateway->releases().erase(key);
  co_return out;
}

}  // namespace

Items find_quarantined(JournalReader& reader, const Query& query, std::size_t limit, MessageId before,
                       bool& complete) {
  std::vector<QuarantineItem> out;
  SearchOptions options;
  options.limit = limit + 1;
  options.before = before;
  TRY(const auto found, reader.search(query, options));
  complete = found.size() <= limit;
  for (const MessageSummary& summary : found) {
    if (out.size() >= limit) break;
    for (const DestinationState& state : summary.destinations) {
      if (!is_open(state)) continue;
      out.push_back({summary, state});
    }
  }
  return out;
}

Task<Result<std::string>> list_quarantine(Gateway* gateway, std::string query) {
  Result<Query> parsed = quarantine_query(query, {}, gateway->clock().wall());
  if (!parsed) co_return base::fail(parsed.error());
  auto finding = find(gateway, std::move(*parsed), limits::kQuarantineListMax, 0);
  const Result<Found> found = co_await std::move(finding);
  if (!found) co_return base::fail(found.error());
  std::map<std::tuple<std::string, std::string, std::string>, Group> groups;
  for (const QuarantineItem& item : found->items) {
    Group& group = groups[{item.summary.channel, short_name(item.state.destination), item.state.ending.code}];
    const base::WallTime at = item.state.updated;
    if (group.count++ == 0 || at.micros < group.first.micros) group.first = at;
    if (at.micros >= group.last.micros) {
      group.last = at;
      group.example = item.summary.id;
      group.detail = item.state.ending.detail;
    }
    constexpr std::size_t kDetailsMax = 20;
    if (group.details.size() < kDetailsMax) group.details.insert(item.state.ending.detail);
    if (item.state.note && group.owner.empty()) group.owner = item.state.note->owner;
    if (item.state.note && group.note.empty()) group.note = item.state.note->note;
  }
  std::vector<const decltype(groups)::value_type*> sorted;
  for (const auto& group : groups) sorted.push_back(&group);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
    return a->second.count != b->second.count ? a->second.count > b->second.count : a->first < b->first;
  });
  base::JsonWriter json;
  json.begin_object().key("groups").begin_array();
  for (const auto* group : sorted) {
    const auto& [channel, destination, code] = group->first;
    json.begin_object().member("channel", channel).member("destination", destination).member("code", code);
    json.key("count").integer(as_integer(group->second.count));
    json.member("first", print_time(group->second.first)).member("last", print_time(group->second.last));
    if (!group->second.owner.empty()) json.member("owner", group->second.owner);
    if (!group->second.note.empty()) json.member("note", group->second.note);
    json.key("example").integer(as_integer(group->second.example));
    std::string detail = group->second.detail;
    if (const std::size_t reasons = group->second.details.size(); reasons > 1)
      detail += " (the newest of " + std::to_string(reasons) + " different reasons)";
    json.member("detail", detail).end_object();
  }
  json.end_array().key("open").integer(as_integer(found->items.size()));
  json.key("complete").boolean(found->complete).end_object();
  co_return json.take();
}

Task<Result<std::string>> list_quarantine_items(Gateway* gateway, std::string query, std::size_t limit,
                                                MessageId before) {
  Result<Query> parsed = quarantine_query(query, {}, gateway->clock().wall());
  if (!parsed) co_return base::fail(parsed.error());
  auto finding = find(gateway, std::move(*parsed),
                      std::clamp<std::size_t>(limit, 1, limits::kQuarantineListMax), before);
  const Result<Found> found = co_await std::move(finding);
  if (!found) co_return base::fail(found.error());
  base::JsonWriter json;
  json.begin_object().key("items").begin_array();
  for (const QuarantineItem& item : found->items) {
    json.begin_object().key("id").integer(as_integer(item.summary.id));
    json.member("received", print_time(item.summary.received)).member("channel", item.summary.channel);
    json.member("type", item.summary.type).member("control_id", item.summary.control_id);
    json.member("destination", short_name(item.state.destination)).member("code", item.state.ending.code);
    json.member("reason", item.state.ending.detail).key("attempts").integer(item.state.attempts);
    json.member("since", print_time(item.state.updated));
    if (item.state.note && !item.state.note->owner.empty()) json.member("owner", item.state.note->owner);
    if (item.state.note && !item.state.note->note.empty()) json.member("note", item.state.note->note);
    json.end_object();
  }
  json.end_array();
  if (!found->complete && !found->items.empty())
    json.key("next").integer(as_integer(found->items.back().summary.id));
  json.end_object();
  co_return json.take();
}

Task<Result<std::string>> change_quarantine(Gateway* gateway, QuarantineRequest request) {
  const Status asked = check_request(request);
  if (!asked) co_return base::fail(asked.error());
  Result<Query> parsed = quarantine_query(request.query, request.ids, gateway->clock().wall());
  if (!parsed) co_return base::fail(parsed.error());
  auto finding = find(gateway, std::move(*parsed), limits::kQuarantineListMax, 0);
  Result<Found> found = co_await std::move(finding);
  if (!found) co_return base::fail(found.error());
  std::vector<QuarantineItem> items;
  for (QuarantineItem& item : found->items)
    if (is_wanted(item, request)) items.push_back(std::move(item));
  if (items.empty())
    co_return base::fail(ErrorCode::not_quarantined, {}, request.query,
                         "`kiln quarantine list` shows what is");
  if (items.size() > request.limit || !found->complete)
    co_return base::fail(ErrorCode::limit_exceeded, "more than " + std::to_string(request.limit) + " match",
                         {}, "narrow the query, or raise --limit");
  std::reverse(items.begin(), items.end());  // in the order they came
  base::JsonWriter json;
  std::int64_t done = 0, failed = 0;
  const std::int64_t matched = as_integer(items.size());
  json.begin_object().key("dry_run").boolean(request.dry_run).key("items").begin_array();
  for (const QuarantineItem& item : items) {
    json.begin_object()
        .key("id")
        .integer(as_integer(item.summary.id))
        .member("channel", item.summary.channel);
    json.member("destination", short_name(item.state.destination)).member("code", item.state.ending.code);
    QuarantineNote note = changed_note(item, request, gateway->clock().wall());
    auto changing = change_item(gateway, item, std::move(note), request.action, request.dry_run);
    const Result<MessageId> status = co_await std::move(changing);
    if (status && *status != 0) json.key("new_id").integer(as_integer(*status));
    ++(status ? done : failed);
    if (status && !request.dry_run && request.action == "drop")
      base::Metrics::process()
          .counter(base::Metric::messages_removed_total,
                   {base::Safe::name(item.summary.channel), base::Safe::name(short_name(item.state.destination))})
          .add();
    json.member("text", status ? request.action : status.error().message()).end_object();
  }
  if (!request.dry_run)
    base::log(base::LogLevel::info, "quarantine-changed",
              {{"action", base::Safe::name(request.action)}, {"messages", done}});
  json.end_array().key("matched").integer(matched).key("done").integer(request.dry_run ? 0 : done);
  json.key("failed").integer(failed).end_object();
  co_return json.take();
}

}  // namespace kiln::engine
