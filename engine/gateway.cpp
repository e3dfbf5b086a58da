#include "engine/gateway.h"

#include <unistd.h>

#include <csignal>
#include <future>
#include <utility>
#include <vector>

#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/observe/kept_counters.h"

namespace kiln::engine {

using base::Status;
using base::Task;

Gateway::Gateway(base::Env& env, std::shared_ptr<const channels::Site> site, GatewayOptions options)
    : env_(env),
      site_(std::move(site)),
      data_folder_(site_->data_folder),
      options_(std::move(options)),
      budget_(net_.executor(), static_cast<std::size_t>(site_->server.block("limits").number("inflight"))) {
  processor_.use_lookups(&lookups_);
  processor_.use_clock(&clock_);
  observer_ = std::make_unique<Observer>(*this, env_, Notifier(options_.notify_socket), options_.watchdog_us);
}

Gateway::~Gateway() {
  if (last_end_) EndNote::note(exit_code_ == 0 ? LastEnd::orderly : LastEnd::fsync);
  if (keeper_) keeper_->ask_stop();
  if (export_jobs_) export_jobs_->stop();
  // After a failed start work may still be under way on the other threads; what it uses is destroyed before
  // they are.
  std::vector<base::ThreadExecutor*> threads = {&bulk_work_,    &keeper_work_, &file_work_,
                                               &journal_read_, &store_write_, &committer_};
  for (const auto& reading : store_reads_) threads.push_back(reading.get());
  for (base::ThreadExecutor* thread : threads) {
    std::promise<void> idle;
    thread->post([&idle] { idle.set_value(); });
    idle.get_future().wait();
  }
  if (lock_ >= 0) ::close(lock_);
}

void Gateway::say(const std::string& line) const {
  if (options_.say) options_.say(line);
}

int Gateway::run() {
  net_.on_signals({SIGINT, SIGTERM, SIGHUP}, [this](int signal) { on_signal(signal); });
  net_.run();
  if (exit_code_ == 0) (void)env_.write_file_atomic(base::join_path(site_->data_folder, "counters.json"), print_counters(base::Metrics::process()));
  return exit_code_;
}

void Gateway::on_signal(int signal) {
  if (signal != SIGHUP || (options_.terminal_is_gone && options_.terminal_is_gone())) return stop();
  base::spawn(reload_and_say("SIGHUP"));
}

void Gateway::stop() {
  net_.executor().post([this] {
    if (std::exchange(stopping_, true)) return;
    base::spawn(drain());
  });
}

/// Takes no more, finishes what is under way, records every outcome (reliability.md R12).
Task<void> Gateway::drain() {
  observer_->stopping();
  index_->stop();
  say("stopping: no new messages are taken, sends in progress are finished");
  auto ending = wind_down(true);
  co_await std::move(ending);
  net_.stop();
}

/// A start that failed in the middle ends the same way, but is no orderly stop: it may not have looked at
/// what is in doubt.
Task<void> Gateway::wind_down(bool started) {
  if (keeper_) keeper_->ask_stop();
  if (reload_) co_await reload_->stop();
  if (replays_) co_await replays_->stop();
  if (fhir_) fhir_->wake();
  if (facade_) facade_->stop();
  if (subscriptions_) co_await subscriptions_->stop();
  for (const auto& channel : channels_) co_await channel->stop_source();
  // Answers that are nearly there still leave; a long search would hold the stop up.
  constexpr std::chrono::milliseconds kGrace(1'500);
  if (fhir_) net_.executor().post_after(kGrace, [this] { fhir_->give_up_reads(); });
  if (http_) co_await http_->stop();
  if (admin_) co_await admin_->stop();
  if (control_) co_await control_->stop();
  for (const auto& channel : channels_)
    for (const auto& queue : channel->queues()) queue->begin_stop();
  for (const auto& channel : channels_) co_await channel->stop_queues();
  base::Completion<bool> flushed(net_.executor());
  journal_->find_duplicate({}, [flushed](base::Result<MessageId>) { flushed.set(true); });
  co_await flushed;
  std::size_t unrecorded = 0;
  bool orderly = started && (!reload_ || reload_->is_orderly());
  for (const auto& channel : channels_)
    for (const auto& queue : channel->queues()) {
      unrecorded += queue->unrecorded();
      orderly = orderly && queue->is_orderly();
    }
  if (unrecorded > 0) {
    base::log(base::LogLevel::error, "outcomes-not-recorded",
              {{"messages", static_cast<std::int64_t>(unrecorded)}});
    exit_code_ = 74;
  }
  if (keeper_) {
    base::Completion<bool> kept(net_.executor());
    keeper_->stop([kept] { kept.set(true); });
    co_await kept;
  }
  base::Completion<Status> store_closed(net_.executor());
  store_write_.post([this, store_closed] { store_closed.set(fhir_->checkpoint()); });
  const Status emptied = co_await store_closed;
  if (!emptied) {
    base::log(base::LogLevel::error, "store-close-failed", {{"error", base::Safe::code(emptied.error().code)}});
    exit_code_ = 74;
  }
  co_await observer_->stop();
  if (const Status closed = journal_->close(orderly); !closed) {
    base::log(base::LogLevel::error, "journal-close-failed",
              {{"error", base::Safe::code(closed.error().code)}});
    exit_code_ = 74;
  }
}

base::Result<JournalReader*> Gateway::journal_reader() {
  const std::string folder = base::join_path(data_folder_, "journal");
  TRY(const auto entries, env_.list(folder));
  std::string files;  // names, not their number: a day that comes and one that goes leave the number as it was
  for (const auto& entry : entries)
    if (DayFileName::parse(entry.name)) files += entry.name + '\n';
  if (!reader_ || reader_files_ != files) {
    TRY(auto opened, JournalReader::open(env_, folder, master_key_));
    reader_ = std::make_unique<JournalReader>(std::move(opened));
    reader_->use_index(env_, base::join_path(data_folder_, "index"), index_rules_);
    reader_files_ = std::move(files);
  }
  return reader_.get();
}

}  // namespace kiln::engine
