#include "engine/vault/keeper.h"

#include <future>

#include "engine/base/json.h"
#include "engine/base/log.h"
#include "engine/base/partial_date.h"
#include "engine/limits.h"
#include "engine/vault/backup.h"
#include "engine/vault/file_copy.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;

RetentionPolicy read_retention(const channels::Options& server) {
  const channels::Options& journal = server.block("journal");
  RetentionPolicy policy;
  policy.content_us = journal.number("retention") * 1000;
  policy.metadata_us = std::max(policy.content_us, journal.number("metadata") * 1000);
  return policy;
}

Keeper::Keeper(Parts parts)
    : parts_(std::move(parts)),
      scrub_({parts_.env, parts_.clock, journal_folder(), base::join_path(parts_.data_folder, "scrub.json"), parts_.master}) {}

void Keeper::start() {
  schedule(limits::kKeeperFirstMs);
  schedule_scrub(limits::kScrubFirstMs);
}

/// The next part is asked for when the one before has ended, also when a backup was between.
void Keeper::schedule_scrub(std::int64_t after_ms) {
  parts_.loop->post_after(std::chrono::milliseconds(after_ms), [this, alive = alive_] {
    if (!*alive || stopping_) return;
    parts_.work->post([this] { run_scrub(); });
  });
}

void Keeper::run_scrub() {
  if (stopping_) return;
  const Result<bool> more = scrub_.step();
  if (!more) base::log(base::LogLevel::warn, "scrub-failed", {{"error", base::Safe::code(more.error().code)}});
  const std::int64_t rest = more && *more ? limits::kScrubEveryMs : more ? limits::kScrubRestMs : limits::kKeeperFirstMs;
  parts_.loop->post([this, alive = alive_, rest] {
    if (*alive) schedule_scrub(rest);
  });
}

void Keeper::schedule(std::int64_t after_ms) {
  parts_.loop->post_after(std::chrono::milliseconds(after_ms), [this, alive = alive_] {
    if (!*alive || stopping_) return;
    parts_.work->post([this] { run_policy(); });
    schedule(limits::kKeeperEveryMs);
  });
}

void Keeper::ask_stop() {
  stopping_ = true;
  *alive_ = false;
}

void Keeper::stop(std::function<void()> done) {
  ask_stop();
  parts_.work->post(std::move(done));
}

/// More than usual at once is no reason to delete: the clock may have jumped (reliability.md S3).
void Keeper::run_policy() {
  if (stopping_) return;
  const auto plan = plan_prune(*parts_.env, journal_folder(), parts_.policy, parts_.clock->wall());
  if (plan && plan->refused)
    base::log(base::LogLevel::warn, "retention-not-confirmed", {{"files", static_cast<std::int64_t>(plan->files_due)}});
  if (plan && (plan->refused || (plan->files_due == 0 && plan->metadata_due.empty()))) return;
  const auto gone = plan ? prune(*parts_.env, journal_folder(), *parts_.journal, *plan, [this] { return stopping_.load(); })
                         : Result<std::vector<std::uint32_t>>(base::fail(plan.error()));
  if (!gone && gone.error().code != ErrorCode::cancelled)
    base::log(base::LogLevel::error, "retention-failed", {{"error", base::Safe::code(gone.error().code)}});
}

std::string forecast_text(base::Env& env, const std::string& folder, const RetentionPolicy& policy, base::WallTime now) {
  const auto free = free_bytes(folder);
  const auto entries = env.list(folder);
  if (!free || !entries) return {};
  std::vector<std::pair<std::int64_t, std::uint64_t>> days;
  for (const auto& entry : *entries) {
    const auto name = DayFileName::parse(entry.name);
    if (!name) continue;
    if (const auto day = base::PartialDate::parse_hl7(name->day)) days.emplace_back(day->lowest_micros(), entry.size);
  }
  const std::uint64_t usable = *free > limits::kReserveBytes ? *free - limits::kReserveBytes : 0;
  const auto full = forecast_full(days, usable, policy.content_us, now);
  return full ? base::PartialDate::from_wall(*full, base::DatePrecision::day).print_fhir() : std::string();
}

