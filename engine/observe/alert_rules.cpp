#include "engine/observe/alert_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace kiln::engine {

using base::Metric;
using base::Metrics;

/// One line of the table: a metric, how it is read, and beyond what it is an alert.
struct AlertRules::Rule {
  enum class Read : std::uint8_t {
    value,     ///< as it is
    increase,  ///< of a counter, over `window_s`
    age,       ///< of a time, seconds
    left       ///< until a time, seconds; an alert below the limit
  };
  const char* name;     ///< as alerts are called
  const char* setting;  ///< as an `alert` block is called
  Metric metric;
  Read read;
  double limit;
  std::int64_t window_s;
  std::int64_t grace_s;
  AlertLevel level;
  const char* text;  ///< {} is the number
  const char* remedy;
};

const std::vector<AlertRules::Rule>& AlertRules::rules() {
  using Read = Rule::Read;
  constexpr auto page = AlertLevel::page, warn = AlertLevel::warn;
  static const std::vector<Rule> list = {
      {"JournalFsyncError", "journal_fsync_error", Metric::journal_fsync_errors_total, Read::increase, 0, 300, 0, page,
       "the disk did not confirm {} writes", "look at the disk (dmesg); the engine starts again from what is on it"},
      {"BooksImbalance", "books_imbalance", Metric::books_imbalance, Read::value, 0, 0, 60, page,
       "journal and queues differ by {} messages", "kiln verify tells which; keep the data folder as it is"},
      {"CorruptRecord", "corrupt_record", Metric::journal_corrupt_records_total, Read::increase, 0, 600, 0, page,
       "{} records do not match their checksums", "kiln search code:corrupt-record lists them; look at the disk"},
      {"QueueAge", "queue_age", Metric::oldest_pending_age_seconds, Read::value, 600, 0, 0, page,
       "the oldest message has waited for {} s", "kiln search state:pending lists them; kiln why NUMBER tells why"},
      {"QueueDepth", "queue_depth", Metric::messages_pending, Read::value, 1000, 0, 0, warn, "{} messages wait",
       "kiln status tells whether the destination is up, blocked or slow"},
      {"QuarantineGrowth", "quarantine_growth", Metric::messages_quarantined_total, Read::increase, 0, 300, 0, warn,
       "{} messages were set aside within five minutes", "kiln search state:quarantined since:10m lists them"},
      {"QuarantineFlood", "quarantine_flood", Metric::messages_quarantined_total, Read::increase, 20, 300, 0, page,
       "{} messages were set aside within five minutes", "kiln search state:quarantined since:10m lists them; consider pausing the channel"},
      {"DuplicateBurst", "duplicate_burst", Metric::messages_duplicate_total, Read::increase, 50, 300, 0, warn,
       "{} repetitions within five minutes", "the sender does not see its acknowledgements: look at its connection"},
      {"InDoubtOld", "in_doubt_old", Metric::in_doubt, Read::value, 0, 0, 300, warn, "{} messages may have arrived and are not confirmed",
       "they are sent again, marked, when the receiver answers"},
      {"DiskForecast", "disk_forecast", Metric::journal_disk_full_seconds, Read::left, 7 * 86'400.0, 0, 600, warn,
       "the disk is full in {} s", "shorten the retention, or add space"},
      {"DiskFull", "disk_full", Metric::journal_disk_full_seconds, Read::left, 86'400, 0, 600, page, "the disk is full in {} s",
       "add space, or kiln prune --dry-run"},
      {"CertExpiry", "cert_expiry", Metric::tls_cert_expiry_timestamp_seconds, Read::left, 30 * 86'400.0, 0, 0, warn,
       "the certificate ends in {} s", "put a new one in its place; it is taken up without a restart"},
      {"CertExpirySoon", "cert_expiry_soon", Metric::tls_cert_expiry_timestamp_seconds, Read::left, 7 * 86'400.0, 0, 0, page,
       "the certificate ends in {} s", "put a new one in its place; it is taken up without a restart"},
      {"BackupOld", "backup_old", Metric::backup_last_success_timestamp_seconds, Read::age, 26 * 3'600.0, 0, 0, warn,
       "the last complete backup was {} s ago", "kiln backup; look at what runs it"},
      {"AuthFailures", "auth_failures", Metric::auth_failures_total, Read::increase, 20, 300, 0, warn,
       "{} logins were refused within five minutes", "kiln audit list tells from where"},
      {"BreakGlass", "break_glass", Metric::breakglass_active, Read::value, 0, 0, 0, warn, "{} emergency accesses are open",
       "kiln audit list tells whose and why"},
      {"ConfigDrift", "config_drift", Metric::config_drift, Read::value, 0, 0, 600, warn, "the files of the site are not what runs",
       "kiln diff shows it; kiln reload takes them over"},
      {"ReloadFailed", "reload_failed", Metric::config_reload_total, Read::increase, 0, 600, 0, warn, "{} reloads were refused",
       "kiln check tells what is wrong; the version before goes on"},
      {"InsecureSetting", "insecure_setting", Metric::insecure_setting, Read::value, 0, 0, 0, warn, "a setting gives up protection",
       "remove it, or turn this alert off for it"},
      {"DurabilityRelaxed", "durability_relaxed", Metric::durability_relaxed, Read::value, 0, 0, 0, warn,
       "acknowledged messages may be lost at a power cut", "journal { durability full }"},
      {"ClockStep", "clock_step", Metric::clock_step_total, Read::increase, 0, 600, 0, warn, "the clock jumped {} times",
       "look at the time synchronisation of the machine"},
      {"IndexLag", "index_lag", Metric::index_lag_seconds, Read::value, 60, 0, 300, warn, "searches are {} s behind",
       "they tell how far they are complete; the index catches up by itself"},
  };
  return list;
}

