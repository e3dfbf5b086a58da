#include "engine/vault/scrub.h"

#include <algorithm>
#include <cstdlib>

#include "engine/base/json.h"
#include "engine/base/log.h"
#include "engine/base/metrics.h"
#include "engine/base/partial_date.h"
#include "engine/journal/rows.h"
#include "engine/vault/file_copy.h"

namespace kiln::engine {

using base::Metric;
using base::Result;
using base::Status;

namespace {

constexpr std::uint64_t kNoteBytesMax = 4096;
constexpr int kCacheKib = 512;

void show_last_full(base::WallTime at) {
  if (at.micros == 0) return;
  base::Metrics::process().gauge(Metric::scrub_last_full_timestamp_seconds).set(static_cast<double>(at.micros) / 1e6);
}

Result<MessageId> last_message(base::Database& database) {
  TRY(auto select, database.cached("SELECT ifnull(max(id), 0) FROM msg"));
  TRY_VOID(select.step());
  const auto last = static_cast<MessageId>(select.integer(0));
  select.reset();
  return last;
}

Result<MessageId> next_message(base::Database& database, MessageId after) {
  TRY(auto select, database.cached("SELECT ifnull(min(id), 0) FROM msg WHERE id>?"));
  TRY_VOID(select.bind(1, static_cast<std::int64_t>(after)).step());
  const auto next = static_cast<MessageId>(select.integer(0));
  select.reset();
  return next;
}

}  // namespace

/// A walk over a large journal takes longer than some engines run: it goes on with the file it was at.
Scrub::Scrub(Parts parts) : parts_(std::move(parts)) {
  if (parts_.note.empty()) return;
  const auto text = parts_.env->read_file(parts_.note, kNoteBytesMax);
  const auto note = text ? base::parse_json(*text) : Result<base::JsonDocument>(base::fail(base::ErrorCode::file_not_found));
  if (!note) return;
  const auto number = [&note](const char* name) {
    return std::strtoull(std::string(note->root()[name].text()).c_str(), nullptr, 10);
  };
  generation_ = static_cast<std::uint32_t>(number("done"));
  state_.last_full = {static_cast<std::int64_t>(number("last_full_us"))};
  show_last_full(state_.last_full);
}

void Scrub::keep_note() const {
  if (parts_.note.empty()) return;
  base::JsonWriter json;
  json.begin_object().key("done").integer(generation_).key("last_full_us").integer(state_.last_full.micros).end_object();
  // Of a note that is not written only the time until the next whole walk is lost.
  (void)parts_.env->write_file_atomic(parts_.note, json.take() + "\n");
}

/// Whether a place that could not be read is left behind: at once when it is damaged, and at the second try when the disk said so,
/// which may have other causes too.
bool Scrub::gives_up(const base::Error& error, const std::string& place) {
  if (error.code == base::ErrorCode::database_corrupt) return true;
  if (error.code != base::ErrorCode::io_failed) return false;
  if (tried_ == place) return true;
  tried_ = place;
  return false;
}

/// False: it is being made.
Result<bool> Scrub::open_file(const DayFileName& name, bool newest) {
  TRY(auto file, open_journal_file(*parts_.env, parts_.folder, name, parts_.master, kCacheKib));
  if (!file) return false;
  TRY(const MessageId last, last_message(file->database));
  generation_ = name.generation;
  newest_ = newest;
  file_ = std::move(*file);
  const std::lock_guard lock(mutex_);
  if (state_.file.empty()) state_.records = state_.locked = 0;
  state_.file = name.print();
  state_.at = 0;
  state_.last = last;
  return true;
}

/// False: there is no further one.
Result<bool> Scrub::open_next() {
  TRY(const auto entries, parts_.env->list(parts_.folder));
  std::vector<DayFileName> names;
  for (const auto& entry : entries)
    if (const auto name = DayFileName::parse(entry.name)) names.push_back(*name);
  std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return a.generation < b.generation; });
  for (const DayFileName& name : names) {
    if (name.generation <= generation_) continue;
    auto opened = open_file(name, name.generation == names.back().generation);
    if (opened || !gives_up(opened.error(), name.print())) return opened;
    {
      const std::lock_guard lock(mutex_);
      state_.file = name.print();
    }
    found(0, "the file cannot be opened");
    generation_ = name.generation;
  }
  return false;
}

