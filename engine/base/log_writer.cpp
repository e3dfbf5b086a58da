#include "engine/base/log_writer.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "engine/base/json.h"
#include "engine/base/partial_date.h"

namespace kiln::base {
namespace {

constexpr std::size_t kKindsMax = 1'000;     ///< kinds of lines whose repetitions are counted at once
constexpr std::size_t kChannelsMax = 1'000;  ///< channels with a level of their own

std::string print_time(WallTime at) {
  return PartialDate::from_wall(at, DatePrecision::fraction).print_fhir();
}

void begin_line(JsonWriter& json, WallTime at, LogLevel level, std::string_view event) {
  json.begin_object().member("ts", print_time(at)).member("level", name_of(level)).member("event", event);
}

void write_field(JsonWriter& json, const LogField& field) {
  json.key(field.key);
  if (field.kind == LogField::Kind::integer)
    json.integer(field.integer);
  else
    json.string(field.text.text());
}

}  // namespace

const char* name_of(LogLevel level) {
  static constexpr const char* kWords[] = {"debug", "info", "warn", "error"};
  return kWords[static_cast<std::size_t>(level)];
}

void LogWriter::log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (level < bar_.load(std::memory_order_relaxed)) return;
  std::string_view channel;
  std::string kind(event);
  for (const LogField& field : fields) {
    if (field.kind != LogField::Kind::text) continue;
    if (std::string_view(field.key) == "channel") channel = field.text.text();
    kind.append("\n").append(field.key).append("\n").append(field.text.text());
  }
  const std::lock_guard lock(mutex_);
  if (!is_wanted(level, channel)) return;
  const MonoTime now = clock_.mono();
  const WallTime wall = clock_.wall();
  auto at = repeats_.find(kind);
  if (at != repeats_.end() && now - at->second.began >= kRepeatWindow) {
    tell(at->second);
    repeats_.erase(at);
    at = repeats_.end();
  }
  if (at == repeats_.end() && repeats_.size() < kKindsMax) {
    Repeats first;
    first.began = now;
    first.since = wall;
    first.level = level;
    first.event = event;
    for (const LogField& field : fields)
      if (field.kind == LogField::Kind::text) first.texts.emplace_back(field.key, field.text.text());
    at = repeats_.emplace(std::move(kind), std::move(first)).first;
  }
  if (at != repeats_.end() && ++at->second.written > kRepeatsWritten) {
    ++at->second.left_out;
    return;
  }
  JsonWriter json;
  begin_line(json, wall, level, event);
  for (const LogField& field : fields) write_field(json, field);
  write_line(json.end_object().take());
}

void LogWriter::tell(const Repeats& repeats) {
  if (repeats.left_out == 0) return;
  JsonWriter json;
  begin_line(json, clock_.wall(), repeats.level, repeats.event);
  for (const auto& [key, text] : repeats.texts) json.member(key, text);
  json.key("repeated").integer(static_cast<std::int64_t>(repeats.left_out)).member("since", print_time(repeats.since));
  write_line(json.end_object().take());
}

void LogWriter::tick() {
  const std::lock_guard lock(mutex_);
  const MonoTime now = clock_.mono();
  for (auto at = repeats_.begin(); at != repeats_.end();) {
    if (now - at->second.began < kRepeatWindow) {
      ++at;
      continue;
    }
    tell(at->second);
    at = repeats_.erase(at);
  }
  const WallTime wall = clock_.wall();
  if (std::erase_if(channels_, [&](const auto& one) { return one.second.until <= wall; }) > 0) lower_bar();
  tell_dropped();
}

/// False: nobody reads, and the line is lost. Whoever logs never waits.
bool LogWriter::write_line(std::string line) {
  if (line.size() >= kLineBytesMax) line = line.substr(0, line.find("\",\"", line.find("\"event\""))) + "\",\"cut\":true}";
  line += '\n';
  pollfd ready{fd_, POLLOUT, 0};
  const bool room = ::poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0;
  // A regular file or a pipe with room takes it whole; a rest after an interrupt would be a line that cannot be read.
  if (room && ::write(fd_, line.data(), line.size()) == static_cast<ssize_t>(line.size())) return true;
  dropped_.fetch_add(1, std::memory_order_relaxed);
  ++untold_;
  return false;
}

void LogWriter::tell_dropped() {
  if (untold_ == 0) return;
  const std::uint64_t lost = untold_;
  JsonWriter json;
  begin_line(json, clock_.wall(), LogLevel::warn, "log-dropped");
  json.key("lines").integer(static_cast<std::int64_t>(lost));
  if (write_line(json.end_object().take())) {
    untold_ -= lost;
  } else {
    --untold_;  // of the line that says it
    dropped_.fetch_sub(1, std::memory_order_relaxed);
  }
}

bool LogWriter::is_wanted(LogLevel level, std::string_view channel) {
  if (channels_.empty()) return level >= level_;
  auto own = channel.empty() ? channels_.end() : channels_.find(channel);
  if (own == channels_.end()) own = channels_.find("*");
  if (own == channels_.end() || own->second.until <= clock_.wall()) return level >= level_;
  return level >= own->second.level;
}

void LogWriter::lower_bar() {
  LogLevel lowest = level_;
  for (const auto& [name, one] : channels_) lowest = std::min(lowest, one.level);
  bar_.store(lowest, std::memory_order_relaxed);
}

void LogWriter::set_level(LogLevel level) {
  const std::lock_guard lock(mutex_);
  level_ = level;
  lower_bar();
}

Status LogWriter::set_channel_level(std::string_view channel, LogLevel level, std::int64_t seconds) {
  const std::lock_guard lock(mutex_);
  if (channels_.size() >= kChannelsMax && !channels_.contains(channel))
    return fail(ErrorCode::limit_exceeded, "too many channels have a level of their own");
  channels_[std::string(channel)] = {std::string(channel), level, {clock_.wall().micros + seconds * 1'000'000}};
  lower_bar();
  return {};
}

void LogWriter::reset_channel_level(std::string_view channel) {
  const std::lock_guard lock(mutex_);
  if (const auto own = channels_.find(channel); own != channels_.end()) channels_.erase(own);
  lower_bar();
}

std::vector<LogWriter::ChannelLevel> LogWriter::channel_levels() {
  const std::lock_guard lock(mutex_);
  std::vector<ChannelLevel> out;
  for (const auto& [name, one] : channels_)
    if (one.until > clock_.wall()) out.push_back(one);
  return out;
}

LogWriter& process_log() {
  static const SystemClock clock;
  static LogWriter* const writer = new LogWriter(STDERR_FILENO, clock);  // never destroyed: threads log to the very end
  return *writer;
}

}  // namespace kiln::base
