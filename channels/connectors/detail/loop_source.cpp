#include "channels/connectors/detail/loop_source.h"

#include <utility>

#include "engine/base/log.h"

namespace kiln::channels::detail {

LoopSource::LoopSource(const Options& options, const Surroundings& around)
    : options_(options), around_(around), changed_(around.network.executor()) {}

base::Status LoopSource::start(Intake& intake) {
  TRY_VOID(prepare());
  intake_ = &intake;
  stopping_ = false;
  running_ = true;
  status_.state = ConnectorStatus::State::up;
  failing_ = false;
  base::spawn(run(shared_from_this()));
  return {};
}

base::Task<void> LoopSource::stop() { return end(shared_from_this()); }

base::Task<void> LoopSource::end(std::shared_ptr<LoopSource> self) {
  self->stopping_ = true;
  if (self->running_) self->interrupt();
  self->changed_.notify();
  auto settling = self->settle();
  co_await std::move(settling);
  while (self->running_) {
    auto wait = self->changed_.wait(std::chrono::nanoseconds(-1));
    co_await wait;
  }
  self->status_.state = ConnectorStatus::State::down;
}

base::Task<void> LoopSource::run(std::shared_ptr<LoopSource> self) {
  while (!self->stopping_) {
    self->failed_ = false;
    auto going = self->round();
    const std::int64_t pause_ms = co_await std::move(going);
    if (!self->failed_) self->working();
    if (pause_ms <= 0) continue;
    auto resting = self->rest(pause_ms);
    co_await std::move(resting);
  }
  self->running_ = false;
  self->changed_.notify();
}

void LoopSource::failing(const base::Error& why) {
  failed_ = true;
  status_.last_error = why.message();
  if (stopping_ || std::exchange(failing_, true)) return;
  status_.state = ConnectorStatus::State::down;
  base::log(base::LogLevel::error, "source-failing",
            {{"channel", base::Safe::name(around_.channel)}, {"error", base::Safe::code(why.code)}});
}

void LoopSource::working() {
  if (stopping_ || !std::exchange(failing_, false)) return;
  status_.state = ConnectorStatus::State::up;
  status_.last_error.clear();
  base::log(base::LogLevel::info, "source-working", {{"channel", base::Safe::name(around_.channel)}});
}

base::Task<void> LoopSource::settle() { co_return; }

base::Task<void> LoopSource::rest(std::int64_t ms) {
  if (stopping_) co_return;
  auto wait = changed_.wait(std::chrono::milliseconds(ms));
  co_await wait;
}

base::Task<Answer> LoopSource::accept(Inbound message) {
  while (!intake_->has_room()) {
    auto room = intake_->room();
    co_await std::move(room);
  }
  auto accepting = intake_->accept(std::move(message));
  Answer answer = co_await std::move(accepting);
  if (answer.taken != Taken::not_stored) ++status_.messages;
  co_return answer;
}

base::Task<void> LoopSource::report(Unframed what) {
  ++status_.unframed;
  status_.last_error = what.detail;
  auto reporting = intake_->report(std::move(what));
  co_await std::move(reporting);
}

}  // namespace kiln::channels::detail
