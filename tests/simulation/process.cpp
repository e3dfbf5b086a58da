#include "tests/simulation/process.h"

namespace kiln::simulation {

using base::Status;
using base::Task;
using engine::MessageId;

namespace {

Task<void> recover_and_listen(Process* process) {
  auto& recovered = process->journal->recovered();
  auto recovering = process->channel->recover(recovered.unprocessed, engine::SiteVersions{});
  Status status = co_await std::move(recovering);
  if (status) {
    std::map<std::string, std::uint64_t> waiting;
    for (const auto& [key, count] : recovered.pending) waiting[key.substr(key.find('/') + 1)] = count;
    status = process->channel->start_queues(waiting, recovered.last_id, recovered.clean_stop);
  }
  if (status) status = process->channel->start_source();
  if (status)
    process->serves = true;
  else
    process->ended = true;  // systemd starts it again
}

Task<void> wind_down(Process* process) {
  auto stopping_source = process->channel->stop_source();
  co_await std::move(stopping_source);
  for (const auto& queue : process->channel->queues()) queue->begin_stop();
  auto stopping_queues = process->channel->stop_queues();
  co_await std::move(stopping_queues);
  base::Completion<bool> flushed(process->loop);
  process->journal->find_duplicate({}, [flushed](base::Result<MessageId>) { flushed.set(true); });
  co_await flushed;
  bool orderly = true;
  for (const auto& queue : process->channel->queues())
    orderly = orderly && queue->is_orderly() && queue->unrecorded() == 0;
  const Status closed = process->journal->close(orderly);
  process->orderly = orderly && closed.has_value();
  process->ended = true;
}

}  // namespace

Process::Process(Scheduler& scheduler, Chance& chance, SimNetwork::Outside& outside, base::ManualClock& clock,
                 std::uint64_t seed)
    : loop(scheduler, microseconds(1), microseconds(20)),
      committer(scheduler, microseconds(50), milliseconds(4)),
      network(scheduler, loop, chance, outside),
      random(seed),
      budget(loop) {
  processor.use_clock(&clock);
}

void start(ProcessParts parts) {
  Process* const process = parts.process;
  engine::JournalOptions options;
  options.folder = parts.folder;
  auto opened =
      engine::SqliteJournal::open(*parts.env, *parts.clock, process->committer, options, parts.fail_stop);
  if (!opened) {
    parts.tell(opened.error().message());
    process->ended = true;
    return;
  }
  process->journal = std::move(*opened);
  process->pacer.emplace(process->loop, *process->journal);
  process->journal->keep_config(parts.site->hash, "[]");
  engine::ChannelRuntime::Parts made{parts.site,
                                     &parts.site->channels[0],
                                     process->journal.get(),
                                     &process->loop,
                                     parts.clock,
                                     &process->random,
                                     &process->processor,
                                     &process->budget,
                                     &*process->pacer,
                                     {process->network,
                                      *parts.env,
                                      process->files,
                                      *parts.clock,
                                      "load",
                                      parts.site->folder,
                                      nullptr,
                                      nullptr,
                                      {}},
                                     {}};
  process->channel = std::make_unique<engine::ChannelRuntime>(std::move(made));
  base::spawn(recover_and_listen(process));
}

void stop(Process* process) {
  if (std::exchange(process->stopping, true)) return;
  process->loop.post([process] { base::spawn(wind_down(process)); });
}

}  // namespace kiln::simulation