namespace {

constexpr const char* kDown = "destination_down";
constexpr const char* kSourceDown = "source_down";
constexpr const char* kNoTraffic = "no_traffic";
constexpr const char* kErrorAcks = "error_acks";
constexpr const char* kNotWritable = "journal_not_writable";
constexpr const char* kRestartLoop = "restart_loop";
constexpr const char* kRateDrop = "rate_drop";
constexpr const char* kWatchdog = "watchdog_restart";
constexpr const char* kStranded = "stranded";

/// "lab_in/pas", "lab_in", "http": the values of the labels, "-" left out.
std::string subject_of(const Metrics::Sample& sample) {
  std::string out;
  for (const auto& [name, value] : sample.labels)
    if (value != "-") out += (out.empty() ? "" : "/") + value;
  return out;
}

std::string number(double value) {
  return fmt::format("{:.0f}", value);
}

}  // namespace

std::vector<std::string> alert_names() {
  std::vector<std::string> out = {kDown, kSourceDown, kNoTraffic, kErrorAcks, kNotWritable, kRestartLoop, kRateDrop, kWatchdog, kStranded};
  for (const auto& rule : AlertRules::rules()) out.emplace_back(rule.setting);
  std::sort(out.begin(), out.end());
  return out;
}

base::Result<AlertSettings> read_alert_settings(const channels::Options& server, const std::string& site, base::Env& env) {
  AlertSettings out;
  if (const auto zone = base::TimeZone::find(server.text("timezone"))) out.zone = *zone;
  const auto* blocks = server.all("alert");
  if (blocks == nullptr) return out;
  const std::vector<std::string> names = alert_names();
  for (const channels::OptionValue& value : *blocks) {
    const channels::Options& block = value.block.front();
    const std::string place = "alert " + value.text;
    if (std::find(names.begin(), names.end(), value.text) == names.end()) {
      std::string list;
      for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
      return base::fail(base::ErrorCode::bad_value, "there is no such alert", place, list);
    }
    AlertSetting setting;
    setting.rule = value.text;
    setting.channel = block.text("channel");
    constexpr std::int64_t kMillis = 1'000;
    if (block.has("above")) setting.above = static_cast<double>(block.number("above"));
    if (block.has("longer")) setting.above = static_cast<double>(block.number("longer") / kMillis);
    if (block.has("for")) setting.grace_s = block.number("for") / kMillis;
    if (block.has("level")) setting.level = block.text("level") == "page" ? AlertLevel::page : AlertLevel::warn;
    setting.runbook = block.text("runbook");
    setting.off = block.has("off") && block.flag("off");
    if (block.has("after")) setting.after_s = block.number("after") / kMillis;
    if (setting.rule == kNoTraffic && setting.after_s == 0 && !setting.off)
      return base::fail(base::ErrorCode::bad_value, "`after` is missing", place, "alert no_traffic { after 30m }");
    auto calendar = base::Calendar::parse(block.text("active"));
    if (!calendar) return base::fail(calendar.error().code, calendar.error().text, place + ": " + calendar.error().place, calendar.error().remedy);
    setting.calendar = std::move(*calendar);
    if (block.has("except")) {
      constexpr std::uint64_t kHolidayBytesMax = 1u << 20;
      TRY(const std::string days, env.read_file(base::join_path(site, block.text("except")), kHolidayBytesMax));
      TRY_VOID(setting.calendar.add_holidays(days));
    }
    out.settings.push_back(std::move(setting));
  }
  return out;
}