Result<std::string> Keeper::prune_now(const PruneRequest& request) {
  if (stopping_) return base::fail(ErrorCode::cancelled, "the engine stops");
  RetentionPolicy policy = parts_.policy;
  policy.confirmed = request.confirmed;
  if (request.keep_us > 0) policy.content_us = request.keep_us;
  const base::WallTime now = parts_.clock->wall();
  TRY(const PrunePlan plan, plan_prune(*parts_.env, journal_folder(), policy, now));
  std::vector<std::uint32_t> gone;
  if (!request.dry_run) {
    TRY(gone, prune(*parts_.env, journal_folder(), *parts_.journal, plan, [this] { return stopping_.load(); }));
  }
  base::JsonWriter json;
  json.begin_object().key("plan").raw(print_plan_json(plan)).key("removed").begin_array();
  for (const std::uint32_t generation : gone) json.integer(generation);
  json.end_array().member("text", print_plan(plan));
  json.member("disk_full", forecast_text(*parts_.env, journal_folder(), policy, now));
  return json.end_object().take();
}

void note_done(base::Env& env, const std::string& data_folder, const char* mark, base::WallTime now) {
  (void)env.write_file_atomic(base::join_path(data_folder, mark), std::to_string(now.micros) + "\n");
}

std::optional<base::WallTime> read_done(base::Env& env, const std::string& data_folder, const char* mark) {
  constexpr std::uint64_t kMarkBytesMax = 64;
  const auto text = env.read_file(base::join_path(data_folder, mark), kMarkBytesMax);
  if (!text) return std::nullopt;
  const std::int64_t micros = std::strtoll(text->c_str(), nullptr, 10);
  return micros > 0 ? std::optional(base::WallTime{micros}) : std::nullopt;
}

Result<std::string> Keeper::backup_to(const std::string& folder) {
  if (stopping_) return base::fail(ErrorCode::cancelled, "the engine stops");
  auto promise = std::make_shared<std::promise<Result<SqliteJournal::Cut>>>();
  auto taken = promise->get_future();
  parts_.journal->cut([promise](Result<SqliteJournal::Cut> cut) { promise->set_value(std::move(cut)); });
  TRY(SqliteJournal::Cut cut, taken.get());
  BackupOptions options;
  options.data_folder = parts_.data_folder;
  options.target = folder;
  options.now = parts_.clock->wall();
  options.version = parts_.version;
  options.stop = [this] { return stopping_.load(); };
  TRY(const BackupManifest manifest, make_backup(*parts_.env, std::move(cut), options));
  note_done(*parts_.env, parts_.data_folder, kBackupMark, options.now);
  std::uint64_t bytes = 0;
  for (const BackupFile& file : manifest.files) bytes += file.bytes;
  base::JsonWriter json;
  json.begin_object().member("folder", folder).key("last").integer(static_cast<std::int64_t>(manifest.last));
  json.key("files").integer(static_cast<std::int64_t>(manifest.files.size()));
  json.key("bytes").integer(static_cast<std::int64_t>(bytes));
  return json.end_object().take();
}

Result<std::string> Keeper::print_storage() {
  const base::WallTime now = parts_.clock->wall();
  TRY(const PrunePlan plan, plan_prune(*parts_.env, journal_folder(), parts_.policy, now));
  TRY(const std::uint64_t free, free_bytes(journal_folder()));
  base::JsonWriter json;
  json.begin_object().key("free_bytes").integer(static_cast<std::int64_t>(free));
  json.member("disk_full", forecast_text(*parts_.env, journal_folder(), parts_.policy, now));
  json.key("retention_days").integer(parts_.policy.content_us / 86'400'000'000);
  json.key("metadata_days").integer(parts_.policy.metadata_us / 86'400'000'000);
  json.key("scrub").raw(scrub_.print_json());
  return json.key("plan").raw(print_plan_json(plan)).end_object().take();
}

}  // namespace kiln::engine
