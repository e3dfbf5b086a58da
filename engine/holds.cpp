#include "engine/holds.h"

#include <charconv>

#include "engine/pipeline.h"

namespace kiln::engine {

Holds::Holds(Journal& journal, base::TimerExecutor& executor, const base::Clock& clock,
             const std::vector<Hold>& at_start)
    : journal_(journal), executor_(executor), clock_(clock) {
  for (const Hold& hold : at_start)
    if (hold.state != HoldState::running) holds_[hold.subject] = hold;
}

const Hold* Holds::find(const std::string& subject) const {
  const auto found = holds_.find(subject);
  return found == holds_.end() ? nullptr : &found->second;
}

void Holds::put(const Hold& hold) {
  ++words_[hold.subject];
  if (hold.state == HoldState::running)
    holds_.erase(hold.subject);
  else
    holds_[hold.subject] = hold;
}

void Holds::set(const std::string& subject, HoldState state, std::string by, std::string reason,
                std::function<void(base::Status)> done) {
  const Hold* known = find(subject);
  const Hold before = known == nullptr ? Hold{subject, HoldState::running, {}, {}, {}} : *known;
  Hold hold{subject, state, std::move(by), std::move(reason), clock_.wall()};
  // Who says the same once more without a reason takes nothing back.
  if (hold.reason.empty() && before.state == state && state != HoldState::running) hold = before;
  put(hold);
  const std::uint64_t word = words_[subject];
  auto told = [this, before, word, done = std::move(done), alive = alive_, executor = &executor_](base::Status status) {
    executor->post([this, before, word, done, alive, status = std::move(status)] {
      if (*alive && !status && words_[before.subject] == word) put(before);
      if (done) done(status);
    });
  };
  journal_.set_hold(std::move(hold), std::move(told));
  journal_.flush();
}

/// What nobody waits for is kept again every second until the disk takes it: a block that is forgotten would be sent to
/// after a restart.
void Holds::keep(Hold hold) {
  put(hold);
  const std::uint64_t word = words_[hold.subject];
  auto told = [this, hold, word, alive = alive_, executor = &executor_](base::Status status) {
    if (status) return;
    executor->post_after(std::chrono::milliseconds(1000), [this, hold, word, alive] {
      if (*alive && words_[hold.subject] == word) keep(hold);
    });
  };
  journal_.set_hold(std::move(hold), std::move(told));
  journal_.flush();
}

std::set<MessageId> read_numbers(std::string_view text) {
  std::set<MessageId> out;
  while (!text.empty()) {
    MessageId number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc()) out.insert(number);
    const std::size_t space = text.find(' ');
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return out;
}

void Holds::note_blocks(const std::string& address, const std::set<MessageId>& blocked) {
  const std::string subject = "blocks:" + address;
  const Hold* known = find(subject);
  std::string numbers;
  for (const MessageId id : blocked) numbers += (numbers.empty() ? "" : " ") + std::to_string(id);
  if (known == nullptr ? blocked.empty() : known->reason == numbers) return;
  keep({subject, blocked.empty() ? HoldState::running : HoldState::blocked, "policy", std::move(numbers), clock_.wall()});
}

void Holds::attach(ChannelRuntime& channel) {
  const channels::ChannelDefinition& definition = channel.definition();
  if (const Hold* hold = find("source:" + definition.name)) {
    if (hold->state == HoldState::stopped) channel.stay_stopped();
    if (hold->state == HoldState::paused) channel.stay_paused();
  }
  if (find("reading:" + definition.name) != nullptr) channel.stay_paused();
  std::map<std::string, std::set<MessageId>> blocked;
  // Also of destinations that come with a later version of the site.
  const std::string paused = "destination:" + definition.name + "/", blocks = "blocks:" + definition.name + "/";
  for (const auto& [subject, hold] : holds_) {
    if (subject.starts_with(paused)) channel.stay_paused(subject.substr(paused.size()));
    if (subject.starts_with(blocks)) blocked[subject.substr(blocks.size())] = read_numbers(hold.reason);
  }
  channel.block_at_start(std::move(blocked));
  if (find("channel:" + definition.name) != nullptr) channel.pause_deliveries(true);
  channel.on_blocks(
      [this, name = definition.name](const std::string& destination, const std::set<MessageId>& ids) {
        note_blocks(name + "/" + destination, ids);
      });
}

}  // namespace kiln::engine