const AlertSetting* AlertRules::setting(std::string_view rule, const std::string& subject) const {
  const AlertSetting* found = nullptr;
  for (const AlertSetting& one : settings_.settings)
    if (one.rule == rule && (one.channel.empty() || subject == one.channel || subject.starts_with(one.channel + "/"))) found = &one;
  return found;
}

void AlertRules::adjust(std::string_view rule, AlertCondition& condition) const {
  const AlertSetting* own = setting(rule, condition.subject);
  if (own == nullptr) return;
  if (own->grace_s >= 0) condition.grace = std::chrono::seconds(own->grace_s);
  if (own->level) condition.level = *own->level;
  condition.runbook = own->runbook;
}

/// Series that appeared within the window count from 0.
AlertRules::Values AlertRules::increase(const Rule& rule, const Metrics& metrics, base::MonoTime mono) {
  Values now;
  for (const auto& sample : metrics.read(rule.metric)) {
    if (const auto result = sample.labels.find("result"); result != sample.labels.end() && result->second == "ok") continue;
    now[subject_of(sample)] += sample.value;
  }
  auto& history = history_[rule.name];
  const bool first = history.empty();
  while (history.size() > 1 && mono - history[1].at >= std::chrono::seconds(rule.window_s)) history.pop_front();
  Values out;
  for (const auto& [subject, value] : now) {
    if (first) continue;  // what was before the engine looked is no increase
    const auto before = history.front().values.find(subject);
    out[subject] = value - (before == history.front().values.end() ? 0 : before->second);
  }
  history.push_back({mono, std::move(now)});
  return out;
}

AlertRules::Values AlertRules::values(const Rule& rule, const Metrics& metrics, base::WallTime wall, base::MonoTime mono) {
  if (rule.read == Rule::Read::increase) return increase(rule, metrics, mono);
  constexpr double kMicros = 1e6;
  const double now = static_cast<double>(wall.micros) / kMicros;
  const bool is_time = std::string_view(base::info_of(rule.metric).name).ends_with("timestamp_seconds");
  Values out;
  for (const auto& sample : metrics.read(rule.metric)) {
    double value = sample.value;
    if (rule.read == Rule::Read::age) value = now - value;
    if (rule.read == Rule::Read::left && is_time) value -= now;
    out[subject_of(sample)] = value;
  }
  return out;
}

std::vector<AlertCondition> AlertRules::look(const Metrics& metrics, const std::vector<std::string>& reasons,
                                             base::WallTime wall, base::MonoTime mono) {
  std::vector<AlertCondition> out;
  for (const Rule& rule : rules()) {
    for (const auto& [subject, value] : values(rule, metrics, wall, mono)) {
      const AlertSetting* own = setting(rule.setting, subject);
      if (own != nullptr && own->off) continue;
      const double limit = own != nullptr && own->above >= 0 ? own->above : rule.limit;
      const bool holds = rule.read == Rule::Read::left ? value < limit : std::abs(value) > limit;
      if (!holds) continue;
      AlertCondition condition{rule.name, subject, rule.level, fmt::format(fmt::runtime(rule.text), number(value)), rule.remedy,
                               std::chrono::seconds(rule.grace_s)};
      adjust(rule.setting, condition);
      out.push_back(std::move(condition));
    }
  }
  add_down(metrics, out);
  add_no_traffic(metrics, wall, out);
  add_error_acks(metrics, mono, out);
  add_rate_drop(metrics, wall, mono, out);
  add_stranded(out);
  add_engine(reasons, out);
  return out;
}