/// The message behind the last one; 0: there is none. Behind a place that cannot be read the search goes on in growing steps.
Result<MessageId> Scrub::find_next() {
  const MessageId at = state_.at;
  MessageId from = at;
  for (MessageId step = 1; from < state_.last; step *= 2) {
    auto next = next_message(file_->database, from);
    if (next) return next;
    const std::string place = "behind message " + std::to_string(at);
    if (from == at && !gives_up(next.error(), state_.file + " " + place)) return next;
    if (from == at) found(0, "the file is damaged " + place);
    from += step;
  }
  return MessageId{0};
}

void Scrub::found(MessageId id, const std::string& what) {
  static base::Counter& counter = base::Metrics::process().counter(Metric::journal_corrupt_records_total);
  const std::lock_guard lock(mutex_);
  const bool known = std::any_of(state_.faults.begin(), state_.faults.end(), [&](const Fault& fault) {
    return fault.id == id && fault.file == state_.file && fault.what == what;
  });
  if (known) return;
  counter.add();
  base::log(base::LogLevel::error, "corrupt-record", {{"msg", static_cast<std::int64_t>(id)}});
  ++state_.faults_total;
  if (state_.faults.size() < limits::kScrubFaultsKept) state_.faults.push_back({state_.file, id, what});
}

Status Scrub::look_at(MessageId id, std::uint64_t& bytes) {
  auto checked = check_records(file_->rows(), id);
  if (checked) tried_.clear();
  if (!checked && gives_up(checked.error(), state_.file + " " + std::to_string(id))) {
    found(id, checked.error().code == base::ErrorCode::io_failed ? "the disk does not give it back" : "the file is damaged where it stands");
    checked = RecordCheck{};
  }
  if (!checked) return base::fail(checked.error());
  bytes += checked->bytes;
  for (const RecordCheck::Fault& fault : checked->faults) found(id, fault.what);
  const std::lock_guard lock(mutex_);
  state_.at = id;
  state_.records += checked->compared;
  state_.locked += checked->locked;
  return {};
}

/// What is of no message: jobs, holds, bytes that made none.
Status Scrub::look_at_control() {
  auto checked = check_control(file_->rows());
  if (!checked && gives_up(checked.error(), state_.file + " control")) {
    found(0, "its records beside messages cannot be read");
    checked = RecordCheck{};
  }
  if (!checked) return base::fail(checked.error());
  for (const RecordCheck::Fault& fault : checked->faults) found(0, fault.what);
  const std::lock_guard lock(mutex_);
  state_.records += checked->compared;
  state_.locked += checked->locked;
  return {};
}

void Scrub::end_file() {
  // Its pages stay in the cache: opening and closing the file here would take SQLite's own locks off it.
  file_.reset();
  keep_note();
}

void Scrub::end_walk() {
  generation_ = 0;
  {
    const std::lock_guard lock(mutex_);
    state_.file.clear();
    state_.last_full = parts_.clock->wall();
  }
  show_last_full(state_.last_full);
  keep_note();
}

Result<bool> Scrub::step() {
  if (!file_) {
    TRY(const bool more, open_next());
    if (!more) {
      end_walk();
      return false;
    }
  }
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < parts_.messages_per_part && bytes < parts_.bytes_per_part; ++i) {
    TRY(const MessageId next, find_next());
    if (next == 0 || next > state_.last) {
      TRY_VOID(look_at_control());
      end_file();
      return true;
    }
    TRY_VOID(look_at(next, bytes));
  }
  return true;
}

Scrub::State Scrub::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::string Scrub::print_json() const {
  const State now = state();
  base::JsonWriter json;
  const auto count = [&json](const char* name, std::uint64_t value) { json.key(name).integer(static_cast<std::int64_t>(value)); };
  json.begin_object().member("file", now.file);
  count("at", now.at);
  count("last", now.last);
  count("records", now.records);
  count("locked", now.locked);
  json.member("last_full", now.last_full.micros == 0
                               ? std::string()
                               : base::PartialDate::from_wall(now.last_full, base::DatePrecision::second).print_fhir());
  count("damaged", now.faults_total);
  json.key("faults").begin_array();
  for (const Fault& fault : now.faults) {
    json.begin_object().member("file", fault.file);
    count("id", fault.id);
    json.member("what", fault.what).end_object();
  }
  return json.end_array().end_object().take();
}

}  // namespace kiln::engine
