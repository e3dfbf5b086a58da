// A message at regular times: what starts a query, a report or a process that nobody sends anything for.

#include <charconv>

#include "channels/connectors/detail/day_times.h"
#include "channels/connectors/detail/loop_source.h"
#include "channels/limits.h"
#include "engine/base/partial_date.h"

namespace kiln::channels {

namespace {

constexpr std::int64_t kAgainMs = 1'000;  ///< before a message that could not be stored is tried again
constexpr std::int64_t kMinuteMicros = 60'000'000, kDayMicros = 1'440 * kMinuteMicros;
constexpr const char* kContentWords[] = {"csv", "hl7", "fhir"};
constexpr FieldSpec kOptions[] = {
    {.name = "every",
     .type = FieldType::duration,
     .summary = "from one message to the next; they come at whole multiples of it since 1970 (UTC): `1h` on the hour",
     .min = 100,
     .max = 366LL * 86'400'000},
    {.name = "at",
     .type = FieldType::string,
     .summary = "instead of `every`: times of the day in `timezone`, \"06:30\" or \"Mon-Fri 18:00, Sat 12:00\"; one "
                "that the clock skips in spring comes an hour later"},
    {.name = "catch_up",
     .type = FieldType::boolean,
     .summary = "a moment at which the engine did not run, or could not store the message, gives it as soon as possible: of several the "
                "last",
     .default_value = "false"},
    {.name = "content",
     .type = FieldType::word,
     .summary = "what the message is; csv: a row with `time` (UTC) and `number` (of the moment since 1970; of `at` the "
                "minute), unless `text` gives another",
     .default_value = "csv",
     .words = kContentWords},
    {.name = "text", .type = FieldType::string, .summary = "the message; line ends of hl7 may be \\n"},
    {.name = "charset",
     .type = FieldType::string,
     .summary = "character set when MSH-18 is empty",
     .lead = "default"},
    {.name = "timezone",
     .type = FieldType::string,
     .summary = "IANA zone of times without offset; default: the server's"},
};
constexpr ConnectorExample kExamples[] = {
    {"{ every 15m }"},
    {"{ every 1d; content fhir; text \"{\\\"resourceType\\\":\\\"Parameters\\\"}\" }"},
    {"{ at \"06:30\"; timezone \"Europe/Berlin\"; catch_up true }"},
    {"{ at \"Mon-Fri 06:30, Sat 08:00\"; timezone \"Europe/Berlin\" }"},
    {"{ every 1h; content hl7 }", false},
    {"{ every 1h; at \"06:30\"; timezone \"UTC\" }", false},
    {"{ at \"06:30\" }", false},
    {"{ at \"25:00\"; timezone \"UTC\" }", false},
    {"{ }", false},
};

class TimerSource final : public detail::LoopSource {
 public:
  TimerSource(const Options& options, const Surroundings& around)
      : LoopSource(options, around), every_(options.number("every") * 1'000) {
    const std::string content = options.text("content");
    content_ = content == "fhir" ? ContentKind::fhir : content == "hl7" ? ContentKind::hl7 : ContentKind::csv;
  }

 private:
  base::Status prepare() override {
    if (options_.has("at")) {
      auto times = detail::DayTimes::parse(options_.text("at"), options_.text("timezone"));
      if (!times) return detail::option_error("at", times.error());
      times_ = std::move(*times);
    }
    last_ = last(around_.clock.wall());  // the moment that has begun is over: the first message is the next one
    if (!catches_up()) return {};
    const auto kept = around_.env.read_file(place_file(), limits::kTimerPlaceBytesMax);
    if (!kept && kept.error().code != base::ErrorCode::file_not_found) return base::fail(kept.error());
    std::int64_t moment = 0;
    if (kept && std::from_chars(kept->data(), kept->data() + kept->size(), moment).ec == std::errc() && moment < last_.micros)
      last_ = {moment};
    return keep_place();
  }

  bool catches_up() const { return options_.flag("catch_up") && !around_.state.empty(); }
  std::string place_file() const { return base::join_path(around_.state, around_.channel + ".moment"); }

  /// The newest moment that is over, for the next start. Blocks: in file work, and at the start.
  base::Status keep_place() {
    TRY_VOID(around_.env.make_folders(around_.state));
    return around_.env.write_file_atomic(place_file(), std::to_string(last_.micros));
  }