/// A destination that is down while nothing waits for it troubles nobody.
void AlertRules::add_down(const Metrics& metrics, std::vector<AlertCondition>& out) const {
  std::map<std::string, double> waiting;
  for (const auto& sample : metrics.read(Metric::messages_pending)) waiting[subject_of(sample)] = sample.value;
  for (const auto& sample : metrics.read(Metric::connection_state)) {
    const std::string subject = subject_of(sample);
    const bool is_source = std::any_of(sample.labels.begin(), sample.labels.end(), [](const auto& label) { return label.second == "-"; });
    if (is_source) {
      add_source(subject, sample.value, out);
      continue;
    }
    const auto found = waiting.find(subject);
    if (sample.value != 0 || found == waiting.end() || found->second <= 0) continue;
    const AlertSetting* own = setting(kDown, subject);
    if (own != nullptr && own->off) continue;
    AlertCondition condition{"DestinationDown", subject, AlertLevel::page,
                             "the destination cannot be reached; " + number(found->second) + " messages wait",
                             "look at the receiver and the network; Kiln tries again by itself and sends in order", std::chrono::seconds(300)};
    adjust(kDown, condition);
    out.push_back(std::move(condition));
  }
}

/// The queue is gone, the messages are not.
void AlertRules::add_stranded(std::vector<AlertCondition>& out) const {
  for (const auto& [subject, count] : stranded_) {
    const AlertSetting* own = setting(kStranded, subject);
    if (own != nullptr && (own->off || static_cast<double>(count) <= own->above)) continue;
    AlertCondition condition{"Stranded", subject, AlertLevel::page,
                             std::to_string(count) + (count == 1 ? " message waits" : " messages wait") +
                                 " for a destination that the site does not have",
                             "kiln rollback VERSION brings it back (kiln history lists them); kiln destination skip " + subject +
                                 " sets them aside",
                             std::chrono::seconds(60)};
    adjust(kStranded, condition);
    out.push_back(std::move(condition));
  }
}

/// What a stopped channel reads is not down: its state is paused.
void AlertRules::add_source(const std::string& channel, double state, std::vector<AlertCondition>& out) const {
  const AlertSetting* own = setting(kSourceDown, channel);
  if (state != 0 || (own != nullptr && own->off)) return;
  AlertCondition condition{"SourceDown", channel, AlertLevel::page, "the source does not work: nothing comes in",
                           "kiln status says what it needs; Kiln tries again by itself", std::chrono::seconds(300)};
  adjust(kSourceDown, condition);
  out.push_back(std::move(condition));
}

/// Only where the site says when traffic is expected, and only that time counts.
void AlertRules::add_no_traffic(const Metrics& metrics, base::WallTime wall, std::vector<AlertCondition>& out) const {
  constexpr double kMicros = 1e6;
  double started = 0;
  for (const auto& sample : metrics.read(Metric::start_time_seconds)) started = sample.value;
  std::map<std::string, double> last;
  for (const auto& sample : metrics.read(Metric::messages_received_total)) last[subject_of(sample)] = started;
  for (const auto& sample : metrics.read(Metric::last_received_timestamp_seconds))
    last[subject_of(sample)] = std::max(started, sample.value);
  for (const auto& [channel, at] : last) {
    const AlertSetting* own = setting(kNoTraffic, channel);
    if (own == nullptr || own->off || !own->calendar.is_active(wall, settings_.zone)) continue;
    const auto silent = wall.micros - static_cast<std::int64_t>(at * kMicros);
    if (silent < own->after_s * 1'000'000) continue;
    const std::int64_t expected = own->calendar.active_micros(wall, silent, settings_.zone);
    if (expected < own->after_s * 1'000'000) continue;
    AlertCondition condition{"NoTraffic", channel, AlertLevel::page,
                             "nothing was received for " + number(static_cast<double>(silent) / kMicros) + " s",
                             "ask the sender; kiln status tells whether it is connected", std::chrono::seconds(0)};
    adjust(kNoTraffic, condition);
    out.push_back(std::move(condition));
  }
}

