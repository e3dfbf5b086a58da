#include "engine/admin/replay.h"

#include <algorithm>

#include "engine/base/json.h"
#include "engine/journal/query.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using base::Task;
using Found = Result<std::vector<MessageSummary>>;

/// Destinations at which the message did not arrive; everything when it failed as a whole.
struct FailedAt {
  bool whole = false;
  std::vector<std::string> names;
};

FailedAt failed_at(const MessageSummary& summary) {
  FailedAt out;
  for (const DestinationState& state : summary.destinations) {
    if (state.pending) continue;
    const DeliveryState ending = state.ending.state;
    const bool failed = ending == DeliveryState::quarantined || ending == DeliveryState::rejected ||
                        ending == DeliveryState::expired;
    if (!failed) continue;
    if (state.destination == kNoDestination)
      out.whole = true;
    else
      out.names.push_back(state.destination.substr(state.destination.find('/') + 1));
  }
  return out;
}

Found find_messages(Gateway& gateway, const Query& query, std::size_t limit) {
  TRY(JournalReader * reader, gateway.journal_reader());
  SearchOptions options;
  options.oldest_first = true;
  options.limit = limit + 1;
  TRY(auto found, reader->search(query, options));
  if (found.size() > limit)
    return base::fail(ErrorCode::limit_exceeded, "more than " + std::to_string(limit) + " messages match", {},
                      "narrow the query, or raise --limit");
  return found;
}

ChannelRuntime* find_channel(Gateway& gateway, const std::string& name) {
  for (const auto& channel : gateway.channels())
    if (channel->definition().name == name) return channel.get();
  return nullptr;
}

struct Tally {
  std::int64_t replayed = 0, skipped = 0, failed = 0;
};

void write_skipped(base::JsonWriter& json, Tally& tally, const char* why) {
  ++tally.skipped;
  json.member("skipped", why);
}

void write_outcome(base::JsonWriter& json, Tally& tally, const Result<ReplayOutcome>& outcome) {
  if (!outcome) {
    ++tally.failed;
    json.member("error", outcome.error().message());
    return;
  }
  ++tally.replayed;
  if (outcome->id != 0) json.key("new_id").integer(static_cast<std::int64_t>(outcome->id));
  json.member("verdict", outcome->verdict);
  if (!outcome->reason.empty()) json.member("reason", outcome->reason);
  json.key("outputs").begin_array();
  for (const auto& part : outcome->outputs)
    json.begin_object()
        .member("destination", part.destination)
        .key("bytes")
        .integer(static_cast<std::int64_t>(part.bytes))
        .member("sha256", part.sha256)
        .end_object();
  json.end_array();
}

}  // namespace

Task<Result<std::string>> replay_messages(Gateway& gateway, ReplayRequest request) {
  const Result<Query> query = parse_query_text(request.query, gateway.clock().wall());
  if (!query) co_return base::fail(query.error());
  if (query->terms.empty())
    co_return base::fail(ErrorCode::query_syntax, "a replay needs a query", {},
                         "name messages: 4711, or state:quarantined since:2h");
  base::Completion<Found> searched(gateway.executor());
  gateway.reader_executor().post([&gateway, searched, query = *query, limit = request.limit] {
    searched.set(find_messages(gateway, query, limit));
  });
  const Found found = co_await searched;
  if (!found) co_return base::fail(found.error());
  const bool everywhere = std::find(request.to.begin(), request.to.end(), "all") != request.to.end();
  base::JsonWriter json;
  Tally tally;
  json.begin_object()
      .key("dry_run")
      .boolean(request.dry_run)
      .key("matched")
      .integer(static_cast<std::int64_t>(found->size()));
  json.key("messages").begin_array();
  for (const MessageSummary& summary : *found) {
    json.begin_object()
        .key("id")
        .integer(static_cast<std::int64_t>(summary.id))
        .member("channel", summary.channel)
        .member("type", summary.type);
    const FailedAt failed = failed_at(summary);
    std::vector<std::string> destinations = request.to;
    if (request.to.empty()) destinations = failed.names;
    if (everywhere || (request.to.empty() && failed.whole)) destinations.clear();
    ChannelRuntime* channel = find_channel(gateway, summary.channel);
    if (channel == nullptr) {
      write_skipped(json, tally, "this site has no such channel");
    } else if (summary.parent != 0) {
      write_skipped(json, tally, "a part of another message: replay the whole");
    } else if (request.to.empty() && !failed.whole && failed.names.empty()) {
      write_skipped(json, tally, "it failed nowhere; name destinations with --to");
    } else {
      base::Completion<Result<StoredMessage>> read(gateway.executor());
      gateway.journal().read_message(summary.id,
                                     [read](Result<StoredMessage> stored) { read.set(std::move(stored)); });
      Result<StoredMessage> stored = co_await read;
      if (!stored) {
        write_outcome(json, tally, base::fail(stored.error()));
      } else {
        if (request.fresh_lookups) stored->message.lookups.clear();
        auto replaying = channel->replay(std::move(*stored), destinations, request.dry_run);
        const Result<ReplayOutcome> outcome = co_await std::move(replaying);
        write_outcome(json, tally, outcome);
      }
    }
    json.end_object();
  }
  json.end_array()
      .key("replayed")
      .integer(tally.replayed)
      .key("skipped")
      .integer(tally.skipped)
      .key("failed")
      .integer(tally.failed);
  json.end_object();
  co_return json.take();
}

}  // namespace kiln::engine
