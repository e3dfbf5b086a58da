// Messages that come again (reliability.md R3): known by their key, answered as they were, never processed twice.

#include "engine/base/log.h"
#include "engine/detail/reply.h"
#include "engine/pipeline.h"

namespace kiln::engine {

using base::Result;
using base::Task;
using channels::Answer;
using channels::Taken;

namespace {

/// What is so stays so; other errors of a read may pass.
bool is_damage(base::ErrorCode code) {
  return code == base::ErrorCode::corrupt_record || code == base::ErrorCode::database_corrupt;
}

}  // namespace

/// A message with the same key.
struct ChannelRuntime::Known {
  MessageId id = 0;                       ///< 0: there is none
  std::optional<StoredMessage> original;  ///< nothing: its record cannot be read any more
  std::optional<Ending> whole;
};

/// A sender that repeats a message gets its refusal again; an input that a source knows by its place (a file
/// that an operator moved back from failed/) is tried again, since it went nowhere. Errors: it is not known now.
Task<Result<ChannelRuntime::Known>> ChannelRuntime::find_known(DedupeKey key, bool keep_refusal) {
  base::Completion<Result<MessageId>> found(*parts_.executor);
  parts_.journal->find_duplicate(key, [found](Result<MessageId> id) { found.set(std::move(id)); });
  const Result<MessageId> id = co_await found;
  if (!id) co_return base::fail(id.error());
  Known known;
  if (*id == 0) co_return known;
  base::Completion<Result<StoredMessage>> read(*parts_.executor);
  parts_.journal->read_message(*id, [read](Result<StoredMessage> stored) { read.set(std::move(stored)); });
  Result<StoredMessage> original = co_await read;
  if (original)
    known.original = std::move(*original);
  else if (original.error().code == base::ErrorCode::message_not_found)
    co_return known;
  else if (!is_damage(original.error().code))
    co_return base::fail(original.error());
  base::Completion<Result<std::optional<Ending>>> ended(*parts_.executor);
  parts_.journal->read_ending(
      *id, kNoDestination, [ended](Result<std::optional<Ending>> ending) { ended.set(std::move(ending)); });
  Result<std::optional<Ending>> ending = co_await ended;
  if (!ending) co_return base::fail(ending.error());
  known.whole = std::move(*ending);
  const bool refused = known.whole && known.whole->state == DeliveryState::rejected;
  if (refused && (!keep_refusal || known.whole->code == kSequenceCode)) co_return Known{};
  known.id = *id;
  co_return known;
}

/// Nothing when the message is new. `message` and `opened` are the caller's, and empty where the answer waits.
Task<std::optional<Answer>> ChannelRuntime::answer_repeated(NewMessage* message, Opened* opened, bool keep_refusal,
                                                            EarlyAnswer early) {
  const DedupeKey key = message->dedupe;
  const std::uint64_t stops = stops_;
  if (parts_.journal->maybe_seen(key)) {
    const std::size_t bytes = message->body.size();
    parts_.budget->take(bytes);
    auto finding = find_known(key, keep_refusal);
    Result<Known> known = co_await std::move(finding);
    parts_.budget->give_back(bytes);
    if (!known) co_return refuse(*message, *opened, known.error());  // the sender keeps it and asks again
    if (known->id != 0) {
      ++counters_.duplicates;
      auto answering = answer_known(message, opened, std::move(*known), std::move(early), stops);
      Answer answer = co_await std::move(answering);
      meter_.answered(answer.reply);
      co_return answer;
    }
  }
  const auto same = in_flight_.find(key);
  if (same == in_flight_.end()) co_return std::nullopt;
  ++counters_.duplicates;
  base::Completion<Answer> first(*parts_.executor);
  same->second.push_back(first);
  *opened = base::fail(base::ErrorCode::cancelled);  // what waits holds no memory
  *message = NewMessage();
  Answer answer = co_await first;
  meter_.answered(answer.reply);
  co_return answer;
}

/// The answer a stored message got, byte for byte (reliability.md R3), by the site version it is pinned to. Of one whose
/// record is damaged the repetition has the same bytes: it is answered by these, and says so.
Task<Answer> ChannelRuntime::answer_known(NewMessage* message, Opened* opened, Known known, EarlyAnswer early,
                                          std::uint64_t stops) {
  Answer answer;
  answer.taken = Taken::stored;
  answer.id = known.id;
  if (known.whole) {
    answer.code = known.whole->code;
    answer.reason = known.whole->detail;
    answer.set_aside = known.whole->state == DeliveryState::quarantined;
  }
  if (known.whole && known.whole->state == DeliveryState::rejected) {
    answer.taken = Taken::refused;
    answer.reply = known.whole->reply;
    co_return answer;
  }
  std::shared_ptr<const channels::Site> site = parts_.site;
  const channels::ChannelDefinition* definition = parts_.definition;
  if (known.original && known.original->message.config_hash != site->hash && parts_.version_of) {
    auto loading = parts_.version_of(known.original->message.config_hash);
    const std::shared_ptr<const channels::Site> pinned = co_await std::move(loading);
    const channels::ChannelDefinition* of_then = pinned ? find_channel(*pinned, message->channel) : nullptr;
    if (of_then != nullptr) {
      site = pinned;
      definition = of_then;
    }
  }
  detail::ReplyVerdict verdict;
  if (known.original) {
    *opened = open_message(*site, *definition, known.original->message);
  } else {
    base::log(base::LogLevel::error, "repeats-damaged",
              {{"channel", base::Safe::name(definition->name)}, {"msg", static_cast<std::int64_t>(known.id)}});
    answer.code = base::error_info(base::ErrorCode::corrupt_record).code;
    answer.reason = "repeats message " + std::to_string(known.id) + ", whose record is damaged";
    verdict.text = answer.reason;
  }
  const NewMessage& same = known.original ? known.original->message : *message;
  if (!waits_for_deliveries(*definition, same, *opened)) {
    if (!definition->ack_policy.reply.empty() && *opened)
      verdict.made = parts_.processor->process(*site, *definition, same, *opened).reply;
    answer.reply = make_reply(*definition, same, *opened, known.id, std::move(verdict));
    co_return answer;
  }
  Waiting how;
  how.repeated = true;
  how.early = answer_early(*definition, same, *opened, known.id, early);
  how.stops = stops;
  if (!known.original) how.copy = std::make_shared<const NewMessage>(std::move(*message));
  std::vector<Ending> ends;
  if (known.whole) ends.push_back(*known.whole);
  *opened = base::fail(base::ErrorCode::cancelled);
  *message = NewMessage();
  known.original.reset();
  auto waiting = answer_when_delivered(known.id, site, definition, std::move(ends), std::move(how));
  answer = co_await std::move(waiting);
  co_return answer;
}

}  // namespace kiln::engine