  base::Task<void> note_place() {
    std::function<base::Status()> keep = [this] { return keep_place(); };
    const auto keeping = detail::offload(around_.file_work, around_.network.executor(), std::move(keep));
    const auto kept = co_await keeping;
    if (!kept) status_.last_error = kept.error().message();
  }

  base::WallTime last(base::WallTime at) const { return times_ ? times_->last(at) : base::WallTime{at.micros / every_ * every_}; }
  base::WallTime next(base::WallTime after) const {
    return times_ ? times_->next(after) : base::WallTime{after.micros / every_ * every_ + every_};
  }

  /// "2026-01-01T12:00:00Z"
  static std::string print_time(base::WallTime at) { return base::PartialDate::from_wall(at).print_fhir(); }

  /// The same moment is the same message, also after a restart within it.
  Inbound message_at(base::WallTime at) const {
    Inbound out;
    out.kind = content_;
    out.peer = "timer";
    out.received_at = around_.clock.wall();
    out.name = print_time(at);
    out.key = "timer:" + std::to_string(at.micros / 1'000);
    out.bytes = options_.text("text");
    const std::int64_t number = at.micros / (times_ ? kMinuteMicros : every_);
    if (out.bytes.empty()) out.bytes = "time,number\r\n" + out.name + "," + std::to_string(number) + "\r\n";
    if (content_ == ContentKind::hl7)
      for (char& c : out.bytes)
        if (c == '\n') c = '\r';
    return out;
  }

  base::Task<std::int64_t> round() override {
    const base::WallTime now = around_.clock.wall(), at = last(now);
    // A clock that was set back does not repeat what was sent; one that jumped ahead sends one message, not all between.
    if (now.micros + (times_ ? kDayMicros : every_) < last_.micros) last_ = at;
    if (at.micros > last_.micros) {
      auto accepting = accept(message_at(at));
      const Answer answer = co_await std::move(accepting);
      status_.last_error.clear();
      if (answer.taken == Taken::not_stored) status_.last_error = "the message of " + print_time(at) + " was not stored";
      if (answer.taken == Taken::not_stored && options_.flag("catch_up")) co_return kAgainMs;
      last_ = at;
      if (!catches_up()) co_return 0;
      auto noting = note_place();
      co_await std::move(noting);
      co_return 0;
    }
    // Not longer than a minute, so that a clock that was set is noticed.
    co_return std::clamp<std::int64_t>((next(last_).micros - now.micros + 999) / 1'000, 1, 60'000);
  }

  std::int64_t every_;  ///< microseconds
  ContentKind content_ = ContentKind::csv;
  std::optional<detail::DayTimes> times_;
  base::WallTime last_;  ///< the newest moment that is over
};

std::vector<OptionProblem> check(const Options& options) {
  std::vector<OptionProblem> out;
  if (options.text("content") != "csv" && !options.has("text"))
    out.push_back({base::ErrorCode::E0905, "", "timer with `content " + options.text("content") + "` needs `text`",
                   "text \"…\""});
  if (options.has("every") == options.has("at"))
    out.push_back({base::ErrorCode::E0905, options.has("at") ? "at" : "", "timer needs `every` or `at`, one of them", "every 15m"});
  if (options.has("at") && !options.has("timezone"))
    out.push_back({base::ErrorCode::E0905, "at", "`at` needs `timezone`: whose clock it is", "timezone \"Europe/Berlin\""});
  const auto* at = options.find("at");
  if (at == nullptr || !at->resolved) return out;
  if (const auto times = detail::DayTimes::parse(at->text, "UTC"); !times)
    out.push_back({base::ErrorCode::E0917, "at", times.error().text + ": " + times.error().place, "\"Mon-Fri 06:30, Sat 08:00\""});
  return out;
}

}  // namespace

const ConnectorSpec& timer_source_spec() {
  static const ConnectorSpec spec{.name = "timer",
                                  .role = ConnectorRole::source,
                                  .summary = "gives a message at regular times",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .check = &check,
                                  .make_source = &detail::make_looping<TimerSource>};
  return spec;
}

}  // namespace kiln::channels
