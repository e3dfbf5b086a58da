#include "engine/fragments.h"

#include <algorithm>
#include <chrono>

#include "engine/base/log.h"
#include "engine/detail/input.h"
#include "engine/process.h"

namespace kiln::engine {

using base::Result;
using base::Task;

Fragments::Fragments(Journal& journal, base::TimerExecutor& executor, const base::Clock& clock,
                     const channels::ChannelDefinition& channel, std::function<void(Joined)> take,
                     std::function<void(std::size_t)> gave_up)
    : journal_(journal),
      executor_(executor),
      clock_(clock),
      channel_(channel),
      take_(std::move(take)),
      gave_up_(std::move(gave_up)),
      reassembler_(detail::parse_options(channel)),
      ready_(executor) {}

std::int64_t Fragments::now_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock_.mono()).count();
}

Task<void> Fragments::open() {
  while (opening_ && !opened_) co_await ready_.wait(std::chrono::milliseconds(-1));
  if (std::exchange(opening_, true)) co_return;
  const std::shared_ptr<bool> alive = alive_;
  base::Completion<Result<std::vector<MessageId>>> read(executor_);
  journal_.read_fragments(channel_.name,
                          [read](Result<std::vector<MessageId>> ids) { read.set(std::move(ids)); });
  const Result<std::vector<MessageId>> ids = co_await read;
  if (!*alive) co_return;
  if (!ids)
    base::log(base::LogLevel::error, "fragments-not-read",
              {{"channel", base::Safe::name(channel_.name)}, {"error", base::Safe::code(ids.error().code)}});
  if (ids) arrived_.insert(arrived_.begin(), ids->begin(), ids->end());
  opened_ = true;
  ready_.notify();
  auto adding = add(0);
  co_await std::move(adding);
}

Task<void> Fragments::add(MessageId id) {
  const std::shared_ptr<bool> alive = alive_;
  if (!opened_) {
    auto opening = open();
    co_await std::move(opening);
    if (!*alive) co_return;
  }
  // What was read at the start may hold it already.
  if (id > last_put_ && std::find(arrived_.begin(), arrived_.end(), id) == arrived_.end())
    arrived_.push_back(id);
  if (std::exchange(putting_, true)) co_return;
  while (!arrived_.empty()) {
    const MessageId next = arrived_.front();
    arrived_.erase(arrived_.begin());
    last_put_ = std::max(last_put_, next);
    auto one = put(next);
    co_await std::move(one);
    if (!*alive) co_return;
  }
  putting_ = false;
  watch();
}

Task<void> Fragments::put(MessageId id) {
  const std::shared_ptr<bool> alive = alive_;
  base::Completion<Result<StoredMessage>> read(executor_);
  journal_.read_message(id, [read](Result<StoredMessage> stored) { read.set(std::move(stored)); });
  Result<StoredMessage> stored = co_await read;
  if (!*alive) co_return;
  if (!stored) co_return give_up({{id}, stored.error()});
  const auto parsed = hl7::Message::parse(stored->message.body, detail::parse_options(channel_));
  if (!parsed) co_return give_up({{id}, parsed.error()});
  auto outcome = reassembler_.add(id, hl7::sender_of(*parsed), *parsed, now_ms());
  if (outcome.replaced) give_up(*outcome.replaced);
  if (outcome.state == hl7::Reassembler::State::refused) give_up({outcome.ids, outcome.error});
  if (outcome.state != hl7::Reassembler::State::complete) co_return;
  Joined joined;
  joined.ids = std::move(outcome.ids);
  joined.message.channel = channel_.name;
  joined.message.kind = channels::ContentKind::hl7;
  joined.message.received = stored->message.received;
  joined.message.peer = stored->message.peer;
  joined.message.parent = joined.ids.front();
  joined.message.body = std::move(outcome.text);
  take_(std::move(joined));
}

/// Each part is set aside by itself, so that nothing of the message is lost from sight.
void Fragments::give_up(const hl7::Reassembler::GivenUp& given_up) {
  base::log(base::LogLevel::warn, "fragments-given-up",
            {{"channel", base::Safe::name(channel_.name)},
             {"msg", static_cast<std::int64_t>(given_up.ids.front())},
             {"fragments", static_cast<std::int64_t>(given_up.ids.size())},
             {"error", base::Safe::code(given_up.error.code)}});
  for (const MessageId id : given_up.ids) {
    Ending ending;
    ending.destination = kNoDestination;
    ending.state = DeliveryState::quarantined;
    ending.code = kIncompleteCode;
    ending.detail = given_up.error.text.empty() ? given_up.error.info().text : given_up.error.text;
    journal_.end(id, channel_.name, std::move(ending), [](base::Status) {});
  }
  journal_.drop_fragments(given_up.ids);
  journal_.flush();
  gave_up_(given_up.ids.size());
}

void Fragments::watch() {
  const auto deadline = reassembler_.deadline();
  if (!deadline || std::exchange(watching_, true)) return;
  const auto wait = std::chrono::milliseconds(std::max<std::int64_t>(0, *deadline - now_ms()) + 1);
  executor_.post_after(wait, [this, alive = alive_] {
    if (!*alive) return;
    watching_ = false;
    for (const auto& given_up : reassembler_.overdue(now_ms())) give_up(given_up);
    watch();
  });
}

}  // namespace kiln::engine
