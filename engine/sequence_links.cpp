#include "engine/sequence_links.h"

#include <chrono>

#include "engine/base/log.h"

namespace kiln::engine {

using base::Result;
using base::Status;
using base::Task;

SequenceLinks::SequenceLinks(Journal& journal, base::TimerExecutor& executor, std::string channel)
    : journal_(journal), executor_(executor), channel_(std::move(channel)), freed_(executor) {}

std::string SequenceLinks::link_of(const hl7::Message& message) const {
  const hl7::SegmentView header = message.header();
  return channel_ + "/" + std::string(header.field(3).raw()) + "|" + std::string(header.field(4).raw());
}

Task<Status> SequenceLinks::load() {
  if (loaded_) co_return Status{};
  base::Completion<Result<LinkStates>> read(executor_);
  journal_.read_links(channel_, [read](Result<LinkStates> states) { read.set(std::move(states)); });
  const auto alive = alive_;
  Result<LinkStates> states = co_await read;
  if (!*alive) co_return base::fail(base::ErrorCode::cancelled);
  if (!states) co_return base::fail(states.error());
  if (!loaded_) states_ = std::move(*states);  // another message may have read them meanwhile
  loaded_ = true;
  co_return Status{};
}

Task<void> SequenceLinks::open() {
  const auto alive = alive_;
  auto loading = load();
  const Status loaded = co_await std::move(loading);
  if (*alive && !loaded)
    base::log(base::LogLevel::error, "links-not-read",
              {{"channel", base::Safe::name(channel_)}, {"error", base::Safe::code(loaded.error().code)}});
}

Task<void> SequenceLinks::lock(std::string link) {
  while (!busy_.insert(link).second) co_await freed_.wait(std::chrono::milliseconds(-1));
}

void SequenceLinks::unlock(const std::string& link) {
  busy_.erase(link);
  freed_.notify();
}

Task<Result<LinkStep>> SequenceLinks::enter(const hl7::Message* message) {
  LinkStep step;
  step.link = link_of(*message);
  auto locking = lock(step.link);
  co_await std::move(locking);
  auto loading = load();
  const Status loaded = co_await std::move(loading);
  if (!loaded) {
    unlock(step.link);
    co_return base::fail(loaded.error());
  }
  step.decision = hl7::check_sequence(states_[step.link].state, *message);
  // What was stored under this number is answered before it comes here: this is another message.
  if (step.decision.verdict == hl7::SequenceVerdict::repeated) {
    step.decision.positive = false;
    step.decision.next.frozen = true;
  }
  co_return step;
}

void SequenceLinks::leave(const LinkStep& step, MessageId id) {
  if (id != 0) {
    LinkState& link = states_[step.link];
    if (step.decision.next.frozen && !link.state.frozen)
      base::log(base::LogLevel::warn, "link-frozen",
                {{"channel", base::Safe::name(channel_)}, {"msg", static_cast<std::int64_t>(id)}});
    link = {step.decision.next, id};
  }
  unlock(step.link);
}

Task<Result<std::size_t>> SequenceLinks::resume() {
  auto loading = load();
  const Status loaded = co_await std::move(loading);
  if (!loaded) co_return base::fail(loaded.error());
  std::vector<std::string> names;
  for (const auto& [name, link] : states_)
    if (link.state.frozen) names.push_back(name);
  for (const std::string& name : names) {
    auto locking = lock(name);
    co_await std::move(locking);
    LinkState& link = states_[name];
    const hl7::SequenceState next{link.state.last, true, false};
    base::Completion<Status> kept(executor_);
    journal_.set_link(link.newest, next, [kept](Status status) { kept.set(std::move(status)); });
    const Status status = co_await kept;
    if (status) link.state = next;
    unlock(name);
    if (!status) co_return base::fail(status.error());
  }
  co_return names.size();
}

}  // namespace kiln::engine