void AlertRules::add_error_acks(const Metrics& metrics, base::MonoTime mono, std::vector<AlertCondition>& out) {
  constexpr double kPart = 0.05;
  constexpr std::chrono::minutes kWindow(10);
  Values now;
  for (const auto& sample : metrics.read(Metric::acks_total)) {
    const bool negative = !sample.labels.at("code").ends_with('A');
    now[sample.labels.at("channel") + (negative ? "\n-" : "\n+")] += sample.value;
  }
  auto& history = history_[kErrorAcks];
  while (history.size() > 1 && mono - history[1].at >= kWindow) history.pop_front();
  for (const auto& [key, value] : now) {
    if (history.empty() || !key.ends_with('-')) continue;
    const std::string channel = key.substr(0, key.size() - 2);
    auto grown = [&](const std::string& which) {
      const auto before = history.front().values.find(which);
      return now[which] - (before == history.front().values.end() ? 0 : before->second);
    };
    const double refused = grown(key), taken = grown(channel + "\n+");
    const AlertSetting* own = setting(kErrorAcks, channel);
    if (refused == 0 || refused <= kPart * (refused + taken) || (own != nullptr && own->off)) continue;
    AlertCondition condition{"ErrorAcks", channel, AlertLevel::warn,
                             number(refused) + " of " + number(refused + taken) +
                                 " answers of the last ten minutes were negative; a sender that repeats is counted each time",
                             "kiln search channel:" + channel +
                                 " since:10m NOT state:sent lists what did not go through; what is in no list was refused before it was "
                                 "stored: kiln status says why",
                             std::chrono::seconds(0)};
    adjust(kErrorAcks, condition);
    out.push_back(std::move(condition));
  }
  history.push_back({mono, std::move(now)});
}

/// Much less than at this hour of the week, as far as it is known.
void AlertRules::add_rate_drop(const Metrics& metrics, base::WallTime wall, base::MonoTime mono, std::vector<AlertCondition>& out) {
  constexpr double kPart = 0.2;
  for (const auto& sample : metrics.read(Metric::messages_received_total)) {
    const std::string channel = subject_of(sample);
    rates_.add(channel, sample.value, wall, mono);
    const auto rate = rates_.rate(channel, wall, mono);
    if (!rate || rate->got >= kPart * rate->expected) continue;
    const AlertSetting* own = setting(kRateDrop, channel);
    if (own != nullptr && own->off) continue;
    AlertCondition condition{"RateDrop", channel, AlertLevel::warn,
                             number(rate->got) + " messages in half an hour; usual at this time are " + number(rate->expected),
                             "ask the sender; kiln status tells whether it is connected", std::chrono::seconds(0)};
    adjust(kRateDrop, condition);
    out.push_back(std::move(condition));
  }
}

void AlertRules::add_engine(const std::vector<std::string>& reasons, std::vector<AlertCondition>& out) const {
  for (const std::string& reason : reasons) {
    if (reason == "starting" || reason == "draining") continue;  // somebody wants that
    AlertCondition condition{"JournalNotWritable", "", AlertLevel::page, reason, "senders keep their messages; free space or mend the disk",
                             std::chrono::seconds(30)};
    adjust(kNotWritable, condition);
    const AlertSetting* own = setting(kNotWritable, "");
    if (own == nullptr || !own->off) out.push_back(std::move(condition));
  }
  const AlertSetting* watchdog = setting(kWatchdog, "");
  if (last_end_ == LastEnd::watchdog && (watchdog == nullptr || !watchdog->off)) {
    AlertCondition condition{"WatchdogRestart", "", AlertLevel::page, "the supervisor ended the engine because a part of it was stuck",
                             "journalctl -u kiln tells when; look at the disk and at the load of the machine", std::chrono::seconds(0)};
    adjust(kWatchdog, condition);
    out.push_back(std::move(condition));
  }
  constexpr std::size_t kStarts = 3;
  const AlertSetting* own = setting(kRestartLoop, "");
  if (recent_starts_ < kStarts || (own != nullptr && own->off)) return;
  AlertCondition condition{"RestartLoop", "", AlertLevel::page, "the engine started " + std::to_string(recent_starts_) + " times in ten minutes",
                           "journalctl -u kiln tells why it ended", std::chrono::seconds(0)};
  adjust(kRestartLoop, condition);
  out.push_back(std::move(condition));
}

}  // namespace kiln::engine
